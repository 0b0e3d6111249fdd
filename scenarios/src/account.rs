//! What is said of one run.

use std::fmt;

use sim::Run;

use crate::{Form, Scenario};

/// A run as a replay prints it: equal texts are equal runs.
#[derive(Debug)]
pub struct Account<'a> {
    /// What was run.
    pub scenario: &'a Scenario,
    /// Which form of it.
    pub form: Form,
    /// With which seed.
    pub seed: u64,
    /// How it went.
    pub run: &'a Run<()>,
}

impl fmt::Display for Account<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.scenario.name;
        writeln!(f, "run      {name}, {}, seed {}", self.form, self.seed)?;
        match &self.run.verdict {
            Some(verdict) => writeln!(f, "verdict  {verdict}")?,
            None => writeln!(f, "verdict  none: the run passes")?,
        }
        let Run {
            hash,
            polls,
            events,
            elapsed,
            ..
        } = self.run;
        writeln!(
            f,
            "trace    {hash:016x}, {events} events, {polls} polls, {elapsed:?} of virtual time"
        )
    }
}
