//! R6: a blocking call delays the handler of a signal by as long as it blocks.
//!
//! A service takes itself out of its load balancer when it is told to end, within a promised time.
//! It also compacts a table, for 0.8 s, on the thread of its loop: a TERM at 0.30 s is handled at
//! 1.10 s. Mended, the executor does the work.

use std::time::Duration;

use event_loop::time::sleep;
use event_loop::{EventLoop, block_for};
use sim::{Config, Signal, Sim};

use crate::{Body, Scenario};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "blocked-handler",
    race: "R6",
    story: "work on the loop's thread keeps TERM from its handler",
    fails_within: 20,
    config: |_| Config::new(),
    broken: Body::World(|sim| Box::pin(broken(sim))),
    mended: Body::World(|sim| Box::pin(mended(sim))),
};

const COMPACTION: Duration = Duration::from_millis(800);
/// Within which TERM is to be handled.
const PROMISED: Duration = Duration::from_millis(100);

/// What the orchestrator gives the service.
const UNTIL_KILL: Duration = Duration::from_secs(30);

/// The thread of the loop does the work.
///
/// # Panics
/// If TERM is handled late.
pub async fn broken(sim: Sim) {
    let at = any_moment(&sim);
    term_is_handled_in_time(handled_after(sim, at, Compaction::OnTheLoop).await);
}

/// The executor does the work.
///
/// # Panics
/// If TERM is handled late.
pub async fn mended(sim: Sim) {
    let at = any_moment(&sim);
    term_is_handled_in_time(handled_after(sim, at, Compaction::InTheExecutor).await);
}

/// How the service does its work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Compaction {
    /// In a blocking call on the thread of its loop.
    OnTheLoop,
    /// In a blocking job.
    InTheExecutor,
}

fn term_is_handled_in_time(after: Duration) {
    assert!(after <= PROMISED, "TERM was handled after {after:?}");
}

/// When TERM comes; in the plain run after the work.
fn any_moment(sim: &Sim) -> Duration {
    let latest = Duration::from_millis(1_500);
    latest - sim.any_duration("TERM", Duration::ZERO..=Duration::from_millis(1_400))
}

/// How long after a TERM at `at` the service's handler runs. The work begins at 0.30 s.
pub async fn handled_after(sim: Sim, at: Duration, compaction: Compaction) -> Duration {
    let (tell, handled) = event_loop::sync::oneshot::channel();
    let tell = std::sync::Mutex::new(Some(tell));
    let svc = sim.host("svc").start(move |ev| {
        let tell = tell.lock().unwrap().take().expect("it starts once");
        serve(ev, compaction, tell)
    });
    let sent = sim.now() + at;
    // While the service blocks nobody else runs either, and the signal is delivered behind it.
    sleep(at).await;
    svc.terminate(UNTIL_KILL);
    let handled = handled.await.expect("the handler runs");
    assert!(svc.wait().await.success());
    handled - sent
}

async fn serve(
    ev: EventLoop,
    compaction: Compaction,
    tell: event_loop::sync::oneshot::Sender<event_loop::time::Instant>,
) {
    let mut term = ev.signal(Signal::Term).unwrap();
    let compacting = ev.spawn_named("compaction", async move {
        sleep(Duration::from_millis(300)).await;
        match compaction {
            Compaction::OnTheLoop => block_for(COMPACTION),
            #[expect(clippy::disallowed_methods, reason = "a job may block")]
            Compaction::InTheExecutor => {
                let job = event_loop::run_blocking(|| std::thread::sleep(COMPACTION));
                job.await.expect("the compaction does not panic");
            }
        }
    });
    term.recv().await;
    let _ = tell.send(ev.now());
    compacting.await.unwrap();
}
