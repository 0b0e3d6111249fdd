//! What a test's body may return, and what is left of a run for others to read.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::net::RuleAccount;
use crate::run::once::Run;
use crate::trace::{Log, Timeline};
use crate::world::blocking::Blockings;
use crate::world::verdict::{Verdict, VerdictKind};

/// What a test's body may return: nothing, or a `Result` whose error fails the run.
#[diagnostic::on_unimplemented(
    message = "a simulated test cannot return `{Self}`",
    label = "not a test's outcome",
    note = "allowed are `()` and `Result<(), E>` with `E: Debug`"
)]
pub trait Outcome {
    /// The text of the failure, if it is one.
    fn failure(self) -> Option<String>;
}

impl Outcome for () {
    fn failure(self) -> Option<String> {
        None
    }
}

impl<E: fmt::Debug> Outcome for Result<(), E> {
    fn failure(self) -> Option<String> {
        self.err().map(|error| format!("{error:?}"))
    }
}

/// What is said of one run: to the campaign, and by a child process to its parent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) verdict: Option<Verdict>,
    pub(crate) hash: u64,
    pub(crate) events: u64,
    pub(crate) polls: u64,
    pub(crate) elapsed_nanos: u64,
    pub(crate) hosts: usize,
    pub(crate) strategy: String,
    /// Of a recorded run: the choices that differ from a plain run, as entries.
    pub(crate) entries: Vec<String>,
    /// What the test did to its network.
    pub(crate) rules: Vec<RuleAccount>,
    /// What blocked the threads of its loops.
    pub(crate) blockings: Blockings,
    /// Of a recorded run: the end of its timeline.
    pub(crate) last: Vec<String>,
}

/// How many events a report shows.
const LAST_EVENTS: usize = 8;

/// The end of a timeline, a line each.
pub(crate) fn last_events(log: &Log) -> Vec<String> {
    let text = Timeline::new(log).last(LAST_EVENTS).to_string();
    text.lines().map(str::to_owned).collect()
}

impl Run<Option<String>> {
    /// A run whose value is the text of the body's failure, if it failed.
    pub(crate) fn judged(mut self) -> Run<()> {
        let failure = self.value.take().flatten();
        if let (None, Some(message)) = (&self.verdict, failure) {
            self.verdict = Some(Verdict {
                at_nanos: u64::try_from(self.elapsed.as_nanos()).unwrap_or(u64::MAX),
                event: self.events,
                ..Verdict::new(VerdictKind::Error, message)
            });
        }
        self.without_value()
    }
}

impl Account {
    /// Reads a run whose value is the text of the body's failure, if it failed.
    pub(crate) fn of(run: Run<Option<String>>) -> (Self, Run<()>) {
        let run = run.judged();
        (Self::read(&run), run)
    }

    /// What is said of a run.
    pub(crate) fn read(run: &Run<()>) -> Self {
        Self {
            verdict: run.verdict.clone(),
            hash: run.hash,
            events: run.events,
            polls: run.polls,
            elapsed_nanos: u64::try_from(run.elapsed.as_nanos()).unwrap_or(u64::MAX),
            hosts: run.remains.hosts,
            strategy: run.remains.strategy.to_owned(),
            entries: run
                .remains
                .deviations
                .iter()
                .map(|entry| entry.to_string())
                .collect(),
            rules: run.rules().to_vec(),
            blockings: run.remains.blockings.clone(),
            last: run.log().map(last_events).unwrap_or_default(),
        }
    }

    /// An account of a run that could not give one itself.
    pub(crate) fn lost(kind: VerdictKind, message: String, polls: u64) -> Self {
        Self::failed(Verdict::new(kind, message), polls)
    }

    /// An account of a run of which nothing is known but its verdict.
    pub(crate) fn failed(verdict: Verdict, polls: u64) -> Self {
        Self {
            verdict: Some(verdict),
            hash: 0,
            events: 0,
            polls,
            elapsed_nanos: 0,
            hosts: 0,
            strategy: String::new(),
            entries: Vec::new(),
            rules: Vec::new(),
            blockings: Blockings::default(),
            last: Vec::new(),
        }
    }

    /// Whether it ended in this kind of failure.
    pub(crate) fn agrees_with_kind(&self, kind: VerdictKind) -> bool {
        self.verdict
            .as_ref()
            .is_some_and(|verdict| verdict.kind == kind)
    }

    /// Whether both runs went the same way, event for event, and ended in the same failure.
    pub(crate) fn agrees_with(&self, other: &Self) -> bool {
        let same_failure = match (&self.verdict, &other.verdict) {
            (None, None) => true,
            (Some(one), Some(other)) => one.same_failure(other),
            (Some(_), None) | (None, Some(_)) => false,
        };
        same_failure && self.hash == other.hash
    }
}
