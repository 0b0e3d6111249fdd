//! Blocking work: a pool of threads beside the loop, its queue and its end.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use event_loop::time::{Instant, interval, sleep};
use event_loop::{
    BlockingError, BlockingQueue, EventLoop, SlowCallback, run_blocking, spawn, spawn_named,
    try_run_blocking,
};
use sim::{Config, VerdictKind};

use crate::backends::Backend;
use crate::clause::{Reach, clauses};
use crate::log::Log;

const TICK: Duration = Duration::from_millis(1);

clauses! {
    B1 {
        a_ticker_goes_on_beside_a_job: Reach::Everywhere,
        jobs_take_turns_on_the_threads_there_are: Reach::Everywhere,
        a_job_takes_what_its_blocking_calls_add_up_to: Reach::Only(
            Backend::is_plain,
            "there other things take time too",
        ),
    }
    B2 {
        a_full_queue_refuses: Reach::Everywhere,
        a_full_queue_lets_wait: Reach::Everywhere,
        an_unbounded_queue_grows: Reach::Everywhere,
        more_jobs_than_the_budget_are_a_verdict: Reach::WorldsOwn,
    }
    B3 {
        after_its_shutdown_a_pool_takes_no_job: Reach::Everywhere,
        a_job_that_runs_is_waited_for_and_then_told_of: Reach::Everywhere,
    }
    B4 {
        a_sleep_on_the_loops_thread_keeps_everybody_waiting_and_is_told_of_as_slow:
            Reach::Everywhere,
        a_sleep_on_the_loops_thread_is_reported_with_its_line: Reach::WorldsOwn,
    }
}

/// Blocks the thread, as a job does.
#[expect(clippy::disallowed_methods, reason = "what jobs are for")]
fn block(span: Duration) {
    thread::sleep(span);
}

fn with_threads(backend: Backend, threads: usize, queue: BlockingQueue) -> EventLoop {
    let ev = backend.make();
    ev.set_blocking_threads(threads).unwrap();
    ev.set_blocking_queue(queue).unwrap();
    ev
}

/// A job on the one thread there is, which has begun, and what ends it.
async fn occupy() -> (event_loop::BlockingHandle<()>, impl FnOnce()) {
    let gate = Arc::new((Mutex::new(false), Condvar::new()));
    let (begun, held) = (Log::new(), gate.clone());
    let begins = begun.clone();
    let job = run_blocking(move || {
        begins.note(());
        let (open, opened) = &*held;
        let shut = opened.wait_while(open.lock().unwrap(), |open| !*open);
        drop(shut.unwrap());
    });
    while begun.take().is_empty() {
        sleep(TICK).await;
    }
    let end = move || {
        *gate.0.lock().unwrap() = true;
        gate.1.notify_all();
    };
    (job, end)
}

fn a_ticker_goes_on_beside_a_job(backend: Backend) {
    let ev = backend.make();
    let ticks = ev.run_until_complete(async {
        let ticks = Log::new();
        let ticked = ticks.clone();
        let ticker = event_loop::spawn(async move {
            let mut every = interval(Duration::from_millis(50));
            every.tick().await;
            loop {
                every.tick().await;
                ticked.note(());
            }
        });
        run_blocking(|| block(Duration::from_millis(200)))
            .await
            .unwrap();
        ticker.abort();
        ticks.take().len()
    });
    let ticks = ticks.unwrap();
    let allowed = match backend.is_simulated() {
        true => 3..=4,
        // A machine that is busy may hold the job's thread up for as long as it likes.
        false => 3..=usize::MAX,
    };
    assert!(allowed.contains(&ticks), "{ticks} ticks");
}

