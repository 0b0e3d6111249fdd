//! Hosts as processes: how they start, end, stop and come again, and what others see of it.

mod death;
mod lifecycle;
mod machines;
mod model;
mod refusals;
mod reports;
mod sockets;
mod stopped;
mod terminated;

use std::sync::{Arc, Mutex, PoisonError};

use sim::{Config, Profile, Run, Sim, run_once};

/// Runs `test` in worlds of every profile, the plain run and twenty seeds each.
fn in_every_world<F>(test: impl Fn(Sim) -> F)
where
    F: Future<Output = ()>,
{
    for profile in Profile::ALL {
        for seed in 0..=20 {
            let config = Config::new().profile(profile);
            let run = run_once(&config, seed, &test);
            assert_eq!(run.verdict, None, "{profile}, seed {seed}");
        }
    }
}

/// The plain run of a test.
fn plain<F: Future>(test: impl FnOnce(Sim) -> F) -> Run<F::Output> {
    run_once(&Config::new(), 0, test)
}

/// What happened, in order.
#[derive(Clone, Debug, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn add(&self, what: impl Into<String>) {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.push(what.into());
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Says its name when it is dropped.
struct Says(Log, &'static str);

impl Drop for Says {
    fn drop(&mut self) {
        self.0.add(self.1);
    }
}
