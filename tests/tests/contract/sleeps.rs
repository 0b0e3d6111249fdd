//! The order in which the sleeps of tasks end: clause C6.

use std::collections::BTreeSet;
use std::time::Duration;

use event_loop::spawn;
use event_loop::time::{Instant, sleep_until};
use sim::Profile;

use crate::backends::Backend;
use crate::clause::Reach::Only;
use crate::clause::clauses;
use crate::log::Log;

clauses! {
    C6 {
        sleeps_end_by_their_deadline_as_the_timer_has_it: Only(
            |backend| backend.is_simulated() && !backend.is_uvloop(),
            "where a millisecond begins is the machine's affair, and uvloop rounds to the nearest",
        ),
        sleeps_of_one_deadline_end_as_they_were_registered: Only(
            in_order,
            "any task that can run may be next",
        ),
        which_sleep_of_one_instant_ends_first_is_a_choice: Only(
            |backend| backend.is_plain_run() && !in_order(seeded(backend, 1)),
            "the order is fixed, or not a seed's to choose",
        ),
    }
}

/// Where tasks are polled in the order in which they were woken.
fn in_order(backend: Backend) -> bool {
    match backend {
        Backend::CurrentThread => true,
        Backend::MultiThread => false,
        Backend::Simulated { profile, .. } => {
            backend.is_plain_run() || matches!(profile, Profile::TokioCt | Profile::Uvloop)
        }
    }
}

fn seeded(backend: Backend, seed: u64) -> Backend {
    match backend {
        Backend::Simulated { profile, .. } => Backend::Simulated { profile, seed },
        other => other,
    }
}

/// A task for each of these deadlines, in microseconds from a whole millisecond: in which order
/// they registered, and in which they woke, by their places in the list.
fn sleep_all(backend: Backend, deadlines: &[u64]) -> [Vec<usize>; 2] {
    let ev = backend.make();
    let (registered, woken) = (Log::new(), Log::new());
    let start = Instant::from_nanos((ev.now().as_nanos() / 1_000_000 + 3) * 1_000_000);
    let deadlines = deadlines.to_vec();
    let (register, wake) = (registered.clone(), woken.clone());
    ev.run_until_complete(async move {
        let sleeper = |(n, micros)| {
            let (register, wake) = (register.clone(), wake.clone());
            spawn(async move {
                let deadline = start + Duration::from_micros(micros);
                register.note(n);
                sleep_until(deadline).await;
                assert!(Instant::now() >= deadline);
                wake.note(n);
            })
        };
        let tasks: Vec<_> = deadlines.into_iter().enumerate().map(sleeper).collect();
        for task in tasks {
            task.await.unwrap();
        }
    })
    .unwrap();
    [registered.take(), woken.take()]
}

fn sleeps_end_by_their_deadline_as_the_timer_has_it(backend: Backend) {
    // Two end in the first millisecond, three in the second, one in the third.
    let deadlines = [1_900, 2_500, 1_100, 500, 1_200, 400];
    let [mut expected, woken] = sleep_all(backend, &deadlines);
    if let Some(Profile::Exact | Profile::Asyncio) = backend.profile() {
        assert_eq!(woken, [5, 3, 2, 4, 0, 1]);
        return;
    }
    let millis = |n: &usize| deadlines[*n].div_ceil(1_000);
    assert!(woken.is_sorted_by_key(millis), "{woken:?}");
    if in_order(backend) {
        expected.sort_by_key(millis);
        assert_eq!(woken, expected);
    }
}

fn sleeps_of_one_deadline_end_as_they_were_registered(backend: Backend) {
    let [registered, woken] = sleep_all(backend, &[1_000; 8]);
    assert_eq!(registered, woken);
}

fn which_sleep_of_one_instant_ends_first_is_a_choice(backend: Backend) {
    let orders: BTreeSet<_> = (0..20)
        .map(|seed| sleep_all(seeded(backend, seed), &[1_000; 4]))
        .collect();
    assert!(orders.len() > 10, "{} orders", orders.len());
}
