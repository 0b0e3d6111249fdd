//! What is kept of a run only when it is run to be understood: names, holds, who waits on what.

use std::collections::BTreeMap;
use std::panic::Location;
use std::sync::Arc;

use event_loop::backend::{Record, TaskMeta};
use virtual_time::Instant;

use super::choices::Choices;
use super::core::WORLD;
use super::entry::plain_name;
use crate::trace::{Names, TaskName};

/// The bookkeeping of a recorded run.
#[derive(Debug, Default)]
pub(crate) struct Recording {
    /// How many tasks would bear each text, were there no numbers.
    texts: BTreeMap<String, u64>,
    /// How often each task was woken.
    wakes: BTreeMap<u64, u64>,
    /// What is queued, by the order of its wakes: task, and how often it was passed over.
    queued: BTreeMap<u64, (u64, u32)>,
    /// The reverse of `queued`.
    sequence_of: BTreeMap<u64, u64>,
    sequence: u64,
    /// When each task was last polled, and what it said it waits for.
    waits: BTreeMap<u64, (Instant, Option<Wait>)>,
}

/// What a task waits for, as far as the world knows.
#[derive(Clone, Debug)]
pub(crate) enum Wait {
    Join(u64),
    Cancelled,
    Timer(Instant),
    Accept(u64),
    Connect(u64),
    Read(u64),
    Write(u64),
    /// Something of a primitive.
    Sync(&'static str, Arc<Record>),
}

impl Recording {
    /// Gives a new task its name: that of its parent, its own or its place, and a number where
    /// there are several. No two tasks of a run have the same, so that an entry is of one task.
    pub(crate) fn name(
        &mut self,
        serial: u64,
        parent: Option<u64>,
        host: u32,
        name: Option<&str>,
        site: &'static Location<'static>,
        names: &mut Names,
    ) {
        let host_name = names.hosts.get(host as usize).map_or("?", String::as_str);
        let parent = parent.and_then(|parent| names.tasks.get(&parent));
        let parent = parent.filter(|parent| parent.host == host);
        let own = match name {
            Some(name) => plain_name(name),
            None => {
                let file = site.file().rsplit(['/', '\\']).next().unwrap_or("?");
                plain_name(&format!("{file}:{}", site.line()))
            }
        };
        let under = match parent {
            Some(parent) => parent.text.to_string(),
            None => plain_name(host_name),
        };
        let mut text = match &*under {
            // The root of a host is called as the host is.
            host if parent.is_none() && host == own => own,
            "main" => own,
            under => format!("{under}/{own}"),
        };
        let count = self.texts.entry(text.clone()).or_insert(0);
        *count += 1;
        if *count > 1 || text == WORLD {
            text = format!("{text}~{}", *count);
        }
        names.tasks.insert(
            serial,
            TaskName {
                text: text.into(),
                site,
                host,
            },
        );
    }

    /// A task was woken; returns how often this wake is to be passed over.
    pub(crate) fn woken(
        &mut self,
        serial: u64,
        choices: &Choices,
        names: Option<&mut Names>,
    ) -> u32 {
        let wake = self.wakes.entry(serial).or_insert(0);
        *wake += 1;
        self.sequence += 1;
        self.queued.insert(self.sequence, (serial, 0));
        self.sequence_of.insert(serial, self.sequence);
        match names.and_then(|names| names.tasks.get(&serial)) {
            Some(name) => choices.listed_hold(&name.text, *wake),
            None => 0,
        }
    }

    /// A task was picked: all that were woken before it were passed over.
    pub(crate) fn picked(
        &mut self,
        serial: u64,
        now: Instant,
        choices: &mut Choices,
        names: Option<&mut Names>,
    ) {
        self.waits.insert(serial, (now, None));
        let Some(sequence) = self.sequence_of.remove(&serial) else {
            return;
        };
        for (_, passed) in self.queued.range_mut(..sequence).map(|(_, entry)| entry) {
            *passed += 1;
        }
        let Some((_, passed)) = self.queued.remove(&sequence) else {
            return;
        };
        if passed == 0 {
            return;
        }
        let wake = self.wakes.get(&serial).copied().unwrap_or(0);
        if let Some(name) = names.and_then(|names| names.tasks.get(&serial)) {
            choices.hold(&name.text, wake, passed);
        }
    }

    /// The run is over: what is still queued was passed over to the end.
    pub(crate) fn over(&mut self, choices: &mut Choices, names: Option<&mut Names>) {
        let Some(names) = names else { return };
        for (serial, passed) in std::mem::take(&mut self.queued).into_values() {
            if let (Some(name), Some(&wake)) = (names.tasks.get(&serial), self.wakes.get(&serial))
                && passed > 0
            {
                choices.hold(&name.text, wake, passed);
            }
        }
    }

    pub(crate) fn finished(&mut self, serial: u64) {
        self.waits.remove(&serial);
        self.wakes.remove(&serial);
    }

    /// The task says what it is about to wait for.
    pub(crate) fn waits(&mut self, serial: u64, wait: Wait) {
        if let Some((_, waits)) = self.waits.get_mut(&serial) {
            *waits = Some(wait);
        }
    }

    /// The table of who waits on what, since when.
    pub(crate) fn blocked(
        &self,
        live: impl Iterator<Item = u64>,
        names: Option<&mut Names>,
    ) -> Vec<String> {
        let Some(names) = names else {
            return Vec::new();
        };
        let text = |serial: &u64| names.tasks.get(serial).map_or("?", |name| &*name.text);
        // A primitive in a static may be held since an earlier run, by a task that none here is.
        let holder = |meta: &TaskMeta| match names.tasks.get(&meta.id.serial()) {
            Some(name) if name.site == meta.site => format!("task \"{}\"", name.text),
            _ => format!("a task spawned at {}", meta.site),
        };
        live.map(|serial| {
            let site = names.tasks.get(&serial).map(|name| name.site.to_string());
            let site = site.unwrap_or_default();
            let mut state = String::new();
            let (since, what) = match self.waits.get(&serial) {
                None => (None, "its first poll".to_owned()),
                Some((since, None)) => (Some(since), "an await of its own".to_owned()),
                Some((since, Some(wait))) => (
                    Some(since),
                    match wait {
                        Wait::Join(other) => format!("the end of task \"{}\"", text(other)),
                        Wait::Cancelled => "a request to cancel".to_owned(),
                        Wait::Timer(at) => format!("its timer at {at} s"),
                        Wait::Accept(socket) => format!("a connection on socket {socket}"),
                        Wait::Connect(socket) => format!("its connect on socket {socket}"),
                        Wait::Read(socket) => format!("bytes on socket {socket}"),
                        Wait::Write(socket) => format!("room to write on socket {socket}"),
                        Wait::Sync(wanted, of) => {
                            state = of.state(holder).map_or(state, |state| format!(", {state}"));
                            of.awaited(wanted)
                        }
                    },
                ),
            };
            let since = since.map_or_else(String::new, |since| format!(" since {since} s"));
            let who = text(&serial);
            format!("task \"{who}\" ({site}) waits on {what}{since}{state}")
        })
        .collect()
    }
}
