//! Callbacks and iterations: clauses C1 to C3 and C5 to C11.

use std::hint;
use std::panic::panic_any;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use event_loop::time::Instant;
use event_loop::{CallHandle, Closed, ErrorContext, EventLoop, LoopError};
use insta::assert_snapshot;

use crate::backends::Backend;
use crate::clause::Reach::{Everywhere, Production, Simulated, WorldsOwn};
use crate::clause::clauses;
use crate::log::{Log, OnDrop, sentence};

const TICK: Duration = Duration::from_millis(1);

clauses! {
    C1 {
        callbacks_run_first_in_first_out: Everywhere,
        callbacks_that_tasks_and_callbacks_schedule_keep_their_order: Everywhere,
        a_callback_from_another_thread_wakes_a_sleeping_loop: Production(
            "when another thread calls is not the seed's to decide: there it is a verdict",
        ),
        a_callback_from_a_foreign_thread_ends_a_world: WorldsOwn,
    }
    C2 {
        a_callback_scheduled_by_a_callback_runs_in_the_next_iteration: Everywhere,
    }
    C3 {
        a_stop_before_a_run_leaves_it_exactly_one_iteration: Everywhere,
    }
    C5 {
        a_delay_of_zero_is_behind_what_is_ready: Everywhere,
    }
    C6 {
        timed_callbacks_run_by_deadline_then_registration_and_never_early: Everywhere,
    }
    C7 {
        a_deadline_in_the_past_means_a_later_iteration: Everywhere,
    }
    C8 {
        a_callback_cancelled_in_its_own_batch_does_not_run: Everywhere,
        cancelling_after_the_run_says_false_and_a_dropped_handle_cancels_nothing: Everywhere,
        cancelling_frees_the_callback_at_once: Everywhere,
        a_cancelled_callbacks_destructor_may_use_the_loop: Everywhere,
    }
    C9 {
        a_panic_in_a_callback_goes_to_the_exception_handler_and_the_loop_goes_on: Everywhere,
        a_panic_whose_payload_panics_when_dropped_is_a_panic_like_others: Everywhere,
    }
    C10 {
        nothing_can_be_scheduled_on_a_closed_loop: Everywhere,
    }
    C11 {
        the_trampoline_takes_17_rounds_by_an_ideal_clock_and_16_where_polls_cost: Simulated(
            "real timers are late by as much as they like",
        ),
    }
}

/// Exactly one iteration.
fn iterate(ev: &EventLoop) {
    ev.stop();
    ev.run_forever().expect("one iteration");
}

fn callbacks_run_first_in_first_out(backend: Backend) {
    let ev = backend.make();
    let log = Log::new();
    for n in 0..100 {
        ev.call_soon(log.noting(n)).unwrap();
    }
    iterate(&ev);
    assert_eq!(log.take(), (0..100).collect::<Vec<_>>());
}

fn callbacks_that_tasks_and_callbacks_schedule_keep_their_order(backend: Backend) {
    let ev = backend.make();
    let log = Log::new();
    let (here, noted) = (ev.clone(), log.clone());
    ev.run_until_complete(async move {
        for n in 0..10 {
            let (inner, noted_later) = (here.clone(), noted.clone());
            here.call_soon(move || {
                noted_later.note(n);
                inner.call_soon(noted_later.noting(n + 10)).unwrap();
            })
            .unwrap();
        }
        event_loop::time::sleep(TICK).await;
    })
    .unwrap();
    iterate(&ev);
    // A multi-thread loop runs the first of them while the task is scheduling the others.
    let (first, second): (Vec<_>, Vec<_>) = log.take().into_iter().partition(|n| *n < 10);
    assert_eq!(first, (0..10).collect::<Vec<_>>());
    assert_eq!(second, (10..20).collect::<Vec<_>>());
}

fn a_callback_from_another_thread_wakes_a_sleeping_loop(backend: Backend) {
    let ev = backend.make();
    let log = Log::new();
    let (asleep, go) = mpsc::channel();
    ev.call_soon(move || asleep.send(()).unwrap()).unwrap();
    let (there, noted) = (ev.clone(), log.clone());
    let other = thread::spawn(move || {
        go.recv().unwrap();
        pause(5 * TICK);
        for n in 0..10 {
            there.call_soon(noted.noting(n)).unwrap();
        }
        let end = there.clone();
        there.call_soon(move || end.stop()).unwrap();
    });
    ev.run_forever().unwrap();
    other.join().unwrap();
    assert_eq!(log.take(), (0..10).collect::<Vec<_>>());
}

