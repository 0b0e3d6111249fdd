//! Rows h1 and h2: hosts that sleep for a second again and again, in CPU milliseconds.

use std::time::Duration;

use super::Clocked;
use super::cpu;

// The whole of h2 is under a millisecond: the mean of several runs, the first not counted.
const RUNS: u32 = 10;

/// Row h1: 5 hosts for an hour.
pub(super) fn five_for_an_hour<E: Clocked>(executor: &E) -> f64 {
    sleeping_hosts(executor, 5, Duration::from_secs(3_600))
}

/// Row h2: 100 hosts for a minute.
pub(super) fn hundred_for_a_minute<E: Clocked>(executor: &E) -> f64 {
    sleeping_hosts(executor, 100, Duration::from_secs(60))
}

fn sleeping_hosts<E: Clocked>(executor: &E, hosts: usize, time: Duration) -> f64 {
    let simulate = || {
        executor.run(0, move |world| async move {
            for index in 0..hosts {
                E::host(&world, format!("host-{index}"), async {
                    loop {
                        E::sleep(Duration::from_secs(1)).await;
                    }
                });
            }
            E::sleep(time).await;
        });
    };
    simulate();
    let total = cpu::time_of(|| (0..RUNS).for_each(|_| simulate()));
    total.as_secs_f64() * 1e3 / f64::from(RUNS)
}
