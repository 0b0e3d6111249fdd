//! What was once wrong with verdicts, their reports and the loops of `asyncio` and `uvloop`.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;
use std::time::Duration;

use event_loop::time::{Instant, sleep};
use event_loop::{block_for, yield_now};
use sim::{Config, Profile, VerdictKind};

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_hours(1);
const SEEDS: u64 = 20;

#[test]
fn a_sleep_that_is_under_way_has_not_elapsed() {
    for profile in Profile::ALL {
        let config = Config::new().profile(profile);
        let run = sim::run_once(&config, 0, |_| async {
            let mut slow = std::pin::pin!(sleep(5 * MS));
            event_loop::select! {
                biased;
                () = slow.as_mut() => {}
                () = sleep(MS) => {}
            }
            let early = slow.is_elapsed();
            slow.as_mut().await;
            (early, slow.is_elapsed())
        });
        assert_eq!(run.value, Some((false, true)), "{profile}");
    }
}

/// Ends in its third poll with a wake of its own outstanding, before or behind a task's.
fn ends_woken(first: bool, end: impl Fn()) -> impl Future<Output = ()> {
    let mut polls = 0;
    poll_fn(move |cx| {
        polls += 1;
        if first {
            cx.waker().wake_by_ref();
        }
        drop(event_loop::spawn(yield_now()));
        cx.waker().wake_by_ref();
        if polls < 3 {
            return Poll::Pending;
        }
        end();
        Poll::Ready(())
    })
}

async fn goes_on() {
    let task = event_loop::spawn(async {
        sleep(MS).await;
        yield_now().await;
    });
    task.await.unwrap();
    sleep(MS).await;
}

#[test]
fn a_root_that_ends_woken_leaves_nothing_to_the_next_run() {
    for profile in Profile::ALL {
        for (seed, first) in (0..SEEDS).flat_map(|seed| [(seed, false), (seed, true)]) {
            let ev = sim::factory(seed, profile).unwrap();
            for turn in 0..6 {
                let ended = AssertUnwindSafe(|| {
                    ev.run_borrowed(ends_woken(first, || assert!(turn % 2 == 0, "on purpose")))
                });
                let ended = catch_unwind(ended);
                assert_eq!(
                    ended.is_ok(),
                    turn % 2 == 0,
                    "{profile}, seed {seed}: {ended:?}"
                );
                let went_on = ev.run_borrowed(goes_on());
                assert_eq!(went_on, Ok(()), "{profile}, seed {seed}, run {turn}");
            }
        }
    }
}

#[test]
fn who_waits_for_a_timer_is_told_so_though_it_was_polled_since() {
    for profile in Profile::ALL {
        let config = Config::new().profile(profile).time_limit(HOUR);
        let run = sim::record_once(&config, 0, |_| async {
            event_loop::join!(sleep(MS), sleep(2 * HOUR));
        });
        let verdict = run.verdict.expect("the time is out");
        assert_eq!(verdict.kind, VerdictKind::TimeLimit);
        assert!(
            verdict.blocked[0].contains("waits on its timer at 7200.0"),
            "{profile}: {:?}",
            verdict.blocked
        );
    }
}

#[test]
fn who_waits_while_somebody_blocks_has_not_stalled() {
    for profile in Profile::ALL {
        let config = Config::new().profile(profile).stall_after(HOUR);
        let run = sim::run_once(&config, 0, |_| async {
            let worker = event_loop::spawn(async {
                sleep(MS).await;
                block_for(2 * HOUR);
                sleep(MS).await;
            });
            worker.await.unwrap();
        });
        assert_eq!(run.verdict, None, "{profile}");
    }
}

#[test]
fn hosts_whose_names_entries_spell_alike_are_told_apart() {
    for profile in Profile::ALL {
        let config = Config::new().profile(profile);
        for seed in 0..SEEDS {
            let main = |sim: sim::Sim| async move {
                let tasks: Vec<_> = ["n#1", "n_1", "n/1"]
                    .iter()
                    .map(|name| {
                        sim.host(name).run(|_| async {
                            for _ in 0..20 {
                                yield_now().await;
                            }
                            Instant::now()
                        })
                    })
                    .collect();
                let mut ends = Vec::new();
                for task in tasks {
                    ends.push(task.await.unwrap());
                }
                ends
            };
            let recorded = sim::record_once(&config, seed, main);
            let entries = recorded.entries().unwrap();
            let replayed = sim::replay_once(&config, seed, &entries, main).unwrap();
            assert_eq!(replayed.hash, recorded.hash, "{profile}, seed {seed}");
        }
    }
}

#[test]
fn the_end_of_time_is_reached_and_not_passed() {
    for profile in Profile::ALL {
        for seed in 0..SEEDS {
            let config = Config::new()
                .profile(profile)
                .time_limit(Duration::MAX)
                .stall_after(Duration::MAX)
                .polls(u64::MAX)
                .polls_at_once(u64::MAX);
            let run = sim::record_once(&config, seed, |sim: sim::Sim| async move {
                let far = sim.any_duration("far", Duration::ZERO..=Duration::from_nanos(u64::MAX));
                sleep(far).await;
                let ev = sim.event_loop();
                let call = ev.call_later(Duration::MAX, || ()).unwrap();
                block_for(Duration::MAX);
                sleep(MS).await;
                sleep(Duration::MAX).await;
                call.cancel();
            });
            assert_eq!(run.verdict, None, "{profile}, seed {seed}");
        }
    }
}

#[test]
fn an_iteration_and_a_callback_are_shown_with_their_host() {
    let config = Config::new().profile(Profile::Asyncio);
    let run = sim::record_once(&config, 0, |sim: sim::Sim| async move {
        let svc = sim.host("svc").event_loop();
        svc.call_soon(|| ()).unwrap();
        sleep(MS).await;
    });
    let text = run.timeline().unwrap().to_string();
    for kind in ["turn", "call"] {
        let shown = |line: &str| line.contains(" svc ") && line.ends_with(kind);
        assert!(text.lines().any(shown), "{kind}:\n{text}");
    }
}
