//! What a job is to who asks for it: a value, a panic, a place to be named, something to take back.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use event_loop::task::spawn_blocking;
use event_loop::time::sleep;
use event_loop::{
    BlockingError, BlockingQueue, LoopConfig, LoopError, TaskHandle, production, run_blocking,
    try_run_blocking,
};

use crate::backends::{Backend, Backends, on};
use crate::log::{Log, OnDrop};
use crate::{Gate, reports, with_threads};

const TICK: Duration = Duration::from_millis(1);

#[test]
fn a_job_gives_its_value_to_who_awaits_it() {
    on(Backends::Everywhere, |backend| {
        let ev = backend.make();
        let sum = ev.run_until_complete(async {
            let jobs: Vec<_> = (0..10).map(|n| run_blocking(move || n * n)).collect();
            let mut sum = 0;
            for job in jobs {
                sum += job.await.unwrap();
            }
            sum
        });
        assert_eq!(sum, Ok(285));
    });
}

#[test]
fn a_job_that_panics_is_an_error_for_who_reads_it() {
    on(Backends::Everywhere, |backend| {
        let ev = backend.make();
        let told = reports(&ev);
        let error = ev
            .run_until_complete(async { run_blocking(|| panic!("no such row")).await })
            .unwrap()
            .map(|(): ()| ())
            .unwrap_err();
        assert!(error.is_panic() && !error.is_aborted());
        assert_eq!(error.to_string(), "the job panicked: no such row");
        let id = error.id().unwrap();
        assert!(id.is_job() && id.serial() == 1);
        assert_eq!(id.to_string(), "job 1");
        assert_eq!(
            *error.into_panic().downcast::<&str>().unwrap(),
            "no such row"
        );
        drop(ev);
        assert!(told.take().is_empty());
    });
}

#[test]
fn a_panic_that_nobody_reads_goes_to_the_exception_handler() {
    on(Backends::Everywhere, |backend| {
        let ev = backend.make();
        let told = reports(&ev);
        let site = ev
            .run_until_complete({
                let ev = ev.unowned();
                async move {
                    // Dropped before it ends, and after.
                    ev.run_blocking_named("early", || panic!("boom")).detach();
                    let late = ev.run_blocking_named("late", || panic!("boom"));
                    while !late.is_finished() {
                        sleep(TICK).await;
                    }
                    drop(late);
                    while ev.blocking_stats().done < 2
                        || ev.blocking_stats().workers > ev.blocking_stats().idle
                    {
                        sleep(TICK).await;
                    }
                }
            })
            .map(|()| std::panic::Location::caller());
        assert!(site.is_ok());
        let mut told = told.take();
        told.sort_by_key(|context| context.job);
        let names: Vec<_> = told
            .iter()
            .map(|context| context.job_name.as_deref())
            .collect();
        assert_eq!(names, [Some("early"), Some("late")]);
        for context in told {
            assert_eq!(context.message, "Future exception was never retrieved");
            assert_eq!(context.error, "boom");
            assert!(context.created_at.unwrap().file().ends_with("pool.rs"));
            assert!(context.task.is_none());
            let text = context.to_string();
            assert!(
                text.contains(" in job ") && text.contains(", asked for at "),
                "{text}"
            );
        }
    });
}

#[test]
fn a_value_that_nobody_reads_is_dropped() {
    on(Backends::Everywhere, |backend| {
        let ev = backend.make();
        let dropped = Log::new();
        let kept = dropped.clone();
        ev.run_until_complete(async move {
            let log = kept.clone();
            let value = OnDrop::new(log.noting("value"));
            run_blocking(move || value).detach();
            while kept.take().is_empty() {
                sleep(TICK).await;
            }
            kept.note("seen");
        })
        .unwrap();
        assert_eq!(dropped.take(), ["seen"]);
    });
}

#[test]
fn a_job_that_has_not_begun_can_be_taken_back() {
    on(Backends::Everywhere, |backend| {
        let ev = with_threads(backend, 1, BlockingQueue::Unbounded);
        let log = Log::new();
        let noted = log.clone();
        ev.run_until_complete(async move {
            let gate = Arc::new(Gate::default());
            let held = gate.clone();
            let first = run_blocking(move || held.pass());
            let (ran, kept) = (noted.clone(), OnDrop::new(noted.noting("closure dropped")));
            let second = run_blocking(move || {
                drop(kept);
                ran.note("ran");
            });
            let third = run_blocking(|| "third");
            second.abort();
            assert!(second.is_finished());
            noted.note("aborted");
            let error = second.await.unwrap_err();
            assert!(error.is_aborted() && error.id().is_some());
            assert_eq!(error.to_string(), "the job was aborted");
            gate.open();
            first.await.unwrap();
            assert_eq!(third.await.unwrap(), "third");
        })
        .unwrap();
        assert_eq!(log.take(), ["closure dropped", "aborted"]);
    });
}