fn a_callback_from_a_foreign_thread_ends_a_world(backend: Backend) {
    let ev = backend.make();
    let there = ev.clone();
    let (go, asleep) = mpsc::channel();
    // One that is made inside of the world is the world's.
    let intruder = thread::Builder::new().name("intruder".into());
    let intruder = intruder.spawn(move || {
        asleep.recv().unwrap();
        drop(there.call_soon(|| {}));
    });
    let intruder = intruder.unwrap();
    let ended = ev.run_until_complete(async move {
        go.send(()).unwrap();
        while !intruder.is_finished() {
            hint::spin_loop();
        }
        std::future::pending::<()>().await;
    });
    let Err(LoopError::WorldEnded(text)) = ended else {
        panic!("{ended:?}");
    };
    let (why, _) = text.split_once(" at 0.").unwrap();
    assert_snapshot!(why, @"foreign thread: thread 'intruder' touched the world from outside: when it does is not the seed's to decide; do its work in a task of the world");
}

fn a_callback_scheduled_by_a_callback_runs_in_the_next_iteration(backend: Backend) {
    let ev = backend.make();
    let log = Log::new();
    let (here, noted) = (ev.clone(), log.clone());
    ev.call_soon(move || {
        noted.note('A');
        here.call_soon(noted.noting('C')).unwrap();
        here.stop();
    })
    .unwrap();
    ev.call_soon(log.noting('B')).unwrap();
    ev.run_forever().unwrap();
    let first = log.take();
    iterate(&ev);
    if backend.is_uvloop() {
        // Its `stop` is itself a callback of the next iteration.
        assert_eq!((first, log.take()), (vec!['A', 'B', 'C'], vec![]));
    } else {
        assert_eq!((first, log.take()), (vec!['A', 'B'], vec!['C']));
    }
}

fn a_stop_before_a_run_leaves_it_exactly_one_iteration(backend: Backend) {
    let ev = backend.make();
    let log = Log::new();
    rearm(&ev, &log, 1);
    for iteration in 1..=5 {
        iterate(&ev);
        assert_eq!(log.take(), [iteration]);
    }
    assert!(!ev.is_running());
}

/// A callback that schedules its successor for ever.
fn rearm(ev: &EventLoop, log: &Log<i32>, n: i32) {
    let (here, noted) = (ev.clone(), log.clone());
    ev.call_soon(move || {
        noted.note(n);
        rearm(&here, &noted, n + 1);
    })
    .unwrap();
}

fn a_delay_of_zero_is_behind_what_is_ready(backend: Backend) {
    let ev = backend.make();
    let log = Log::new();
    ev.call_later(Duration::ZERO, log.noting('x')).unwrap();
    ev.call_soon(log.noting('y')).unwrap();
    iterate(&ev);
    let uvloop = backend.is_uvloop();
    assert_eq!(log.take(), if uvloop { ['x', 'y'] } else { ['y', 'x'] });
}

fn timed_callbacks_run_by_deadline_then_registration_and_never_early(backend: Backend) {
    let ev = backend.make();
    let log = Log::new();
    let start = ev.now();
    for (name, ticks) in [('d', 4), ('a', 1), ('c', 2), ('b', 1), ('e', 4), ('f', 5)] {
        let deadline = start + ticks * TICK;
        let (here, noted) = (ev.clone(), log.clone());
        let call = ev.call_at(deadline, move || {
            assert!(here.now() >= deadline, "{:?}", here.now());
            noted.note(name);
            if name == 'f' {
                here.stop();
            }
        });
        assert_eq!(call.unwrap().when(), Some(deadline));
    }
    let failures = Log::new();
    let told = failures.clone();
    ev.set_exception_handler(Some(move |_: &EventLoop, context: &ErrorContext| {
        told.note(context.to_string());
    }));
    ev.run_forever().unwrap();
    assert_eq!(failures.take(), [""; 0]);
    // 'a' is registered before 'b', and 'd' before 'e', with the same deadlines.
    let mut order = log.take();
    if backend.leaves_ties_open() {
        order[0..2].sort_unstable();
        order[3..5].sort_unstable();
    }
    assert_eq!(order, ['a', 'b', 'c', 'd', 'e', 'f']);
}

