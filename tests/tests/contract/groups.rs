//! Tasks that start, fail and end together, and the list of them all: clauses K5 and K8.

use std::future::pending;
use std::time::Duration;

use event_loop::time::sleep;
use event_loop::{TaskGroup, cancelled, spawn, spawn_named, task_group};
use insta::assert_snapshot;

use crate::backends::Backend;
use crate::clause::Reach::Everywhere;
use crate::clause::clauses;
use crate::log::Log;

const TICK: Duration = Duration::from_millis(1);

clauses! {
    K5 {
        the_first_failure_asks_the_siblings_and_all_errors_are_listed: Everywhere,
        a_group_is_not_left_before_the_last_of_its_tasks_has_ended: Everywhere,
        spawning_after_the_end_of_a_group_is_refused: Everywhere,
    }
    K8 {
        all_tasks_are_listed_in_the_order_of_their_creation: Everywhere,
        ids_are_given_in_creation_order: Everywhere,
    }
}

fn the_first_failure_asks_the_siblings_and_all_errors_are_listed(backend: Backend) {
    let ev = backend.make();
    let error = ev.run_until_complete(async {
        let group = task_group(|group: TaskGroup| async move {
            group.spawn(async {
                cancelled().await;
                sleep(3 * TICK).await;
                Err::<(), _>("of the cleanup")
            })?;
            group.spawn(async {
                cancelled().await;
                Ok::<_, &str>(())
            })?;
            group.spawn(async {
                sleep(TICK).await;
                Err::<(), _>("the first")
            })?;
            Ok(())
        });
        group.await.unwrap_err()
    });
    let error = error.unwrap();
    let text = error.to_string();
    let (text, _) = text.split_once(": task #").unwrap();
    assert_snapshot!(text, @"unhandled errors in a TaskGroup (2 sub-exceptions)");
    let failures = error.into_failures().into_iter();
    let failures: Vec<_> = failures
        .map(|failure| failure.into_error().to_string())
        .collect();
    assert_eq!(failures, ["the first", "of the cleanup"]);
}

fn a_group_is_not_left_before_the_last_of_its_tasks_has_ended(backend: Backend) {
    let ev = backend.make();
    let log = Log::new();
    let noted = log.clone();
    let value = ev.run_until_complete(async move {
        let late = noted.clone();
        let value = task_group(|group: TaskGroup| async move {
            group.spawn(async move {
                sleep(3 * TICK).await;
                late.note("the last");
            })?;
            Ok(7)
        });
        let value = value.await;
        noted.note("left");
        value
    });
    assert_eq!(value.unwrap().unwrap(), 7);
    assert_eq!(log.take(), ["the last", "left"]);
}

fn spawning_after_the_end_of_a_group_is_refused(backend: Backend) {
    let ev = backend.make();
    let (shutting_down, finished) = ev
        .run_until_complete(async {
            let (give, given) = futures::channel::oneshot::channel();
            let group = task_group(|group: TaskGroup| async move {
                let late = group.clone();
                group.spawn(async move {
                    cancelled().await;
                    let refused = late.spawn(async {}).unwrap_err();
                    let _ = give.send((late, refused));
                })?;
                Err::<(), _>("fails".into())
            });
            assert!(group.await.is_err());
            let (late, shutting_down) = given.await.unwrap();
            (shutting_down, late.spawn(async {}).unwrap_err())
        })
        .unwrap();
    assert_snapshot!(shutting_down, @"TaskGroup is shutting down: a task of it has failed or it was asked to finish; start the task outside the group if it has to run all the same");
    assert_snapshot!(finished, @"TaskGroup is finished: start the task before the last of its tasks ends");
}

fn all_tasks_are_listed_in_the_order_of_their_creation(backend: Backend) {
    let ev = backend.make();
    let here = ev.unowned();
    let listed = ev.run_until_complete(async move {
        let tasks: Vec<_> = (0..10)
            .map(|n| spawn_named(&format!("task {n}"), pending::<()>()))
            .collect();
        for gone in tasks.iter().step_by(3) {
            gone.abort();
        }
        while tasks.iter().step_by(3).any(|task| !task.is_finished()) {
            sleep(TICK).await;
        }
        spawn(async {}).await.unwrap();
        let live = tasks.iter().filter(|task| !task.is_finished());
        let live: Vec<_> = live.map(|task| task.id().unwrap()).collect();
        let listed = here.all_tasks().into_iter().map(|task| task.id);
        let listed: Vec<_> = listed.filter(|id| live.contains(id)).collect();
        (live, listed)
    });
    let (live, listed) = listed.unwrap();
    assert_eq!((live.len(), &live), (6, &listed));
    assert!(ev.all_tasks().is_sorted_by_key(|task| task.id));
    ev.close().unwrap();
    assert_eq!(ev.all_tasks().len(), 0);
}

fn ids_are_given_in_creation_order(backend: Backend) {
    let ev = backend.make();
    let ids = [(); 10].map(|()| ev.spawn(async {}).id().unwrap());
    assert!(ids.is_sorted());
    assert!(ids.iter().zip(&ids[1..]).all(|(a, b)| a != b));
}