#[test]
fn a_job_that_runs_or_has_ended_cannot_be_taken_back() {
    on(Backends::Everywhere, |backend| {
        let ev = backend.make();
        let values = ev.run_until_complete(async {
            let gate = Arc::new(Gate::default());
            let (begun, held) = (Log::new(), gate.clone());
            let begins = begun.clone();
            let job = run_blocking(move || {
                begins.note(());
                held.pass();
                1
            });
            while begun.take().is_empty() {
                sleep(TICK).await;
            }
            job.abort();
            assert!(!job.is_finished());
            gate.open();
            let ended = run_blocking(|| 2);
            while !ended.is_finished() {
                sleep(TICK).await;
            }
            ended.abort();
            (job.await.unwrap(), ended.await.unwrap())
        });
        assert_eq!(values, Ok((1, 2)));
    });
}

#[test]
fn the_loop_is_current_in_a_job_which_may_start_tasks_and_jobs() {
    on(Backends::Everywhere, |backend| {
        let ev = backend.make();
        let inner = ev.clone();
        let value = ev.run_until_complete(async move {
            let job = run_blocking(move || {
                assert!(event_loop::current().unwrap().same_loop(&inner));
                let task = event_loop::spawn(async {
                    sleep(TICK).await;
                    run_blocking(|| 20).await.unwrap()
                });
                (task, run_blocking(|| 22))
            });
            let (task, job) = job.await.unwrap();
            task.await.unwrap() + job.await.unwrap()
        });
        assert_eq!(value, Ok(42));
    });
}

#[test]
fn tokio_s_spawn_blocking_gives_the_handle_of_a_task() {
    on(Backends::Everywhere, |backend| {
        let ev = with_threads(backend, 1, BlockingQueue::Unbounded);
        ev.run_until_complete(async {
            let gate = Arc::new(Gate::default());
            let held = gate.clone();
            let handles: [TaskHandle<()>; 3] = [
                event_loop::spawn(async {}),
                spawn_blocking(move || held.pass()),
                spawn_blocking(|| ()),
            ];
            let aborts = handles[2].abort_handle();
            aborts.abort();
            assert!(aborts.is_finished() && handles[2].is_finished());
            assert!(handles[1].id().unwrap().is_job() && !handles[0].id().unwrap().is_job());
            assert_eq!(aborts.id(), handles[2].id());
            handles[1].request_cancel();
            gate.open();
            let [task, job, aborted] = handles;
            task.await.unwrap();
            job.await.unwrap();
            assert!(aborted.await.unwrap_err().is_cancelled());
        })
        .unwrap();
    });
}

#[test]
fn without_a_loop_a_job_is_refused_with_the_words_of_no_loop() {
    let refused = try_run_blocking(|| ()).unwrap_err();
    assert!(matches!(refused, BlockingError::NoCurrentLoop(_)));
    assert!(
        refused
            .to_string()
            .starts_with("There is no current event loop in thread")
    );
    let panic = thread::spawn(|| run_blocking(|| ()).detach()).join();
    let text = *panic.unwrap_err().downcast::<String>().unwrap();
    assert!(
        text.starts_with("There is no current event loop in thread"),
        "{text}"
    );
}

#[test]
fn a_closed_loop_refuses_jobs_and_drops_those_that_have_not_begun() {
    on(Backends::Everywhere, |backend| {
        let ev = with_threads(backend, 1, BlockingQueue::Unbounded);
        let (log, gate) = (Log::new(), Arc::new(Gate::default()));
        let (noted, held) = (log.clone(), gate.clone());
        let jobs = ev
            .run_until_complete(async move {
                let begun = Log::new();
                let begins = begun.clone();
                let running = run_blocking(move || {
                    begins.note(());
                    held.pass();
                });
                while begun.take().is_empty() {
                    sleep(TICK).await;
                }
                let queued = ["b", "a", "c"].map(|name| {
                    let kept = OnDrop::new(noted.noting(name));
                    run_blocking(move || drop(kept))
                });
                (running, queued)
            })
            .unwrap();
        ev.close().unwrap();
        assert_eq!(log.take(), ["b", "a", "c"]);
        let (running, queued) = jobs;
        assert!(!running.is_finished() && queued.iter().all(|job| job.is_finished()));
        let late = OnDrop::new(log.noting("late"));
        let refused = ev.try_run_blocking(move || drop(late)).unwrap_err();
        assert_eq!(refused, BlockingError::Closed);
        assert_eq!(refused.to_string(), "Event loop is closed");
        assert_eq!(log.take(), ["late"]);
        gate.open();
    });
}

