//! R4: the grace does not bind.
//!
//! A worker swallows its cancellation: it goes on until its batch is out, and the store is down. The
//! recipe of asyncio asks, waits for the grace, asks again, and then awaits what it has asked, as
//! `wait_for` and the end of a group do: until the orchestrator kills the process, and with it
//! whoever was still at work in order. Mended, the grace ends with an abort.

use std::time::Duration;

use event_loop::time::{sleep, timeout};
use event_loop::{EventLoop, TaskHandle};
use sim::{Config, ExitStatus, Signal, Sim};

use crate::store::save;
use crate::{Body, Scenario};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "grace",
    race: "R4",
    story: "a worker swallows its cancellation, and holds the exit for as long as it likes",
    fails_within: 20,
    config: |_| Config::new(),
    broken: Body::World(|sim| Box::pin(broken(sim))),
    mended: Body::World(|sim| Box::pin(mended(sim))),
};

/// What the service gives its workers.
const GRACE: Duration = Duration::from_secs(5);
/// What the orchestrator gives the service.
const UNTIL_KILL: Duration = Duration::from_secs(30);

/// Who is asked is awaited.
///
/// # Panics
/// If the process is killed.
pub async fn broken(sim: Sim) {
    let down_for = down_for(&sim);
    let status = exit(sim, down_for, ask_and_await).await.0;
    assert!(
        status.success(),
        "the service did not end in time: {status}"
    );
}

/// Who does not end is aborted.
///
/// # Panics
/// If the process is killed.
pub async fn mended(sim: Sim) {
    let down_for = down_for(&sim);
    let status = exit(sim, down_for, ask_and_abort).await.0;
    assert!(
        status.success(),
        "the service did not end in time: {status}"
    );
}

/// How long after its TERM the broken service ends whose store is down for so long.
pub async fn held_for(sim: Sim, down_for: Duration) -> Duration {
    exit(sim, down_for, ask_and_await).await.1
}

/// How long the store is down; it is up in the plain run.
fn down_for(sim: &Sim) -> Duration {
    sim.any_duration("the store is down", Duration::ZERO..=2 * UNTIL_KILL)
}

async fn exit<F>(
    sim: Sim,
    down_for: Duration,
    end: fn(TaskHandle<()>) -> F,
) -> (ExitStatus, Duration)
where
    F: Future<Output = ()> + Send + 'static,
{
    let store = crate::store::Store::default();
    let starting = async move {
        sleep(down_for).await;
        store.serve().await;
    };
    sim.host("store").run(|_| starting).detach();
    let svc = sim.host("svc").start(move |ev| serve(ev, end));
    sleep(Duration::from_millis(50)).await;
    let began = sim.now();
    svc.terminate(UNTIL_KILL);
    let status = svc.wait().await;
    (status, sim.now() - began)
}

async fn serve<F: Future<Output = ()>>(ev: EventLoop, end: fn(TaskHandle<()>) -> F) {
    let mut term = ev.signal(Signal::Term).unwrap();
    let worker = ev.spawn_named("worker", async {
        event_loop::cancelled().await;
        // It means well.
        while save("batch").await.is_err() {
            sleep(Duration::from_millis(100)).await;
        }
    });
    term.recv().await;
    end(worker).await;
}

async fn ask_and_await(mut worker: TaskHandle<()>) {
    worker.request_cancel();
    if timeout(GRACE, &mut worker).await.is_err() {
        worker.request_cancel();
        let _ = worker.await;
    }
}

async fn ask_and_abort(mut worker: TaskHandle<()>) {
    worker.request_cancel();
    if timeout(GRACE, &mut worker).await.is_err() {
        worker.abort();
        let _ = worker.await;
    }
}