fn a_deadline_in_the_past_means_a_later_iteration(backend: Backend) {
    let ev = backend.make();
    // At a loop's zero there is no past.
    ev.run_until_complete(async { event_loop::time::sleep(3 * TICK).await })
        .unwrap();
    let log = Log::new();
    let (here, noted) = (ev.clone(), log.clone());
    ev.call_soon(move || {
        here.call_later(Duration::ZERO, noted.noting("zero"))
            .unwrap();
        here.call_at(here.now() - TICK, noted.noting("past"))
            .unwrap();
        here.stop();
    })
    .unwrap();
    ev.run_forever().unwrap();
    let first = log.take();
    iterate(&ev);
    if backend.is_uvloop() {
        // There both are calls of the next iteration, and the stop is behind them.
        assert_eq!((first, log.take()), (vec!["zero", "past"], vec![]));
    } else {
        // By deadline: the past comes before the present.
        assert_eq!((first, log.take()), (vec![], vec!["past", "zero"]));
    }
}

fn a_callback_cancelled_in_its_own_batch_does_not_run(backend: Backend) {
    let ev = backend.make();
    let log = Log::new();
    let victim = Arc::new(Mutex::new(None::<CallHandle>));
    let (noted, found) = (log.clone(), victim.clone());
    ev.call_soon(move || {
        let victim = found.lock().unwrap().take().unwrap();
        assert_eq!((victim.cancel(), victim.cancel()), (true, false));
        noted.note("cancelled");
    })
    .unwrap();
    *victim.lock().unwrap() = Some(ev.call_soon(log.noting("victim")).unwrap());
    ev.call_soon(log.noting("behind")).unwrap();
    iterate(&ev);
    assert_eq!(log.take(), ["cancelled", "behind"]);
}

fn cancelling_after_the_run_says_false_and_a_dropped_handle_cancels_nothing(backend: Backend) {
    let ev = backend.make();
    let log = Log::new();
    let kept = ev.call_soon(log.noting("kept")).unwrap();
    drop(ev.call_soon(log.noting("dropped")).unwrap());
    iterate(&ev);
    assert_eq!(log.take(), ["kept", "dropped"]);
    assert!(!kept.cancel());
}

fn cancelling_frees_the_callback_at_once(backend: Backend) {
    let ev = backend.make();
    let captured = Arc::new(());
    let calls = [
        ev.call_soon(hold(&captured)),
        ev.call_later(Duration::from_hours(1), hold(&captured)),
        ev.call_at(ev.now() + TICK, hold(&captured)),
    ];
    for (left, call) in calls.into_iter().enumerate().rev() {
        assert!(call.unwrap().cancel());
        assert_eq!(Arc::strong_count(&captured), 1 + left);
    }
}

fn hold(value: &Arc<()>) -> impl FnOnce() + Send + 'static {
    let value = value.clone();
    move || drop(value)
}

fn a_cancelled_callbacks_destructor_may_use_the_loop(backend: Backend) {
    let ev = backend.make();
    let log = Log::new();
    let (here, noted) = (ev.clone(), log.clone());
    let captured = OnDrop::new(move || {
        here.call_soon(noted.noting("of the destructor")).unwrap();
    });
    let call = ev.call_later(Duration::from_hours(1), move || drop(captured));
    assert!(call.unwrap().cancel());
    iterate(&ev);
    assert_eq!(log.take(), ["of the destructor"]);
}

