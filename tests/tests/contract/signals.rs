//! Signals to a loop: clauses S1 to S7. What only a process can show, such as how it ends, is shown
//! by `--test signals`, on real ones and on hosts.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use event_loop::signal::raise;
use event_loop::time::sleep;
use event_loop::{EventLoop, LoopError, Runner, Signal, SignalError};
use sim::Config;

use crate::backends::Backend;
use crate::clause::Reach::{Everywhere, Only, Simulated, WorldsOwn};
use crate::clause::clauses;
use crate::log::{Log, sentence};

clauses! {
    S1 {
        a_handler_runs_in_a_later_iteration: Everywhere,
        a_signal_that_comes_before_its_handler_takes_the_default: Everywhere,
        a_fatal_signal_without_a_handler_ends_the_run: Simulated(IN_CHILDREN),
    }
    S2 {
        what_nobody_can_handle_is_refused: Everywhere,
        a_number_that_is_no_signal_is_refused: Everywhere,
        a_closed_loop_listens_to_nothing: Everywhere,
    }
    S3 {
        two_that_come_at_once_are_one_or_two: Everywhere,
        two_that_come_at_once_are_two: Only(Backend::has_one_queue, "tokio may make one of them"),
        two_kinds_are_handled_in_their_order: Only(
            Backend::has_one_queue,
            "tokio tells of kinds by their numbers, and tasks take the news on",
        ),
    }
    S4 {
        what_came_before_the_removal_is_handled: Everywhere,
        a_removed_handler_hears_no_more: Everywhere,
        the_default_is_restored_with_the_last: Simulated(IN_CHILDREN),
    }
    S5 {
        the_first_interrupt_cancels_main_and_is_its_error: Simulated(IN_CHILDREN),
        the_second_interrupt_ends_at_once: Simulated(IN_CHILDREN),
        who_listens_to_interrupts_gets_them: Simulated(IN_CHILDREN),
    }
    S6 {
        a_blocking_call_delays_the_handler: Everywhere,
    }
    S7 {
        a_handled_signal_interrupts_a_sleep_of_libc: WorldsOwn,
        an_ignored_signal_interrupts_nothing: WorldsOwn,
    }
}

const IN_CHILDREN: &str =
    "it would end the process of the suite: `--test signals` shows it in children";

/// A handler that notes `entry`.
fn noting(ev: &EventLoop, log: &Log<&'static str>, signal: Signal, entry: &'static str) {
    let log = log.clone();
    ev.add_signal_handler(signal, move || log.note(entry))
        .expect("it can be handled");
}

