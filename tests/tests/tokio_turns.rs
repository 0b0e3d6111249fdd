//! Profile `tokio-ct`, plain run: the order in which tokio's current-thread scheduler polls the
//! future of `block_on` and the tasks, compared with tokio itself.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use event_loop::time::{Instant, sleep_until};
use event_loop::{EventLoop, LoopConfig, production, yield_now};
use sim::{Config, Profile};

type Log = Arc<Mutex<Vec<String>>>;

fn note(log: &Log, name: impl ToString) {
    log.lock().unwrap().push(name.to_string());
}

/// What `main`, as the root, and its tasks noted.
fn told<F: Future<Output = ()>>(
    ev: &EventLoop,
    main: impl FnOnce(EventLoop, Log) -> F,
) -> Vec<String> {
    let log = Log::default();
    ev.run_borrowed(main(ev.unowned(), log.clone())).unwrap();
    log.lock().unwrap().clone()
}

#[track_caller]
fn compare<F: Future<Output = ()>>(main: impl Fn(EventLoop, Log) -> F) {
    let tokio = production::current_thread(LoopConfig::default()).unwrap();
    let expected = told(&tokio, &main);
    for seed in 0..10 {
        // Within a host no seed has a say in it.
        let world = sim::factory(seed, Profile::TokioCt).unwrap();
        assert_eq!(told(&world, &main), expected, "seed {seed}");
    }
}

fn spawn_noting(ev: &EventLoop, log: &Log, name: usize, yields: usize) {
    let log = log.clone();
    let task = ev.spawn(async move {
        for n in 0..=yields {
            note(&log, format!("task {name}.{n}"));
            yield_now().await;
        }
    });
    task.detach();
}

#[test]
fn the_root_is_polled_after_each_turn_of_tasks() {
    for tasks in [1, 2, 5, 30, 60, 61, 62, 100, 200] {
        compare(|ev, log| async move {
            for name in 0..tasks {
                spawn_noting(&ev, &log, name, 4);
            }
            for n in 0..12 {
                note(&log, format!("root {n}"));
                yield_now().await;
            }
        });
    }
}

#[test]
fn a_root_that_a_task_wakes_waits_for_the_turn_to_end() {
    for tasks in [1, 3, 61, 62, 70, 130] {
        compare(|ev, log| async move {
            let (wake, woken) = futures::channel::oneshot::channel();
            for name in 0..tasks {
                spawn_noting(&ev, &log, name, 3);
            }
            let waker = log.clone();
            let task = ev.spawn(async move {
                note(&waker, "waker");
                wake.send(()).unwrap();
            });
            for name in 0..tasks {
                spawn_noting(&ev, &log, tasks + name, 3);
            }
            woken.await.unwrap();
            note(&log, "root");
            task.await.unwrap();
            note(&log, "root again");
        });
    }
}

#[test]
fn the_root_is_polled_before_tasks_that_woke_at_the_same_time() {
    compare(|ev, log| async move {
        let deadline = Instant::now() + Duration::from_millis(20);
        for name in 0..3 {
            let log = log.clone();
            let task = ev.spawn(async move {
                sleep_until(deadline).await;
                note(&log, format!("task {name}"));
            });
            task.detach();
        }
        yield_now().await;
        sleep_until(deadline).await;
        note(&log, "root");
        yield_now().await;
        note(&log, "root again");
        yield_now().await;
    });
}

#[test]
fn a_run_of_many_hosts_replays() {
    for seed in 0..10 {
        let config = Config::new().profile(Profile::TokioCt);
        let main = |sim: sim::Sim| async move {
            let log = Log::default();
            let mut tasks = Vec::new();
            for (n, host) in ["main", "a", "b"].into_iter().cycle().take(200).enumerate() {
                let log = log.clone();
                tasks.push(sim.host(host).spawn(async move {
                    note(&log, n);
                    yield_now().await;
                    note(&log, n);
                }));
            }
            for n in 0..20 {
                note(&log, format!("root {n}"));
                yield_now().await;
            }
            for task in tasks {
                task.await.unwrap();
            }
            log.lock().unwrap().clone()
        };
        let recorded = sim::record_once(&config, seed, main);
        let entries = recorded.entries().unwrap();
        assert_eq!(entries.is_empty(), seed == 0);
        let replayed = sim::replay_once(&config, seed, &entries, main).unwrap();
        assert_eq!(recorded.hash, replayed.hash, "seed {seed}");
        assert_eq!(recorded.value.unwrap(), replayed.value.unwrap());
    }
}
