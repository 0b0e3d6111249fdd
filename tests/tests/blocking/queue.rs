//! Who is queued, who is refused and who waits for room.

use std::sync::Arc;
use std::time::Duration;

use event_loop::time::sleep;
use event_loop::{BlockingError, BlockingQueue, EventLoop, run_blocking, try_run_blocking};
use sim::{Config, VerdictKind};

use crate::backends::{Backends, on};
use crate::log::Log;
use crate::{Gate, with_threads};

const TICK: Duration = Duration::from_millis(1);

/// A job on the one thread there is, which has begun; it ends when the gate is opened.
async fn occupy(gate: &Arc<Gate>) -> event_loop::BlockingHandle<()> {
    let (begun, held) = (Log::new(), gate.clone());
    let begins = begun.clone();
    let job = run_blocking(move || {
        begins.note(());
        held.pass();
    });
    while begun.take().is_empty() {
        sleep(TICK).await;
    }
    job
}

fn stats() -> event_loop::BlockingStats {
    event_loop::current().unwrap().blocking_stats()
}

#[test]
fn jobs_begin_in_the_order_in_which_they_were_asked_for() {
    on(Backends::Everywhere, |backend| {
        let ev = with_threads(backend, 1, BlockingQueue::Unbounded);
        let log = Log::new();
        let noted = log.clone();
        ev.run_until_complete(async move {
            let jobs: Vec<_> = (0..20)
                .map(|n| {
                    let log = noted.clone();
                    run_blocking(move || log.note(n))
                })
                .collect();
            for job in jobs {
                job.await.unwrap();
            }
        })
        .unwrap();
        assert_eq!(log.take(), (0..20).collect::<Vec<_>>());
    });
}

#[test]
fn a_full_queue_refuses_and_says_how_full_it_is() {
    on(Backends::Everywhere, |backend| {
        let ev = with_threads(backend, 1, BlockingQueue::Refuse(2));
        ev.run_until_complete(async {
            let gate = Arc::new(Gate::default());
            let first = occupy(&gate).await;
            let queued = [run_blocking(|| 1), run_blocking(|| 2)];
            let full = try_run_blocking(|| 3).unwrap_err();
            let BlockingError::QueueFull(how) = &full else {
                panic!("{full}");
            };
            assert_eq!((how.capacity, how.threads), (2, 1));
            assert_eq!(
                full.to_string(),
                "The blocking queue is full: it holds 2 jobs beside the 1 thread there may be, all \
                 of them busy; ask again later, or give the loop more blocking_threads or another \
                 blocking_queue"
            );
            // The same to who did not ask for the error at once.
            let refused = run_blocking(|| 4);
            assert!(refused.is_finished() && refused.id().is_none());
            let error = refused.await.unwrap_err();
            assert_eq!(error.refusal(), Some(&full));
            assert_eq!(stats().refused, 2);
            gate.open();
            first.await.unwrap();
            let mut sum = 0;
            for job in queued {
                sum += job.await.unwrap();
            }
            assert_eq!(sum, 3);
        })
        .unwrap();
    });
}

#[test]
fn who_has_seen_the_end_of_a_job_finds_its_thread_free() {
    on(Backends::Everywhere, |backend| {
        let ev = with_threads(backend, 1, BlockingQueue::Refuse(0));
        ev.run_until_complete(async {
            for n in 0..50 {
                assert_eq!(run_blocking(move || n).await.unwrap(), n);
            }
        })
        .unwrap();
    });
}

#[test]
fn a_job_that_is_taken_back_leaves_its_room_to_another() {
    on(Backends::Everywhere, |backend| {
        let ev = with_threads(backend, 1, BlockingQueue::Refuse(1));
        ev.run_until_complete(async {
            let gate = Arc::new(Gate::default());
            let first = occupy(&gate).await;
            let second = run_blocking(|| 2);
            assert!(try_run_blocking(|| 3).is_err());
            second.abort();
            let third = try_run_blocking(|| 3).unwrap();
            gate.open();
            first.await.unwrap();
            assert_eq!(third.await.unwrap(), 3);
        })
        .unwrap();
    });
}

