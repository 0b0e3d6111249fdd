//! Rows a, b, c, c2: a million of something in one simulation, in millions per CPU second.

use std::time::Duration;

use super::cpu;
use super::self_wake::SelfWake;
use super::sleep_lengths::SleepLengths;
use super::{Clocked, Executor};

const TASKS: u64 = 1_000_000;
const WAKING_TASKS: u64 = 1_000;
const WAKES_EACH: u64 = 1_000;
const SLEEPING_TASKS: u64 = 100_000;
const SLEEPS_EACH: u64 = 10;
const TIMEOUTS: u64 = 1_000_000;

/// Row a: one root spawns a million `async move { i }` into a `Vec`, then awaits each in order.
pub(super) fn spawn_and_join<E: Executor>(executor: &E) -> f64 {
    million_per_second(TASKS, || {
        let sum = executor.run(0, |_| async {
            let mut handles = Vec::new();
            for i in 0..TASKS {
                handles.push(E::spawn(async move { i }));
            }
            let mut sum = 0;
            for handle in handles {
                sum += E::join(handle).await;
            }
            sum
        });
        assert_eq!(sum, TASKS * (TASKS - 1) / 2);
    })
}

/// Row b: 1,000 tasks await a self-wake 1,000 times each, and are joined.
pub(super) fn self_wakes<E: Executor>(executor: &E) -> f64 {
    million_per_second(WAKING_TASKS * WAKES_EACH, || {
        executor.run(0, |_| async {
            let mut handles = Vec::new();
            for _ in 0..WAKING_TASKS {
                handles.push(E::spawn(async {
                    for _ in 0..WAKES_EACH {
                        SelfWake::default().await;
                    }
                }));
            }
            for handle in handles {
                E::join(handle).await;
            }
        });
    })
}

/// Row c: 100,000 tasks sleep 10 times each, 1 ms to 1 s, and are joined.
pub(super) fn sleeps<E: Clocked>(executor: &E) -> f64 {
    million_per_second(SLEEPING_TASKS * SLEEPS_EACH, || {
        executor.run(0, |_| async {
            let mut handles = Vec::new();
            for index in 0..SLEEPING_TASKS {
                handles.push(E::spawn(async move {
                    let mut lengths = SleepLengths::of_task(index);
                    for _ in 0..SLEEPS_EACH {
                        E::sleep(lengths.draw()).await;
                    }
                }));
            }
            for handle in handles {
                E::join(handle).await;
            }
        });
    })
}

/// Row c2: a million timeouts of an hour around a future that is ready after one self-wake.
pub(super) fn unused_timeouts<E: Clocked>(executor: &E) -> f64 {
    million_per_second(TIMEOUTS, || {
        executor.run(0, |_| async {
            for _ in 0..TIMEOUTS {
                assert!(E::timeout(Duration::from_secs(3_600), SelfWake::default()).await);
            }
        });
    })
}

fn million_per_second(events: u64, work: impl FnOnce()) -> f64 {
    events as f64 / 1e6 / cpu::time_of(work).as_secs_f64()
}
