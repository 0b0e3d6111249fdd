//! Signals in worlds: what a seed decides, and what a test plans.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use event_loop::time::sleep;
use event_loop::{Signal, SignalError};
use sim::{Config, HostError, Profile, Sim, VerdictKind};

use crate::told::TOLD;

const SEED: u64 = 7;

#[test]
fn hosts_tell_what_processes_tell() {
    for (name, lines, ended) in TOLD {
        let scene = tests::scenes::all().find(|scene| scene.name == *name);
        let scene = scene.expect("there is such a scene");
        for profile in Profile::ALL {
            for seed in 0..20 {
                let played = tests::world::play(scene, profile, seed);
                let told = (&*played.lines, played.ended);
                let lines: Vec<_> = lines.iter().map(|line| (*line).to_owned()).collect();
                assert_eq!(told, (&*lines, *ended), "{name}, {profile}, seed {seed}");
            }
        }
    }
}

#[test]
fn a_signal_to_nobody_is_refused() {
    sim::check(&Config::new().seeds(1), |sim: Sim| async move {
        let refused = sim.host("svc").try_signal(Signal::Term).unwrap_err();
        assert!(matches!(refused, HostError::NoProcess { .. }), "{refused}");
        let svc = sim.host("svc").start(|_| std::future::pending::<()>());
        svc.signal(Signal::Winch);
        assert!(svc.is_running());
        svc.signal(Signal::Term);
        assert_eq!(svc.wait().await.signal(), Some(Signal::Term));
        let refused = svc.try_signal(Signal::Term).unwrap_err();
        assert!(matches!(refused, HostError::Ended { .. }), "{refused}");
        svc.power_off();
        let refused = svc.try_signal(Signal::Term).unwrap_err();
        assert!(matches!(refused, HostError::PoweredOff { .. }), "{refused}");
        let mut heard = sim.event_loop().signal(Signal::Term).unwrap();
        sim.host("main").signal(Signal::Term);
        heard.recv().await;
    });
}

#[test]
fn a_stopped_process_ends_by_what_came_once_it_goes_on() {
    sim::check(&Config::new().seeds(20), |sim: Sim| async move {
        let svc = sim.host("svc").start(|_| std::future::pending::<()>());
        svc.pause();
        svc.signal(Signal::Term);
        svc.signal(Signal::Hup);
        sleep(Duration::from_secs(60)).await;
        assert!(svc.is_running());
        svc.resume();
        assert_eq!(svc.wait().await.signal(), Some(Signal::Hup));
        // The next life gets nothing of it, and one that is stopped can be killed.
        svc.restart();
        svc.pause();
        svc.signal(Signal::Term);
        svc.signal(Signal::Kill);
        assert_eq!(svc.wait().await.signal(), Some(Signal::Kill));
        svc.restart();
        svc.pause();
        svc.resume();
        sleep(Duration::from_secs(1)).await;
        assert!(svc.is_running());
    });
}

#[test]
fn the_next_life_handles_nothing_until_it_says_so() {
    sim::check(&Config::new().seeds(20), |sim: Sim| async move {
        let svc = sim.host("svc").start(|ev| async move {
            ev.add_signal_handler(Signal::Usr1, || ()).unwrap();
            // Leaked, as by a reference that outlives its process.
            std::mem::forget(ev.signal(Signal::Usr1).unwrap());
            sleep(Duration::from_secs(1)).await;
        });
        sleep(Duration::from_millis(100)).await;
        svc.signal(Signal::Usr1);
        assert!(svc.wait().await.success());
        svc.restart();
        svc.signal(Signal::Usr1);
        assert_eq!(svc.wait().await.signal(), Some(Signal::Usr1));
    });
}

#[test]
fn a_stopped_process_ends_by_kill_and_goes_on_by_cont() {
    sim::check(&Config::new().seeds(20), |sim: Sim| async move {
        let svc = sim.host("svc").start(|_| async {
            sleep(Duration::from_secs(1)).await;
        });
        svc.signal(Signal::Stop);
        sleep(Duration::from_secs(5)).await;
        assert!(svc.is_running());
        svc.signal(Signal::Cont);
        assert!(svc.wait().await.success());
        svc.restart();
        svc.signal(Signal::Tstp);
        svc.signal(Signal::Kill);
        assert_eq!(svc.wait().await.signal(), Some(Signal::Kill));
    });
}

fn config(profile: Profile) -> Config {
    Config::new().profile(profile)
}

/// How often a handler was called for two signals that came at once.
async fn twice(sim: Sim) -> u32 {
    let ev = sim.event_loop();
    let heard = Arc::new(AtomicU32::new(0));
    let counts = heard.clone();
    ev.add_signal_handler(Signal::Usr1, move || {
        counts.fetch_add(1, Ordering::Relaxed);
    })
    .unwrap();
    event_loop::signal::raise(Signal::Usr1).unwrap();
    event_loop::signal::raise(Signal::Usr1).unwrap();
    assert_eq!(heard.load(Ordering::Relaxed), 0, "never in a poll");
    sleep(Duration::from_secs(1)).await;
    heard.load(Ordering::Relaxed)
}

