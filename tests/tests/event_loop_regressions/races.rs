//! Running, scheduling and closing from several threads at once.

use std::sync::{Barrier, mpsc};
use std::{hint, thread};

use super::*;

fn one() -> EventLoop {
    production::current_thread(LoopConfig::default()).unwrap()
}

#[test]
fn who_sees_that_a_run_is_over_may_run_the_loop() {
    let ev = one();
    for _ in 0..500 {
        let there = ev.clone();
        let (begin, begun) = mpsc::channel();
        let other = thread::spawn(move || there.run_borrowed(async { begin.send(()).unwrap() }));
        begun.recv().unwrap();
        while ev.is_running() {
            hint::spin_loop();
        }
        assert_eq!(ev.run_borrowed(async {}), Ok(()));
        assert_eq!(other.join().unwrap(), Ok(()));
    }
}

#[test]
fn a_loop_is_run_or_closed_and_never_both() {
    for _ in 0..500 {
        let ev = one();
        let both = Arc::new(Barrier::new(2));
        let (there, ready) = (ev.clone(), both.clone());
        let runs = thread::spawn(move || {
            ready.wait();
            there.run_borrowed(async {})
        });
        both.wait();
        let closed = ev.close();
        let ran = runs.join().unwrap();
        match (&ran, &closed) {
            (Ok(()), Ok(()) | Err(LoopError::CloseWhileRunning { .. })) => {}
            (Err(LoopError::Closed), Ok(())) => {}
            _ => panic!("the run came to {ran:?}, the close to {closed:?}"),
        }
    }
}

#[test]
fn a_callback_that_comes_while_the_loop_closes_is_dropped_too() {
    for _ in 0..300 {
        let ev = one();
        let held = Arc::new(());
        let (there, kept) = (ev.unowned(), held.clone());
        let schedules = thread::spawn(move || {
            loop {
                let own = (there.clone(), kept.clone());
                if there.call_soon(move || drop(own)).is_err() {
                    break;
                }
            }
        });
        ev.close().unwrap();
        schedules.join().unwrap();
        drop(ev);
        assert_eq!(Arc::strong_count(&held), 1, "one is kept for ever");
    }
}

#[test]
fn a_loop_that_runs_elsewhere_is_current_and_not_running_here() {
    for (kind, ev) in loops().into_iter().take(2) {
        let (finish, finished) = futures::channel::oneshot::channel::<()>();
        let (begin, begun) = mpsc::channel();
        let there = ev.clone();
        let elsewhere = thread::spawn(move || {
            there.run_borrowed(async {
                begin.send(event_loop::running().is_ok()).unwrap();
                finished.await
            })
        });
        assert!(begun.recv().unwrap(), "{kind}");
        let entered = ev.enter();
        assert!(ev.is_running() && event_loop::current().is_ok(), "{kind}");
        assert!(event_loop::running().is_err(), "{kind}");
        drop(entered);
        finish.send(()).unwrap();
        elsewhere.join().unwrap().unwrap().unwrap();
    }
}

#[test]
fn a_task_beside_a_run_is_inside_its_running_loop() {
    let ev = production::multi_thread(LoopConfig::default().worker_threads(1)).unwrap();
    let (told, tells) = mpsc::channel();
    ev.spawn(async move { told.send(event_loop::running().is_ok()).unwrap() })
        .detach();
    assert!(tells.recv().unwrap());
}
