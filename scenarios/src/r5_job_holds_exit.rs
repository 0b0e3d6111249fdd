//! R5: a job in the executor holds the exit, outside of any grace.
//!
//! A service makes reports in the executor, each for as long as it takes. Told to end it finishes
//! what it has in hand, and waits for its jobs as asyncio's runner and tokio's runtime do: without a
//! bound. The orchestrator kills it first, and what it had still to say is never said. Mended, the
//! executor has a grace of its own.

use std::time::Duration;

use event_loop::time::sleep;
use event_loop::{BlockingHandle, EventLoop};
use sim::{Config, Signal, Sim};

use crate::store::{Store, save};
use crate::{Body, Scenario};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "job-holds-exit",
    race: "R5",
    story: "a job in the executor holds the exit until the orchestrator kills the process",
    fails_within: 20,
    config: |_| Config::new(),
    broken: Body::World(|sim| Box::pin(broken(sim))),
    mended: Body::World(|sim| Box::pin(mended(sim))),
};

/// What the orchestrator gives the service.
const UNTIL_KILL: Duration = Duration::from_secs(3);

/// The jobs are waited for.
///
/// # Panics
/// If the service never says that it goes.
pub async fn broken(sim: Sim) {
    let job = any_length(&sim);
    the_service_says_that_it_goes(sim, job, wait_for_it).await;
}

/// The jobs are given half a second.
///
/// # Panics
/// If the service never says that it goes.
pub async fn mended(sim: Sim) {
    let job = any_length(&sim);
    the_service_says_that_it_goes(sim, job, give_it_half_a_second).await;
}

/// How long after its TERM the broken service ends that has a job of this length at hand.
pub async fn held_for(sim: Sim, job: Duration) -> Duration {
    Store::start(&sim);
    exit(&sim, job, wait_for_it).await
}

/// How long the job takes; in the plain run it is a short one.
fn any_length(sim: &Sim) -> Duration {
    let longest = Duration::from_secs(6);
    sim.any_duration("the job takes", Duration::from_millis(10)..=longest)
}

async fn the_service_says_that_it_goes<F>(sim: Sim, job: Duration, end: End<F>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let store = Store::start(&sim);
    exit(&sim, job, end).await;
    assert!(store.has("gone"), "the service never said that it goes");
}

type End<F> = fn(EventLoop, BlockingHandle<()>) -> F;

async fn exit<F>(sim: &Sim, job: Duration, end: End<F>) -> Duration
where
    F: Future<Output = ()> + Send + 'static,
{
    let svc = sim.host("svc").start(move |ev| serve(ev, job, end));
    sleep(Duration::from_millis(50)).await;
    let asked = sim.now();
    svc.terminate(UNTIL_KILL);
    svc.wait().await;
    sim.now() - asked
}

async fn serve<F: Future<Output = ()>>(ev: EventLoop, job: Duration, end: End<F>) {
    let mut term = ev.signal(Signal::Term).unwrap();
    term.recv().await;
    #[expect(clippy::disallowed_methods, reason = "a job may block")]
    let report = ev.run_blocking(move || std::thread::sleep(job));
    end(ev, report).await;
    save("gone").await.expect("the store takes records");
}

async fn wait_for_it(_ev: EventLoop, report: BlockingHandle<()>) {
    report.await.expect("the report does not panic");
}

async fn give_it_half_a_second(ev: EventLoop, _report: BlockingHandle<()>) {
    // What runs on then ends with the process.
    drop(ev.shutdown_executor(Duration::from_millis(500)).await);
}
