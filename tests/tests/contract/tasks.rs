//! Tasks: their two endings and their failures: clauses K1 to K4.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use event_loop::time::{sleep, timeout};
use event_loop::{
    ErrorContext, EventLoop, TaskError, TaskId, cancelled, spawn, spawn_fallible, spawn_named,
    yield_now,
};
use insta::assert_snapshot;

use crate::backends::Backend;
use crate::clause::Reach::{Everywhere, WorldsOwn};
use crate::clause::clauses;
use crate::log::{Log, OnDrop, sentence};

const TICK: Duration = Duration::from_millis(1);

clauses! {
    K1 {
        a_task_aborted_before_its_first_poll_never_runs: Everywhere,
        a_task_asked_to_finish_before_its_first_poll_sees_it_at_once: Everywhere,
    }
    K2 {
        an_abort_and_a_result_in_one_iteration_agree_with_each_other: Everywhere,
        an_abort_after_the_end_leaves_the_result: Everywhere,
        a_task_that_aborts_itself_ends_at_its_next_await_or_with_its_result: Everywhere,
    }
    K3 {
        cleanup_may_await_after_a_request: Everywhere,
        a_root_that_is_no_task_is_never_asked_to_finish: Everywhere,
        after_an_abort_only_destructors_run_at_the_await: Everywhere,
        a_dropped_handle_detaches: Everywhere,
    }
    K4 {
        a_panic_is_read_by_who_awaits_and_by_nobody_else: Everywhere,
        a_panic_that_nobody_reads_goes_to_the_exception_handler: Everywhere,
        a_panic_left_in_a_handle_is_told_of_however_late_the_handle_goes: Everywhere,
        a_destructor_that_panics_ends_its_task_and_nothing_else: Everywhere,
        a_destructor_that_panics_under_an_abort_goes_to_the_exception_handler: Everywhere,
        a_value_that_nobody_takes_may_panic_when_it_is_dropped: Everywhere,
        an_error_that_nobody_reads_goes_the_way_of_a_panic: Everywhere,
    }
    L8 {
        a_loop_of_production_leaves_nothing_on_its_thread_for_the_next_world: WorldsOwn,
    }
}

/// What the exception handler of a loop is told.
fn reports(ev: &EventLoop) -> Log<ErrorContext> {
    let reports = Log::new();
    let told = reports.clone();
    ev.set_exception_handler(Some(move |_: &EventLoop, context: &ErrorContext| {
        told.note(context.clone());
    }));
    reports
}

/// Waits, in polls and then in time, for what another task does.
async fn until(mut happened: impl FnMut() -> bool) {
    while !happened() {
        sleep(TICK).await;
    }
}

fn a_task_aborted_before_its_first_poll_never_runs(backend: Backend) {
    // A second worker would poll the task before its abort.
    let ev = backend.with_one_worker();
    let (log, noted) = (Log::new(), Log::new());
    let (started, dropped) = (log.clone(), noted.clone());
    let held = OnDrop::new(move || dropped.note("dropped"));
    let body = async move {
        let _held = held;
        started.note("started");
    };
    let error = ev.run_until_complete(async move {
        let task = spawn(body);
        task.abort();
        task.await.unwrap_err()
    });
    let error = error.unwrap();
    assert!(error.is_aborted() && !error.is_panic() && !error.is_closed());
    assert_snapshot!(error, @"the task was aborted");
    assert_eq!((log.take(), noted.take()), (vec![], vec!["dropped"]));
}

fn a_task_asked_to_finish_before_its_first_poll_sees_it_at_once(backend: Backend) {
    let ev = backend.make();
    let asked = ev.run_until_complete(async {
        let (begin, begun) = futures::channel::oneshot::channel::<()>();
        let task = spawn(async {
            begun.await.unwrap();
            let at_once = std::pin::pin!(cancelled());
            futures::poll!(at_once).is_ready()
        });
        task.request_cancel();
        begin.send(()).unwrap();
        task.await.unwrap()
    });
    assert_eq!(asked, Ok(true));
}