#[test]
fn tokio_may_make_one_of_two_signals_and_python_s_loops_do_not() {
    for profile in [Profile::TokioMt, Profile::TokioCt] {
        let counts = (0..40).map(|seed| sim::run_once(&config(profile), seed, twice));
        let counts: Vec<_> = counts.map(|run| run.value.unwrap()).collect();
        assert_eq!(counts[0], 1, "the plain run of {profile}");
        assert!(counts.contains(&2), "{counts:?}");
        assert!(counts.iter().all(|n| (1..=2).contains(n)), "{counts:?}");
    }
    for profile in [Profile::Asyncio, Profile::Uvloop] {
        for seed in 0..40 {
            let run = sim::run_once(&config(profile), seed, twice);
            assert_eq!(run.value, Some(2), "{profile}, seed {seed}");
        }
    }
}

#[test]
fn a_recorded_coalescing_replays() {
    let config = config(Profile::TokioMt);
    let both = (0..40).find_map(|seed| {
        let run = sim::record_once(&config, seed, twice);
        (run.value == Some(2)).then_some((seed, run))
    });
    let (seed, both) = both.expect("some seed makes two of them");
    let entries = both.entries().expect("it is recorded");
    let again = sim::replay_once(&config, seed, &entries, twice).unwrap();
    assert_eq!((again.value, again.hash), (Some(2), both.hash));
}

#[test]
fn a_signal_that_the_test_itself_does_not_handle_fails_the_run() {
    let run = sim::run_once(&Config::new(), SEED, |_| async {
        event_loop::signal::raise(Signal::Winch).unwrap();
        event_loop::signal::raise(Signal::Term).unwrap();
        sleep(Duration::from_secs(1)).await;
    });
    let verdict = run.verdict.unwrap();
    assert_eq!(verdict.kind, VerdictKind::Error);
    assert!(verdict.message.contains("SIGTERM"), "{verdict}");
}

#[test]
fn waiting_for_a_signal_alone_is_a_deadlock_that_names_it() {
    let run = sim::record_once(&Config::new(), SEED, |sim: Sim| async move {
        sim.event_loop().signal(Signal::Hup).unwrap().recv().await;
    });
    let verdict = run.verdict.unwrap();
    assert_eq!(verdict.kind, VerdictKind::Deadlock);
    let table = verdict.blocked.concat();
    assert!(table.contains("the signal SIGHUP"), "{table}");
}

#[test]
fn a_signal_is_in_the_trace() {
    let run = sim::record_once(&Config::new(), 0, |_| async {
        event_loop::signal::raise(Signal::Winch).unwrap();
    });
    let timeline = run.timeline().unwrap().to_string();
    assert!(timeline.contains("signal SIGWINCH main"), "{timeline}");
}

#[test]
fn a_blocking_call_delays_the_handler() {
    sim::check(&Config::new().seeds(20), |sim: Sim| async move {
        let ev = sim.event_loop();
        let handled = Arc::new(Mutex::new(None));
        let (notes, clock) = (handled.clone(), sim.clone());
        ev.add_signal_handler(Signal::Usr1, move || {
            *notes.lock().unwrap() = Some(clock.now().as_nanos() / 1_000_000);
        })
        .unwrap();
        sim.at(Duration::from_millis(300), || {
            event_loop::signal::raise(Signal::Usr1).unwrap();
        });
        sleep(Duration::from_millis(100)).await;
        event_loop::block_for(Duration::from_secs(1));
        sleep(Duration::from_secs(1)).await;
        // A poll may take its time, too.
        let at = handled.lock().unwrap().unwrap();
        assert!((1_100..=1_102).contains(&at), "{at}");
    });
}

#[test]
fn a_deed_comes_before_or_after_what_else_happens_at_its_instant() {
    let order = |seed| {
        let run = sim::run_once(&config(Profile::TokioCt), seed, |sim: Sim| async move {
            let order = Arc::new(Mutex::new(String::new()));
            let deed = order.clone();
            sim.at(Duration::from_secs(1), move || {
                deed.lock().unwrap().push('d');
            });
            for _ in 0..3 {
                sleep(Duration::from_millis(500)).await;
                order.lock().unwrap().push('.');
            }
            Arc::try_unwrap(order).unwrap().into_inner().unwrap()
        });
        run.value.unwrap()
    };
    assert_eq!(order(0), ".d..", "the plain run");
    let orders: std::collections::BTreeSet<_> = (0..40).map(order).collect();
    assert_eq!(orders.into_iter().collect::<Vec<_>>(), ["..d.", ".d.."]);
}

