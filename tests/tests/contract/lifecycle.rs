//! A loop from its making to its end: clauses L4 to L8 and K10.

use std::hint;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use event_loop::{EventLoop, LoopError, Runner};
use insta::assert_snapshot;

use crate::backends::Backend;
use crate::clause::Reach::{Everywhere, Only, Production};
use crate::clause::clauses;
use crate::log::{Log, sentence};

const TICK: Duration = Duration::from_millis(1);

clauses! {
    L4 {
        a_stop_before_the_future_is_ready_is_an_error: Everywhere,
        a_task_cut_off_by_a_stop_goes_on_in_the_next_run: Everywhere,
    }
    L5 {
        a_running_loop_cannot_be_closed: Everywhere,
        closing_twice_is_fine_and_the_clocks_still_work: Everywhere,
    }
    L6 {
        a_runner_runs_many_times_on_one_loop: Everywhere,
        a_runner_is_refused_inside_a_running_loop_and_after_its_close: Everywhere,
        a_runner_may_be_dropped_in_an_async_context: Everywhere,
        a_failing_factory_is_the_runs_error: Everywhere,
    }
    L7 {
        without_a_loop_there_is_no_current_one_and_none_is_made: Everywhere,
        the_current_loop_is_the_one_entered_or_run_and_never_a_closed_one: Everywhere,
    }
    L8 {
        many_threads_run_a_loop_each: Everywhere,
        a_second_thread_does_not_run_a_running_loop: Production(
            "a second thread is a foreign one there: a verdict",
        ),
    }
    K10 {
        main_is_an_ordinary_task: Everywhere,
        a_borrowed_main_may_borrow: Everywhere,
        tasks_and_callbacks_take_turns_as_the_profile_says: Only(
            |backend| backend != Backend::MultiThread,
            "its tasks run beside the callbacks",
        ),
        a_panic_of_main_goes_on_in_the_caller_and_leaves_the_loop_usable: Everywhere,
    }
}

fn a_stop_before_the_future_is_ready_is_an_error(backend: Backend) {
    let ev = backend.make();
    let end = ev.clone();
    ev.call_soon(move || end.stop()).unwrap();
    let early = ev.run_until_complete(std::future::pending::<()>());
    assert_eq!(early, Err(LoopError::StoppedEarly));
    assert_snapshot!(early.unwrap_err(), @"Event loop stopped before Future completed.");
    assert!(!ev.is_running());
    assert_eq!(ev.run_until_complete(async { 7 }), Ok(7));
}

fn a_task_cut_off_by_a_stop_goes_on_in_the_next_run(backend: Backend) {
    let ev = backend.make();
    let finished = Arc::new(AtomicUsize::new(0));
    let (end, counted) = (ev.clone(), finished.clone());
    let early = ev.run_until_complete(async move {
        end.stop();
        event_loop::time::sleep(3 * TICK).await;
        counted.fetch_add(1, Ordering::Relaxed);
    });
    assert_eq!(early, Err(LoopError::StoppedEarly));
    ev.run_until_complete(async { event_loop::time::sleep(20 * TICK).await })
        .unwrap();
    assert_eq!(finished.load(Ordering::Relaxed), 1);
}

fn a_panic_of_main_goes_on_in_the_caller_and_leaves_the_loop_usable(backend: Backend) {
    let ev = backend.make();
    let run = || ev.run_until_complete(async { panic!("of main") });
    let payload = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"of main"));
    let run = || ev.run_borrowed(async { panic!("of the root") });
    let payload = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"of the root"));
    assert!(!ev.is_running());
    assert_eq!(ev.run_until_complete(async { 7 }), Ok(7));
}

fn a_running_loop_cannot_be_closed(backend: Backend) {
    let ev = backend.make();
    let here = ev.clone();
    let refused = ev.run_until_complete(async move { here.close() }).unwrap();
    assert_snapshot!(sentence(refused.unwrap_err()), @"Cannot close a running event loop (run at [site]): stop it first");
    let (refused, answer) = mpsc::channel();
    let here = ev.clone();
    ev.call_soon(move || {
        refused.send(here.close()).unwrap();
        here.stop();
    })
    .unwrap();
    ev.run_forever().unwrap();
    assert!(matches!(
        answer.recv().unwrap(),
        Err(LoopError::CloseWhileRunning { .. })
    ));
    assert!(!ev.is_closed());
}