fn an_abort_and_a_result_in_one_iteration_agree_with_each_other(backend: Backend) {
    for aborts_first in [true, false] {
        let ev = backend.make();
        let log = Log::new();
        let noted = log.clone();
        let result = ev.run_until_complete(async move {
            let (give, given) = futures::channel::oneshot::channel();
            let ends = noted.clone();
            let task = spawn(async move {
                let value = given.await.unwrap();
                ends.note("ended");
                value
            });
            sleep(TICK).await;
            if aborts_first {
                task.abort();
            }
            let _ = give.send(7);
            task.abort();
            task.await
        });
        match result.unwrap() {
            Ok(value) => assert_eq!((value, log.take()), (7, vec!["ended"])),
            Err(error) => assert!(error.is_aborted() && log.take().is_empty()),
        }
    }
}

fn an_abort_after_the_end_leaves_the_result(backend: Backend) {
    let ev = backend.make();
    let result = ev.run_until_complete(async {
        let task = spawn(async { 7 });
        until(|| task.is_finished()).await;
        task.abort();
        task.request_cancel();
        task.await
    });
    assert_eq!(result.unwrap().unwrap(), 7);
}

fn a_task_that_aborts_itself_ends_at_its_next_await_or_with_its_result(backend: Backend) {
    let ev = backend.make();
    for awaits in [false, true] {
        let result = ev.run_until_complete(async move {
            let (give, own) = futures::channel::oneshot::channel();
            let task = spawn(async move {
                let abort: Box<dyn FnOnce() + Send> = own.await.unwrap();
                abort();
                if awaits {
                    pending::<()>().await;
                }
                7
            });
            let task = Arc::new(task);
            let own = task.clone();
            assert!(give.send(Box::new(move || own.abort())).is_ok());
            until(|| task.is_finished()).await;
            Arc::into_inner(task)
                .unwrap()
                .await
                .map_err(|e| e.is_aborted())
        });
        let expected = if awaits { Err(true) } else { Ok(7) };
        assert_eq!(result, Ok(expected));
    }
}

fn cleanup_may_await_after_a_request(backend: Backend) {
    let ev = backend.make();
    let log = Log::new();
    let noted = log.clone();
    let result = ev.run_until_complete(async move {
        let flushed = noted.clone();
        let task = spawn(async move {
            cancelled().await;
            cancelled().await;
            sleep(2 * TICK).await;
            flushed.note("flushed");
            "result"
        });
        sleep(TICK).await;
        assert!(!task.is_finished());
        task.request_cancel();
        task.request_cancel();
        noted.note("asked");
        task.await.unwrap()
    });
    assert_eq!(result, Ok("result"));
    assert_eq!(log.take(), ["asked", "flushed"]);
}

fn a_root_that_is_no_task_is_never_asked_to_finish(backend: Backend) {
    let ev = backend.make();
    let elapsed = ev.run_borrowed(async { timeout(TICK, cancelled()).await.is_err() });
    assert_eq!(elapsed, Ok(true));
}

fn after_an_abort_only_destructors_run_at_the_await(backend: Backend) {
    let ev = backend.make();
    let log = Log::new();
    let noted = log.clone();
    ev.run_until_complete(async move {
        let (begin, begun) = futures::channel::oneshot::channel();
        let (outer, inner, after) = (noted.clone(), noted.clone(), noted.clone());
        let task = spawn(async move {
            let _outer = OnDrop::new(move || outer.note("outer"));
            let _inner = OnDrop::new(move || inner.note("inner"));
            begin.send(()).unwrap();
            cancelled().await;
            after.note("never");
        });
        begun.await.unwrap();
        task.abort();
        let error = task.await.unwrap_err();
        assert!(error.is_aborted());
        noted.note("reported");
    })
    .unwrap();
    assert_eq!(log.take(), ["inner", "outer", "reported"]);
}

