//! Sets of tasks, read as they end.

use std::future::{pending, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use event_loop::task::JoinSet;
use event_loop::time::sleep;
use event_loop::{cancelled, spawn, yield_now};
use futures::channel::oneshot;

use crate::backends::Backends::{Everywhere, Production};
use crate::backends::{Backend, on};
use crate::log::{Log, OnDrop};
use crate::{TICK, timed, until};

#[test]
fn outcomes_come_in_the_order_in_which_the_tasks_end() {
    on(Everywhere, |backend| {
        let ev = backend.make();
        let ended = ev.run_until_complete(async {
            let mut set = JoinSet::new();
            for n in [30, 10, 20] {
                set.spawn(async move {
                    sleep(n * TICK).await;
                    n
                });
            }
            assert_eq!(set.len(), 3);
            let mut ended = Vec::new();
            while let Some(n) = set.join_next().await {
                ended.push(n.unwrap());
            }
            assert!(set.is_empty() && set.join_next().await.is_none());
            ended
        });
        assert_eq!(timed(backend, ended.unwrap()), [10, 20, 30]);
    });
}

#[test]
fn who_ended_before_anybody_looked_is_in_line_all_the_same() {
    on(Everywhere, |backend| {
        let ev = backend.make();
        let ended = ev.run_until_complete(async {
            let mut set = JoinSet::new();
            let mut ends = Vec::new();
            for n in 0..5 {
                let (end, ended) = oneshot::channel::<()>();
                let handle = set.spawn(async move {
                    let _ = ended.await;
                    n
                });
                ends.push((Some(end), handle));
            }
            for n in [3, 0, 4, 1, 2] {
                drop(ends[n].0.take());
                until(|| ends[n].1.is_finished()).await;
                // Tokio marks a task as finished a moment before it tells anybody.
                sleep(2 * TICK).await;
            }
            let mut ended = vec![set.try_join_next().unwrap().unwrap()];
            while let Some(n) = set.join_next().await {
                ended.push(n.unwrap());
            }
            ended
        });
        assert_eq!(ended.unwrap(), [3, 0, 4, 1, 2]);
    });
}

#[test]
fn a_set_tells_who_ended_and_how() {
    on(Everywhere, |backend| {
        let ev = backend.make();
        ev.run_until_complete(async {
            let mut set = JoinSet::new();
            let value = set.spawn(async { 7 });
            let (id, joined) = set.join_next_with_id().await.unwrap().unwrap();
            assert_eq!((Some(id), joined), (value.id(), 7));
            let aborted = set.spawn(pending());
            aborted.abort();
            let error = set.join_next_with_id().await.unwrap().unwrap_err();
            assert!(error.is_aborted());
            assert_eq!(error.id(), aborted.id());
            let panics = set.spawn(async { panic!("in a set") });
            let error = set.join_next().await.unwrap().unwrap_err();
            assert!(error.is_panic());
            assert_eq!(error.id(), panics.id());
            let taken = set.insert(spawn(async { 8 }));
            until(|| taken.is_finished()).await;
            let (id, joined) = set.try_join_next_with_id().unwrap().unwrap();
            assert_eq!((Some(id), joined), (taken.id(), 8));
        })
        .unwrap();
    });
}

#[test]
fn a_wait_that_is_given_up_loses_nothing() {
    on(Everywhere, |backend| {
        let ev = backend.make();
        let joined = ev.run_until_complete(async {
            let mut set = JoinSet::new();
            let task = set.spawn(async {
                sleep(3 * TICK).await;
                7
            });
            while !task.is_finished() {
                assert!(futures::poll!(pin!(set.join_next())).is_pending() || task.is_finished());
                if set.is_empty() {
                    break;
                }
                sleep(TICK).await;
            }
            set.join_next().await
        });
        let joined = joined.unwrap();
        assert!(joined.is_none_or(|joined| joined.unwrap() == 7));
    });
}

#[test]
fn who_waits_hears_of_a_task_that_was_spawned_meanwhile() {
    on(Everywhere, |backend| {
        let ev = backend.make();
        let joined = ev.run_until_complete(async {
            let mut set = JoinSet::new();
            set.spawn(pending());
            let mut spawned = false;
            poll_fn(move |cx| {
                let polled = set.poll_join_next(cx);
                if !std::mem::replace(&mut spawned, true) {
                    assert!(polled.is_pending());
                    set.spawn(async { 7 });
                }
                polled
            })
            .await
        });
        assert_eq!(joined.unwrap().unwrap().unwrap(), 7);
    });
}

#[test]
fn a_set_that_is_dropped_aborts_its_tasks() {
    on(Everywhere, |backend| {
        let ev = backend.with_one_worker();
        let log = Log::new();
        let noted = log.clone();
        ev.run_until_complete(async move {
            let mut set = JoinSet::new();
            let mut begun = Vec::new();
            for n in 0..5 {
                let (dropped, (begin, begins)) = (noted.clone(), oneshot::channel());
                set.spawn(async move {
                    let _held = OnDrop::new(move || dropped.note(n));
                    begin.send(()).unwrap();
                    pending::<()>().await;
                });
                begun.push(begins);
            }
            futures::future::join_all(begun).await;
            drop(set);
            sleep(5 * TICK).await;
        })
        .unwrap();
        let mut dropped = log.take();
        // Where the schedule is a choice, so is the order in which the aborts are served.
        if !matches!(
            backend,
            Backend::CurrentThread | Backend::Simulated { seed: 0, .. }
        ) {
            dropped.sort_unstable();
        }
        assert_eq!(dropped, [0, 1, 2, 3, 4]);
    });
}

#[test]
fn detached_tasks_run_on() {
    on(Everywhere, |backend| {
        let ev = backend.make();
        let log = Log::new();
        let noted = log.clone();
        ev.run_until_complete(async move {
            let mut set = JoinSet::new();
            let end = set.spawn(async move {
                sleep(2 * TICK).await;
                noted.note("done");
            });
            set.detach_all();
            assert!(set.is_empty());
            drop(set);
            until(|| end.is_finished()).await;
        })
        .unwrap();
        assert_eq!(log.take(), ["done"]);
    });
}

#[test]
fn shutdown_aborts_and_waits_until_each_has_ended() {
    on(Everywhere, |backend| {
        let ev = backend.make();
        let log = Log::new();
        let noted = log.clone();
        ev.run_until_complete(async move {
            let mut set = JoinSet::new();
            for n in 0..4 {
                let dropped = noted.clone();
                let held = OnDrop::new(move || dropped.note(n));
                set.spawn(async move {
                    let _held = held;
                    cancelled().await;
                });
            }
            yield_now().await;
            set.shutdown().await;
            assert!(set.is_empty());
            let mut dropped = noted.take();
            dropped.sort_unstable();
            assert_eq!(dropped, [0, 1, 2, 3]);
        })
        .unwrap();
    });
}

#[test]
fn all_values_come_at_once_or_the_first_panic() {
    on(Everywhere, |backend| {
        let ev = backend.make();
        let values = ev.run_until_complete(async {
            let set: JoinSet<_> = (0..20).map(|n| async move { n }).collect();
            set.join_all().await
        });
        let mut values = values.unwrap();
        values.sort_unstable();
        assert_eq!(values, (0..20).collect::<Vec<_>>());

        let ended = ev.run_until_complete(async {
            let joining = spawn(async {
                let mut set = JoinSet::new();
                set.spawn(pending());
                set.spawn(async { panic!("one of all") });
                set.join_all().await
            });
            joining.await.unwrap_err()
        });
        let payload = ended.unwrap().into_panic();
        assert_eq!(payload.downcast_ref(), Some(&"one of all"));
    });
}

#[test]
fn a_set_on_a_closed_loop_says_so() {
    on(Everywhere, |backend| {
        let (ev, closed) = (backend.make(), backend.make());
        closed.close().unwrap();
        ev.run_until_complete(async move {
            let mut set = JoinSet::new();
            assert!(set.spawn_on(async {}, &closed).is_finished());
            assert_eq!(set.len(), 1);
            assert!(set.join_next().await.unwrap().unwrap_err().is_closed());
            assert!(set.join_next().await.is_none());
        })
        .unwrap();
    });
}

#[test]
fn a_set_outlives_its_loop() {
    on(Everywhere, |backend| {
        let ev = backend.make();
        let mut set = JoinSet::new();
        set.spawn_on(pending::<()>(), &ev);
        set.spawn_on(async {}, &ev);
        ev.run_until_complete(async { sleep(2 * TICK).await })
            .unwrap();
        ev.close().unwrap();
        let mut outcomes = Vec::new();
        let mut cx = Context::from_waker(Waker::noop());
        while let Poll::Ready(Some(outcome)) = set.poll_join_next(&mut cx) {
            outcomes.push(outcome.is_ok());
        }
        assert_eq!(outcomes, [true, false]);
    });
}

// More than tokio lets one poll do.
#[test]
fn a_thousand_tasks_that_have_ended_are_read_without_a_stall() {
    on(Production, |backend| {
        let ev = backend.make();
        let read = ev.run_until_complete(async {
            let mut set: JoinSet<_> = (0..1_000).map(|n| async move { n }).collect();
            sleep(20 * TICK).await;
            let mut read = 0;
            while let Some(n) = set.join_next().await {
                read += n.unwrap();
            }
            read
        });
        assert_eq!(read.unwrap(), (0..1_000).sum::<i32>());
    });
}
