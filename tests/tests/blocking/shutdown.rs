//! The end of a pool: no more jobs, a grace that binds, and a report of what was left.

use std::sync::Arc;
use std::time::Duration;

use event_loop::time::{Instant, sleep};
use event_loop::{BlockingError, BlockingQueue, run_blocking, try_run_blocking};

use crate::backends::{Backends, on};
use crate::log::Log;
use crate::{Gate, block, with_threads};

const TICK: Duration = Duration::from_millis(1);
const GRACE: Duration = Duration::from_millis(20);

#[test]
fn a_shutdown_waits_for_the_jobs_there_are_and_takes_no_more() {
    on(Backends::Everywhere, |backend| {
        let ev = with_threads(backend, 1, BlockingQueue::Unbounded);
        let ran = Log::new();
        let noted = ran.clone();
        let report = ev
            .run_until_complete(async move {
                let ev = event_loop::current().unwrap();
                for n in 0..3 {
                    let log = noted.clone();
                    run_blocking(move || {
                        block(TICK);
                        log.note(n);
                    })
                    .detach();
                }
                let shutdown = ev.shutdown_executor(Duration::from_secs(60));
                let refused = try_run_blocking(|| ()).unwrap_err();
                assert_eq!(refused, BlockingError::ShutDown);
                assert!(
                    refused
                        .to_string()
                        .starts_with("Executor shutdown has been called")
                );
                shutdown.await
            })
            .unwrap();
        assert!(report.is_clean(), "{report}");
        assert!(report.took < Duration::from_secs(60));
        assert_eq!(ran.take(), [0, 1, 2]);
    });
}

#[test]
fn a_shutdown_tells_of_what_its_grace_was_too_short_for() {
    on(Backends::Everywhere, |backend| {
        let ev = with_threads(backend, 1, BlockingQueue::Unbounded);
        ev.run_until_complete(async {
            let ev = event_loop::current().unwrap();
            let gate = Arc::new(Gate::default());
            let (begun, held) = (Log::new(), gate.clone());
            let begins = begun.clone();
            let asked = Instant::now();
            let running = ev.run_blocking_named("export", move || {
                begins.note(());
                held.pass();
                7
            });
            while begun.take().is_empty() {
                sleep(TICK).await;
            }
            let queued = ev.run_blocking_named("import", || ());
            let report = ev.shutdown_executor(GRACE).await;
            assert!(report.took >= GRACE, "{report}");
            assert!(!report.is_clean());
            let ([still], [never]) = (&*report.running, &*report.dropped) else {
                panic!("{report}");
            };
            assert_eq!(
                (still.id, still.name.as_deref()),
                (running.id().unwrap(), Some("export"))
            );
            assert!(still.began.unwrap() >= asked);
            assert_eq!((never.name.as_deref(), never.began), (Some("import"), None));
            assert!(never.asked_at.file().ends_with("shutdown.rs"));
            let text = report.to_string();
            assert!(
                text.contains("\n  still running: job 1 \"export\" asked for at "),
                "{text}"
            );
            assert!(
                text.contains("\n  never began: job 2 \"import\" asked for at "),
                "{text}"
            );
            assert!(queued.await.unwrap_err().is_aborted());
            // It cannot be ended from outside, and its value is there for who still wants it.
            running.abort();
            gate.open();
            assert_eq!(running.await.unwrap(), 7);
            assert!(ev.shutdown_executor(GRACE).await.is_clean());
        })
        .unwrap();
    });
}

#[test]
fn a_grace_of_zero_waits_for_nobody() {
    on(Backends::Everywhere, |backend| {
        let ev = with_threads(backend, 1, BlockingQueue::Unbounded);
        ev.run_until_complete(async {
            let ev = event_loop::current().unwrap();
            let gate = Arc::new(Gate::default());
            let held = gate.clone();
            let job = run_blocking(move || held.pass());
            let waits = run_blocking(|| ());
            let report = ev.shutdown_executor(Duration::ZERO).await;
            assert_eq!(report.running.len() + report.dropped.len(), 2, "{report}");
            assert!(waits.await.unwrap_err().is_aborted());
            gate.open();
            let _ = job.await;
        })
        .unwrap();
    });
}

#[test]
fn who_waits_for_room_is_given_up_with_the_others() {
    on(Backends::Everywhere, |backend| {
        let ev = with_threads(backend, 1, BlockingQueue::Wait(0));
        ev.run_until_complete(async {
            let ev = event_loop::current().unwrap();
            let gate = Arc::new(Gate::default());
            let held = gate.clone();
            let begun = Log::new();
            let begins = begun.clone();
            let first = run_blocking(move || {
                begins.note(());
                held.pass();
            });
            while begun.take().is_empty() {
                sleep(TICK).await;
            }
            let mut outside = run_blocking(|| ());
            let waiting = event_loop::spawn(async move {
                outside.queued().await;
                outside.await
            });
            let report = ev.shutdown_executor(TICK).await;
            assert_eq!(report.dropped.len(), 1, "{report}");
            assert!(waiting.await.unwrap().unwrap_err().is_aborted());
            gate.open();
            first.await.unwrap();
        })
        .unwrap();
    });
}

#[test]
fn the_shutdown_of_a_pool_that_had_no_job_is_over_at_once() {
    on(Backends::Everywhere, |backend| {
        let ev = backend.make();
        let report = ev.run_until_complete(ev.shutdown_executor(GRACE)).unwrap();
        assert!(report.is_clean() && report.took < GRACE, "{report}");
        let error = ev.try_run_blocking(|| ()).unwrap_err();
        assert_eq!(error, BlockingError::ShutDown);
    });
}