fn closing_twice_is_fine_and_the_clocks_still_work(backend: Backend) {
    let ev = backend.make();
    ev.run_until_complete(async { event_loop::time::sleep(TICK).await })
        .unwrap();
    let (before, wall) = (ev.now(), ev.wall_now());
    assert_eq!((ev.close(), ev.close()), (Ok(()), Ok(())));
    assert!(ev.is_closed() && !ev.is_running());
    assert!(ev.now() >= before && ev.wall_now() >= wall);
    assert_eq!(ev.describe().name, ev.clone().describe().name);
}

fn a_runner_runs_many_times_on_one_loop(backend: Backend) {
    let mut runner = Runner::new(move || backend.factory());
    let ev = runner.event_loop().unwrap();
    for n in 0..5 {
        assert_eq!(runner.run(async move { n }), Ok(n));
        assert!(runner.event_loop().unwrap().same_loop(&ev));
    }
    drop(runner);
    assert!(ev.is_closed());
}

fn a_runner_is_refused_inside_a_running_loop_and_after_its_close(backend: Backend) {
    let mut outer = Runner::new(move || backend.factory());
    let refused = outer.run(async move {
        let mut inner = Runner::new(move || backend.factory());
        let refused = inner.run(async {}).unwrap_err();
        assert_eq!(inner.event_loop().map(drop), Ok(()), "it is as good as new");
        refused
    });
    assert_snapshot!(sentence(refused.unwrap()), @"Runner.run() cannot be called from a running event loop (run at [site], called at [site]): await the future instead, or run it on a thread with a loop of its own, or move the blocking call to a blocking job");
    outer.close().unwrap();
    outer.close().unwrap();
    let refused = outer.run(async {}).unwrap_err();
    assert_eq!(refused, LoopError::RunnerClosed);
    assert_snapshot!(refused, @"Runner is closed");
    assert_eq!(outer.event_loop().unwrap_err(), LoopError::RunnerClosed);
}

fn a_runner_may_be_dropped_in_an_async_context(backend: Backend) {
    let mut inner = Runner::new(move || backend.factory());
    let ev = inner.event_loop().unwrap();
    let pending = ev.spawn(std::future::pending::<()>());
    inner.run(async {}).unwrap();
    backend
        .make()
        .run_until_complete(async move { drop(inner) })
        .unwrap();
    assert!(ev.is_closed());
    pending.detach();
}

fn a_failing_factory_is_the_runs_error(backend: Backend) {
    let unavailable = || LoopError::Unavailable("no more threads".into());
    let mut runner = Runner::new(move || backend.factory().and(Err(unavailable())));
    assert_eq!(runner.run(async {}), Err(unavailable()));
    assert_snapshot!(unavailable(), @"The event loop could not be built: no more threads");
    assert_eq!(runner.run(async {}), Err(LoopError::RunnerClosed));
}

fn without_a_loop_there_is_no_current_one_and_none_is_made(backend: Backend) {
    // A loop of another thread is nobody's here.
    let ev = backend.make();
    let _entered = ev.enter();
    let quiet = thread::Builder::new().name("quiet".into()).spawn(|| {
        let none = event_loop::current().unwrap_err();
        assert_eq!(none.thread, "quiet");
        assert_eq!(event_loop::running().unwrap_err(), none);
        assert!(matches!(
            event_loop::try_spawn(async {}),
            Err(LoopError::NoCurrentLoop(_))
        ));
        let panic = std::panic::catch_unwind(|| event_loop::spawn(async {}).detach());
        let text = panic.unwrap_err().downcast_ref::<String>().cloned();
        assert_eq!(text, Some(none.to_string()));
        none
    });
    let none = quiet.unwrap().join().unwrap();
    assert_snapshot!(none, @"There is no current event loop in thread 'quiet'; in a test take the loop as the test's argument, elsewhere call from within a task or callback, or use the loop's own methods");
}

