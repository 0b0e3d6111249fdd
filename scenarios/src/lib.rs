//! Failures of async services, each in a broken and a mended form, to be played under many seeds.
//!
//! ```
//! let scenario = scenarios::find("cleanup-order").unwrap();
//! let tally = scenario.play(scenarios::Form::Mended, 50);
//! assert!(tally.failing.is_empty());
//! ```
//!
//! Each is a small service on the loop's interface, with what goes wrong in it and what mends it.
//! The broken form fails within [`Scenario::fails_within`] seeds, and mostly not in the plain run:
//! it is right as long as nothing is early or late. The mended form survives all of them.
//!
//! `cargo run --release -p scenarios` plays them all; `… list` names them, `… play NAME --form
//! broken --seeds 100` plays one, and `… replay NAME --seed 7 --timeline` shows one run.

mod account;
pub mod r11_nested_block_on;
pub mod r11_nested_run;
pub mod r12_own_loop;
pub mod r13_burst;
pub mod r14_unread_failure;
pub mod r15_result_or_cancel;
pub mod r17_behind_stop;
pub mod r1_asked_twice;
pub mod r1_cleanup_order;
pub mod r2_never_finished;
pub mod r3_second_term;
pub mod r4_grace;
pub mod r5_job_holds_exit;
pub mod r6_blocked_handler;
pub mod r7_early_term;
pub mod r8_hash_order;
pub mod r9_trampoline;
mod store;

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use event_loop::EventLoop;
use sim::{Config, Run, Sim};

pub use account::Account;

/// All of them, in the order of the races' numbers.
pub static CATALOGUE: &[Scenario] = &[
    r1_cleanup_order::SCENARIO,
    r1_asked_twice::SCENARIO,
    r2_never_finished::SCENARIO,
    r3_second_term::SCENARIO,
    r4_grace::SCENARIO,
    r5_job_holds_exit::SCENARIO,
    r6_blocked_handler::SCENARIO,
    r7_early_term::SCENARIO,
    r8_hash_order::SCENARIO,
    r9_trampoline::SCENARIO,
    r11_nested_run::SCENARIO,
    r11_nested_block_on::SCENARIO,
    r12_own_loop::SCENARIO,
    r13_burst::SCENARIO,
    r14_unread_failure::SCENARIO,
    r15_result_or_cancel::SCENARIO,
    r17_behind_stop::SCENARIO,
];

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
    /// The race it is an example of.
    pub race: &'static str,
    /// What goes wrong, in a line.
    pub story: &'static str,
    /// Within how many seeds, from 0, the broken form fails.
    pub fails_within: u64,
    config: fn(Form) -> Config,
    broken: Body,
    mended: Body,
}

/// What a run plays.
#[derive(Clone, Copy, Debug)]
pub enum Body {
    /// The test of a world and its hosts.
    World(fn(Sim) -> Pin<Box<dyn Future<Output = ()>>>),
    /// A program that drives its loop itself.
    Program(fn(EventLoop)),
}

impl Scenario {
    /// One run, on a thread of its own: what a thread keeps, such as the keys of hash tables, is
    /// then the seed's.
    ///
    /// # Panics
    /// If the system has no thread left.
    #[must_use]
    pub fn run(&self, form: Form, seed: u64) -> Run<()> {
        self.run_as(&self.config(form), form, seed)
    }

    /// [`run`](Self::run), as another configuration has it: another profile, say.
    ///
    /// # Panics
    /// If the system has no thread left.
    #[must_use]
    pub fn run_as(&self, config: &Config, form: Form, seed: u64) -> Run<()> {
        on_a_thread(|| match self.body(form) {
            Body::World(main) => sim::run_once(config, seed, main),
            Body::Program(main) => sim::run_loop(config, seed, main),
        })
    }

    /// One run, with its trace kept.
    ///
    /// # Panics
    /// If the system has no thread left.
    #[must_use]
    pub fn record(&self, form: Form, seed: u64) -> Run<()> {
        let config = self.config(form);
        on_a_thread(|| match self.body(form) {
            Body::World(main) => sim::record_once(&config, seed, main),
            Body::Program(main) => sim::record_loop(&config, seed, main),
        })
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

    /// What the runs of a form are configured with.
    pub fn config(&self, form: Form) -> Config {
        (self.config)(form)
    }

    fn body(&self, form: Form) -> Body {
        match form {
            Form::Broken => self.broken,
            Form::Mended => self.mended,
        }
    }
}

fn on_a_thread(run: impl FnOnce() -> Run<()> + Send) -> Run<()> {
    std::thread::scope(|threads| {
        let run = threads.spawn(run).join();
        run.expect("a run catches the panics of what it plays")
    })
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
