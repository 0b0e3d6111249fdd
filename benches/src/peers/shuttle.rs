//! shuttle 0.9: no clock, a schedule drawn at random or by PCT.

use std::future::Future;
use std::sync::{Arc, Mutex};

use shuttle::future;
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, FailurePersistence, MaxSteps, Runner};

use crate::work::Executor;

/// shuttle with one of its schedulers.
#[derive(Clone, Copy, Debug)]
pub enum Shuttle {
    /// Any runnable task, with equal chances.
    Random,
    /// Priorities, lowered at two points: depth 3.
    Pct3,
}

impl Shuttle {
    fn scheduler(self, seed: u64, runs: usize) -> Box<dyn Scheduler + Send> {
        match self {
            Self::Random => Box::new(RandomScheduler::new_from_seed(seed, runs)),
            Self::Pct3 => Box::new(PctScheduler::new_from_seed(seed, 3, runs)),
        }
    }
}

impl Executor for Shuttle {
    type World = ();
    type Handle<T: Send + 'static> = future::JoinHandle<T>;

    fn run<T, F, Fut>(&self, seed: u64, main: F) -> T
    where
        T: Send + 'static,
        F: FnOnce(Self::World) -> Fut + Send + 'static,
        Fut: Future<Output = T> + 'static,
    {
        // shuttle calls a closure as often as it runs; here once, and it gives nothing back.
        let main = Mutex::new(Some(main));
        let outcome = Arc::new(Mutex::new(None));
        let given = Arc::clone(&outcome);
        Runner::new(self.scheduler(seed, 1), config()).run(move || {
            let main = main.lock().expect("nobody panics").take();
            let main = main.expect("one run was asked for");
            let value = future::block_on(main(()));
            *given.lock().expect("nobody panics") = Some(value);
        });
        let value = outcome.lock().expect("nobody panics").take();
        value.expect("the run came to its end")
    }

    // A runner that runs many times, as its users have it, instead of many runners.
    fn run_many<F, Fut>(&self, runs: u64, main: F)
    where
        F: Fn(Self::World) -> Fut + Copy + Send + Sync + 'static,
        Fut: Future<Output = ()> + 'static,
    {
        let runs = usize::try_from(runs).expect("a count of runs fits");
        Runner::new(self.scheduler(0, runs), config()).run(move || future::block_on(main(())));
    }

    fn spawn<F>(future: F) -> Self::Handle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        future::spawn(future)
    }

    async fn join<T: Send + 'static>(handle: Self::Handle<T>) -> T {
        handle
            .await
            .expect("the task neither panics nor is aborted")
    }
}

fn config() -> Config {
    let mut config = Config::new();
    config.max_steps = MaxSteps::None;
    config.failure_persistence = FailurePersistence::None;
    config
}
