//! R14: a detached task fails, and nobody reads it.
//!
//! A service notes each request in an audit trail, by a task that it lets go. While the audit
//! store starts, connections are refused: the note is lost, and who started the task never asks.
//! The mended service keeps its tasks, tries again, and waits for them at its end.

use std::time::Duration;

use event_loop::task::JoinSet;
use event_loop::time::sleep;
use sim::{Config, Sim};

use crate::store::{Store, save};
use crate::{Body, Scenario};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "unread-failure",
    race: "R14",
    story: "a task that was let go fails, and its error is read by nobody",
    fails_within: 20,
    config: |_| Config::new(),
    broken: Body::World(|sim| Box::pin(broken(sim))),
    mended: Body::World(|sim| Box::pin(mended(sim))),
};

const REQUESTS: u32 = 4;

/// The notes are let go.
///
/// # Panics
/// If a request was never noted, although its task has not failed.
pub async fn broken(sim: Sim) {
    every_request_is_noted(sim, || async {
        for request in 0..REQUESTS {
            sleep(Duration::from_millis(5)).await;
            event_loop::spawn_fallible(async move { save(&note(request)).await }).detach();
        }
    })
    .await;
}

/// The notes are kept, and tried again.
///
/// # Panics
/// If a request was never noted.
pub async fn mended(sim: Sim) {
    every_request_is_noted(sim, || async {
        let mut notes = JoinSet::new();
        for request in 0..REQUESTS {
            sleep(Duration::from_millis(5)).await;
            notes.spawn(async move {
                while save(&note(request)).await.is_err() {
                    sleep(Duration::from_millis(50)).await;
                }
            });
        }
        notes.join_all().await;
    })
    .await;
}

fn note(request: u32) -> String {
    format!("request {request}")
}

async fn every_request_is_noted<F>(sim: Sim, serve: fn() -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let store = Store::default();
    let starts_in = sim.any_duration(
        "the store starts",
        Duration::ZERO..=Duration::from_millis(10),
    );
    let served = store.clone();
    let starting = async move {
        sleep(starts_in).await;
        served.serve().await;
    };
    sim.host("store").run(|_| starting).detach();
    sim.host("svc").run(|_| serve()).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    for request in 0..REQUESTS {
        assert!(
            store.has(&note(request)),
            "request {request} was never noted"
        );
    }
}
