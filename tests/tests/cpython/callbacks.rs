//! Callbacks, iterations and timers.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use event_loop::{CallHandle, block_for};

use crate::case::{Case, cases};

const MS: Duration = Duration::from_millis(1);

cases! {
    soon_is_first_in_first_out,
    scheduled_during_an_iteration,
    stop_during_an_iteration,
    stop_before_a_run,
    stop_in_the_middle_of_a_batch,
    stop_twice_in_a_batch,
    work_behind_a_timer_that_stops,
    later_zero_and_soon,
    later_zero_in_a_callback,
    deadlines_in_order,
    two_deadlines_tie,
    cancel_in_the_same_batch,
    cancel_a_timer_in_its_batch,
    cancel_after_the_run,
    an_error_in_a_callback,
    trampolines,
    a_trampoline_that_costs,
    a_timer_that_is_not_whole_milliseconds,
}

fn soon_is_first_in_first_out(it: &Case) {
    for name in ["0", "1", "2", "3", "4"] {
        it.soon(name);
    }
    it.once();
}

fn scheduled_during_an_iteration(it: &Case) {
    it.soon_then("a", |it| {
        it.soon_then("c", |it| drop(it.soon("d")));
    });
    it.soon("b");
    for _ in 0..3 {
        it.once();
        it.tell("|");
    }
}

fn stop_during_an_iteration(it: &Case) {
    it.soon_then("a", |it| {
        it.soon("c");
        it.ev.stop();
    });
    it.soon("b");
    it.run_forever();
    it.tell("|");
    it.once();
}

fn stop_before_a_run(it: &Case) {
    it.soon_then("a", |it| {
        it.soon_then("b", |it| drop(it.soon("c")));
    });
    it.ev.stop();
    it.run_forever();
    it.tell("|");
    it.once();
}

fn stop_in_the_middle_of_a_batch(it: &Case) {
    it.soon("a");
    it.soon_then("b", |it| it.ev.stop());
    it.soon_then("c", |it| drop(it.soon("d")));
    it.run_forever();
    it.tell("|");
    it.once();
}

fn stop_twice_in_a_batch(it: &Case) {
    it.soon_then("a", |it| it.ev.stop());
    it.soon_then("b", |it| {
        it.ev.stop();
        it.soon("c");
    });
    it.run_forever();
    it.tell("|");
    it.once();
}

fn work_behind_a_timer_that_stops(it: &Case) {
    it.later_then(2 * MS, "timer", |it| {
        it.soon("soon");
        it.ev.stop();
    });
    it.later(2 * MS, "timer too");
    it.run_forever();
    it.tell("|");
    it.once();
}

fn later_zero_and_soon(it: &Case) {
    it.later(Duration::ZERO, "later");
    it.soon("soon");
    it.once();
    it.once();
}

fn later_zero_in_a_callback(it: &Case) {
    it.soon_then("a", |it| {
        it.later(Duration::ZERO, "later");
        it.soon("soon");
    });
    it.soon("b");
    for _ in 0..3 {
        it.once();
        it.tell("|");
    }
}

fn deadlines_in_order(it: &Case) {
    for (delay, name) in [(5, "5"), (1, "1"), (4, "4"), (2, "2"), (3, "3")] {
        it.later(delay * MS, name);
    }
    it.stop_later(6 * MS);
    it.run_forever();
}

fn two_deadlines_tie(it: &Case) {
    let when = it.ev.now() + 2 * MS;
    for name in ["a", "b"] {
        it.at(when, name);
    }
    it.stop_later(4 * MS);
    it.run_forever();
}

/// Where a callback finds another one, to cancel it.
type Victim = Arc<Mutex<Option<CallHandle>>>;

fn cancel(victim: &Victim) {
    victim.lock().unwrap().as_ref().unwrap().cancel();
}

fn cancel_in_the_same_batch(it: &Case) {
    let victim = Victim::default();
    let found = victim.clone();
    it.soon_then("a", move |_| cancel(&found));
    *victim.lock().unwrap() = Some(it.soon("victim"));
    it.soon("b");
    it.once();
}

fn cancel_a_timer_in_its_batch(it: &Case) {
    let victim = Victim::default();
    let found = victim.clone();
    it.later_then(2 * MS, "a", move |_| cancel(&found));
    *victim.lock().unwrap() = Some(it.later(2 * MS, "victim"));
    it.stop_later(4 * MS);
    it.run_forever();
}

fn cancel_after_the_run(it: &Case) {
    let call = it.soon("a");
    it.once();
    call.cancel();
    it.once();
}

fn an_error_in_a_callback(it: &Case) {
    it.soon_then("a", |_| panic!("boom"));
    it.soon("b");
    it.once();
}

fn trampolines(it: &Case) {
    trampolines_of(it, Duration::ZERO);
}

fn a_trampoline_that_costs(it: &Case) {
    trampolines_of(it, Duration::from_micros(50));
}

fn trampolines_of(it: &Case, cost: Duration) {
    let rounds = Arc::<Mutex<[u32; 3]>>::default();
    let end = it.ev.clone();
    it.ev
        .call_later(Duration::from_secs(8), move || end.stop())
        .unwrap();
    for n in 0..3 {
        let (it, rounds) = (it.clone(), rounds.clone());
        let bounced = it.clone();
        it.ev
            .call_soon(move || bounce(&bounced, n, &rounds, cost))
            .unwrap();
    }
    it.run_forever();
    it.tell(format_args!("{:?}", rounds.lock().unwrap()));
}

fn bounce(it: &Case, n: usize, rounds: &Arc<Mutex<[u32; 3]>>, cost: Duration) {
    rounds.lock().unwrap()[n] += 1;
    block_for(cost);
    let (again, rounds) = (it.clone(), rounds.clone());
    let half = Duration::from_millis(500);
    it.ev
        .call_later(half, move || bounce(&again, n, &rounds, cost))
        .unwrap();
}

fn a_timer_that_is_not_whole_milliseconds(it: &Case) {
    it.later_then(Duration::from_micros(1_300), "timer", |it| {
        it.tell(it.ev.now().as_nanos());
        it.ev.stop();
    });
    it.run_forever();
}
