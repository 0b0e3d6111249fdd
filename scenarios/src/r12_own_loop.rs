//! R12: a thread with its own loop.
//!
//! A library runs its uploads on a thread and a loop of its own. When the thread's main is done its
//! loop is closed, and what it has let go there is dropped: the last upload is lost, unless it
//! happened to be quicker than the work beside it. Mended, main waits for what it has begun.

use std::time::Duration;

use event_loop::sync::oneshot;
use event_loop::time::sleep;
use event_loop::{EventLoop, Runner};
use sim::{Config, Sim};

use crate::store::{Store, save};
use crate::{Body, Scenario};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "own-loop",
    race: "R12",
    story: "the loop of a thread closes with its main, and drops what that has let go",
    fails_within: 20,
    config: |_| Config::new(),
    broken: Body::World(|sim| Box::pin(broken(sim))),
    mended: Body::World(|sim| Box::pin(mended(sim))),
};

/// The last upload is let go.
///
/// # Panics
/// If it is lost.
pub async fn broken(sim: Sim) {
    let work = any_work(&sim);
    every_upload_arrives(sim, move || let_go(work)).await;
}

/// The last upload is waited for.
///
/// # Panics
/// If it is lost.
pub async fn mended(sim: Sim) {
    let work = any_work(&sim);
    every_upload_arrives(sim, move || wait_for(work)).await;
}

/// How long the library works beside its last upload; in the plain run for long enough.
fn any_work(sim: &Sim) -> Duration {
    let longest = Duration::from_millis(8);
    longest - sim.any_duration("the library works", Duration::ZERO..=longest)
}

async fn let_go(work: Duration) {
    event_loop::spawn(async { save("upload").await.is_ok() }).detach();
    sleep(work).await;
}

async fn wait_for(work: Duration) {
    let upload = event_loop::spawn(async { save("upload").await });
    sleep(work).await;
    let saved = upload.await.expect("nobody aborts it");
    saved.expect("the store takes uploads");
}

async fn every_upload_arrives<F>(sim: Sim, library: impl Fn() -> F + Send + Sync + Clone + 'static)
where
    F: Future<Output = ()> + Send + 'static,
{
    let store = Store::start(&sim);
    // The store is up.
    sleep(Duration::from_millis(10)).await;
    let service = sim.host("svc").run(|ev| upload_on_a_thread(ev, library));
    service.await.unwrap();
    // What was sent may still arrive.
    sleep(Duration::from_secs(1)).await;
    assert!(store.has("upload"), "the last upload is lost");
}

/// What the library does when it is called.
async fn upload_on_a_thread<F>(ev: EventLoop, library: impl Fn() -> F + Send + 'static)
where
    F: Future<Output = ()> + Send + 'static,
{
    let factory = ev.factory();
    let (tell, ended) = oneshot::channel();
    let thread = std::thread::spawn(move || {
        let mut runner = Runner::new(factory);
        let ran = runner.run(library());
        runner.close().expect("it runs no more");
        let _ = tell.send(ran);
    });
    ended
        .await
        .expect("the thread tells")
        .expect("its loop runs");
    drop(thread);
}