#[test]
fn a_full_queue_lets_callers_wait_for_room_first_come_first_served() {
    on(Backends::Everywhere, |backend| {
        let ev = with_threads(backend, 1, BlockingQueue::Wait(1));
        let order = Log::new();
        let noted = order.clone();
        ev.run_until_complete(async move {
            let gate = Arc::new(Gate::default());
            let first = occupy(&gate).await;
            let jobs: Vec<_> = (0..4)
                .map(|n| {
                    let log = noted.clone();
                    run_blocking(move || log.note(n))
                })
                .collect();
            let before = stats();
            assert_eq!((before.queued, before.waiting, before.refused), (1, 3, 0));
            // Who stands outside and goes makes room for nobody, and who stands inside does.
            jobs[2].abort();
            assert_eq!(stats().waiting, 2);
            jobs[0].abort();
            assert_eq!((stats().queued, stats().waiting), (1, 1));
            gate.open();
            first.await.unwrap();
            for (n, mut job) in jobs.into_iter().enumerate() {
                job.queued().await;
                assert_eq!(job.await.is_ok(), n % 2 == 1, "job {n}");
            }
        })
        .unwrap();
        assert_eq!(order.take(), [1, 3]);
    });
}

#[test]
fn who_awaits_the_room_of_each_job_never_has_more_than_one_outside() {
    for capacity in [0, 3] {
        on(Backends::Everywhere, |backend| {
            let ev = with_threads(backend, 2, BlockingQueue::Wait(capacity));
            let stats = ev.run_until_complete(async move {
                for n in 0..40 {
                    let mut job = run_blocking(move || std::hint::black_box(n));
                    job.queued().await;
                    assert_eq!(stats().waiting, 0);
                    job.detach();
                }
                while stats().done < 40 {
                    sleep(TICK).await;
                }
                stats()
            });
            let stats = stats.unwrap();
            assert!(stats.most_queued <= capacity + 2, "{stats:?}");
            assert_eq!((stats.queued, stats.waiting, stats.aborted), (0, 0, 0));
        });
    }
}

#[test]
fn an_unbounded_queue_grows_with_a_burst_and_a_bounded_one_does_not() {
    on(Backends::Everywhere, |backend| {
        let burst = |ev: &EventLoop| {
            ev.run_until_complete(async {
                let gate = Arc::new(Gate::default());
                let first = occupy(&gate).await;
                let taken: Vec<_> = (0..1_000)
                    .filter_map(|_| try_run_blocking(|| ()).ok())
                    .collect();
                let queued = stats().queued;
                gate.open();
                first.await.unwrap();
                for job in taken {
                    job.await.unwrap();
                }
                (queued, stats().refused)
            })
        };
        let unbounded = with_threads(backend, 1, BlockingQueue::Unbounded);
        assert_eq!(burst(&unbounded), Ok((1_000, 0)));
        let bounded = with_threads(backend, 1, BlockingQueue::Refuse(100));
        assert_eq!(burst(&bounded), Ok((100, 900)));
    });
}

#[test]
fn more_jobs_in_line_than_the_budget_are_a_verdict() {
    let config = Config::new().blocking_threads(1).blocking_budget(10);
    let burst = |jobs: usize| {
        sim::run_once(&config, 0, move |_| async move {
            let jobs: Vec<_> = (0..jobs).map(|n| run_blocking(move || n)).collect();
            for job in jobs {
                job.await.unwrap();
            }
        })
    };
    assert_eq!(burst(10).verdict, None);
    let verdict = burst(20).verdict.unwrap();
    assert_eq!(verdict.kind, VerdictKind::Overload);
    assert!(
        verdict
            .message
            .starts_with("11 blocking jobs have not begun on host main, and the budget is 10: the last is job 11, asked for at "),
        "{verdict}"
    );
}
