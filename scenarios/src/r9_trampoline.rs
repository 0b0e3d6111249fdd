//! R9: the trampoline. A callback that re-arms itself every 0.5 s for 8 s runs 17 times by an ideal
//! clock, and 16 times where a timer is late or a callback takes time, as everywhere.
//!
//! Three meters charge their connections by the number of rounds. The broken bill takes a round for
//! half a second and comes out short; the mended one asks the clock.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use event_loop::EventLoop;
use event_loop::sync::oneshot;
use event_loop::time::Instant;
use sim::{Config, Sim};

use crate::{Body, Scenario};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "trampoline",
    race: "R9",
    story: "half seconds are counted by a callback that re-arms itself: 16 of them, or 17",
    fails_within: 20,
    config: |_| Config::new(),
    broken: Body::World(|sim| Box::pin(broken(sim))),
    mended: Body::World(|sim| Box::pin(mended(sim))),
};

const ROUND: Duration = Duration::from_millis(500);
const OPEN_FOR: Duration = Duration::from_secs(8);

/// Rounds stand for time.
///
/// # Panics
/// If a connection is charged for less than 8 s.
pub async fn broken(sim: Sim) {
    for meter in meters(sim).await {
        // The first round is at the beginning.
        let charged = ROUND * (meter.rounds - 1);
        assert_eq!(
            charged, OPEN_FOR,
            "a connection of 8 s is charged by its rounds"
        );
    }
}

/// The clock says how much time has passed.
///
/// # Panics
/// If a connection is charged for less than 8 s.
pub async fn mended(sim: Sim) {
    for meter in meters(sim).await {
        let charged = meter.closed - meter.opened;
        assert!(
            charged >= OPEN_FOR,
            "a connection of 8 s is charged {charged:?}"
        );
    }
}

/// How many rounds each of the three takes.
pub async fn rounds(sim: Sim) -> [u32; 3] {
    meters(sim).await.map(|meter| meter.rounds)
}

#[derive(Clone, Copy)]
struct Meter {
    opened: Instant,
    closed: Instant,
    rounds: u32,
}

async fn meters(sim: Sim) -> [Meter; 3] {
    let service = sim.host("svc").run(|ev| async move {
        let opened = ev.now();
        let meters = [(); 3].map(|()| Arc::new(Mutex::new(0)));
        for rounds in &meters {
            bounce(&ev, rounds.clone());
        }
        let (stop, stopped) = oneshot::channel();
        let closing = ev.call_later(OPEN_FOR, move || stop.send(()).unwrap_or_default());
        closing.expect("the loop runs");
        stopped.await.unwrap();
        let closed = ev.now();
        let rounds = meters.map(|rounds| *rounds.lock().unwrap());
        rounds.map(|rounds| Meter {
            opened,
            closed,
            rounds,
        })
    });
    service.await.unwrap()
}

fn bounce(ev: &EventLoop, rounds: Arc<Mutex<u32>>) {
    *rounds.lock().unwrap() += 1;
    let again = ev.clone();
    let next = ev.call_later(ROUND, move || bounce(&again, rounds));
    next.expect("the loop runs");
}
