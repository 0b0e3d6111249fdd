//! R8: the parts of a service are stopped in the order of a hash table, which differs from process
//! to process.
//!
//! A writer gathers records and saves them when it is stopped, through a connection pool, which is
//! a part of the service as well. Where the table has the pool before the writer, the last batch
//! finds it closed. The mended service stops its parts in the reverse order of their start.

#![expect(
    clippy::disallowed_types,
    reason = "the random order of a hash table is what this is about"
)]

use std::collections::HashMap;

use event_loop::sync::{mpsc, oneshot};
use event_loop::{EventLoop, TaskHandle};
use sim::{Config, Sim};

use crate::store::{Store, save};
use crate::{Body, Scenario};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "hash-order",
    race: "R8",
    story: "a hash table decides which part of a service stops first",
    fails_within: 20,
    config: |_| Config::new(),
    broken: Body::World(|sim| Box::pin(broken(sim))),
    mended: Body::World(|sim| Box::pin(mended(sim))),
};

/// The parts are stopped in the order of a hash table.
///
/// # Panics
/// If the last batch is lost.
pub async fn broken(sim: Sim) {
    the_last_batch_is_saved(sim, |parts| parts.into_iter().collect::<HashMap<_, _>>()).await;
}

/// The parts are stopped in the reverse order of their start.
///
/// # Panics
/// If the last batch is lost.
pub async fn mended(sim: Sim) {
    the_last_batch_is_saved(sim, |parts| parts.into_iter().rev()).await;
}

/// The names of five parts, in the order in which a hash table of this process would stop them.
#[must_use]
pub fn order_of_a_table() -> Vec<&'static str> {
    let table: HashMap<_, _> = PARTS.map(|name| (name, ())).into();
    table.into_keys().collect()
}

const PARTS: [&str; 5] = ["pool", "cache", "writer", "health", "api"];

type Part = (&'static str, TaskHandle<()>);

async fn the_last_batch_is_saved<I>(sim: Sim, in_order: fn(Vec<Part>) -> I)
where
    I: IntoIterator<Item = Part> + Send + 'static,
    I::IntoIter: Send,
{
    let store = Store::start(&sim);
    let service = sim.host("svc").run(move |ev| async move {
        let parts = start(&ev);
        event_loop::time::sleep(std::time::Duration::from_millis(10)).await;
        for (_, part) in in_order(parts) {
            part.request_cancel();
            part.await.unwrap();
        }
    });
    service.await.unwrap();
    assert!(store.has("last batch"), "the last batch was never saved");
}

/// A record to be saved, and whom to tell.
type Query = (&'static str, oneshot::Sender<()>);

fn start(ev: &EventLoop) -> Vec<Part> {
    let (queries, asked) = mpsc::channel(8);
    let mut queries = Some(queries);
    let mut asked = Some(asked);
    let parts = PARTS.map(|name| {
        let task = match name {
            "pool" => ev.spawn_named(name, lend(asked.take().expect("there is one pool"))),
            "writer" => ev.spawn_named(name, write(queries.take().expect("there is one writer"))),
            _ => ev.spawn_named(name, event_loop::cancelled()),
        };
        (name, task)
    });
    parts.into()
}

/// The pool: saves what it is asked to, until it is closed.
async fn lend(mut asked: mpsc::Receiver<Query>) {
    loop {
        event_loop::select! {
            biased;
            query = asked.recv() => match query {
                Some((record, done)) if save(record).await.is_ok() => drop(done.send(())),
                Some(_) => {}
                None => return,
            },
            () = event_loop::cancelled() => return,
        }
    }
}

/// The writer: saves its batch once it is asked to finish.
async fn write(pool: mpsc::Sender<Query>) {
    event_loop::cancelled().await;
    let (done, saved) = oneshot::channel();
    if pool.send(("last batch", done)).await.is_ok() {
        let _ = saved.await;
    }
}