fn the_current_loop_is_the_one_entered_or_run_and_never_a_closed_one(backend: Backend) {
    let (ev, other) = (backend.make(), backend.make());
    assert!(event_loop::current().is_err());
    let entered = ev.enter();
    assert!(is_current(&ev) && event_loop::running().is_err());
    {
        let _deeper = other.enter();
        assert!(is_current(&other));
    }
    let here = other.clone();
    let inside = other.run_until_complete(async move {
        let (callback, ran) = futures::channel::oneshot::channel();
        let there = here.clone();
        here.call_soon(move || callback.send(is_running(&there)).unwrap())
            .unwrap();
        let child = here.clone();
        let child = event_loop::spawn(async move { is_running(&child) });
        [is_running(&here), child.await.unwrap(), ran.await.unwrap()]
    });
    assert_eq!(inside, Ok([true; 3]));
    assert!(is_current(&ev));
    ev.close().unwrap();
    assert!(event_loop::current().is_err());
    drop(entered);
    assert!(event_loop::current().is_err());
}

fn is_current(ev: &EventLoop) -> bool {
    event_loop::current().is_ok_and(|current| current.same_loop(ev))
}

fn is_running(ev: &EventLoop) -> bool {
    is_current(ev) && event_loop::running().is_ok_and(|running| running.same_loop(ev))
}

fn many_threads_run_a_loop_each(backend: Backend) {
    let inside = Arc::new(AtomicUsize::new(0));
    let threads = [0, 1, 2, 3].map(|n| {
        let (inside, ev) = (inside.clone(), backend.make());
        thread::spawn(move || {
            ev.run_until_complete(async move {
                inside.fetch_add(1, Ordering::Relaxed);
                // Each is in a world of its own: to one that blocked, nobody of it could tell.
                while inside.load(Ordering::Relaxed) < 4 {
                    hint::spin_loop();
                }
                event_loop::time::sleep(TICK).await;
                n
            })
        })
    });
    let results = threads.map(|thread| thread.join().unwrap());
    assert_eq!(results, [Ok(0), Ok(1), Ok(2), Ok(3)]);
}

fn a_second_thread_does_not_run_a_running_loop(backend: Backend) {
    let ev = backend.make();
    let there = ev.clone();
    let refused = ev.run_until_complete(async move {
        thread::spawn(move || there.run_until_complete(async {}))
            .join()
            .unwrap()
    });
    let refused = refused.unwrap().unwrap_err();
    assert!(matches!(refused, LoopError::AlreadyRunning { .. }));
    assert_snapshot!(sentence(refused), @"This event loop is already running (run at [site], run again at [site]): await the future instead, or run it on a thread with a loop of its own, or move the blocking call to a blocking job");
}

fn main_is_an_ordinary_task(backend: Backend) {
    let ev = backend.make();
    let before = ev.spawn(async {});
    let after = ev.run_until_complete(async {
        // Only a task can be asked to finish, and nobody asks this one.
        let asked = event_loop::cancelled();
        assert!(event_loop::time::timeout(TICK, asked).await.is_err());
        event_loop::spawn(async {}).id()
    });
    let (before, after) = (before.id().unwrap(), after.unwrap().unwrap());
    // Main is the task between the two; a world's root has a number of its own.
    assert!(before.serial() + 1 < after.serial());
}

fn a_borrowed_main_may_borrow(backend: Backend) {
    let ev = backend.make();
    let mut list = vec![1];
    let not_send = std::rc::Rc::new(());
    ev.run_borrowed(async {
        event_loop::time::sleep(TICK).await;
        let two = event_loop::spawn(async { 2 });
        list.push(two.await.unwrap());
        drop(not_send);
    })
    .unwrap();
    assert_eq!(list, [1, 2]);
}

fn tasks_and_callbacks_take_turns_as_the_profile_says(backend: Backend) {
    let ev = backend.make();
    let (here, log) = (ev.unowned(), Log::new());
    let noted = log.clone();
    ev.run_until_complete(async move {
        // Nothing else is under way by then.
        event_loop::time::sleep(2 * TICK).await;
        let (first, second) = (noted.clone(), noted.clone());
        here.call_soon(noted.noting("callback")).unwrap();
        let first = event_loop::spawn(async move { first.note("task") });
        here.call_soon(noted.noting("callback")).unwrap();
        let second = event_loop::spawn(async move { second.note("task") });
        first.await.unwrap();
        second.await.unwrap();
        event_loop::time::sleep(2 * TICK).await;
    })
    .unwrap();
    let order = log.take();
    if backend.has_one_queue() {
        assert_eq!(order, ["callback", "task", "callback", "task"]);
    } else {
        // The callbacks are one batch.
        let first = order.iter().position(|who| *who == "callback").unwrap();
        assert_eq!(order[first..first + 2], ["callback"; 2], "{order:?}");
        assert_eq!(order.len(), 4);
    }
}
