//! The trace for programs: one JSON object a line.

use std::io::{self, Write};

use serde::Serialize;

use super::{Kind, Log, job_of};

/// A kept trace as JSON lines.
///
/// Each has `t` (nanoseconds since the world began), `kind`, and where they apply `host`, `task`,
/// `label`, `rule`, and one number under the name of its unit.
#[derive(Debug)]
pub struct JsonLines<'a> {
    log: &'a Log,
}

#[derive(Serialize)]
struct Line<'a> {
    t: u64,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'a str>,
    /// How a process ended, or which of its lives begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    of_host: Option<String>,
    #[serde(flatten)]
    number: Option<std::collections::BTreeMap<&'static str, u64>>,
}

impl<'a> JsonLines<'a> {
    pub(crate) fn new(log: &'a Log) -> Self {
        Self { log }
    }

    /// Writes every event.
    ///
    /// # Errors
    /// Those of `to`.
    pub fn write_to(&self, to: &mut impl Write) -> io::Result<()> {
        let names = &self.log.names;
        for event in &self.log.events {
            let name = names.tasks.get(&event.task);
            let host = match event.kind {
                kind if kind.host(event.number).is_some() => kind.host(event.number),
                _ => name.map(|name| name.host as usize),
            };
            let host = host.and_then(|host| names.hosts.get(host));
            let rule = match event.kind {
                Kind::Fault | Kind::Lift | Kind::Link | Kind::Name | Kind::Reset => {
                    names.rules.get(event.number as usize)
                }
                _ => None,
            };
            let line = Line {
                t: event.at.as_nanos(),
                kind: event.kind.name(),
                host: host.map(String::as_str),
                task: name.map(|name| &*name.text),
                label: event.label,
                rule: rule.map(String::as_str),
                of_host: event.kind.of_host(event.number),
                number: event.kind.unit().map(|unit| match unit {
                    "job" => [(unit, job_of(event.number).1)].into(),
                    _ => [(unit, event.number)].into(),
                }),
            };
            serde_json::to_writer(&mut *to, &line)?;
            to.write_all(b"\n")?;
        }
        Ok(())
    }
}
