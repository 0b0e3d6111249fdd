//! The trace as a timeline to read: one line an event, stable enough to be a snapshot.

use std::fmt;
use std::fs;
use std::path::Path;

use super::{Event, Kind, Log, job_of};

/// A kept trace as text: `seconds host task event`.
#[derive(Debug)]
pub struct Timeline<'a> {
    log: &'a Log,
    last: usize,
}

impl<'a> Timeline<'a> {
    pub(crate) fn new(log: &'a Log) -> Self {
        Self {
            log,
            last: usize::MAX,
        }
    }

    /// Only the last `count` events.
    pub(crate) fn last(mut self, count: usize) -> Self {
        self.last = count;
        self
    }
}

impl fmt::Display for Timeline<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let skip = self.log.events.len().saturating_sub(self.last);
        let missing = self.log.forgotten + skip as u64;
        if missing > 0 {
            writeln!(f, "… {missing} earlier events")?;
        }
        for event in &self.log.events[skip..] {
            writeln!(
                f,
                "{}",
                Line {
                    log: self.log,
                    event
                }
            )?;
        }
        Ok(())
    }
}

/// One event as a line.
struct Line<'a> {
    log: &'a Log,
    event: &'a Event,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Event {
            at,
            kind,
            task,
            number,
            label,
        } = *self.event;
        write!(f, "{at}")?;
        let names = &self.log.names;
        if let Some(name) = names.tasks.get(&task) {
            let host = names
                .hosts
                .get(name.host as usize)
                .map_or("?", String::as_str);
            write!(f, " {host:<8} {:<16}", name.text)?;
        } else {
            let of_loop = kind.host(number).filter(|_| kind.is_of_loop());
            let host = of_loop.and_then(|host| names.hosts.get(host));
            write!(f, " {:<8} {:<16}", host.map_or("-", String::as_str), "-")?;
        }
        write!(f, " {}", kind.name())?;
        if let Some(label) = label {
            write!(f, " {label}")?;
        }
        match kind {
            Kind::Fault | Kind::Lift | Kind::Link | Kind::Name | Kind::Reset => {
                let rule = names.rules.get(number as usize).map_or("?", String::as_str);
                write!(f, " {rule}")
            }
            Kind::TimerSet => {
                write!(f, " until {}", virtual_time::Instant::from_nanos(number))
            }
            Kind::Block | Kind::Slow => {
                write!(f, " {:?}", std::time::Duration::from_nanos(number))
            }
            Kind::Read | Kind::Write | Kind::Entropy => write!(f, " {number} bytes"),
            Kind::JobAsked | Kind::JobBegan | Kind::JobEnded => write!(f, " {}", job_of(number).1),
            _ if kind.host(number).is_some() && !kind.is_of_loop() => {
                let host = kind.host(number).and_then(|host| names.hosts.get(host));
                write!(f, " {}", host.map_or("?", String::as_str))?;
                match kind.of_host(number) {
                    Some(more) => write!(f, ", {more}"),
                    None => Ok(()),
                }
            }
            _ if kind.unit() == Some("socket") => write!(f, " {}", names.socket(number)),
            _ if kind.unit().is_some() => write!(f, " {number}"),
            _ => Ok(()),
        }
    }
}

/// Where two timelines in files begin to differ: the line before, and both lines. `None` if they
/// are the same or cannot be read.
pub(crate) fn first_difference(one: &Path, other: &Path) -> Option<Vec<String>> {
    let (one, other) = (
        fs::read_to_string(one).ok()?,
        fs::read_to_string(other).ok()?,
    );
    let (one, other): (Vec<_>, Vec<_>) = (one.lines().collect(), other.lines().collect());
    let length = one.len().max(other.len());
    let at = (0..length).find(|&line| one.get(line) != other.get(line))?;
    let line = |of: &[&str]| {
        of.get(at)
            .map_or("(the run is over)".to_owned(), |l| (*l).to_owned())
    };
    let before = at
        .checked_sub(1)
        .map(|before| format!("event {at} is the same:  {}", one[before]));
    let differ = [
        format!("one run goes on:     {}", line(&one)),
        format!("the other goes on:   {}", line(&other)),
    ];
    Some(before.into_iter().chain(differ).collect())
}
