//! Failures of async services, each in a broken and a mended form, to be played under many seeds.
//!
//! ```
//! let scenario = scenarios::find("cleanup-order").unwrap();
//! let tally = scenario.play(scenarios::Form::Mended, 50);
//! assert!(tally.failing.is_empty());
//! ```

pub mod r1_cleanup_order;

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use sim::{Config, Run, Sim};

/// All of them, in the order of their first appearance in SEMANTICS.md.
pub static CATALOGUE: &[Scenario] = &[Scenario {
    name: "cleanup-order",
    story: "a pool waits for the cleanups under way, and cuts those that have not begun",
    broken: |sim| Box::pin(r1_cleanup_order::broken(sim)),
    mended: |sim| Box::pin(r1_cleanup_order::mended(sim)),
}];

/// The scenario of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Scenario> {
    CATALOGUE.iter().find(|scenario| scenario.name == name)
}

/// A failure of a service, and what mends it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Scenario {
    /// What the program and the tests call it.
    pub name: &'static str,
    /// What goes wrong, in a line.
    pub story: &'static str,
    broken: Main,
    mended: Main,
}

type Main = fn(Sim) -> Pin<Box<dyn Future<Output = ()>>>;

impl Scenario {
    /// One run.
    #[must_use]
    pub fn run(&self, form: Form, seed: u64) -> Run<()> {
        sim::run_once(&Config::new(), seed, self.main(form))
    }

    /// One run, with its trace kept.
    #[must_use]
    pub fn record(&self, form: Form, seed: u64) -> Run<()> {
        sim::record_once(&Config::new(), seed, self.main(form))
    }

    /// Runs the seeds `0..seeds`.
    #[must_use]
    pub fn play(&self, form: Form, seeds: u64) -> Tally {
        let failing = (0..seeds).filter(|&seed| self.run(form, seed).verdict.is_some());
        Tally {
            seeds,
            failing: failing.collect(),
        }
    }

    fn main(&self, form: Form) -> Main {
        match form {
            Form::Broken => self.broken,
            Form::Mended => self.mended,
        }
    }
}

/// Which of the two a run is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// As it is often written.
    Broken,
    /// As it should be.
    Mended,
}

impl Form {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Broken, Self::Mended];

    /// Its word in tables and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Broken => "broken",
            Self::Mended => "mended",
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What came of playing a form.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tally {
    /// How many seeds were run, from 0.
    pub seeds: u64,
    /// Those that failed, in ascending order.
    pub failing: Vec<u64>,
}

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
