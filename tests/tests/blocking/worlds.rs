//! Jobs in a world: their order is the seed's, the trace tells of them, and they end with the run.

use std::sync::Arc;
use std::time::Duration;

use event_loop::time::sleep;
use event_loop::{BlockingQueue, block_for, run_blocking};
use sim::{Config, Run, Sim, VerdictKind};

use crate::log::{Log, OnDrop};
use crate::{Gate, block};

const TICK: Duration = Duration::from_millis(1);

/// Three hosts with a few jobs each on two threads, which block, talk and start others.
async fn busy(sim: Sim, log: Log<String>) {
    let hosts: Vec<_> = (0..3)
        .map(|host| {
            let log = log.clone();
            sim.host(&format!("svc{host}")).run(move |_| async move {
                let jobs: Vec<_> = (0..4)
                    .map(|n| {
                        let log = log.clone();
                        run_blocking(move || {
                            log.note(format!("{host}:{n} begins"));
                            block(Duration::from_micros(700 * (n % 2)));
                            log.note(format!("{host}:{n} goes on"));
                            let inner = run_blocking(move || n);
                            block(Duration::from_micros(300));
                            event_loop::spawn(async move { inner.await.unwrap() })
                        })
                    })
                    .collect();
                let mut sum = 0;
                for job in jobs {
                    sum += job.await.unwrap().await.unwrap();
                }
                sum
            })
        })
        .collect();
    for host in hosts {
        assert_eq!(host.await.unwrap(), 6);
    }
}

fn config() -> Config {
    Config::new().blocking_threads(2)
}

fn played(run: Run<()>) -> Run<()> {
    assert!(run.verdict.is_none(), "{:?}", run.verdict);
    run
}

#[test]
fn a_seed_is_played_the_same_again_and_seeds_differ() {
    let mut orders = std::collections::BTreeSet::new();
    for seed in 0..40 {
        let (first, again) = (Log::new(), Log::new());
        let log = first.clone();
        let run = played(sim::run_once(&config(), seed, |sim| busy(sim, log)));
        let log = again.clone();
        let recorded = played(sim::record_once(&config(), seed, |sim| busy(sim, log)));
        assert_eq!(run.hash, recorded.hash, "seed {seed}");
        let first = first.take();
        assert_eq!(first, again.take(), "seed {seed}");
        orders.insert(first);
    }
    assert!(orders.len() > 30, "{} orders", orders.len());
}

#[test]
fn two_jobs_on_two_threads_may_begin_either_way_round() {
    let order = |seed| {
        let log = Log::new();
        let noted = log.clone();
        let run = sim::run_once(&Config::new(), seed, |_| async move {
            let jobs = ["a", "b"].map(|name| {
                let log = noted.clone();
                run_blocking(move || log.note(name))
            });
            for job in jobs {
                job.await.unwrap();
            }
        });
        played(run);
        log.take()
    };
    assert_eq!(order(0), ["a", "b"], "what production would most likely do");
    let orders: std::collections::BTreeSet<_> = (0..20).map(order).collect();
    assert_eq!(orders.len(), 2);
}

#[test]
fn the_trace_tells_when_a_job_was_asked_for_began_and_ended() {
    let run = sim::record_once(&Config::new(), 0, |sim| async move {
        let host = sim.host("svc");
        host.run(|_| async { run_blocking(|| block(TICK)).await.unwrap() })
            .await
            .unwrap();
    });
    let trace = played(run).timeline().unwrap().to_string();
    let jobs: Vec<_> = trace
        .lines()
        .filter(|line| line.contains(" job_"))
        .collect();
    let [asked, began, ended] = &*jobs else {
        panic!("{trace}");
    };
    assert!(
        asked.starts_with("0.000000") && asked.contains("svc") && asked.ends_with("job_asked 1"),
        "{asked}"
    );
    assert!(
        began.contains("svc") && began.ends_with("job_began 1"),
        "{began}"
    );
    assert!(
        ended.starts_with("0.001000") && ended.ends_with("job_ended 1"),
        "{ended}"
    );
}

#[test]
fn blocking_on_purpose_blocks_the_job_alone() {
    for seed in 0..20 {
        let run = sim::run_once(&Config::new(), seed, |sim| async move {
            let begun = sim.now();
            let job = run_blocking(|| block_for(TICK * 20));
            sleep(TICK * 5).await;
            assert!(sim.now() - begun < TICK * 10, "the loop went on");
            job.await.unwrap();
            assert!(sim.now() - begun >= TICK * 20);
        });
        played(run);
    }
}

#[test]
fn who_waits_for_a_job_that_never_ends_is_in_the_table() {
    let run = sim::record_once(&Config::new(), 0, |_| async {
        let gate = Arc::new(Gate::default());
        let held = gate.clone();
        let job = event_loop::current()
            .unwrap()
            .run_blocking_named("export", move || held.pass());
        sleep(TICK).await;
        let _ = job.await;
        gate.open();
    });
    let verdict = run.verdict.expect("nobody opens the gate");
    assert_eq!(verdict.kind, VerdictKind::Deadlock);
    let table = verdict.blocked.join("\n");
    assert!(
        table.contains("waits on the end of job 1, asked for at "),
        "{table}"
    );
    assert!(
        table.contains("main-blocking") && table.contains("waits on a lock"),
        "{table}"
    );
}

