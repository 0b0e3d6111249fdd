//! One run of code that drives its loop itself, as a program's `main` function does.

use std::panic::{AssertUnwindSafe, catch_unwind};

use event_loop::EventLoop;

use crate::Config;
use crate::run::once::Run;
use crate::run::panics;
use crate::run::plan::Plan;
use crate::world::World;
use crate::world::verdict::VerdictKind;

/// Makes one run of `main` under `seed`, on this thread, with a loop of its own world that nobody
/// runs yet, and says how it went.
///
/// For the code around a loop: `run_forever` and `stop`, a [`Runner`](event_loop::Runner), what is
/// left when it is closed. Only what happens inside of a `run_*` call or of the close is in the
/// world; the thread's clocks and entropy are real before, between and after. A panic of `main`
/// fails the run, and so does a verdict that ended the loop.
///
/// ```
/// use event_loop::Runner;
/// use sim::{Config, Profile};
///
/// let config = Config::new().profile(Profile::Uvloop);
/// let run = sim::run_loop(&config, 0, |ev| {
///     Runner::new(|| Ok(ev)).run(async { 6 * 7 }).unwrap()
/// });
/// assert_eq!(run.value, Some(42));
/// assert_eq!(run.verdict, None);
/// ```
#[track_caller]
pub fn run_loop<T>(config: &Config, seed: u64, main: impl FnOnce(EventLoop) -> T) -> Run<T> {
    run_owned(config, Plan::of_seed(seed), main)
}

/// [`run_loop`], with the trace kept in full: see [`Run::timeline`] and [`Run::json_lines`].
#[track_caller]
pub fn record_loop<T>(config: &Config, seed: u64, main: impl FnOnce(EventLoop) -> T) -> Run<T> {
    run_owned(config, Plan::of_seed(seed).recorded(), main)
}

fn run_owned<T>(config: &Config, plan: Plan, main: impl FnOnce(EventLoop) -> T) -> Run<T> {
    panics::forget();
    let world = World::new(config, plan);
    let ev = world.add_loop("main", None).1;
    world.leave();
    let value = {
        let _quiet = panics::Quiet::begin();
        catch_unwind(AssertUnwindSafe(|| main(ev)))
    };
    let _claim = world.claim();
    let value = value.map_err(|payload| world.panicked(VerdictKind::Panic, &*payload));
    if !world.is_over() {
        world.take_down(&mut world.visit());
    }
    Run::of(value.ok(), world.remains())
}
