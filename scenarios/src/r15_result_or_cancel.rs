//! R15: a result and a cancellation in one iteration.
//!
//! A shop charges a card and cancels the order if that takes too long. The broken shop looks
//! whether the task has finished, aborts it, and tells the customer that nothing was charged; but
//! the answer may lie there unread, or the bank may have charged and its answer be under way. The
//! mended shop reads what came of the task after the abort: its result if it had one, and else it
//! voids the charge.

use std::io;
use std::time::Duration;

use event_loop::TaskHandle;
use event_loop::time::sleep;
use sim::{Config, Sim};

use crate::store::{Store, save};
use crate::{Body, Scenario};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "result-or-cancel",
    race: "R15",
    story: "a charge is aborted in the iteration that has its result, and taken for undone",
    fails_within: 20,
    config: |_| Config::new(),
    broken: Body::World(|sim| Box::pin(broken(sim))),
    mended: Body::World(|sim| Box::pin(mended(sim))),
};

/// What a customer is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Told {
    Paid,
    NothingCharged,
}

/// What is aborted is taken for undone.
///
/// # Panics
/// If a customer who is told that nothing was charged has paid.
pub async fn broken(sim: Sim) {
    nobody_pays_for_nothing(sim, |charge| async move {
        if charge.is_finished() {
            return Told::Paid;
        }
        charge.abort();
        Told::NothingCharged
    })
    .await;
}

/// The outcome of what is aborted is read.
///
/// # Panics
/// If a customer who is told that nothing was charged has paid.
pub async fn mended(sim: Sim) {
    nobody_pays_for_nothing(sim, |charge| async move {
        charge.abort();
        if let Ok(Ok(())) = charge.await {
            return Told::Paid;
        }
        save("void").await.unwrap();
        Told::NothingCharged
    })
    .await;
}

/// As long as the bank takes for an answer on a good day.
const PATIENCE: Duration = Duration::from_millis(4);

async fn nobody_pays_for_nothing<F>(sim: Sim, give_up: fn(TaskHandle<io::Result<()>>) -> F)
where
    F: Future<Output = Told> + Send + 'static,
{
    let bank = Store::start(&sim);
    // The bank is up.
    sleep(Duration::from_millis(100)).await;
    let told = sim.host("shop").run(move |ev| async move {
        let charge = ev.spawn_named("charge", save("charge"));
        sleep(PATIENCE).await;
        give_up(charge).await
    });
    let told = told.await.unwrap();
    sleep(Duration::from_secs(1)).await;
    let has_paid = bank.has("charge") && !bank.has("void");
    assert_eq!(
        told == Told::Paid,
        has_paid,
        "the customer was told {told:?}"
    );
}