#[test]
fn a_job_that_outlives_the_run_never_returns() {
    for seed in 0..20 {
        let (kept, returned) = (Log::new(), Log::new());
        let (drops, returns) = (kept.clone(), returned.clone());
        let run = sim::run_once(&Config::new(), seed, |_| async move {
            let never = OnDrop::new(drops.noting(()));
            run_blocking(move || {
                block(TICK * 1_000);
                returns.note(());
                drop(never);
            })
            .detach();
            sleep(TICK).await;
        });
        played(run);
        assert!(kept.take().is_empty() && returned.take().is_empty());
    }
}

#[test]
fn jobs_that_have_not_begun_are_dropped_with_the_run() {
    for seed in 0..20 {
        let dropped = Log::new();
        let drops = dropped.clone();
        let config = Config::new().blocking_threads(1);
        let run = sim::run_once(&config, seed, |_| async move {
            run_blocking(|| block(TICK * 1_000)).detach();
            sleep(TICK).await;
            for n in 0..3 {
                let kept = OnDrop::new(drops.noting(n));
                run_blocking(move || drop(kept)).detach();
            }
            // Nor those whose thread has been told to begin and has not.
        });
        played(run);
        assert_eq!(dropped.take(), [0, 1, 2], "seed {seed}");
    }
}

#[test]
fn nothing_is_left_of_the_jobs_that_have_ended() {
    let token = Arc::new(());
    let threads = || std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
    let before = threads();
    let mut most = 0;
    for seed in 0..1_000 {
        let kept = token.clone();
        let run = sim::run_once(&config(), seed, |_| async move {
            for _ in 0..3 {
                let kept = kept.clone();
                run_blocking(move || {
                    block(TICK);
                    drop(kept);
                })
                .await
                .unwrap();
            }
            // And one that nobody waits for, on a thread that rests as the run ends.
            run_blocking(move || kept).detach();
            sleep(TICK).await;
        });
        played(run);
        assert_eq!(Arc::strong_count(&token), 1, "seed {seed}");
        most = most.max(threads());
    }
    // Other tests of this process have threads of their own meanwhile.
    assert!(most < before + 200, "{before} threads, then {most}");
}

#[test]
fn a_host_that_is_killed_takes_its_jobs_with_it_and_comes_again_with_a_fresh_pool() {
    for seed in 0..20 {
        let log = Log::new();
        let noted = log.clone();
        let run = sim::run_once(&config(), seed, |sim| async move {
            let svc = sim.host("svc").start(move |ev| {
                let log = noted.clone();
                async move {
                    assert_eq!(
                        (ev.blocking_stats().done, ev.blocking_stats().workers),
                        (0, 0)
                    );
                    run_blocking(|| ()).await.unwrap();
                    log.note("up");
                    for _ in 0..2 {
                        let log = log.clone();
                        run_blocking(move || {
                            block(TICK * 50);
                            log.note("never");
                        })
                        .detach();
                    }
                    let log = log.clone();
                    run_blocking(move || log.note("never")).detach();
                    sleep(TICK * 1_000).await;
                }
            });
            for _ in 0..3 {
                sleep(TICK * 10).await;
                svc.kill();
                svc.wait().await;
                sleep(TICK * 100).await;
                svc.restart();
            }
            sleep(TICK * 10).await;
        });
        played(run);
        assert_eq!(log.take(), ["up"; 4], "seed {seed}");
    }
}

#[test]
fn a_panic_of_a_job_that_nobody_reads_fails_the_run() {
    let run = sim::run_once(&Config::new(), 0, |_| async {
        run_blocking(|| panic!("boom")).detach();
        sleep(TICK).await;
    });
    let verdict = run.verdict.unwrap();
    assert_eq!(verdict.kind, VerdictKind::Unread);
    assert_eq!(
        verdict.message,
        "Future exception was never retrieved: boom"
    );
    assert!(verdict.location.unwrap().contains("worlds.rs"));
}

#[test]
fn a_burst_into_an_unbounded_queue_is_found_by_a_budget_and_mended_by_a_bound() {
    let burst = |config: Config| {
        sim::run_once(
            &config.blocking_threads(2).blocking_budget(16),
            1,
            |_| async {
                let mut served = 0;
                for _ in 0..100 {
                    let job = event_loop::try_run_blocking(|| block(TICK));
                    served += usize::from(job.is_ok());
                    drop(job);
                }
                served
            },
        )
    };
    let verdict = burst(Config::new()).verdict.unwrap();
    assert_eq!(verdict.kind, VerdictKind::Overload);
    let bounded = burst(Config::new().blocking_queue(BlockingQueue::Refuse(8)));
    assert!(bounded.verdict.is_none(), "{:?}", bounded.verdict);
    assert_eq!(bounded.value, Some(10));
}
