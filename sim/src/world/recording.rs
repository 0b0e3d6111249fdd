//! What is kept of a run only when it is run to be understood: names, holds, who waits on what.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::Location;

use net_sim::Capture;
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
    /// How many wakes each had.
    wakes: BTreeMap<Woken, u64>,
    /// What is queued, by the order of the wakes.
    queued: BTreeMap<u64, Passed>,
    /// The reverse of `queued`.
    sequences: BTreeSet<(Woken, u64)>,
    sequence: u64,
    /// When each task was last polled, and what it said it waits for.
    waits: BTreeMap<u64, (Instant, Option<Wait>)>,
    /// The tasks that are queued, and since when.
    ready: BTreeMap<u64, Instant>,
    /// The task that was picked, until time passes.
    running: Option<u64>,
    /// Who waited on what when the run was stuck.
    pub(crate) table: Option<Table>,
    /// What hosts sent to each other.
    pub(crate) capture: Capture,
}

/// Whose wakes are counted: a task's, or, where a host's order is fixed, the host's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Woken {
    Task(u64),
    Host(u32),
    Thread(u64),
}

/// A wake in the queue, and how often it was passed over.
#[derive(Debug)]
struct Passed {
    who: Woken,
    wake: u64,
    times: u32,
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
        let text = match &*under {
            // The root of a host is called as the host is.
            host if parent.is_none() && host == own => own,
            "main" => own,
            under => format!("{under}/{own}"),
        };
        let text = self.only(text);
        names.tasks.insert(
            serial,
            TaskName {
                text: text.into(),
                site,
                host,
            },
        );
    }

    /// Gives a new thread its name: its host's and its own, and a number where there are several.
    pub(crate) fn name_thread(&mut self, serial: u64, host: u32, name: &str, names: &mut Names) {
        let own = plain_name(name);
        let text = match names.hosts.get(host as usize).map(|host| plain_name(host)) {
            Some(under) if under != "main" => format!("{under}/{own}"),
            _ => own,
        };
        let text = self.only(text).into();
        names.threads.insert(serial, text);
    }

    /// The text, with a number if others have it already.
    fn only(&mut self, text: String) -> String {
        let count = self.texts.entry(text.clone()).or_insert(0);
        *count += 1;
        match *count {
            1 if text != WORLD => text,
            count => format!("{text}~{count}"),
        }
    }

    /// A task can run.
    pub(crate) fn ready(&mut self, serial: u64, now: Instant) {
        self.ready.insert(serial, now);
    }

    /// Since when a task is queued, if it is.
    pub(crate) fn ready_since(&self, serial: u64) -> Option<Instant> {
        self.ready.get(&serial).copied()
    }

    /// A wake; returns how often it is to be passed over.
    pub(crate) fn woken(
        &mut self,
        who: Woken,
        choices: &Choices,
        names: Option<&mut Names>,
    ) -> u32 {
        let wake = self.wakes.entry(who).or_insert(0);
        *wake += 1;
        let wake = *wake;
        self.sequence += 1;
        let times = 0;
        self.queued
            .insert(self.sequence, Passed { who, wake, times });
        self.sequences.insert((who, self.sequence));
        match names.and_then(|names| who.name(names)) {
            Some(name) => choices.listed_hold(name, wake),
            None => 0,
        }
    }

    /// The first wake of `who` was picked: all that came before it were passed over.
    pub(crate) fn picked(&mut self, who: Woken, choices: &mut Choices, names: Option<&mut Names>) {
        let first = self.sequences.range((who, 0)..).next().copied();
        let Some((_, sequence)) = first.filter(|(first, _)| *first == who) else {
            return;
        };
        self.sequences.remove(&(who, sequence));
        for (_, passed) in self.queued.range_mut(..sequence) {
            passed.times += 1;
        }
        if let (Some(passed), Some(names)) = (self.queued.remove(&sequence), names) {
            passed.record(choices, names);
        }
    }

    /// The wakes of a task that were queued are not any more, and nobody passes them over from here
    /// on.
    pub(crate) fn taken_out(
        &mut self,
        serial: u64,
        choices: &mut Choices,
        mut names: Option<&mut Names>,
    ) {
        let who = Woken::Task(serial);
        while let Some(&(first, sequence)) = self.sequences.range((who, 0)..).next()
            && first == who
        {
            self.sequences.remove(&(who, sequence));
            if let (Some(passed), Some(names)) = (self.queued.remove(&sequence), &mut names) {
                passed.record(choices, names);
            }
        }
        self.ready.remove(&serial);
    }

    /// A task is about to be polled.
    pub(crate) fn polled(&mut self, serial: u64, now: Instant) {
        self.waits.insert(serial, (now, None));
        self.ready.remove(&serial);
        self.running = Some(serial);
    }

    /// The run is over: what is still queued was passed over to the end.
    pub(crate) fn over(&mut self, choices: &mut Choices, names: Option<&mut Names>) {
        let Some(names) = names else { return };
        for passed in std::mem::take(&mut self.queued).into_values() {
            passed.record(choices, names);
        }
    }

    /// Nothing can run.
    pub(crate) fn idle(&mut self) {
        self.running = None;
    }

    pub(crate) fn finished(&mut self, serial: u64) {
        self.waits.remove(&serial);
        self.wakes.remove(&Woken::Task(serial));
    }

    pub(crate) fn thread_finished(&mut self, serial: u64) {
        self.wakes.remove(&Woken::Thread(serial));
    }

    /// The task says what it is about to wait for.
    pub(crate) fn waits(&mut self, serial: u64, wait: Wait) {
        if let Some((_, waits)) = self.waits.get_mut(&serial) {
            *waits = Some(wait);
        }
    }

    /// The task waits for this if it has not said otherwise in this poll.
    pub(crate) fn still_waits(&mut self, serial: u64, wait: impl FnOnce() -> Wait) {
        if let Some((_, waits)) = self.waits.get_mut(&serial) {
            waits.get_or_insert_with(wait);
        }
    }

    /// Where a live task stands.
    pub(crate) fn standing(&self, serial: u64) -> Standing {
        if self.running == Some(serial) || self.ready.contains_key(&serial) {
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

impl Woken {
    /// How entries call it.
    fn name(self, names: &Names) -> Option<&str> {
        match self {
            Self::Task(serial) => Some(&*names.tasks.get(&serial)?.text),
            Self::Thread(serial) => Some(&**names.threads.get(&serial)?),
            Self::Host(host) => names.loops.get(host as usize).map(String::as_str),
        }
    }
}

impl Passed {
    fn record(self, choices: &mut Choices, names: &Names) {
        if self.times > 0
            && let Some(name) = self.who.name(names)
        {
            choices.hold(name, self.wake, self.times);
        }
    }
}
