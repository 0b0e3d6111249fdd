//! What a task costs on the loops of production, from its spawn to its end: `cargo run --release
//! -p solipsism-event-loop --example spawn_rate`.
#![allow(clippy::disallowed_methods, reason = "it measures real time")]

use std::time::{Duration, Instant};

use event_loop::{EventLoop, LoopConfig, LoopError, production, spawn};

/// How many tasks live at once, and how often.
const TASKS: u32 = 1_000;
const ROUNDS: u32 = 1_000;
/// The fastest counts: whatever else the machine does only adds.
const SAMPLES: usize = 9;

/// Spawns tasks from inside a task, and waits for them.
fn sample(ev: &EventLoop) -> Duration {
    let started = Instant::now();
    let spawned = ev.run_until_complete(async {
        for _ in 0..ROUNDS {
            let tasks: Vec<_> = (0..TASKS).map(|n| spawn(async move { n })).collect();
            for task in tasks {
                task.await.expect("it only returns");
            }
        }
    });
    spawned.expect("nobody stops it");
    started.elapsed()
}

fn main() -> Result<(), LoopError> {
    let loops = [
        production::current_thread(LoopConfig::default())?,
        production::multi_thread(LoopConfig::default())?,
    ];
    for ev in loops {
        let samples = (0..SAMPLES).map(|_| sample(&ev));
        let fastest = samples.min().unwrap_or_default() / (TASKS * ROUNDS);
        println!("{}: {} ns a task", ev.describe(), fastest.as_nanos());
    }
    Ok(())
}
