//! Limits on how long something may take: clause K6.

use std::collections::BTreeSet;
use std::future::pending;
use std::time::Duration;

use event_loop::spawn;
use event_loop::time::{Instant, sleep, sleep_until, timeout};
use insta::assert_snapshot;
use sim::Profile;

use crate::backends::Backend;
use crate::clause::Reach::{Everywhere, Only, Simulated};
use crate::clause::clauses;
use crate::log::{Log, OnDrop};

const TICK: Duration = Duration::from_millis(1);

clauses! {
    K6 {
        a_timeout_of_zero_polls_the_value_first: Everywhere,
        a_timeout_drops_what_lost: Everywhere,
        a_value_at_the_very_instant_of_its_timeout_is_no_timeout: Simulated(
            "two real timers may fire with a poll between them",
        ),
        an_elapsed_timeout_becomes_a_timed_out_io_error: Everywhere,
        who_is_first_at_one_instant_decides: Only(
            |backend| backend != Backend::MultiThread,
            "a value may come between the look at it and the look at the clock",
        ),
        which_is_first_at_one_instant_is_a_choice: Only(
            |backend| {
                let fixed = [Profile::TokioCt, Profile::Uvloop];
                backend.is_plain_run() && backend.profile().is_some_and(|p| !fixed.contains(&p))
            },
            "the order is fixed, or not a seed's to choose",
        ),
    }
}

fn a_timeout_of_zero_polls_the_value_first(backend: Backend) {
    let ev = backend.make();
    let results = ev.run_until_complete(async {
        let ready = timeout(Duration::ZERO, async { 7 }).await;
        let late = timeout(Duration::ZERO, pending::<()>()).await;
        (ready, late)
    });
    let (ready, late) = results.unwrap();
    assert_eq!(ready, Ok(7));
    assert_snapshot!(late.unwrap_err(), @"deadline has elapsed");
}

fn a_timeout_drops_what_lost(backend: Backend) {
    let ev = backend.make();
    let log = Log::new();
    let noted = log.clone();
    ev.run_until_complete(async move {
        let lost = noted.clone();
        let loser = async move {
            let _lost = OnDrop::new(move || lost.note("dropped"));
            pending::<()>().await;
        };
        assert!(timeout(TICK, loser).await.is_err());
        noted.note("elapsed");
        assert_eq!(timeout(Duration::from_hours(1), sleep(TICK)).await, Ok(()));
    })
    .unwrap();
    assert_eq!(log.take(), ["dropped", "elapsed"]);
}

fn a_value_at_the_very_instant_of_its_timeout_is_no_timeout(backend: Backend) {
    let ev = backend.make();
    let result = ev.run_until_complete(async {
        let value = async {
            sleep(5 * TICK).await;
            7
        };
        timeout(5 * TICK, value).await
    });
    assert_eq!(result.unwrap(), Ok(7));
}

fn an_elapsed_timeout_becomes_a_timed_out_io_error(backend: Backend) {
    let ev = backend.make();
    let result = ev.run_until_complete(async {
        timeout(TICK, pending::<()>()).await?;
        std::io::Result::Ok(())
    });
    let error = result.unwrap().unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
}

/// A value that is sent at the very instant at which its receiver gives up: what happened.
fn race(backend: Backend, sender_first: bool) -> Vec<&'static str> {
    let ev = backend.make();
    let log = Log::new();
    let (sends, receives) = (log.clone(), log.clone());
    let at = ev.now() + 5 * TICK;
    let (give, given) = futures::channel::oneshot::channel();
    let sender = async move {
        sleep_until(at).await;
        sends.note("sent");
        let _ = give.send(());
    };
    let receiver = async move {
        let outcome = timeout(at - Instant::now(), given).await;
        receives.note(if outcome.is_ok() {
            "received"
        } else {
            "given up"
        });
    };
    ev.run_until_complete(async move {
        let both = if sender_first {
            [spawn(sender), spawn(receiver)]
        } else {
            let receiver = spawn(receiver);
            [receiver, spawn(sender)]
        };
        for task in both {
            task.await.unwrap();
        }
    })
    .unwrap();
    log.take()
}

fn who_is_first_at_one_instant_decides(backend: Backend) {
    for sender_first in [true, false] {
        let happened = race(backend, sender_first);
        let legal = [["sent", "received"], ["given up", "sent"]];
        assert!(legal.iter().any(|legal| happened == legal), "{happened:?}");
    }
}

fn which_is_first_at_one_instant_is_a_choice(backend: Backend) {
    let Some(profile) = backend.profile() else {
        panic!("seeds are a world's");
    };
    let outcomes: BTreeSet<_> = (0..20)
        .map(|seed| race(Backend::Simulated { profile, seed }, true))
        .collect();
    assert_eq!(outcomes.len(), 2, "{outcomes:?}");
}