fn a_dropped_handle_detaches(backend: Backend) {
    let ev = backend.make();
    let done = Arc::new(AtomicBool::new(false));
    let seen = done.clone();
    ev.run_until_complete(async move {
        let set = done.clone();
        drop(spawn(async move {
            sleep(TICK).await;
            set.store(true, Ordering::Relaxed);
        }));
        until(|| done.load(Ordering::Relaxed)).await;
    })
    .unwrap();
    assert!(seen.load(Ordering::Relaxed));
}

fn a_panic_is_read_by_who_awaits_and_by_nobody_else(backend: Backend) {
    let ev = backend.make();
    let reports = reports(&ev);
    let error = ev.run_until_complete(async {
        let name = String::from("a task");
        spawn(async move { panic!("of {name}") }).await.unwrap_err() as TaskError
    });
    let error = error.unwrap();
    assert!(error.is_panic() && !error.is_aborted());
    assert_snapshot!(error, @"the task panicked: of a task");
    let payload = error.into_panic();
    assert_eq!(payload.downcast_ref::<String>().unwrap(), "of a task");
    ev.close().unwrap();
    assert_eq!(reports.take().len(), 0);
}

fn a_panic_that_nobody_reads_goes_to_the_exception_handler(backend: Backend) {
    let ev = backend.make();
    let reports = reports(&ev);
    let told = reports.clone();
    let told = move || {
        let report = told.take();
        assert!(report.len() <= 1);
        report.into_iter().next()
    };
    let (detached, dropped) = ev
        .run_until_complete(async move {
            let line = line!() + 1;
            let task = spawn_named("careless", async { panic!("unread") as () });
            let id = task.id().unwrap();
            task.detach();
            let mut detached = None;
            until(|| {
                detached = told();
                detached.is_some()
            })
            .await;
            let task = spawn(async { panic!("unread, too") as () });
            until(|| task.is_finished()).await;
            assert!(told().is_none(), "somebody may yet read it");
            drop(task);
            let mut dropped = None;
            until(|| {
                dropped = told();
                dropped.is_some()
            })
            .await;
            ((id, line, detached.unwrap()), dropped.unwrap())
        })
        .unwrap();
    let (id, line, report) = detached;
    assert_eq!(report.message, "Task exception was never retrieved");
    assert_eq!((&*report.error, report.task), ("unread", Some(id)));
    assert_eq!(report.created_at.unwrap().line(), line);
    assert!(report.at <= ev.now());
    assert_eq!(
        (&*dropped.message, &*dropped.error),
        (&*report.message, "unread, too")
    );
    assert_eq!(dropped.task_name, None);
    let report = sentence(report).replace(&id.to_string(), "#n");
    let (report, _) = report.split_once("\n  on loop").unwrap();
    assert_snapshot!(report, @r#"
    Task exception was never retrieved: unread
      in task #n "careless", spawned at [site]
    "#);
}

fn a_panic_left_in_a_handle_is_told_of_however_late_the_handle_goes(backend: Backend) {
    let ev = backend.make();
    let reports = reports(&ev);
    let task = ev.spawn(async { panic!("late") as () });
    while !task.is_finished() {
        ev.run_until_complete(async { sleep(TICK).await }).unwrap();
    }
    ev.close().unwrap();
    assert_eq!(reports.take().len(), 0);
    drop(task);
    let reports = reports.take();
    assert_eq!((reports.len(), &*reports[0].error), (1, "late"));
}

fn a_destructor_that_panics_ends_its_task_and_nothing_else(backend: Backend) {
    let ev = backend.make();
    let reports = reports(&ev);
    ev.run_until_complete(async {
        let bomb = || OnDrop::new(|| panic!("in drop"));
        let finished = spawn(async move { drop(bomb()) });
        assert!(finished.await.unwrap_err().is_panic());
        let kept = bomb();
        let returned = spawn(async move {
            let _kept = kept;
            yield_now().await;
        });
        assert!(returned.await.unwrap_err().is_panic());
    })
    .unwrap();
    assert_eq!(reports.take().len(), 0);
    assert_eq!(ev.run_until_complete(async { 7 }), Ok(7));
}

fn a_destructor_that_panics_under_an_abort_goes_to_the_exception_handler(backend: Backend) {
    let ev = backend.make();
    let reports = reports(&ev);
    let result = ev.run_until_complete(async {
        let (begin, begun) = futures::channel::oneshot::channel();
        let task = spawn(async move {
            let _bomb = OnDrop::new(|| panic!("in drop"));
            begin.send(()).unwrap();
            pending::<()>().await;
        });
        begun.await.unwrap();
        task.abort();
        task.await
    });
    assert!(result.unwrap().unwrap_err().is_aborted());
    let reports = reports.take();
    let [report] = &reports[..] else {
        panic!("{reports:?}");
    };
    assert_eq!((&*report.error, report.task.is_some()), ("in drop", true));
    assert_eq!(ev.run_until_complete(async { 7 }), Ok(7));
}

fn a_value_that_nobody_takes_may_panic_when_it_is_dropped(backend: Backend) {
    let ev = backend.make();
    let reports = reports(&ev);
    let told = reports.clone();
    let value = || OnDrop::new(|| panic!("in drop"));
    let (mut ids, late) = ev
        .run_until_complete(async move {
            let detached = spawn(async move { value() });
            let mut ids = vec![detached.id()];
            detached.detach();
            let mut reports = Vec::new();
            until(|| {
                reports.extend(told.take());
                !reports.is_empty()
            })
            .await;
            let finished = spawn(async move { value() });
            ids.push(finished.id());
            until(|| finished.is_finished()).await;
            drop(finished);
            reports.into_iter().for_each(|report| told.note(report));
            let late = spawn(async move { value() });
            until(|| late.is_finished()).await;
            (ids, late)
        })
        .unwrap();
    // Where no task is polled, and no loop is current.
    ids.push(late.id());
    drop(late);
    let mut reports = reports.take();
    let told: Vec<_> = reports.iter().map(|r| &*r.error).collect();
    assert_eq!(told, ["in drop"; 3]);
    // In a world a value left in a handle is dropped by whoever drops the handle.
    if !backend.is_simulated() {
        reports.sort_unstable_by_key(|report| report.task.map(TaskId::serial));
        let told: Vec<_> = reports.iter().map(|report| report.task).collect();
        assert_eq!(told, ids);
    }
    assert_eq!(ev.run_until_complete(async { 7 }), Ok(7));
}

fn an_error_that_nobody_reads_goes_the_way_of_a_panic(backend: Backend) {
    let ev = backend.make();
    let reports = reports(&ev);
    let told = reports.clone();
    let (read, report) = ev
        .run_until_complete(async move {
            let read = spawn_fallible(async { Err::<(), _>("read") }).await;
            spawn_fallible(async { Err::<(), _>("unread") }).detach();
            let mut report = None;
            until(|| {
                report = told.take().pop();
                report.is_some()
            })
            .await;
            (read.unwrap(), report.unwrap())
        })
        .unwrap();
    assert_eq!((read, reports.take().len()), (Err("read"), 0));
    let sentence = sentence(report);
    let (sentence, _) = sentence.split_once("\n  in task").unwrap();
    assert_snapshot!(sentence, @"Task exception was never retrieved: unread");
}

fn a_loop_of_production_leaves_nothing_on_its_thread_for_the_next_world(backend: Backend) {
    let tokio = Backend::CurrentThread.make();
    tokio
        .run_until_complete(async { spawn(async {}).await })
        .unwrap()
        .unwrap();
    let ev = backend.make();
    let task = ev.spawn(async {
        sleep(TICK).await;
        7
    });
    assert_eq!(ev.run_until_complete(task).unwrap().unwrap(), 7);
}
