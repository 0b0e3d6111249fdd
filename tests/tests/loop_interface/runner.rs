//! Where a runner may be dropped, and what it says when it cannot run: clause L6.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use event_loop::time::sleep;
use event_loop::{LoopConfig, LoopError, Runner, production, spawn, yield_now};
use insta::assert_snapshot;

use crate::backends::Backends::{Everywhere, Production};
use crate::backends::{Backend, on};
use crate::log::{Log, OnDrop};
use crate::sites::without_sites;

const TICK: Duration = Duration::from_millis(1);

/// A runner with a task that waits for ever, and who is told of its end.
fn runner_with_a_task(backend: Backend) -> (Runner, Log<&'static str>) {
    let mut runner = Runner::new(move || backend.factory());
    let log = Log::new();
    let held = OnDrop::new(log.noting("dropped"));
    let ev = runner.event_loop().unwrap();
    ev.spawn(async move {
        let _held = held;
        pending::<()>().await;
    })
    .detach();
    (runner, log)
}

/// Workers drop their tasks when they get to it.
fn wait_for(log: &Log<&'static str>) {
    loop {
        match log.take().as_slice() {
            [] => thread::yield_now(),
            dropped => return assert_eq!(dropped, ["dropped"]),
        }
    }
}

#[test]
fn a_runner_may_be_dropped_inside_another_loop() {
    on(Everywhere, |backend| {
        let (runner, log) = runner_with_a_task(backend);
        let outer = backend.make();
        let after = outer.run_until_complete(async move {
            drop(runner);
            spawn(async { sleep(TICK).await }).await.is_ok()
        });
        assert_eq!(after, Ok(true));
        wait_for(&log);
    });
}

#[test]
fn a_runner_may_be_dropped_in_a_callback() {
    on(Everywhere, |backend| {
        let (runner, log) = runner_with_a_task(backend);
        let outer = backend.make();
        outer.call_soon(move || drop(runner)).unwrap();
        outer
            .run_until_complete(async { sleep(TICK).await })
            .unwrap();
        wait_for(&log);
    });
}

#[test]
fn a_runner_may_be_dropped_inside_a_runtime_of_tokios_own() {
    on(Production, |backend| {
        let (runner, log) = runner_with_a_task(backend);
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.unwrap().block_on(async move { drop(runner) });
        wait_for(&log);
    });
}

#[test]
fn a_runner_that_is_dropped_in_its_own_run_closes_the_loop_at_its_end() {
    on(Everywhere, |backend| {
        let (mut runner, log) = runner_with_a_task(backend);
        let ev = runner.event_loop().unwrap().unowned();
        let value = ev.run_until_complete(async move {
            drop(runner);
            sleep(TICK).await;
            7
        });
        assert_eq!(value, Ok(7));
        assert!(ev.is_closed());
        wait_for(&log);
    });
}

#[test]
fn no_task_runs_on_after_the_drop() {
    let ev = production::multi_thread(LoopConfig::default().worker_threads(2)).unwrap();
    let (polls, log) = (Arc::new(AtomicU64::new(0)), Log::new());
    let count = polls.clone();
    let held = OnDrop::new(log.noting("dropped"));
    ev.spawn(async move {
        let _held = held;
        loop {
            count.fetch_add(1, Ordering::SeqCst);
            yield_now().await;
        }
    })
    .detach();
    while polls.load(Ordering::SeqCst) < 10 {
        thread::yield_now();
    }
    let outer = production::current_thread(LoopConfig::default()).unwrap();
    let counted = polls.clone();
    let at_the_drop = outer.run_until_complete(async move {
        drop(ev);
        counted.load(Ordering::SeqCst)
    });
    wait_for(&log);
    // A poll may have been under way.
    let after = polls.load(Ordering::SeqCst) - at_the_drop.unwrap();
    assert!(after <= 1, "{after} polls after the drop");
}

#[test]
fn a_runner_says_why_it_cannot_run() {
    on(Everywhere, |backend| {
        let mut runner = Runner::new(move || backend.factory());
        let mut inner = Runner::new(move || backend.factory());
        let refused = runner.run(async move { inner.run(async {}) });
        let refused = refused.unwrap().unwrap_err();
        assert!(matches!(refused, LoopError::RunnerInsideLoop { .. }));
        assert_snapshot!(without_sites(refused), @"Runner.run() cannot be called from a running event loop (run at [site], called at [site]): await the future instead, or run it on a thread with a loop of its own, or move the blocking call to a blocking job");
        let ev = runner.event_loop().unwrap();
        ev.close().unwrap();
        assert_eq!(runner.run(async {}), Err(LoopError::Closed));
        runner.close().unwrap();
        let closed = runner.run(async {}).unwrap_err();
        assert_snapshot!(closed, @"Runner is closed");
        assert_eq!(runner.event_loop().err(), Some(closed));
        assert_eq!(runner.close(), Ok(()), "twice is fine");
    });
}
