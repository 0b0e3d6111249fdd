//! R7: a TERM before its handler is registered ends the process, with no cleanup.
//!
//! A service takes its place in a registry, and leaves it when it is told to end. If it listens to
//! TERM only once it is up, one that comes while it starts takes the default: the process ends by
//! the signal, and its place is taken by nobody for ever. Mended, it listens first.

use std::time::Duration;

use event_loop::EventLoop;
use event_loop::time::sleep;
use sim::{Config, ExitStatus, Signal, Sim};

use crate::store::{Store, save};
use crate::{Body, Scenario};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "early-term",
    race: "R7",
    story: "a TERM comes while the service starts, and has no handler yet",
    fails_within: 20,
    config: |_| Config::new(),
    broken: Body::World(|sim| Box::pin(broken(sim))),
    mended: Body::World(|sim| Box::pin(mended(sim))),
};

/// It listens once it is up.
///
/// # Panics
/// If the service is gone and its place is taken.
pub async fn broken(sim: Sim) {
    let at = any_moment(&sim);
    let _ = the_place_is_left(sim, at, serve_then_listen).await;
}

/// It listens, and then it starts.
///
/// # Panics
/// If the service is gone and its place is taken.
pub async fn mended(sim: Sim) {
    let at = any_moment(&sim);
    let _ = the_place_is_left(sim, at, listen_then_serve).await;
}

/// How the broken service ends that gets its TERM so long after its start.
pub async fn exit_of_the_broken(sim: Sim, at: Duration) -> ExitStatus {
    end(&sim, at, serve_then_listen).await.0
}

/// When TERM comes; in the plain run after the start.
fn any_moment(sim: &Sim) -> Duration {
    let latest = Duration::from_millis(40);
    latest - sim.any_duration("TERM", Duration::ZERO..=latest)
}

async fn the_place_is_left<F>(sim: Sim, at: Duration, serve: fn(EventLoop) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let (status, registry) = end(&sim, at, serve).await;
    // What it has sent by its end may still arrive.
    sleep(Duration::from_secs(1)).await;
    let left = !registry.has("up") || registry.has("down");
    assert!(
        left,
        "the service has ended ({status}) and never left its place"
    );
}

async fn end<F>(sim: &Sim, at: Duration, serve: fn(EventLoop) -> F) -> (ExitStatus, Store)
where
    F: Future<Output = ()> + Send + 'static,
{
    let registry = Store::start(sim);
    sleep(Duration::from_millis(100)).await;
    let svc = sim.host("svc").start(serve);
    sleep(at).await;
    svc.terminate(Duration::from_secs(30));
    (svc.wait().await, registry)
}

async fn serve_then_listen(ev: EventLoop) {
    start().await;
    let mut term = ev.signal(Signal::Term).unwrap();
    term.recv().await;
    save("down").await.expect("the registry is up");
}

async fn listen_then_serve(ev: EventLoop) {
    let mut term = ev.signal(Signal::Term).unwrap();
    start().await;
    term.recv().await;
    save("down").await.expect("the registry is up");
}

/// Reads its configuration, takes its place, and warms its caches.
async fn start() {
    sleep(Duration::from_millis(5)).await;
    save("up").await.expect("the registry is up");
    sleep(Duration::from_millis(10)).await;
}
