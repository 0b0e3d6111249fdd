//! Time: clauses T1 to T5 and the sleeps of C7.

use std::future::{Future, pending};
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use event_loop::net::TcpListener;
use event_loop::time::{Instant, sleep, sleep_until, timeout};
use event_loop::{EventLoop, LoopError, yield_now};
use insta::assert_snapshot;
use sim::{Config, Profile, VerdictKind};

use crate::backends::Backend;
use crate::clause::Reach::{Everywhere, Only, Simulated, WorldsOwn};
use crate::clause::clauses;
use crate::log::sentence;

const TICK: Duration = Duration::from_millis(1);
const YEAR: Duration = Duration::from_hours(24 * 365);

clauses! {
    T1 {
        the_clock_is_monotonic: Everywhere,
        within_a_poll_a_worlds_time_stands_still: Simulated("real time passes within a poll"),
        a_worlds_wall_clock_moves_with_its_monotonic_one: Simulated(
            "somebody may step the machine's wall clock",
        ),
    }
    T2 {
        a_sleep_never_ends_early: Only(
            |backend| !backend.is_uvloop(),
            "uvloop rounds to the nearest millisecond",
        ),
        timers_round_up_to_the_millisecond_as_the_profile_says: Simulated(
            "real timers round too, but may be late on top",
        ),
    }
    C7 {
        a_sleep_of_zero_is_pending_at_its_first_poll: Everywhere,
    }
    T3 {
        a_worlds_years_pass_at_once: Simulated("nobody waits a century for a test"),
        time_has_an_end_and_nothing_overflows_there: Simulated("nobody waits for the end of time"),
        a_sleep_for_ever_may_be_given_up: Everywhere,
    }
    T4 {
        where_nothing_can_happen_any_more_a_world_ends_in_a_deadlock: Simulated(
            "production waits for ever",
        ),
        a_deadlock_says_who_waits_on_what: Simulated("production waits for ever"),
        a_world_that_ended_stays_ended: WorldsOwn,
        a_task_that_waits_for_ever_is_no_deadlock_beside_one_that_does_not: Everywhere,
    }
    T5 {
        yielding_until_a_timer_fires_is_legal: Everywhere,
        yielding_for_nothing_is_a_livelock: Simulated("production spins for ever"),
    }
}

fn the_clock_is_monotonic(backend: Backend) {
    let ev = backend.make();
    let here = ev.clone();
    let seen = ev.run_until_complete(async move {
        let mut seen = vec![here.now()];
        for n in 0..10 {
            if n % 3 == 0 {
                sleep(TICK).await;
            }
            yield_now().await;
            seen.extend([here.now(), Instant::now()]);
        }
        seen
    });
    assert!(seen.unwrap().is_sorted());
}

fn within_a_poll_a_worlds_time_stands_still(backend: Backend) {
    let ev = backend.make();
    let here = ev.clone();
    let (first, last) = ev
        .run_until_complete(async move {
            sleep(TICK).await;
            let first = here.now();
            let sum = (0..10_000_u64).fold(0_u64, |sum, n| sum.wrapping_mul(31) ^ n);
            (first, std::hint::black_box((here.now(), sum)).0)
        })
        .unwrap();
    assert_eq!(first, last);
}

fn a_worlds_wall_clock_moves_with_its_monotonic_one(backend: Backend) {
    let ev = backend.make();
    let read = |ev: &EventLoop| (ev.now(), ev.wall_now());
    let before = read(&ev);
    ev.run_until_complete(sleeping(Duration::from_nanos(1_234_567_891)))
        .unwrap();
    let after = read(&ev);
    assert!(after.0 - before.0 >= Duration::from_nanos(1_234_567_891));
    let wall = after.1.duration_since(before.1).unwrap();
    if backend.is_uvloop() {
        // Its monotonic clock counts milliseconds.
        assert_eq!((after.0 - before.0).as_millis(), wall.as_millis());
    } else {
        assert_eq!(after.0 - before.0, wall);
    }
}

async fn sleeping(span: Duration) {
    sleep(span).await;
}

