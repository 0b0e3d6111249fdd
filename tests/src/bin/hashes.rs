//! Prints trace hash and result of the workload under the first seeds, a line each, for programs
//! that compare builds and processes.

use std::thread;

use tests::workload::{cluster, config};

fn main() {
    let seeds = std::env::args()
        .nth(1)
        .and_then(|seeds| seeds.parse().ok())
        .unwrap_or(20);
    for seed in 0..seeds {
        // A fresh thread, as a test's run has it: std keeps hash keys per thread.
        let run = thread::spawn(move || {
            let run = sim::run_once(&config(), seed, cluster);
            (run.hash, run.value, run.verdict)
        });
        println!(
            "{seed} {:?}",
            run.join().expect("the run's thread does not panic")
        );
    }
}