/// Runs the loop until `log` has `count` entries more, and a while longer.
async fn noted(log: &Log<&'static str>, count: usize) -> Vec<&'static str> {
    let mut all = Vec::new();
    while all.len() < count {
        sleep(Duration::from_millis(1)).await;
        all.extend(log.take());
    }
    sleep(Duration::from_millis(20)).await;
    all.extend(log.take());
    all
}

/// The tests of production share a process, and run beside one another: each sends a kind of its
/// own, and one that is ignored by default, or only while it handles it.
fn a_handler_runs_in_a_later_iteration(backend: Backend) {
    let (ev, log) = (backend.make(), Log::new());
    noting(&ev, &log, Signal::Winch, "handled");
    let (noted_in, on) = (log.clone(), ev.unowned());
    let all = ev.run_until_complete(async move {
        let noting = noted_in.clone();
        let sends = move || {
            raise(Signal::Winch).expect("it is sent");
            noting.note("sent");
        };
        drop(on.call_soon(sends).expect("it is open"));
        noted(&noted_in, 2).await
    });
    let all = all.unwrap();
    assert_eq!(all.first(), Some(&"sent"));
    assert!(all[1..].iter().all(|entry| *entry == "handled"), "{all:?}");
}

fn a_signal_that_comes_before_its_handler_takes_the_default(backend: Backend) {
    let (ev, log) = (backend.make(), Log::new());
    let noted_in = log.clone();
    let on = ev.unowned();
    let all = ev.run_until_complete(async move {
        raise(Signal::Pipe).expect("it is sent");
        noting(&on, &noted_in, Signal::Pipe, "handled");
        noted(&noted_in, 0).await
    });
    assert_eq!(all.unwrap(), [""; 0]);
}

fn a_fatal_signal_without_a_handler_ends_the_run(backend: Backend) {
    let ev = backend.make();
    let ended = ev.run_until_complete(async {
        raise(Signal::Winch).expect("it is sent, and ignored");
        raise(Signal::Term).expect("it is sent");
        sleep(Duration::from_secs(1)).await;
    });
    expect_ended_by(ended, "SIGTERM", Signal::Term);
}

/// The run has ended with the verdict that a signal has ended the process of the test's body.
#[track_caller]
fn expect_ended_by<T>(ended: Result<T, LoopError>, name: &str, signal: Signal) {
    let Err(LoopError::WorldEnded(verdict)) = ended else {
        panic!("the run goes on");
    };
    let by_number = format!("signal: {}", signal.as_raw());
    assert!(
        verdict.contains(name) || verdict.contains(&by_number),
        "{verdict}"
    );
}

fn what_nobody_can_handle_is_refused(backend: Backend) {
    let ev = backend.make();
    for signal in [Signal::Kill, Signal::Stop] {
        let refused = SignalError::Uncatchable { signal };
        assert_eq!(ev.signal(signal).unwrap_err(), refused);
        assert_eq!(ev.add_signal_handler(signal, || ()), Err(refused));
    }
    for signal in [Signal::Segv, Signal::Ill, Signal::Fpe] {
        let refused = ev.signal(signal).unwrap_err();
        assert!(matches!(refused, SignalError::Invalid { .. }), "{refused}");
    }
    let kill = ev.signal(Signal::Kill).unwrap_err();
    insta::assert_snapshot!(sentence(kill), @"sig SIGKILL cannot be caught: the kernel acts on it and no program hears of it; handle SIGTERM, which whoever ends processes sends first");
}

fn a_number_that_is_no_signal_is_refused(backend: Backend) {
    drop(backend.make());
    for number in [-1, 0, 999, i32::MAX] {
        let refused = Signal::from_raw(number).unwrap_err();
        assert!(
            refused
                .to_string()
                .starts_with(&format!("invalid signal number {number}: "))
        );
    }
    for &signal in Signal::ALL {
        assert_eq!(Signal::from_raw(signal.as_raw()), Ok(signal));
    }
}

fn a_closed_loop_listens_to_nothing(backend: Backend) {
    let ev = backend.make();
    ev.add_signal_handler(Signal::Usr1, || ()).unwrap();
    let mut stream = ev.signal(Signal::Usr1).unwrap();
    ev.close().unwrap();
    assert_eq!(ev.signal(Signal::Usr1).unwrap_err(), SignalError::Closed);
    let refused = ev.add_signal_handler(Signal::Usr1, || ());
    assert_eq!(refused, Err(SignalError::Closed));
    assert!(!ev.remove_signal_handler(Signal::Usr1));
    let last = futures::executor::block_on(stream.recv());
    assert_eq!(last, None);
}

/// What a handler notes of two signals that come at once.
fn two_at_once(backend: Backend, kinds: [Signal; 2]) -> Vec<&'static str> {
    let (ev, log) = (backend.make(), Log::new());
    for kind in kinds {
        noting(&ev, &log, kind, kind.name());
    }
    let all = ev.run_until_complete(async move {
        for kind in kinds {
            raise(kind).expect("it is sent");
        }
        noted(&log, 1).await
    });
    all.unwrap()
}

fn two_that_come_at_once_are_one_or_two(backend: Backend) {
    let noted = two_at_once(backend, [Signal::Cont; 2]).len();
    // Other tests of this process may send some, too.
    let most = if backend.is_simulated() {
        2
    } else {
        usize::MAX
    };
    assert!((1..=most).contains(&noted), "{noted}");
}

fn two_that_come_at_once_are_two(backend: Backend) {
    assert_eq!(two_at_once(backend, [Signal::Cont; 2]).len(), 2);
}

fn two_kinds_are_handled_in_their_order(backend: Backend) {
    let noted = two_at_once(backend, [Signal::Winch, Signal::Chld]);
    assert_eq!(noted, ["SIGWINCH", "SIGCHLD"]);
}

fn what_came_before_the_removal_is_handled(backend: Backend) {
    let (ev, log) = (backend.make(), Log::new());
    noting(&ev, &log, Signal::Urg, "handled");
    let (noted_in, on) = (log.clone(), ev.unowned());
    let all = ev.run_until_complete(async move {
        raise(Signal::Urg).expect("it is sent");
        assert!(on.remove_signal_handler(Signal::Urg));
        noted(&noted_in, 1).await
    });
    assert!(all.unwrap().contains(&"handled"));
}

fn a_removed_handler_hears_no_more(backend: Backend) {
    let (ev, log) = (backend.make(), Log::new());
    noting(&ev, &log, Signal::Chld, "replaced");
    noting(&ev, &log, Signal::Chld, "removed");
    assert!(ev.remove_signal_handler(Signal::Chld));
    assert!(!ev.remove_signal_handler(Signal::Chld));
    let all = ev.run_until_complete(async move {
        raise(Signal::Chld).expect("it is sent");
        noted(&log, 0).await
    });
    assert_eq!(all.unwrap(), [""; 0]);
}

