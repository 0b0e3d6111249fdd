//! A blocking sleep on the thread of a loop: its time passes, and the policy says what becomes of
//! the run.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use event_loop::time::sleep;
use event_loop::{EventLoop, SlowCallback, block_for, spawn_local, spawn_named};
use sim::{
    BlockingCall, Config, OnBlocking, Profile, Run, Sim, VerdictKind, record_once, replay_once,
    run_once,
};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const PROFILES: [Profile; 5] = [
    Profile::TokioMt,
    Profile::TokioCt,
    Profile::Exact,
    Profile::Asyncio,
    Profile::Uvloop,
];

fn exact(policy: OnBlocking) -> Config {
    Config::new().profile(Profile::Exact).on_blocking(policy)
}

#[track_caller]
fn kind<T>(run: &Run<T>) -> VerdictKind {
    run.verdict.as_ref().expect("the run failed").kind
}

/// What is told, without what is known only with all the debug information.
#[track_caller]
fn told<T>(run: &Run<T>) -> String {
    let mut text = run.verdict.as_ref().expect("the run failed").to_string();
    while let Some(at) = text.find(" in blocking::") {
        let rest = &text[at + 4..];
        let end = rest.find(' ').map_or(text.len(), |end| at + 4 + end);
        text.replace_range(at..end, "");
    }
    text
}

async fn a_nap_beside_a_ticker(sim: Sim) {
    let svc = sim.host("svc").event_loop();
    svc.spawn_named("ticker", async {
        for _ in 0..3 {
            sleep(MS * 50).await;
        }
    })
    .detach();
    svc.spawn_named("late riser", sleep(MS * 1_050)).detach();
    let napper = svc.spawn_named("napper", async {
        sleep(MS * 10).await;
        thread::sleep(MS * 1_100);
    });
    let elsewhere = sim.host("other").spawn(sleep(MS * 20));
    napper.await.unwrap();
    elsewhere.await.unwrap();
}

