//! What a row needs of a contender: run a root, spawn, join, and, where it has a clock, sleep.

use std::future::Future;
use std::time::Duration;

/// A runtime that runs a root future and the tasks it spawns, in one thread.
///
/// The handle is an associated type rather than `impl Future`, so that a `Vec` of them holds the
/// contender's own handle and nothing of ours.
pub trait Executor: 'static {
    /// What the root is given, to reach the simulation it runs in.
    type World: Clone + Send + 'static;
    /// The contender's join handle.
    type Handle<T: Send + 'static>: 'static;

    /// Builds a simulation from `seed`, runs `main` in it to its end, and drops it.
    fn run<T, F, Fut>(&self, seed: u64, main: F) -> T
    where
        T: Send + 'static,
        F: FnOnce(Self::World) -> Fut + Send + 'static,
        Fut: Future<Output = T> + 'static;

    /// Runs `main` once for each seed below `runs`, each in a simulation of its own.
    fn run_many<F, Fut>(&self, runs: u64, main: F)
    where
        F: Fn(Self::World) -> Fut + Copy + Send + Sync + 'static,
        Fut: Future<Output = ()> + 'static,
    {
        for seed in 0..runs {
            self.run(seed, main);
        }
    }

    /// Spawns a task from within the simulation.
    fn spawn<F>(future: F) -> Self::Handle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static;

    /// Waits for a task that does not fail.
    fn join<T: Send + 'static>(handle: Self::Handle<T>) -> impl Future<Output = T>;
}

/// An executor with virtual time.
pub trait Clocked: Executor {
    /// Sleeps for that long in virtual time.
    fn sleep(duration: Duration) -> impl Future<Output = ()> + Send;

    /// Whether `future` finished within `limit` of virtual time.
    fn timeout<F: Future + Send>(limit: Duration, future: F) -> impl Future<Output = bool> + Send;

    /// Starts a host that runs `future`, or, where there are none, a task.
    fn host<F>(world: &Self::World, name: String, future: F)
    where
        F: Future<Output = ()> + Send + 'static;
}