fn jobs_take_turns_on_the_threads_there_are(backend: Backend) {
    let span = Duration::from_millis(20);
    let ev = with_threads(backend, 2, BlockingQueue::Unbounded);
    let (took, together) = ev
        .run_until_complete(async move {
            let running = Arc::new(Mutex::new((0, 0)));
            let begun = Instant::now();
            let jobs: Vec<_> = (0..6)
                .map(|_| {
                    let running = running.clone();
                    run_blocking(move || {
                        {
                            let mut running = running.lock().unwrap();
                            running.0 += 1;
                            running.1 = running.1.max(running.0);
                        }
                        block(span);
                        running.lock().unwrap().0 -= 1;
                    })
                })
                .collect();
            for job in jobs {
                job.await.unwrap();
            }
            (begun.elapsed(), running.lock().unwrap().1)
        })
        .unwrap();
    assert_eq!(together, 2);
    assert!(took >= span * 3, "{took:?}");
    if backend.is_simulated() {
        assert!(took < span * 3 + TICK * 5, "{took:?}");
    }
}

fn a_job_takes_what_its_blocking_calls_add_up_to(backend: Backend) {
    let ev = backend.make();
    let took = ev.run_until_complete(async {
        let begun = Instant::now();
        let inside = run_blocking(move || {
            block(Duration::from_millis(30));
            block(Duration::from_millis(19));
            begun.elapsed()
        });
        (inside.await.unwrap(), begun.elapsed())
    });
    let exactly = Duration::from_millis(49);
    assert_eq!(took, Ok((exactly, exactly)));
}

fn a_full_queue_refuses(backend: Backend) {
    let ev = with_threads(backend, 1, BlockingQueue::Refuse(1));
    ev.run_until_complete(async {
        let (first, end) = occupy().await;
        let second = try_run_blocking(|| 2).unwrap();
        let refused = try_run_blocking(|| 3).unwrap_err();
        assert!(matches!(refused, BlockingError::QueueFull(_)), "{refused}");
        let error = run_blocking(|| 4).await.unwrap_err();
        assert_eq!(error.refusal(), Some(&refused));
        end();
        first.await.unwrap();
        assert_eq!(second.await.unwrap(), 2);
        assert_eq!(run_blocking(|| 5).await.unwrap(), 5);
    })
    .unwrap();
}

fn a_full_queue_lets_wait(backend: Backend) {
    let ev = with_threads(backend, 1, BlockingQueue::Wait(1));
    let log = Log::new();
    let noted = log.clone();
    ev.run_until_complete(async move {
        let (first, end) = occupy().await;
        let second = run_blocking(|| 2);
        let third = noted.clone();
        let waits = event_loop::spawn(async move {
            let mut job = run_blocking(|| 3);
            job.queued().await;
            third.note("queued");
            job.await.unwrap()
        });
        sleep(TICK * 3).await;
        noted.note("end");
        let stats = event_loop::current().unwrap().blocking_stats();
        assert_eq!((stats.queued, stats.waiting), (1, 1));
        end();
        first.await.unwrap();
        assert_eq!((second.await.unwrap(), waits.await.unwrap()), (2, 3));
    })
    .unwrap();
    assert_eq!(log.take(), ["end", "queued"]);
}

fn an_unbounded_queue_grows(backend: Backend) {
    let ev = with_threads(backend, 1, BlockingQueue::Unbounded);
    ev.run_until_complete(async {
        let (first, end) = occupy().await;
        let jobs: Vec<_> = (0..500).map(|n| run_blocking(move || n)).collect();
        let stats = event_loop::current().unwrap().blocking_stats();
        assert_eq!((stats.running, stats.queued, stats.refused), (1, 500, 0));
        end();
        first.await.unwrap();
        for (n, job) in jobs.into_iter().enumerate() {
            assert_eq!(job.await.unwrap(), n);
        }
    })
    .unwrap();
}

fn more_jobs_than_the_budget_are_a_verdict(backend: Backend) {
    let config = Config::new().blocking_threads(1).blocking_budget(3);
    let run = backend.world(config, |_| async {
        let jobs: Vec<_> = (0..5).map(|_| run_blocking(|| block(TICK))).collect();
        for job in jobs {
            job.await.unwrap();
        }
    });
    let verdict = run.verdict.expect("five are more than three");
    assert_eq!(verdict.kind, VerdictKind::Overload);
    let said = "4 blocking jobs have not begun on host main, and the budget is 3";
    assert!(verdict.message.starts_with(said), "{verdict}");
}

