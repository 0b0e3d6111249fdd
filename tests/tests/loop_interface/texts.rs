//! What the loop's errors say: each begins with asyncio's sentence, where it has one.

use std::panic::Location;

use event_loop::{Closed, LoopError};
use insta::assert_snapshot;

use crate::sites::without_sites;

#[test]
fn every_error_of_a_loop_says_what_was_asked_and_what_to_do() {
    let here = Location::caller();
    let errors = [
        LoopError::AlreadyRunning { outer: here, here },
        LoopError::AnotherLoopRunning {
            outer: Some(here),
            here,
        },
        LoopError::AnotherLoopRunning { outer: None, here },
        LoopError::Closed,
        LoopError::NotOnLoopThread {
            asked: "close",
            thread: "loop".to_owned(),
            here: "main".to_owned(),
        },
        LoopError::StoppedEarly,
        LoopError::CloseWhileRunning { outer: here },
        LoopError::RunnerInsideLoop { outer: here, here },
        LoopError::RunnerClosed,
        LoopError::SetTooLate {
            setting: "debug",
            started: here,
        },
        LoopError::BadSetting {
            setting: "worker_threads",
            given: 0,
            allowed: "1 and more",
        },
        LoopError::Unavailable("Too many open files (os error 24)".to_owned()),
        LoopError::WorldEnded("deadlock: nothing can run".to_owned()),
    ];
    let texts = errors.map(without_sites).join("\n");
    assert_snapshot!(texts, @r"
    This event loop is already running (run at [site], run again at [site]): await the future instead, or run it on a thread with a loop of its own, or move the blocking call to a blocking job
    Cannot run the event loop while another loop is running (the other runs at [site], this one was to run at [site]): await the future instead, or run it on a thread with a loop of its own, or move the blocking call to a blocking job
    Cannot run the event loop while another loop is running (the other is a runtime of tokio's own, this one was to run at [site]): await the future instead, or run it on a thread with a loop of its own, or move the blocking call to a blocking job
    Event loop is closed
    Non-thread-safe operation invoked on an event loop other than the current one: close on thread 'main', but the local tasks of this loop live on thread 'loop': do it there, or let the local tasks end first
    Event loop stopped before Future completed.
    Cannot close a running event loop (run at [site]): stop it first
    Runner.run() cannot be called from a running event loop (run at [site], called at [site]): await the future instead, or run it on a thread with a loop of its own, or move the blocking call to a blocking job
    Runner is closed
    Cannot set debug after the event loop has run (first at [site]): set it before the first run, or where the loop is made
    worker_threads = 0 cannot be: allowed is 1 and more
    The event loop could not be built: Too many open files (os error 24)
    The simulated world ended: deadlock: nothing can run
    ");
    assert_eq!(Closed.to_string(), LoopError::Closed.to_string());
}

#[test]
fn a_thread_without_a_loop_is_named() {
    let thread = std::thread::Builder::new().name("feeder".into());
    let asked = thread.spawn(|| event_loop::current().map(|_| ()).unwrap_err());
    let none = asked.unwrap().join().unwrap();
    assert_snapshot!(none, @"There is no current event loop in thread 'feeder'; in a test take the loop as the test's argument, elsewhere call from within a task or callback, or use the loop's own methods");
}