fn a_sleep_never_ends_early(backend: Backend) {
    let ev = backend.make();
    let slept = ev.run_until_complete(async {
        for nanos in [0, 1, 999_999, 1_000_000, 1_000_001, 2_500_000] {
            let start = Instant::now();
            sleep(Duration::from_nanos(nanos)).await;
            let slept = Instant::now() - start;
            assert!(slept >= Duration::from_nanos(nanos), "{nanos}: {slept:?}");
        }
    });
    slept.unwrap();
}

fn a_sleep_of_zero_is_pending_at_its_first_poll(backend: Backend) {
    let ev = backend.make();
    ev.run_until_complete(async move {
        sleep(5 * TICK).await;
        let now = Instant::now();
        assert!(is_pending(sleep(Duration::ZERO)));
        assert!(is_pending(sleep_until(now)));
        // Tokio may see at once that the past is past.
        if backend.is_simulated() {
            assert!(is_pending(sleep_until(now - 3 * TICK)));
        }
        sleep(Duration::ZERO).await;
        sleep_until(now - 3 * TICK).await;
    })
    .unwrap();
}

fn is_pending(future: impl Future) -> bool {
    let mut cx = Context::from_waker(Waker::noop());
    pin!(future).poll(&mut cx).is_pending()
}

fn timers_round_up_to_the_millisecond_as_the_profile_says(backend: Backend) {
    let ev = backend.make();
    for (nanos, rounded) in [
        (1, 1_000_000),
        (999_999, 1_000_000),
        (1_000_000, 1_000_000),
        (1_000_001, 2_000_000),
    ] {
        let start = ev.now();
        let span = Duration::from_nanos(nanos);
        let woken = ev.run_until_complete(async move {
            sleep_until(start + span).await;
            Instant::now()
        });
        let woken = woken.unwrap();
        match backend.profile() {
            Some(Profile::Exact) => assert_eq!(woken - start, span),
            Some(Profile::Uvloop) => {
                let nearest = Duration::from_millis(u64::from(nanos > 1));
                let slept = woken - start;
                assert!(
                    (nearest..nearest + 2 * TICK).contains(&slept),
                    "{nanos}: {slept:?}"
                );
            }
            // It sleeps for whole milliseconds, whenever it begins to.
            Some(Profile::Asyncio) if !backend.is_plain() => {
                let (slept, rounded) = (woken - start, Duration::from_nanos(rounded));
                assert!(
                    (span..rounded + 2 * TICK).contains(&slept),
                    "{nanos}: {slept:?}"
                );
            }
            _ if backend.is_plain() => {
                assert_eq!(woken - start, Duration::from_nanos(rounded));
            }
            // Polls cost up to 5 µs each: the wake is that much behind a whole millisecond.
            _ => {
                let due = (start + span).as_nanos().next_multiple_of(1_000_000);
                let late = woken.as_nanos() - due;
                assert!(late < 100_000, "{late} ns after {due}");
            }
        }
    }
}

fn a_worlds_years_pass_at_once(backend: Backend) {
    let ev = backend.make();
    ev.run_until_complete(async {
        let start = Instant::now();
        sleep(100 * YEAR).await;
        assert!(Instant::now() - start >= 100 * YEAR);
    })
    .unwrap();
}

fn time_has_an_end_and_nothing_overflows_there(backend: Backend) {
    let ev = backend.make();
    let tick = if backend.is_uvloop() { 1_000_000 } else { 1 };
    let end = u64::MAX - u64::MAX % tick;
    ev.run_until_complete(async move {
        sleep(Duration::MAX).await;
        assert_eq!(Instant::now().as_nanos(), end);
        sleep(TICK).await;
        sleep_until(Instant::now() + YEAR).await;
        assert_eq!(Instant::now().as_nanos(), end);
    })
    .unwrap();
    ev.call_later(YEAR, || ()).unwrap();
    ev.stop();
    ev.run_forever().unwrap();
}

