//! What a pool tells of itself.

use std::sync::Arc;
use std::time::Duration;

use event_loop::time::sleep;
use event_loop::{BlockingQueue, run_blocking};

use crate::backends::{Backends, on};
use crate::{Gate, block, with_threads};

const TICK: Duration = Duration::from_millis(1);

#[test]
fn a_pool_that_had_no_job_has_no_thread() {
    on(Backends::Everywhere, |backend| {
        let stats = backend.make().blocking_stats();
        assert_eq!((stats.threads, stats.workers, stats.idle), (512, 0, 0));
        assert_eq!((stats.running, stats.queued, stats.done), (0, 0, 0));
        assert_eq!(stats.longest_wait, Duration::ZERO);
    });
}

#[test]
fn every_job_is_counted_once_wherever_it_stands() {
    on(Backends::Everywhere, |backend| {
        let ev = with_threads(backend, 2, BlockingQueue::Refuse(3));
        ev.run_until_complete(async {
            let stats = || event_loop::current().unwrap().blocking_stats();
            let gate = Arc::new(Gate::default());
            let jobs: Vec<_> = (0..6)
                .map(|n| {
                    let gate = gate.clone();
                    run_blocking(move || {
                        gate.pass();
                        assert_ne!(n, 1, "one of them fails");
                    })
                })
                .collect();
            while stats().running < 2 {
                sleep(TICK).await;
            }
            let full = stats();
            assert_eq!((full.threads, full.workers, full.idle), (2, 2, 0));
            assert_eq!((full.running, full.queued, full.waiting), (2, 3, 0));
            assert_eq!((full.done, full.refused), (0, 1));
            assert!(full.most_queued >= 3, "{full:?}");
            jobs[4].abort();
            assert_eq!((stats().queued, stats().aborted), (2, 1));
            gate.open();
            let mut failed = 0;
            for job in jobs {
                failed += usize::from(job.await.is_err());
            }
            assert_eq!(failed, 3, "a panic, an abort, a refusal");
            let after = stats();
            assert_eq!((after.running, after.queued), (0, 0));
            assert_eq!((after.done, after.panicked), (4, 1));
            assert_eq!((after.aborted, after.refused), (1, 1));
            while stats().idle < 2 {
                sleep(TICK).await;
            }
            assert_eq!(stats().workers, 2);
        })
        .unwrap();
    });
}

#[test]
fn the_longest_wait_is_that_of_the_job_that_stood_in_line() {
    on(Backends::Everywhere, |backend| {
        let ev = with_threads(backend, 1, BlockingQueue::Unbounded);
        let stats = ev.run_until_complete(async {
            let first = run_blocking(|| block(Duration::from_millis(30)));
            run_blocking(|| ()).await.unwrap();
            first.await.unwrap();
            event_loop::current().unwrap().blocking_stats()
        });
        let waited = stats.unwrap().longest_wait;
        assert!(waited >= Duration::from_millis(30), "{waited:?}");
    });
}
