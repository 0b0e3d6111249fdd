//! Rows f and i: whole simulations one after another on the same thread, in CPU microseconds each.

use std::time::Duration;

use super::Executor;
use super::cpu;
use super::self_wake::SelfWake;

const WARM_UP: u64 = 1_000;
const RUNS: u64 = 100_000;
const TASKS: usize = 3;
const WAKES_EACH: usize = 5;

/// Row f: build, run `async {}`, drop.
pub(super) fn fresh_simulations<E: Executor>(executor: &E) -> f64 {
    let simulate = |runs| {
        for seed in 0..runs {
            executor.run(seed, |_| async {});
        }
    };
    simulate(WARM_UP);
    each(cpu::time_of(|| simulate(RUNS)))
}

/// Row i: a whole run of 3 tasks of 5 self-wakes each, joined, every run with its own seed.
pub(super) fn small_runs<E: Executor>(executor: &E) -> f64 {
    executor.run_many(WARM_UP, |_| three_tasks::<E>());
    each(cpu::time_of(|| {
        executor.run_many(RUNS, |_| three_tasks::<E>());
    }))
}

async fn three_tasks<E: Executor>() {
    let handles: [_; TASKS] = std::array::from_fn(|_| {
        E::spawn(async {
            for _ in 0..WAKES_EACH {
                SelfWake::default().await;
            }
        })
    });
    for handle in handles {
        E::join(handle).await;
    }
}

fn each(total: Duration) -> f64 {
    total.as_secs_f64() * 1e6 / RUNS as f64
}