#[test]
fn a_blocking_sleep_fails_a_run_and_the_report_says_who_was_kept_waiting() {
    let run = record_once(&exact(OnBlocking::Fail), 0, a_nap_beside_a_ticker);
    insta::assert_snapshot!(told(&run), @r#"
    blocking: the loop's thread slept for 1.1s in a blocking call; `on_blocking` says what becomes of such a run (tests/tests/blocking/policy.rs:59) at 1.110000000 s
      std::thread::sleep at tests/tests/blocking/policy.rs:59 by host svc task "svc/napper" (tests/tests/blocking/policy.rs:57:22) at 0.010000000 s, for 1.1s
      kept waiting: task "svc/ticker" (tests/tests/blocking/policy.rs:50:9), 1.06s late
      kept waiting: task "svc/late riser" (tests/tests/blocking/policy.rs:56:9), 60ms late
    "#);
    let [blocking] = run.blockings() else {
        panic!("{:#?}", run.blockings());
    };
    assert_eq!(blocking.call, BlockingCall::Sleep);
    assert_eq!(blocking.took, Some(MS * 1_100));
    assert_eq!(blocking.at_nanos, 10_000_000);
    let late: Vec<_> = blocking.kept_waiting.iter().map(|kept| kept.late).collect();
    assert_eq!(late, [MS * 1_060, MS * 60]);
}

#[test]
fn it_fails_in_every_profile_and_under_every_seed() {
    for profile in PROFILES {
        for seed in 0..20 {
            let config = Config::new().profile(profile);
            let run = run_once(&config, seed, a_nap_beside_a_ticker);
            assert_eq!(kind(&run), VerdictKind::Blocking, "{profile:?} {seed}");
            let again = record_once(&config, seed, a_nap_beside_a_ticker);
            assert_eq!(again.hash, run.hash, "{profile:?} {seed}");
            let (one, other) = (run.verdict.unwrap(), again.verdict.unwrap());
            assert!(one.same_failure(&other), "{one}\n{other}");
        }
    }
}

#[test]
fn its_report_is_the_same_twice_and_in_a_replay_of_its_entries() {
    for seed in 0..10 {
        let run = || record_once(&Config::new(), seed, a_nap_beside_a_ticker);
        let (one, other) = (run(), run());
        assert_eq!(told(&one), told(&other));
        assert_eq!(one.blockings(), other.blockings());
        let entries = one.entries().unwrap();
        let replayed = replay_once(&Config::new(), seed, &entries, a_nap_beside_a_ticker).unwrap();
        assert_eq!(replayed.hash, one.hash);
        assert_eq!(told(&replayed), told(&one));
    }
}

#[test]
fn under_report_the_run_goes_on_and_tells_of_each() {
    let run = record_once(&exact(OnBlocking::Report), 0, |sim| async move {
        for _ in 0..2 {
            thread::sleep(MS * 3);
        }
        sim.host("svc").spawn(async { thread::sleep(SECOND) }).await
    });
    assert!(run.verdict.is_none());
    assert_eq!(run.elapsed, MS * 1_006);
    let took: Vec<_> = run.blockings().iter().map(|b| b.took.unwrap()).collect();
    assert_eq!(took, [MS * 3, MS * 3, SECOND]);
    assert!(run.blockings()[2].who.starts_with("host svc task"));
}

#[test]
fn without_a_recording_the_task_is_told_and_the_frame_is_not() {
    let run = run_once(&exact(OnBlocking::Report), 0, a_nap_beside_a_ticker);
    let [blocking] = run.blockings() else {
        panic!("{:#?}", run.blockings());
    };
    let (who, line) = blocking.who.rsplit_once(':').unwrap();
    assert_eq!(
        (who, line.is_empty()),
        (
            "host svc task \"napper\" (tests/tests/blocking/policy.rs:57",
            false
        )
    );
    assert_eq!(blocking.place, None);
    assert!(blocking.kept_waiting.is_empty());
}

#[test]
fn under_allow_only_its_time_passes() {
    let run = record_once(&exact(OnBlocking::Allow), 0, |_| async {
        let begun = Instant::now();
        thread::sleep(SECOND);
        begun.elapsed()
    });
    assert_eq!(run.value, Some(SECOND));
    assert!(run.verdict.is_none() && run.blockings().is_empty());
}

#[test]
fn a_sleep_of_no_time_blocks_nobody() {
    let run = run_once(&exact(OnBlocking::Fail), 0, |_| async {
        thread::sleep(Duration::ZERO);
    });
    assert!(run.verdict.is_none(), "{:?}", run.verdict);
}

#[test]
fn to_block_on_purpose_is_no_verdict() {
    let run = run_once(&exact(OnBlocking::Fail), 0, |_| async {
        block_for(SECOND);
    });
    assert!(run.verdict.is_none(), "{:?}", run.verdict);
    assert!(run.blockings().is_empty());
    assert_eq!(run.elapsed, SECOND);
}

#[test]
fn nobody_of_the_host_runs_meanwhile() {
    for profile in PROFILES {
        for seed in 0..10 {
            let config = Config::new()
                .profile(profile)
                .on_blocking(OnBlocking::Allow);
            let run = run_once(&config, seed, |_| async {
                let ticks = Rc::new(Cell::new(0));
                let counted = ticks.clone();
                let ticker = spawn_local(async move {
                    loop {
                        sleep(MS).await;
                        counted.set(counted.get() + 1);
                    }
                });
                sleep(MS * 5).await;
                let before = ticks.get();
                thread::sleep(SECOND);
                let after = ticks.get();
                ticker.abort();
                (before, after)
            });
            let (before, after) = run.value.unwrap_or_else(|| panic!("{:?}", run.verdict));
            assert_eq!(before, after, "{profile:?} {seed}");
        }
    }
}

#[test]
fn a_callback_that_sleeps_is_told_by_its_line() {
    for profile in PROFILES {
        let config = Config::new().profile(profile);
        let run = record_once(&config, 0, |sim| async move {
            let ev = sim.host("svc").event_loop();
            ev.call_soon(|| thread::sleep(SECOND)).unwrap();
            sleep(MS).await;
        });
        assert_eq!(kind(&run), VerdictKind::Blocking, "{profile:?}");
        let [blocking] = run.blockings() else {
            panic!("{:#?}", run.blockings());
        };
        assert_eq!(blocking.who, "host svc a callback", "{profile:?}");
        let place = blocking.place.as_deref().unwrap();
        assert!(
            place.starts_with("tests/tests/blocking/policy.rs:"),
            "{place}"
        );
    }
}

struct Sleepy;

impl Drop for Sleepy {
    fn drop(&mut self) {
        thread::sleep(SECOND);
    }
}

#[test]
fn a_destructor_that_sleeps_is_blocking_while_the_run_goes_on_and_not_after() {
    let run = record_once(&exact(OnBlocking::Fail), 0, |_| async {
        let held = spawn_named("held", async {
            let _sleepy = Sleepy;
            sleep(SECOND).await;
        });
        sleep(MS).await;
        held.abort();
        sleep(MS).await;
    });
    assert_eq!(kind(&run), VerdictKind::Blocking);
    let late = run_once(&exact(OnBlocking::Fail), 0, |_| async {
        spawn_named("held", async {
            let _sleepy = Sleepy;
            sleep(SECOND).await;
        })
        .detach();
        sleep(MS).await;
    });
    assert!(late.verdict.is_none(), "{:?}", late.verdict);
    assert_eq!(late.elapsed, SECOND + MS);
}

#[test]
fn an_exception_handler_that_sleeps_is_blocking() {
    let run = record_once(&exact(OnBlocking::Fail), 0, |sim| async move {
        let ev = sim.event_loop();
        ev.set_exception_handler(Some(|_: &EventLoop, _: &event_loop::ErrorContext| {
            thread::sleep(SECOND);
        }));
        spawn_named("fails", async { panic!("on purpose") }).detach();
        sleep(MS).await;
    });
    assert_eq!(kind(&run), VerdictKind::Blocking);
}

#[test]
fn the_slow_callback_is_told_of_as_well() {
    for policy in [OnBlocking::Fail, OnBlocking::Allow] {
        let slow = Arc::new(Mutex::new(Vec::new()));
        let told = slow.clone();
        let config = exact(policy).slow_callback(MS * 100);
        run_once(&config, 0, |sim| async move {
            let svc = sim.host("svc");
            let ev = svc.event_loop();
            ev.set_slow_callback_handler(Some(move |_: &EventLoop, slow: &SlowCallback| {
                told.lock().unwrap().push(slow.took);
            }));
            svc.spawn(async { thread::sleep(SECOND) }).await
        });
        assert_eq!(*slow.lock().unwrap(), [SECOND], "{policy:?}");
    }
}

#[test]
fn a_sleep_beyond_the_time_limit_is_told_with_it() {
    for policy in [OnBlocking::Fail, OnBlocking::Allow] {
        let config = exact(policy).time_limit(SECOND * 10);
        let run = record_once(&config, 0, |_| async { thread::sleep(Duration::MAX) });
        assert_eq!(kind(&run), VerdictKind::TimeLimit, "{policy:?}");
        let blocked = &run.verdict.unwrap().blocked;
        assert!(
            blocked[0].starts_with("std::thread::sleep at"),
            "{blocked:?}"
        );
    }
}
