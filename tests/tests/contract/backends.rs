//! The loops that a clause is run on.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};

use event_loop::{EventLoop, LoopConfig, LoopError, production};
use sim::{Config, Profile, Run, Sim};

/// How many seeds a clause is run with in each profile, the plain run included.
const SEEDS: u64 = 20;

/// One loop's origin.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backend {
    CurrentThread,
    MultiThread,
    Simulated { profile: Profile, seed: u64 },
}

/// Which loops something is run on.
#[derive(Clone, Copy)]
pub(crate) enum Backends {
    Everywhere,
    Production,
    Simulated,
    Those(fn(Backend) -> bool),
}

impl Backend {
    /// What a runner takes.
    pub(crate) fn factory(self) -> Result<EventLoop, LoopError> {
        MADE.with_borrow_mut(|made| made.push(self));
        match self {
            Self::CurrentThread => production::current_thread(LoopConfig::default()),
            Self::MultiThread => production::multi_thread(LoopConfig::default().worker_threads(2)),
            Self::Simulated { profile, seed } => sim::factory(seed, profile),
        }
    }

    /// A fresh loop that polls no two tasks at once.
    pub(crate) fn with_one_worker(self) -> EventLoop {
        if self != Self::MultiThread {
            return self.make();
        }
        MADE.with_borrow_mut(|made| made.push(self));
        let one = LoopConfig::default().worker_threads(1);
        production::multi_thread(one).expect("a loop can be made")
    }

    /// A fresh loop.
    pub(crate) fn make(self) -> EventLoop {
        self.factory().expect("a loop can be made")
    }

    /// A recorded run of a world with hosts, under the profile and seed.
    pub(crate) fn world<F: Future>(
        self,
        config: Config,
        main: impl FnOnce(Sim) -> F,
    ) -> Run<F::Output> {
        let Self::Simulated { profile, seed } = self else {
            panic!("{self} has no world");
        };
        MADE.with_borrow_mut(|made| made.push(self));
        sim::record_once(&config.profile(profile), seed, main)
    }

    /// The profile, in simulation.
    pub(crate) fn profile(self) -> Option<Profile> {
        match self {
            Self::Simulated { profile, .. } => Some(profile),
            Self::CurrentThread | Self::MultiThread => None,
        }
    }

    pub(crate) fn is_uvloop(self) -> bool {
        self.profile() == Some(Profile::Uvloop)
    }

    /// Whether equal deadlines come in any order.
    pub(crate) fn leaves_ties_open(self) -> bool {
        self.profile() == Some(Profile::Asyncio) && !self.is_plain()
    }

    pub(crate) fn is_simulated(self) -> bool {
        matches!(self, Self::Simulated { .. })
    }

    /// Whether callbacks and the steps of tasks share one queue.
    pub(crate) fn has_one_queue(self) -> bool {
        matches!(self.profile(), Some(Profile::Asyncio | Profile::Uvloop))
    }

    /// Whether no choice of its run is but the one that production would most likely make.
    pub(crate) fn is_plain_run(self) -> bool {
        matches!(self, Self::Simulated { seed: 0, .. })
    }

    /// Whether its clock is ideal: polls take no time.
    pub(crate) fn is_plain(self) -> bool {
        matches!(
            self,
            Self::Simulated { seed: 0, .. }
                | Self::Simulated {
                    profile: Profile::Exact,
                    ..
                }
        )
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CurrentThread => f.write_str("production current-thread"),
            Self::MultiThread => f.write_str("production multi-thread"),
            Self::Simulated { profile, seed } => write!(f, "simulated {profile}, seed {seed}"),
        }
    }
}

impl Backends {
    pub(crate) fn list(self) -> Vec<Backend> {
        let production = [Backend::CurrentThread, Backend::MultiThread];
        let simulated = Profile::ALL
            .into_iter()
            .flat_map(|profile| (0..SEEDS).map(move |seed| Backend::Simulated { profile, seed }));
        let all = production.into_iter().chain(simulated);
        all.filter(|backend| self.includes(*backend)).collect()
    }

    pub(crate) fn includes(self, backend: Backend) -> bool {
        match self {
            Self::Everywhere => true,
            Self::Production => !backend.is_simulated(),
            Self::Simulated => backend.is_simulated(),
            Self::Those(which) => which(backend),
        }
    }
}

thread_local! {
    /// The loops that were made on this thread.
    static MADE: RefCell<Vec<Backend>> = const { RefCell::new(Vec::new()) };
}

/// How many loops of a backend this thread has made.
pub(crate) fn made(backend: Backend) -> usize {
    MADE.with_borrow(|made| made.iter().filter(|made| **made == backend).count())
}

/// Runs a clause on each of `backends`, and fails with the list of those that break it.
///
/// A panic inside a world prints nothing, so its text is repeated here.
#[track_caller]
pub(crate) fn on(backends: Backends, clause: impl Fn(Backend)) {
    let mut broken = BTreeMap::<String, Vec<String>>::new();
    for backend in backends.list() {
        // One sentence for all of them: the same snapshot is compared again and again.
        let run = || insta::allow_duplicates! { clause(backend) };
        if let Err(panic) = catch_unwind(AssertUnwindSafe(run)) {
            let how = text_of(&*panic).to_owned();
            broken.entry(how).or_default().push(backend.to_string());
        }
    }
    let report = broken
        .iter()
        .map(|(how, on)| format!("on {}: {how}\n", on.join("; ")));
    assert!(broken.is_empty(), "{}", report.collect::<String>());
}

fn text_of(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without text")
}
