//! R3: a second TERM during the cleanup cuts it short.
//!
//! A service that is told to end flushes its last batch. Supervisors are impatient, and an operator
//! types the command again: where each TERM cancels whatever runs, as a Python bootstrap's does, the
//! second one cancels the flush. The mended service takes the first for all of them; the
//! orchestrator's KILL bounds it anyway.

use std::time::Duration;

use event_loop::EventLoop;
use event_loop::time::sleep;
use sim::{Config, Signal, Sim};

use crate::store::{Store, save};
use crate::{Body, Scenario};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "second-term",
    race: "R3",
    story: "a second TERM cancels the cleanup that the first one began",
    fails_within: 20,
    config: |_| Config::new(),
    broken: Body::World(|sim| Box::pin(broken(sim))),
    mended: Body::World(|sim| Box::pin(mended(sim))),
};

/// What the orchestrator gives the service.
const UNTIL_KILL: Duration = Duration::from_secs(30);

/// Every TERM cancels what runs.
///
/// # Panics
/// If the last batch is lost.
pub async fn broken(sim: Sim) {
    let second = any_moment(&sim);
    the_last_batch_is_flushed(sim, second, serve_until_any_term).await;
}

/// The first TERM is taken for all of them.
///
/// # Panics
/// If the last batch is lost.
pub async fn mended(sim: Sim) {
    let second = any_moment(&sim);
    the_last_batch_is_flushed(sim, second, serve_until_the_first_term).await;
}

/// The broken service, with the second TERM in the middle of its cleanup.
///
/// # Panics
/// If the last batch is lost.
pub async fn broken_in_the_middle(sim: Sim) {
    the_last_batch_is_flushed(sim, Duration::from_millis(1), serve_until_any_term).await;
}

/// How long after the first the second one comes.
fn any_moment(sim: &Sim) -> Duration {
    let latest = Duration::from_millis(6);
    latest - sim.any_duration("the second TERM", Duration::ZERO..=latest)
}

async fn the_last_batch_is_flushed<F>(sim: Sim, second: Duration, serve: fn(EventLoop) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let store = Store::start(&sim);
    let svc = sim.host("svc").start(serve);
    sleep(Duration::from_millis(50)).await;
    svc.terminate(UNTIL_KILL);
    sleep(second).await;
    // It may have ended by now.
    let _ = svc.try_terminate(UNTIL_KILL);
    svc.wait().await;
    assert!(store.has("last batch"), "the last batch was never flushed");
}

async fn serve_until_any_term(ev: EventLoop) {
    let mut terms = ev.signal(Signal::Term).unwrap();
    terms.recv().await;
    event_loop::select! {
        biased;
        _ = terms.recv() => {}
        saved = save("last batch") => saved.expect("the store takes batches"),
    }
}

async fn serve_until_the_first_term(ev: EventLoop) {
    // Kept to the end: without a listener a TERM would end the process.
    let mut terms = ev.signal(Signal::Term).unwrap();
    terms.recv().await;
    save("last batch").await.expect("the store takes batches");
}