fn a_sleep_for_ever_may_be_given_up(backend: Backend) {
    let ev = backend.make();
    ev.call_later(Duration::MAX, || ()).unwrap();
    ev.call_at(Instant::now() + 100 * YEAR, || ()).unwrap();
    ev.run_until_complete(async {
        assert!(timeout(TICK, sleep(Duration::MAX)).await.is_err());
        assert!(timeout(TICK, sleep(500 * YEAR)).await.is_err());
        let far = Instant::now() + Duration::MAX;
        assert!(timeout(TICK, sleep_until(far)).await.is_err());
        assert_eq!(timeout(Duration::MAX, async { 7 }).await, Ok(7));
    })
    .unwrap();
}

fn where_nothing_can_happen_any_more_a_world_ends_in_a_deadlock(backend: Backend) {
    let ended = verdict(backend.make().run_until_complete(pending::<()>()));
    assert_snapshot!(ended, @"deadlock: nothing can run and nothing is pending: 2 tasks wait for ever");
    let ended = verdict(backend.make().run_borrowed(pending::<()>()));
    assert_snapshot!(ended, @"deadlock: nothing can run and nothing is pending: the task waits for ever");
    assert!(verdict(backend.make().run_forever()).starts_with("deadlock: "));
    let listening = backend.make().run_until_complete(async {
        let listener = TcpListener::bind("127.0.0.1:80").await.unwrap();
        drop(listener.accept().await);
    });
    assert!(verdict(listening).starts_with("deadlock: "));
}

fn a_deadlock_says_who_waits_on_what(backend: Backend) {
    let run = backend.world(Config::new(), |sim| async move {
        let waits = sim.host("server").run(|_| async {
            let listener = TcpListener::bind("0.0.0.0:80").await.unwrap();
            let joined = event_loop::spawn_named("cleaner", event_loop::cancelled());
            drop(listener.accept().await);
            joined.await
        });
        drop(waits.await);
    });
    let verdict = run.verdict.unwrap();
    assert_eq!(verdict.kind, VerdictKind::Deadlock);
    // Polls may cost time, so since when is not the same in every run.
    let waits = verdict.blocked.iter().map(|line| {
        let (waits, _since) = line.rsplit_once(" since ").unwrap();
        sentence(waits)
    });
    assert_snapshot!(waits.collect::<Vec<_>>().join("\n"), @r#"
    task "main" ([site]) waits on the end of task "server"
    task "server" ([site]) waits on a connection on socket 0 (server 0.0.0.0:80)
    task "server/cleaner" ([site]) waits on a request to cancel
    "#);
}

fn a_world_that_ended_stays_ended(backend: Backend) {
    let ev = backend.make();
    let first = ev.run_until_complete(pending::<()>()).unwrap_err();
    assert_eq!(ev.run_until_complete(pending::<()>()), Err(first));
    assert_eq!(ev.close(), Ok(()));
    assert_eq!(ev.run_forever(), Err(LoopError::Closed));
}

fn a_task_that_waits_for_ever_is_no_deadlock_beside_one_that_does_not(backend: Backend) {
    let ev = backend.make();
    let stuck = ev.spawn(pending::<()>());
    ev.run_until_complete(sleeping(3 * TICK)).unwrap();
    assert!(!stuck.is_finished());
}

fn yielding_until_a_timer_fires_is_legal(backend: Backend) {
    let ev = backend.make();
    ev.run_until_complete(async {
        let timer = event_loop::spawn(sleeping(TICK));
        while !timer.is_finished() {
            yield_now().await;
        }
    })
    .unwrap();
}

fn yielding_for_nothing_is_a_livelock(backend: Backend) {
    let run = backend.world(Config::new().polls_at_once(2_000), |_| async {
        loop {
            yield_now().await;
        }
    });
    let verdict = run.verdict.unwrap();
    assert_snapshot!(verdict.message, @"2000 polls and no time passed, no task began or ended, no byte moved, and no timer or arrival is to come; `polls_at_once` sets this limit");
    assert_eq!(verdict.kind, VerdictKind::Livelock);
}

/// Why the world ended, without when.
pub(crate) fn verdict<T: std::fmt::Debug>(ended: Result<T, LoopError>) -> String {
    match ended {
        Err(LoopError::WorldEnded(text)) => {
            let (why, _) = text.rsplit_once(" at ").expect("a verdict says when");
            why.to_owned()
        }
        other => panic!("the world goes on: {other:?}"),
    }
}