fn the_default_is_restored_with_the_last(backend: Backend) {
    let ev = backend.make();
    let on = ev.unowned();
    let ended = ev.run_until_complete(async move {
        on.add_signal_handler(Signal::Hup, || ()).unwrap();
        let stream = on.signal(Signal::Hup).unwrap();
        raise(Signal::Hup).expect("it is sent");
        assert!(on.remove_signal_handler(Signal::Hup));
        let mut stream = stream;
        stream.recv().await.expect("it listens still");
        drop(stream);
        raise(Signal::Hup).expect("it is sent");
        sleep(Duration::from_secs(1)).await;
    });
    expect_ended_by(ended, "SIGHUP", Signal::Hup);
}

fn the_first_interrupt_cancels_main_and_is_its_error(backend: Backend) {
    let log = Log::new();
    let noted_in = log.clone();
    let mut runner = Runner::new(move || backend.factory());
    let ended = runner.run(async move {
        raise(Signal::Int).expect("it is sent");
        event_loop::cancelled().await;
        sleep(Duration::from_millis(5)).await;
        noted_in.note("clean");
    });
    assert_eq!(ended, Err(LoopError::Interrupted));
    assert_eq!(log.take(), ["clean"]);
    assert_eq!(runner.run(async { 7 }), Ok(7), "it is as good as ever");
}

fn the_second_interrupt_ends_at_once(backend: Backend) {
    let cleaned = Arc::new(Mutex::new(false));
    let cleans = cleaned.clone();
    let mut runner = Runner::new(move || backend.factory());
    let ended = runner.run(async move {
        raise(Signal::Int).expect("it is sent");
        event_loop::cancelled().await;
        raise(Signal::Int).expect("it is sent");
        sleep(Duration::from_millis(5)).await;
        *cleans.lock().unwrap() = true;
    });
    expect_ended_by(ended, "SIGINT", Signal::Int);
    assert!(!*cleaned.lock().unwrap());
}

fn who_listens_to_interrupts_gets_them(backend: Backend) {
    let mut runner = Runner::new(move || backend.factory());
    let heard = runner.run(async move {
        let ev = event_loop::current().unwrap();
        let mut interrupts = ev.signal(Signal::Int).unwrap();
        raise(Signal::Int).expect("it is sent");
        interrupts.recv().await
    });
    assert_eq!(heard, Ok(Some(())), "and main was not cancelled");
}

fn a_blocking_call_delays_the_handler(backend: Backend) {
    const BLOCKED: Duration = Duration::from_millis(30);
    let (ev, log) = (backend.make(), Log::new());
    let (notes, clock) = (log.clone(), ev.unowned());
    ev.add_signal_handler(Signal::Usr2, move || notes.note(clock.now()))
        .unwrap();
    let on = ev.unowned();
    let waited = ev.run_until_complete(async move {
        let (began, sender) = (Log::new(), on.clone());
        let begins = began.clone();
        let blocks = move || {
            raise(Signal::Usr2).expect("it is sent");
            begins.note(sender.now());
            event_loop::block_for(BLOCKED);
        };
        drop(on.call_soon(blocks).expect("it is open"));
        let handled = loop {
            sleep(Duration::from_millis(1)).await;
            if let Some(handled) = log.take().last() {
                break *handled;
            }
        };
        handled - began.take()[0]
    });
    assert!(waited.unwrap() >= BLOCKED);
}

/// What is left of libc's sleep of ten seconds, and when it ends, if a signal comes after three.
/// What a world says of who blocks is no matter of this clause.
fn sleep_of_ten(backend: Backend, handles: bool) -> Vec<(u32, u64)> {
    let slept = Log::new();
    let notes = slept.clone();
    drop(backend.world(Config::new(), |sim| async move {
        if handles {
            let handled = sim.event_loop().add_signal_handler(Signal::Chld, || ());
            handled.expect("it can be handled");
        }
        sim.at(Duration::from_secs(3), || {
            raise(Signal::Chld).expect("it is sent");
        });
        let left = nix::unistd::sleep(10);
        notes.note((left, sim.now().as_nanos() / 1_000_000_000));
    }));
    slept.take()
}

fn a_handled_signal_interrupts_a_sleep_of_libc(backend: Backend) {
    assert_eq!(sleep_of_ten(backend, true), [(7, 3)]);
}

fn an_ignored_signal_interrupts_nothing(backend: Backend) {
    assert_eq!(sleep_of_ten(backend, false), [(0, 10)]);
}
