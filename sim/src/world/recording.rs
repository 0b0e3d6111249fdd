//! What is kept of a run only when it is run to be understood: names, holds, who waits on what.

use std::collections::BTreeMap;
use std::panic::Location;

use virtual_time::Instant;

use super::choices::Choices;
use super::core::WORLD;
use super::entry::plain_name;
use super::waits::{Standing, Table, Wait};
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
    /// The task that was picked, until time passes.
    running: Option<u64>,
    /// Who waited on what when the run was stuck.
    pub(crate) table: Option<Table>,
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
        self.running = Some(serial);
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

    /// Nothing can run.
    pub(crate) fn idle(&mut self) {
        self.running = None;
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

    /// Where a live task stands.
    pub(crate) fn standing(&self, serial: u64) -> Standing {
        if self.running == Some(serial) || self.sequence_of.contains_key(&serial) {
            return match self.waits.contains_key(&serial) {
                true => Standing::Ready,
                false => Standing::New,
            };
        }
        match self.waits.get(&serial) {
            None => Standing::New,
            Some((since, wait)) => Standing::Waits(*since, wait.clone()),
        }
    }
}