fn after_its_shutdown_a_pool_takes_no_job(backend: Backend) {
    let ev = backend.make();
    ev.run_until_complete(async {
        let ev = event_loop::current().unwrap();
        let job = run_blocking(|| block(TICK * 3));
        let report = ev.shutdown_executor(Duration::from_secs(60)).await;
        assert!(report.is_clean(), "{report}");
        assert!(job.is_finished());
        job.await.unwrap();
        let refused = try_run_blocking(|| ()).unwrap_err();
        assert_eq!(refused, BlockingError::ShutDown);
        let sentence = "Executor shutdown has been called";
        assert!(refused.to_string().starts_with(sentence), "{refused}");
        let error = run_blocking(|| ()).await.unwrap_err();
        assert!(error.to_string().starts_with(sentence), "{error}");
    })
    .unwrap();
}

fn a_job_that_runs_is_waited_for_and_then_told_of(backend: Backend) {
    let grace = Duration::from_millis(20);
    let ev = backend.make();
    ev.run_until_complete(async move {
        let ev = event_loop::current().unwrap();
        let (job, end) = occupy().await;
        job.abort();
        assert!(!job.is_finished(), "it runs");
        let report = ev.shutdown_executor(grace).await;
        assert!(
            report.took >= grace && report.dropped.is_empty(),
            "{report}"
        );
        assert_eq!(report.running.len(), 1, "{report}");
        assert_eq!(report.running[0].id, job.id().unwrap());
        assert!(report.running[0].began.is_some());
        end();
        job.await.unwrap();
    })
    .unwrap();
}

fn a_sleep_on_the_loops_thread_keeps_everybody_waiting_and_is_told_of_as_slow(backend: Backend) {
    let ev = backend.with_one_worker();
    let nap = 20 * TICK;
    ev.set_slow_callback(Some(nap)).unwrap();
    let slow = Log::new();
    let told = slow.clone();
    ev.set_slow_callback_handler(Some(move |_: &EventLoop, slow: &SlowCallback| {
        told.note(slow.clone());
    }));
    let seen = Log::new();
    let sees = seen.clone();
    let ended = ev.run_until_complete(async move {
        let ticks = Arc::new(AtomicU32::new(0));
        let counted = ticks.clone();
        let ticker = spawn(async move {
            loop {
                sleep(TICK).await;
                counted.fetch_add(1, Ordering::Relaxed);
            }
        });
        let sleeper = spawn_named("sleeper", async move {
            sleep(5 * TICK).await;
            let (before, begun) = (ticks.load(Ordering::Relaxed), Instant::now());
            block(nap);
            let after = ticks.load(Ordering::Relaxed);
            sees.note((after - before, begun.elapsed()));
        });
        sleeper.await.unwrap();
        ticker.abort();
    });
    // A world fails for it, but not before the poll has returned.
    assert_eq!(ended.is_err(), backend.is_simulated());
    let [(ticks, took)] = seen.take()[..] else {
        panic!("the sleep returns");
    };
    assert_eq!(ticks, 0, "nobody else ran");
    assert!(took >= nap, "{took:?}");
    let slow = slow.take();
    let sleeper = slow
        .iter()
        .find(|slow| slow.task_name.as_deref() == Some("sleeper"));
    assert!(sleeper.is_some_and(|slow| slow.took >= nap), "{slow:?}");
}

fn a_sleep_on_the_loops_thread_is_reported_with_its_line(backend: Backend) {
    let mut line = 0;
    let run = backend.world(Config::new(), |_| async {
        line = line!() + 2;
        #[expect(clippy::disallowed_methods, reason = "it is what is reported")]
        thread::sleep(TICK);
    });
    let verdict = run.verdict.expect("the run failed");
    assert_eq!(verdict.kind, VerdictKind::Blocking);
    let place = format!("tests/tests/contract/blocking.rs:{line}");
    assert_eq!(verdict.location, Some(place));
}