#[test]
fn a_loop_of_production_closes_at_once_though_a_job_runs() {
    on(Backends::Production, |backend| {
        let ev = backend.make();
        let gate = Arc::new(Gate::default());
        let (ended, held) = (Log::new(), gate.clone());
        let notes = ended.clone();
        ev.run_until_complete(async move {
            let begun = Log::new();
            let begins = begun.clone();
            run_blocking(move || {
                begins.note(());
                held.pass();
                notes.note(event_loop::current().is_err());
            })
            .detach();
            while begun.take().is_empty() {
                sleep(TICK).await;
            }
        })
        .unwrap();
        drop(ev);
        assert!(ended.take().is_empty(), "nobody waited for it");
        gate.open();
        let mut seen = ended.take();
        while seen.is_empty() {
            thread::yield_now();
            seen = ended.take();
        }
        assert_eq!(seen, [true], "its loop is closed by then");
    });
}

#[test]
fn a_pool_of_no_threads_is_refused_where_the_loop_is_made() {
    let none = LoopConfig::default().blocking_threads(0);
    for made in [
        production::current_thread(none.clone()),
        production::multi_thread(none),
    ] {
        let LoopError::BadSetting { setting, given, .. } = made.unwrap_err() else {
            panic!("another error");
        };
        assert_eq!((setting, given), ("blocking_threads", 0));
    }
    on(Backends::Everywhere, |backend| {
        let ev = backend.make();
        let error = ev.set_blocking_threads(0).unwrap_err();
        assert_eq!(
            error.to_string(),
            "blocking_threads = 0 cannot be: allowed is 1 and more: somebody has to run the jobs"
        );
    });
}

#[test]
fn a_pool_is_sized_before_the_first_run_and_the_first_job() {
    on(Backends::Everywhere, |backend| {
        let ev = backend.make();
        ev.set_blocking_threads(3).unwrap();
        ev.run_until_complete(async {}).unwrap();
        let late = ev.set_blocking_queue(BlockingQueue::Refuse(1)).unwrap_err();
        assert!(
            matches!(
                &late,
                LoopError::SetTooLate {
                    setting: "blocking_queue",
                    ..
                }
            ),
            "{late}"
        );
        assert_eq!(ev.describe().blocking_threads, 3);
    });
    let ev = Backend::CurrentThread.make();
    ev.run_blocking(|| ()).detach();
    let late = ev.set_blocking_threads(2).unwrap_err();
    assert!(matches!(late, LoopError::SetTooLate { .. }), "{late}");
}

#[test]
fn a_loop_says_what_pool_it_has() {
    let config = LoopConfig::default()
        .name("api")
        .blocking_threads(4)
        .blocking_queue(BlockingQueue::Refuse(16));
    let ev = production::current_thread(config).unwrap();
    let described = ev.describe();
    assert_eq!(
        described.to_string(),
        "api: tokio, current-thread, 1 worker, 4 blocking threads, queue of 16 that refuses"
    );
    assert_eq!(described.blocking_queue, BlockingQueue::Refuse(16));
}

#[test]
fn threads_of_production_are_named_and_used_again() {
    let ev = production::current_thread(LoopConfig::default().name("api")).unwrap();
    let names: Vec<_> = ev
        .run_borrowed(async {
            let mut names = Vec::new();
            for _ in 0..3 {
                let job = run_blocking(|| {
                    let thread = thread::current();
                    (thread.name().map(str::to_owned), thread.id())
                });
                names.push(job.await.unwrap());
                while event_loop::current().unwrap().blocking_stats().idle == 0 {
                    sleep(TICK).await;
                }
            }
            names
        })
        .unwrap();
    assert!(
        names
            .iter()
            .all(|(name, _)| name.as_deref() == Some("api-blocking"))
    );
    assert!(names.windows(2).all(|two| two[0].1 == two[1].1));
}
