//! Rows g, g2 and the second figure of c2: what tasks cost while they live, and what stays after.
//!
//! What is kept is counted in live heap bytes, not resident ones: it is exact, so zero means zero.
//! What a sleeping task costs is the peak resident size, as the operating system would see it.

use std::time::Duration;

use super::self_wake::SelfWake;
use super::{Clocked, LiveBytes};

/// How many tasks are put to sleep.
pub(super) const ASLEEP: usize = 100_000;

// Tasks finish in batches, so that queues stop growing before the count begins.
const BATCH: usize = 1_000;
const WARM_UP_BATCHES: usize = 10;
const COUNTED_BATCHES: usize = 1_000;

const WARM_UP_TIMEOUTS: usize = 10_000;
const COUNTED_TIMEOUTS: usize = 1_000_000;

const WARM_UP_SIMULATIONS: u64 = 10;
const COUNTED_SIMULATIONS: u64 = 1_000;

/// Row g: peak resident bytes of this process when that many tasks are asleep at once.
pub(super) fn peak_with_tasks_asleep<E: Clocked>(executor: &E, tasks: usize) -> f64 {
    executor.run(0, move |_| async move {
        for _ in 0..tasks {
            E::spawn(async {
                E::sleep(Duration::from_secs(10)).await;
            });
        }
        // Every task has been polled, and none has finished.
        E::sleep(Duration::from_secs(5)).await;
    });
    // Read outside the simulation, which may have its own idea of files.
    peak_resident_bytes()
}

/// Row g2: bytes kept per task after a million tasks have finished, the simulation still running.
pub(super) fn kept_per_finished_task<E: Clocked>(executor: &E, live_bytes: LiveBytes) -> f64 {
    let kept = executor.run(0, move |_| async move {
        finish_batches::<E>(WARM_UP_BATCHES).await;
        let before = live_bytes();
        finish_batches::<E>(COUNTED_BATCHES).await;
        live_bytes() as f64 - before as f64
    });
    kept / (BATCH * COUNTED_BATCHES) as f64
}

/// Row g2: bytes kept per simulation of two hosts that was dropped with its tasks asleep.
pub(super) fn kept_per_dropped_simulation<E: Clocked>(executor: &E, live_bytes: LiveBytes) -> f64 {
    let simulate = |runs| {
        for seed in 0..runs {
            executor.run(seed, |world| async move {
                for name in ["one", "two"] {
                    E::host(&world, name.to_owned(), async {
                        loop {
                            E::sleep(Duration::from_secs(1)).await;
                        }
                    });
                }
                E::sleep(Duration::from_secs(5)).await;
            });
        }
    };
    simulate(WARM_UP_SIMULATIONS);
    let before = live_bytes();
    simulate(COUNTED_SIMULATIONS);
    (live_bytes() as f64 - before as f64) / COUNTED_SIMULATIONS as f64
}

/// Row c2: bytes kept per timeout that did not fire, the simulation still running.
pub(super) fn kept_per_unused_timeout<E: Clocked>(executor: &E, live_bytes: LiveBytes) -> f64 {
    let kept = executor.run(0, move |_| async move {
        pass_timeouts::<E>(WARM_UP_TIMEOUTS).await;
        let before = live_bytes();
        pass_timeouts::<E>(COUNTED_TIMEOUTS).await;
        live_bytes() as f64 - before as f64
    });
    kept / COUNTED_TIMEOUTS as f64
}

async fn finish_batches<E: Clocked>(batches: usize) {
    let mut handles = Vec::with_capacity(BATCH);
    for _ in 0..batches {
        handles.extend((0..BATCH).map(|i| E::spawn(async move { i })));
        for handle in handles.drain(..) {
            E::join(handle).await;
        }
    }
}

async fn pass_timeouts<E: Clocked>(timeouts: usize) {
    for _ in 0..timeouts {
        assert!(E::timeout(Duration::from_secs(3_600), SelfWake::default()).await);
    }
}

fn peak_resident_bytes() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has /proc");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .expect("the kernel gives VmHWM");
    let kibibytes = line.trim_end_matches("kB").trim();
    kibibytes.parse::<f64>().expect("VmHWM is a number of kB") * 1024.0
}
