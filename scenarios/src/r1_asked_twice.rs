//! R1, as asyncio's usual bootstrap has it: TERM asks every task to finish, and the group asks its
//! workers once more.
//!
//! The worker that is asked saves its batch, and takes a second request for the order to give up,
//! as a Python coroutine does whose cleanup is cancelled. Two requests before it looks are one. So
//! the batch is kept where the group is asked before its worker has looked, and lost where it has:
//! the order in which the handler asks decides. The mended handler asks the group alone, to which
//! the worker belongs.

use std::time::Duration;

use event_loop::sync::watch;
use event_loop::{EventLoop, TaskHandle};
use sim::{Config, Sim};

use crate::store::{Store, save};
use crate::{Body, Scenario};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "asked-twice",
    race: "R1",
    story: "TERM asks group and workers to finish, the group asks its workers again: a cleanup is cut",
    fails_within: 20,
    config: |_| Config::new(),
    broken: Body::World(|sim| Box::pin(kept(sim, Asks::AnyOrder))),
    mended: Body::World(|sim| Box::pin(kept(sim, Asks::GroupAlone))),
};

/// Whom the handler of TERM asks, and in which order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asks {
    /// The group and its worker, in an order that the run decides, as a hash set does.
    AnyOrder,
    /// The group, then its worker.
    GroupFirst,
    /// The worker, then its group.
    WorkerFirst,
    /// The group, whose worker is its own affair.
    GroupAlone,
}

/// A service that is asked to finish in this way keeps its worker's batch.
///
/// # Panics
/// If a batch is lost.
pub async fn kept(sim: Sim, asks: Asks) {
    let store = Store::start(&sim);
    let order = sim.clone();
    let service = sim.host("svc").run(|ev| serve(ev, asks, order));
    service.await.unwrap();
    assert!(store.has("batch"), "the worker's batch was never saved");
}

/// A task that can be asked to finish any number of times, and sees once what comes at once.
struct Asked {
    ask: watch::Sender<()>,
    task: TaskHandle<()>,
}

impl Asked {
    fn spawn<F>(ev: &EventLoop, name: &str, body: impl FnOnce(watch::Receiver<()>) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (ask, asked) = watch::channel(());
        let task = ev.spawn_named(name, body(asked));
        Self { ask, task }
    }
}

async fn serve(ev: EventLoop, asks: Asks, order: Sim) {
    let worker = Asked::spawn(&ev, "worker", work);
    let of_worker = worker.ask.clone();
    let group = Asked::spawn(&ev, "group", |asked| gather(asked, worker));
    let of_group = group.ask.clone();

    let worker_first = match asks {
        Asks::GroupFirst | Asks::GroupAlone => false,
        Asks::WorkerFirst => true,
        Asks::AnyOrder => order.flip("the worker is asked first"),
    };
    let known = match (asks, worker_first) {
        (Asks::GroupAlone, _) => vec![of_group],
        (_, false) => vec![of_group, of_worker],
        (_, true) => vec![of_worker, of_group],
    };
    // TERM comes: its handler is a callback, in which nothing else runs.
    let handler = move || known.iter().for_each(|task| task.send_replace(()));
    let scheduled = ev.call_later(Duration::from_millis(20), handler);
    scheduled.expect("the loop runs");
    group.task.await.unwrap();
}

/// The group: asked to finish, it asks its worker and waits for it.
async fn gather(mut asked: watch::Receiver<()>, worker: Asked) {
    let _ = asked.changed().await;
    let _ = worker.ask.send(());
    worker.task.await.unwrap();
}

/// The worker: once asked to finish it saves what it has.
async fn work(mut asked: watch::Receiver<()>) {
    let _ = asked.changed().await;
    event_loop::select! {
        biased;
        _ = asked.changed() => {}
        saved = save("batch") => saved.expect("the store takes batches"),
    }
}
