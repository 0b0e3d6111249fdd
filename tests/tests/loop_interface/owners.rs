//! Who keeps a loop: the handles of a factory and their clones, and nothing that the loop keeps.

use std::cell::RefCell;
use std::future::pending;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use event_loop::time::sleep;
use event_loop::{EventLoop, LoopError, Runner, TaskHandle, spawn};

use crate::backends::Backends::Everywhere;
use crate::backends::{Backend, on};
use crate::log::{Log, OnDrop};

const TICK: Duration = Duration::from_millis(1);

/// A task that waits for ever, and notes its end.
fn stuck(ev: &EventLoop, log: &Log<&'static str>) -> TaskHandle<()> {
    let held = OnDrop::new(log.noting("task"));
    ev.spawn(async move {
        let _held = held;
        pending().await
    })
}

fn run_a_moment(ev: &EventLoop) {
    ev.run_until_complete(async { sleep(TICK).await }).unwrap();
}

#[test]
fn the_last_owner_closes_the_loop_with_all_that_is_pending() {
    on(Everywhere, |backend| {
        let (ev, log) = (backend.make(), Log::new());
        let task = stuck(&ev, &log);
        run_a_moment(&ev);
        stuck(&ev, &log).detach();
        let held = OnDrop::new(log.noting("callback"));
        ev.call_later(Duration::from_hours(1), move || drop(held))
            .unwrap();
        let (again, seen) = (ev.clone(), ev.unowned());
        drop(ev);
        assert!(log.take().is_empty(), "a clone owns too");
        drop(again);
        assert!(seen.is_closed() && task.is_finished());
        let mut gone = log.take();
        gone.sort_unstable();
        assert_eq!(gone, ["callback", "task", "task"]);
    });
}

#[test]
fn what_is_dropped_is_dropped_here() {
    on(Everywhere, |backend| {
        let (ev, log) = (backend.make(), Log::new());
        let noted = log.clone();
        let held = OnDrop::new(move || noted.note(thread::current().id()));
        ev.spawn(async move {
            let _held = held;
            pending::<()>().await;
        })
        .detach();
        run_a_moment(&ev);
        drop(ev);
        let by = log.take();
        assert_eq!(by.len(), 1);
        // A multi-thread loop's tasks may also be dropped by its workers.
        if backend != Backend::MultiThread {
            assert_eq!(by, [thread::current().id()]);
        }
    });
}

#[test]
fn what_the_loop_hands_out_owns_nothing() {
    on(Everywhere, |backend| {
        let (ev, log) = (backend.make(), Log::new());
        let keep = Log::new();
        for hand_out in [event_loop::current, event_loop::running] {
            let keep = keep.clone();
            ev.run_until_complete(async move { keep.note(hand_out().unwrap().clone()) })
                .unwrap();
        }
        let (kept, told) = (keep.clone(), keep.clone());
        ev.set_exception_handler(Some(move |ev: &EventLoop, _: &_| told.note(ev.clone())));
        ev.call_soon(|| panic!("told")).unwrap();
        ev.call_soon(move || kept.note(event_loop::current().unwrap()))
            .unwrap();
        run_a_moment(&ev);
        stuck(&ev, &log).detach();
        let _entered = ev.enter();
        drop(ev);
        assert_eq!(log.take(), ["task"]);
        let kept = keep.take();
        assert_eq!(kept.len(), 4);
        assert!(kept.iter().all(EventLoop::is_closed));
        assert!(event_loop::current().is_err());
    });
}

#[test]
fn a_task_that_captures_an_owner_keeps_its_loop() {
    on(Everywhere, |backend| {
        let (ev, log) = (backend.make(), Log::new());
        let (own, held) = (ev.clone(), OnDrop::new(log.noting("task")));
        ev.spawn(async move {
            let _held = (own, held);
            pending::<()>().await;
        })
        .detach();
        let seen = ev.unowned();
        drop(ev);
        assert!(!seen.is_closed() && log.take().is_empty());
        run_a_moment(&seen);
        seen.close().unwrap();
        assert_eq!(log.take(), ["task"]);
    });
}

#[test]
fn a_loop_that_runs_is_closed_when_its_run_ends() {
    on(Everywhere, |backend| {
        let (ev, log) = (backend.make(), Log::new());
        stuck(&ev, &log).detach();
        let seen = ev.unowned();
        let noted = log.clone();
        let value = seen.run_until_complete(async move {
            drop(ev);
            sleep(TICK).await;
            noted.note("main");
            7
        });
        assert_eq!(value, Ok(7));
        assert_eq!(log.take(), ["main", "task"]);
        assert_eq!(seen.run_forever(), Err(LoopError::Closed));
    });
}

#[test]
fn an_owner_may_go_inside_another_loop() {
    on(Everywhere, |backend| {
        let (outer, inner, log) = (backend.make(), backend.make(), Log::new());
        stuck(&inner, &log).detach();
        let noted = log.clone();
        let main = async move {
            drop(inner);
            let dropped = noted.take();
            // The outer loop is as good as ever.
            spawn(async { sleep(TICK).await }).await.unwrap();
            dropped
        };
        let dropped = outer.run_until_complete(main).unwrap();
        // A multi-thread loop's workers may still be at it.
        if backend != Backend::MultiThread {
            assert_eq!(dropped, ["task"]);
        }
    });
}

#[test]
fn an_owner_may_go_with_its_thread() {
    thread_local! {
        static KEPT: RefCell<Option<EventLoop>> = const { RefCell::new(None) };
    }
    on(Everywhere, |backend| {
        let (dropped, told) = mpsc::channel();
        let thread = thread::spawn(move || {
            let ev = backend.make();
            let held = OnDrop::new(move || dropped.send(()).unwrap());
            ev.spawn(async move {
                let _held = held;
                pending::<()>().await;
            })
            .detach();
            KEPT.set(Some(ev));
        });
        thread.join().unwrap();
        assert_eq!(told.try_iter().count(), 1);
    });
}

#[test]
fn a_runner_closes_its_loop_though_others_own_it() {
    on(Everywhere, |backend| {
        let mut runner = Runner::new(move || backend.factory());
        let ev = runner.event_loop().unwrap();
        let log = Log::new();
        stuck(&ev, &log).detach();
        drop(runner);
        assert_eq!(log.take(), ["task"]);
        assert!(ev.is_closed());
    });
}

/// A world keeps its hosts' loops, whatever handles come and go.
#[test]
fn a_hosted_loop_is_its_worlds() {
    let run = sim::run_once(&sim::Config::new(), 0, |sim| async move {
        let host = sim.host("svc");
        let task = host.spawn(async { sleep(TICK).await });
        for _ in 0..3 {
            drop(host.event_loop());
            drop(sim.event_loop().clone());
        }
        task.await.unwrap();
        host.event_loop().is_closed()
    });
    assert_eq!(run.value, Some(false));
}