#[test]
fn deeds_are_done_in_order_and_those_of_the_past_at_once() {
    sim::check(&Config::new().seeds(20), |sim: Sim| async move {
        let done = Arc::new(Mutex::new(Vec::new()));
        for (name, millis) in [("b", 2), ("a", 1), ("c", 2)] {
            let (done, clock) = (done.clone(), sim.clone());
            sim.at(Duration::from_millis(millis), move || {
                let now = clock.now().as_nanos() / 1_000_000;
                done.lock().unwrap().push((name, now));
                // The world's doing, in no task: it may start some.
                clock.event_loop().spawn(async {}).detach();
            });
        }
        sleep(Duration::from_millis(5)).await;
        let past = sim.now() - Duration::from_millis(3);
        let late = done.clone();
        sim.at(past, move || late.lock().unwrap().push(("late", 5)));
        sleep(Duration::from_millis(5)).await;
        let expected = [("a", 1), ("b", 2), ("c", 2), ("late", 5)];
        assert_eq!(*done.lock().unwrap(), expected);
    });
}

#[test]
fn a_deed_that_panics_fails_the_run() {
    let run = sim::run_once(&Config::new(), SEED, |sim: Sim| async move {
        sim.at(Duration::from_secs(1), || panic!("the plan was bad"));
        sleep(Duration::from_secs(2)).await;
    });
    let verdict = run.verdict.unwrap();
    assert_eq!(verdict.kind, VerdictKind::Panic);
    assert!(verdict.message.contains("the plan was bad"), "{verdict}");
}

#[test]
fn a_deed_that_is_never_due_is_dropped_with_the_run() {
    let held = Arc::new(());
    let left = held.clone();
    let run = sim::run_once(&Config::new(), SEED, |sim: Sim| async move {
        sim.at(Duration::from_secs(1), move || drop(left));
    });
    assert!(run.verdict.is_none());
    assert_eq!(Arc::strong_count(&held), 1);
}

#[test]
fn instants_are_drawn_at_round_times_and_at_others() {
    let (low, high) = (Duration::from_millis(1_500), Duration::from_secs(30));
    let draw = |seed| {
        let run = sim::run_once(&Config::new(), seed, |sim: Sim| async move {
            sim.any_instant("term", low..=high).as_nanos()
        });
        run.value.unwrap()
    };
    assert_eq!(u128::from(draw(0)), low.as_nanos(), "the earliest");
    let drawn: Vec<_> = (1..200).map(draw).collect();
    let whole = |grain: u64| drawn.iter().filter(|at| *at % grain == 0).count();
    assert!(
        drawn
            .iter()
            .all(|at| (1_500_000_000..=30_000_000_000).contains(at))
    );
    let (seconds, millis) = (whole(1_000_000_000), whole(1_000_000));
    assert!((15..60).contains(&seconds), "{seconds} at whole seconds");
    assert!(
        (90..180).contains(&millis),
        "{millis} at whole milliseconds"
    );
}

#[test]
fn a_signal_comes_at_the_place_that_is_asked_for() {
    sim::check(&Config::new().seeds(20), |sim: Sim| async move {
        let seen = Arc::new(AtomicU32::new(0));
        let svc = sim.host("svc");
        let other = sim.host("other");
        let raise = sim.raise_during("signals: halfway", svc.clone(), Signal::Usr1);
        let counts = seen.clone();
        let handler = move || {
            counts.fetch_add(1, Ordering::Relaxed);
        };
        svc.event_loop()
            .add_signal_handler(Signal::Usr1, handler)
            .unwrap();
        let passes = || async {
            event_loop::reachable!("signals: halfway");
        };
        other.spawn(passes()).await.unwrap();
        assert!(!raise.is_delivered(), "that was another host");
        svc.spawn(passes()).await.unwrap();
        assert!(raise.is_delivered());
        sleep(Duration::from_secs(1)).await;
        svc.spawn(passes()).await.unwrap();
        sleep(Duration::from_secs(1)).await;
        assert_eq!(seen.load(Ordering::Relaxed), 1, "once, in a callback");
    });
}

#[test]
fn a_label_of_no_place_is_refused_with_the_nearest() {
    sim::check(&Config::new().seeds(1), |sim: Sim| async move {
        let main = sim.host("main");
        let unknown = sim.try_raise_during("signals: halfwya", main, Signal::Usr1);
        assert_eq!(
            unknown.unwrap_err().to_string(),
            "no place is labelled \"signals: halfwya\": did you mean \"signals: halfway\"?"
        );
    });
}

#[test]
fn what_nobody_can_handle_is_refused() {
    sim::check(&Config::new().seeds(1), |sim: Sim| async move {
        let ev = sim.event_loop();
        for signal in [Signal::Kill, Signal::Stop] {
            let refused = ev.signal(signal).unwrap_err();
            assert_eq!(refused, SignalError::Uncatchable { signal });
        }
    });
}
