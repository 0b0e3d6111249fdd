//! Handles that end a task and cannot read it, and who a task is.

use std::future::pending;

use event_loop::task::{Id, JoinError, JoinHandle, id, try_id};
use event_loop::{AbortHandle, cancelled, spawn};

use crate::backends::Backends::{Everywhere, Production};
use crate::backends::on;
use crate::{TICK, until};

#[test]
fn an_abort_handle_ends_the_task_after_its_handle_is_gone() {
    on(Everywhere, |backend| {
        let ev = backend.make();
        ev.run_until_complete(async {
            let task = spawn(pending::<()>());
            let ends = [task.abort_handle(), task.abort_handle().clone()];
            assert!(
                ends.iter()
                    .all(|end| end.id() == task.id() && !end.is_finished())
            );
            task.detach();
            ends[0].abort();
            until(|| ends[1].is_finished()).await;
            ends[1].abort();
            ends[1].request_cancel();
        })
        .unwrap();
    });
}

#[test]
fn an_abort_handle_asks_to_finish_as_the_tasks_handle_does() {
    on(Everywhere, |backend| {
        let ev = backend.make();
        let result = ev.run_until_complete(async {
            let task = spawn(async {
                cancelled().await;
                7
            });
            let end = task.abort_handle();
            event_loop::time::sleep(TICK).await;
            assert!(!end.is_finished());
            end.request_cancel();
            let result = task.await;
            until(|| end.is_finished()).await;
            result
        });
        assert_eq!(result.unwrap().unwrap(), 7);
    });
}

#[test]
fn an_abort_handle_outlives_its_loop() {
    on(Everywhere, |backend| {
        let ev = backend.make();
        let pending = ev.spawn(pending::<()>()).abort_handle();
        let done = ev.spawn(async {}).abort_handle();
        ev.run_until_complete(async { event_loop::time::sleep(TICK).await })
            .unwrap();
        ev.close().unwrap();
        let never = ev.spawn(async {}).abort_handle();
        for end in [pending, done, never] {
            end.abort();
            end.request_cancel();
            assert!(end.is_finished());
        }
    });
}

#[test]
fn a_slot_taken_over_by_another_task_is_not_the_handles() {
    on(Everywhere, |backend| {
        let ev = backend.make();
        ev.run_until_complete(async {
            let first = spawn(async {});
            let stale = first.abort_handle();
            first.await.unwrap();
            until(|| stale.is_finished()).await;
            let second = spawn(async {
                event_loop::time::sleep(TICK).await;
                7
            });
            stale.abort();
            assert!(stale.is_finished());
            assert_eq!(second.await.unwrap(), 7);
        })
        .unwrap();
    });
}

#[test]
fn a_task_knows_who_it_is() {
    on(Everywhere, |backend| {
        let ev = backend.make();
        assert_eq!(try_id(), None);
        ev.run_until_complete(async {
            let task: JoinHandle<Id> = spawn(async {
                let before = id();
                event_loop::yield_now().await;
                assert_eq!(try_id(), Some(before));
                before
            });
            let known = task.id();
            assert_eq!(Some(task.await.unwrap()), known);
        })
        .unwrap();
        assert_eq!(try_id(), None);
    });
}

#[test]
fn an_error_says_whose_it_is() {
    on(Everywhere, |backend| {
        let ev = backend.make();
        ev.run_until_complete(async {
            let task = spawn(pending::<()>());
            let (id, end): (_, AbortHandle) = (task.id(), task.abort_handle());
            end.abort();
            let error: JoinError = task.await.unwrap_err();
            assert!(error.is_cancelled() && error.is_aborted() && !error.is_panic());
            assert_eq!(error.id(), id);
            let error = error.try_into_panic().unwrap_err();
            assert_eq!(error.id(), id);

            let task = spawn(async { panic!("at once") as () });
            let id = task.id();
            let error = task.await.unwrap_err();
            assert!(error.is_panic() && !error.is_cancelled());
            assert_eq!(error.id(), id);
            assert_eq!(error.into_panic().downcast_ref(), Some(&"at once"));
        })
        .unwrap();
    });
}

// A world says so in a panic's report instead.
#[test]
#[should_panic(expected = "into_panic() of a task that did not panic: the task was aborted")]
fn there_is_no_panic_in_an_abort() {
    on(Production, |backend| {
        let ev = backend.make();
        let task = ev.spawn(pending::<()>());
        ev.close().unwrap();
        let error = backend
            .make()
            .run_until_complete(task)
            .unwrap()
            .unwrap_err();
        drop(error.into_panic());
    });
}
