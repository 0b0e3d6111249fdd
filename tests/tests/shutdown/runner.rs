//! Runners with a policy.

use std::future::pending;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use event_loop::shutdown::{ShutdownPolicy, TaskEnd};
use event_loop::{EventLoop, LoopConfig, LoopError, Runner, cancelled, production, spawn_named};

fn runner() -> Runner {
    Runner::new(|| production::current_thread(LoopConfig::default()))
        .policy(ShutdownPolicy::new().grace(Duration::from_millis(20)))
}

/// What was done, in order.
#[derive(Clone, Default)]
struct Done(Arc<Mutex<Vec<&'static str>>>);

impl Done {
    fn note(&self, what: &'static str) {
        self.0.lock().unwrap().push(what);
    }

    fn all(&self) -> Vec<&'static str> {
        self.0.lock().unwrap().clone()
    }
}

/// A main that leaves a hook and a worker behind.
fn leave(ev: &EventLoop, done: &Done) {
    let hook = done.clone();
    ev.on_shutdown("hook", move || async move { hook.note("hook") })
        .unwrap();
    let worker = done.clone();
    ev.spawn_named("worker", async move {
        cancelled().await;
        event_loop::yield_now().await;
        worker.note("worker");
    })
    .detach();
}

#[test]
fn a_close_is_graceful() {
    let (mut runner, done) = (runner(), Done::default());
    let ev = runner.event_loop().unwrap();
    leave(&ev, &done);
    runner.run(async {}).unwrap();
    assert_eq!(done.all(), [""; 0]);
    runner.close().unwrap();
    assert_eq!(done.all(), ["hook", "worker"]);
    let report = runner.report().unwrap();
    assert!(
        report.is_clean() && report.cause == "the runner's close",
        "{report}"
    );
    assert!(ev.is_closed());
    runner.close().unwrap();
    assert!(matches!(runner.run(async {}), Err(LoopError::RunnerClosed)));
}

#[test]
fn a_drop_is_graceful_where_it_may_wait() {
    let (mut runner, done) = (runner(), Done::default());
    leave(&runner.event_loop().unwrap(), &done);
    drop(runner);
    assert_eq!(done.all(), ["hook", "worker"]);
}

#[test]
fn a_drop_in_an_async_context_ends_at_once() {
    let (mut inner, done) = (runner(), Done::default());
    leave(&inner.event_loop().unwrap(), &done);
    let outer = production::current_thread(LoopConfig::default()).unwrap();
    outer
        .run_until_complete(async move { drop(inner) })
        .unwrap();
    assert_eq!(done.all(), [""; 0]);
}

#[test]
fn a_shutdown_that_main_leaves_under_way_comes_to_its_end() {
    let done = Done::default();
    let noted = done.clone();
    let code = Runner::new(|| production::multi_thread(LoopConfig::default().worker_threads(2)))
        .run_main(move |ev| async move {
            leave(&ev, &noted);
            drop(ev.shutdown(ShutdownPolicy::new()));
            Ok::<(), String>(())
        });
    assert_eq!(done.all(), ["hook", "worker"]);
    assert_eq!(code, ExitCode::SUCCESS);
}

#[test]
fn what_is_left_undone_is_the_exit_code() {
    let code = runner().run_main(|_| async {
        spawn_named("deaf", pending::<()>()).detach();
        Ok::<(), String>(())
    });
    assert_eq!(code, ExitCode::FAILURE);
}

#[test]
fn the_report_of_a_run_that_shut_down_is_kept() {
    let mut runner = runner();
    let ev = runner.event_loop().unwrap().unowned();
    let report = runner.run(async move { ev.shutdown(ShutdownPolicy::new()).await });
    let report = report.unwrap().unwrap();
    assert_eq!(report.tasks[0].end, TaskEnd::Awaiting);
    assert!(runner.run(async {}).is_err(), "the run's end has closed it");
    runner.close().unwrap();
    assert_eq!(runner.report().unwrap().to_string(), report.to_string());
}

#[test]
fn a_policy_that_cannot_be_followed_is_refused_by_the_first_run() {
    let mut runner = Runner::new(|| production::current_thread(LoopConfig::default()))
        .policy(ShutdownPolicy::new().grace(Duration::ZERO));
    let refused = runner.run(async {}).unwrap_err();
    assert!(
        refused
            .to_string()
            .starts_with("A shutdown cannot have grace = 0")
    );
}