fn a_panic_in_a_callback_goes_to_the_exception_handler_and_the_loop_goes_on(backend: Backend) {
    let ev = backend.make();
    let (log, reports) = (Log::new(), Log::new());
    let told = reports.clone();
    ev.set_exception_handler(Some(move |_: &EventLoop, context: &ErrorContext| {
        told.note(context.clone());
    }));
    let line = line!() + 1;
    ev.call_soon(|| panic!("boom")).unwrap();
    ev.call_soon(log.noting("same batch")).unwrap();
    iterate(&ev);
    ev.call_soon(log.noting("next batch")).unwrap();
    iterate(&ev);
    assert_eq!(log.take(), ["same batch", "next batch"]);
    let [report] = &reports.take()[..] else {
        panic!("one report");
    };
    assert_snapshot!(sentence(report).lines().next().unwrap(), @"Exception in callback: boom");
    assert_eq!(report.created_at.unwrap().line(), line);
}

fn a_panic_whose_payload_panics_when_dropped_is_a_panic_like_others(backend: Backend) {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in the payload");
        }
    }
    let ev = backend.make();
    let (log, reports) = (Log::new(), Log::new());
    let told = reports.clone();
    ev.set_exception_handler(Some(move |_: &EventLoop, context: &ErrorContext| {
        told.note(context.error.clone());
    }));
    ev.call_soon(|| panic_any(Bomb)).unwrap();
    ev.call_soon(log.noting("same batch")).unwrap();
    iterate(&ev);
    assert_eq!(log.take(), ["same batch"]);
    assert_eq!(reports.take(), ["a panic whose payload is not text"]);
}

fn nothing_can_be_scheduled_on_a_closed_loop(backend: Backend) {
    let ev = backend.make();
    ev.close().unwrap();
    let captured = Arc::new(());
    for refused in [
        ev.call_soon(hold(&captured)),
        ev.call_later(TICK, hold(&captured)),
        ev.call_at(ev.now(), hold(&captured)),
    ] {
        assert_eq!(refused.unwrap_err(), Closed);
    }
    assert_eq!(Arc::strong_count(&captured), 1);
    assert!(matches!(ev.try_spawn(async {}), Err(Closed)));
    assert_eq!(ev.spawn(async {}).id(), None);
    assert_eq!(ev.run_forever(), Err(LoopError::Closed));
    assert_eq!(ev.run_until_complete(async {}), Err(LoopError::Closed));
    assert_eq!(ev.run_borrowed(async {}), Err(LoopError::Closed));
    assert_snapshot!(Closed, @"Event loop is closed");
    assert_snapshot!(LoopError::Closed, @"Event loop is closed");
}

fn the_trampoline_takes_17_rounds_by_an_ideal_clock_and_16_where_polls_cost(backend: Backend) {
    let ev = backend.make();
    let cost = ev.run_until_complete(async {
        let before = Instant::now();
        // Often enough for a clock that counts milliseconds.
        for _ in 0..100 {
            event_loop::yield_now().await;
        }
        Instant::now() - before
    });
    let rounds = if cost.unwrap().is_zero() { 17 } else { 16 };
    let told = trampoline(&backend.make());
    if backend.is_uvloop() {
        // In whole milliseconds a trampoline may do one more round than the next.
        assert!(
            told[2] == rounds && told.is_sorted_by(|a, b| a >= b),
            "{told:?}"
        );
        assert!(told[0] <= 17);
    } else {
        assert_eq!(told, [rounds; 3]);
    }
}

/// Three callbacks that re-arm themselves every half second until a stop at 8 s.
fn trampoline(ev: &EventLoop) -> [usize; 3] {
    let end = ev.clone();
    ev.call_later(Duration::from_secs(8), move || end.stop())
        .unwrap();
    let log = Log::new();
    for name in 0..3 {
        bounce(ev, &log, name);
    }
    ev.run_forever().unwrap();
    let log = log.take();
    [0, 1, 2].map(|name| log.iter().filter(|&&noted| noted == name).count())
}

fn bounce(ev: &EventLoop, log: &Log<usize>, name: usize) {
    let (here, noted) = (ev.clone(), log.clone());
    ev.call_soon(move || again(&here, &noted, name)).unwrap();
}

fn again(ev: &EventLoop, log: &Log<usize>, name: usize) {
    log.note(name);
    let (here, noted) = (ev.clone(), log.clone());
    ev.call_later(Duration::from_millis(500), move || {
        again(&here, &noted, name)
    })
    .unwrap();
}

#[expect(
    clippy::disallowed_methods,
    reason = "real time, on the loops of production"
)]
fn pause(span: Duration) {
    thread::sleep(span);
}
