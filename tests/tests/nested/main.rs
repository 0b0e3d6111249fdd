//! Runs inside of runs, and loops beside loops: what is refused, with both call sites, and the ways
//! out of it.

mod block_on;
mod refusals;
mod siblings;
mod threads;

use event_loop::{EventLoop, LoopConfig, production};
use sim::Profile;

/// A fresh loop of every kind, and what it is called.
fn loops() -> Vec<(String, EventLoop)> {
    let ours = [
        production::current_thread(LoopConfig::default().name("api")),
        production::multi_thread(LoopConfig::default().name("api").worker_threads(2)),
    ];
    let ours = ours.map(|ev| (ev.as_ref().unwrap().describe().profile, ev.unwrap()));
    let worlds = Profile::ALL.into_iter().flat_map(|profile| {
        let of = move |seed| {
            (
                format!("{profile}, seed {seed}"),
                sim::factory(seed, profile),
            )
        };
        [0, 3].map(of).map(|(name, ev)| (name, ev.unwrap()))
    });
    ours.into_iter().chain(worlds).collect()
}
