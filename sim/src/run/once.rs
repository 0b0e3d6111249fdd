//! One run: a world, a main future, and what is left of them.

use std::future::Future;
use std::panic::Location;
use std::time::Duration;

use crate::Config;
use crate::run::panics;
use crate::run::plan::Plan;
use crate::sim::Sim;
use crate::trace::{JsonLines, Log, Timeline};
use crate::world::verdict::{Verdict, VerdictKind};
use crate::world::{Drive, Remains, World};

/// Makes one run of `main` under `seed`, on this thread and in this process, and says how it went.
///
/// The quick way for programs and benches. What a thread keeps between runs (std's hash keys, the
/// state of a thread's random generator) is kept here too; [`check`](crate::check) starts every
/// run on a fresh thread instead.
///
/// ```
/// use sim::{Config, Profile};
///
/// let config = Config::new().profile(Profile::Exact);
/// let run = sim::run_once(&config, 3, |_sim| async { 6 * 7 });
/// assert_eq!(run.value, Some(42));
/// assert_eq!(run.hash, sim::run_once(&config, 3, |_sim| async { 6 * 7 }).hash);
/// ```
#[track_caller]
pub fn run_once<M, F>(config: &Config, seed: u64, main: M) -> Run<F::Output>
where
    M: FnOnce(Sim) -> F,
    F: Future,
{
    run_plan(config, Plan::of_seed(seed), Location::caller(), main)
}

/// How a run went.
#[derive(Debug)]
#[non_exhaustive]
pub struct Run<T> {
    /// What the main future returned; `None` if it did not finish.
    pub value: Option<T>,
    /// Why the run failed, if it did.
    pub verdict: Option<Verdict>,
    /// The hash of its trace: the same for the same seed and binary.
    pub hash: u64,
    /// How many polls it took.
    pub polls: u64,
    /// How many events its trace has.
    pub events: u64,
    /// How much virtual time it took.
    pub elapsed: Duration,
    pub(crate) remains: Remains,
}

impl<T> Run<T> {
    /// The trace as text, if the run was recorded.
    #[must_use]
    pub fn timeline(&self) -> Option<Timeline<'_>> {
        self.log().map(Timeline::new)
    }

    /// The trace as JSON lines, if the run was recorded.
    #[must_use]
    pub fn json_lines(&self) -> Option<JsonLines<'_>> {
        self.log().map(JsonLines::new)
    }

    pub(crate) fn log(&self) -> Option<&Log> {
        self.remains.log.as_deref()
    }
}

/// Makes the run of a plan.
pub(crate) fn run_plan<M, F>(
    config: &Config,
    plan: Plan,
    site: &'static Location<'static>,
    main: M,
) -> Run<F::Output>
where
    M: FnOnce(Sim) -> F,
    F: Future,
{
    panics::forget();
    let seed = plan.seed;
    let world = World::new(config, plan);
    world.add_host("main", site);
    let sim = Sim {
        world: world.clone(),
        seed,
    };
    let mut value = None;
    {
        // `main` is called at the first poll, inside the world.
        let mut root = Box::pin(async { value = Some(main(sim).await) });
        match world.drive(0, "main", site, root.as_mut()) {
            Drive::Done | Drive::Verdict => {}
            Drive::Panicked(payload) => world.panicked(VerdictKind::Panic, &*payload),
        }
        // Its destructors run in the world, like its polls.
        world.inside(0, || drop(root));
    }
    let mut remains = world.close();
    let verdict = remains.verdict.take().map(|verdict| *verdict);
    Run {
        value,
        verdict,
        hash: remains.hash,
        polls: remains.polls,
        events: remains.events,
        elapsed: remains.ended_at - virtual_time::Instant::BEGIN,
        remains,
    }
}
