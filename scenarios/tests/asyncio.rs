//! The races as asyncio has them: in its profiles a broken form shows what was measured of CPython
//! and uvloop.

use std::collections::BTreeSet;
use std::time::Duration;

use scenarios::r1_asked_twice::{self, Asks};
use scenarios::r6_blocked_handler::{self, Compaction};
use scenarios::{
    Form, r3_second_term, r4_grace, r5_job_holds_exit, r7_early_term, r8_hash_order, r9_trampoline,
};
use sim::{Config, Profile, Signal, Sim};

fn profile(profile: Profile) -> Config {
    Config::new().profile(profile)
}

/// In how many of 40 runs the batch is kept.
fn kept_of_40(asks: Asks) -> usize {
    let config = profile(Profile::Asyncio);
    let kept = |sim: Sim| r1_asked_twice::kept(sim, asks);
    let runs = (1..=40).map(|seed| sim::run_once(&config, seed, kept));
    runs.filter(|run| run.verdict.is_none()).count()
}

/// R1: CPython 3.12, which has the group before its workers, keeps 40 of 40; 3.11, which has it
/// behind them, loses 40 of 40; shuffled it is 20 to 25.
#[test]
fn one_term_keeps_or_loses_the_cleanup_by_the_order_in_which_tasks_are_asked() {
    assert_eq!(kept_of_40(Asks::GroupFirst), 40);
    assert_eq!(kept_of_40(Asks::WorkerFirst), 0);
    let shuffled = kept_of_40(Asks::AnyOrder);
    assert!((12..=28).contains(&shuffled), "{shuffled} of 40");
    assert_eq!(kept_of_40(Asks::GroupAlone), 40);
}

/// R2: never on asyncio, always on uvloop.
#[test]
fn shutdown_finished_is_never_logged_on_asyncio_and_always_on_uvloop() {
    let scenario = scenarios::find("never-finished").unwrap();
    for seed in 0..40 {
        let asyncio = scenario.run_as(&profile(Profile::Asyncio), Form::Broken, seed);
        assert!(asyncio.verdict.is_some(), "seed {seed}");
        let uvloop = scenario.run_as(&profile(Profile::Uvloop), Form::Broken, seed);
        assert_eq!(uvloop.verdict, None, "seed {seed}");
    }
}

/// R3: a second TERM during the cleanup cuts it short, every time.
#[test]
fn a_second_term_in_the_cleanup_cuts_it_short() {
    for seed in 1..=40 {
        let config = profile(Profile::Asyncio);
        let run = sim::run_once(&config, seed, r3_second_term::broken_in_the_middle);
        let verdict = run.verdict.expect("the batch is lost");
        assert!(verdict.message.contains("never flushed"), "{verdict}");
    }
}

/// R4: a worker that swallows its cancellation holds the exit for as long as it likes.
#[test]
fn the_grace_does_not_bind() {
    for down_for in [7, 12, 20].map(Duration::from_secs) {
        let held = move |sim| r4_grace::held_for(sim, down_for);
        let run = sim::run_once(&profile(Profile::Asyncio), 0, held);
        let held = run.value.unwrap();
        assert!(held >= down_for - Duration::from_millis(100), "{held:?}");
        assert!(held <= down_for + Duration::from_millis(200), "{held:?}");
    }
}

/// R5: a job of 2 s in the executor holds the exit for 2 s.
#[test]
fn a_job_in_the_executor_holds_the_exit_for_as_long_as_it_takes() {
    let held = |sim| r5_job_holds_exit::held_for(sim, Duration::from_secs(2));
    let run = sim::run_once(&profile(Profile::Asyncio), 0, held);
    let held = run.value.unwrap();
    let expected = Duration::from_secs(2)..Duration::from_millis(2_020);
    assert!(expected.contains(&held), "{held:?}");
}

/// R6: TERM at 0.30 s is handled at 1.10 s.
#[test]
fn a_blocking_call_delays_the_handler_by_as_long_as_it_blocks() {
    let at = Duration::from_millis(301);
    let handled = |compaction| {
        let main = move |sim| r6_blocked_handler::handled_after(sim, at, compaction);
        sim::run_once(&profile(Profile::Asyncio), 0, main)
            .value
            .unwrap()
    };
    let blocked = at + handled(Compaction::OnTheLoop);
    let expected = Duration::from_millis(1_100)..=Duration::from_millis(1_101);
    assert!(expected.contains(&blocked), "{blocked:?}");
    assert!(handled(Compaction::InTheExecutor) < Duration::from_millis(12));
}

/// R7: no cleanup, exit by signal.
#[test]
fn a_term_before_its_handler_ends_the_process_by_the_signal() {
    for seed in 0..40 {
        let exit = |at| {
            let main = move |sim| r7_early_term::exit_of_the_broken(sim, Duration::from_millis(at));
            sim::run_once(&profile(Profile::Asyncio), seed, main)
                .value
                .unwrap()
        };
        assert_eq!(exit(12).signal(), Some(Signal::Term));
        assert!(exit(40).success());
    }
}

/// R8: the order differs from process to process, and with it what is lost.
#[test]
fn the_order_of_a_hash_table_is_the_run_s() {
    let order = |seed| {
        let run = move || {
            let order = |_| async { r8_hash_order::order_of_a_table() };
            sim::run_once(&profile(Profile::Asyncio), seed, order).value
        };
        // On a thread of its own: what a thread keeps are the keys of its tables.
        std::thread::spawn(run).join().unwrap().unwrap()
    };
    let orders: BTreeSet<_> = (0..40).map(order).collect();
    assert!(orders.len() > 20, "{} of 40 are different", orders.len());
    for seed in 0..40 {
        assert_eq!(order(seed), order(seed));
    }
    let scenario = scenarios::find("hash-order").unwrap();
    let lost = (0..40).filter(|&seed| {
        let run = scenario.run_as(&profile(Profile::Asyncio), Form::Broken, seed);
        run.verdict.is_some()
    });
    let lost = lost.count();
    assert!((8..=32).contains(&lost), "{lost} of 40 are lost");
}

/// R9: 17 by an ideal clock; 16 where a timer is late.
#[test]
fn the_trampoline_takes_17_rounds_or_16() {
    for with in [
        Profile::TokioMt,
        Profile::TokioCt,
        Profile::Asyncio,
        Profile::Uvloop,
    ] {
        let rounds = |seed| sim::run_once(&profile(with), seed, r9_trampoline::rounds).value;
        assert_eq!(rounds(0), Some([17; 3]), "{with}");
        let seen: BTreeSet<u32> = (1..100).flat_map(|seed| rounds(seed).unwrap()).collect();
        assert_eq!(seen, BTreeSet::from([16, 17]), "{with}");
    }
}

/// R17: C waits for the next run; uvloop's `stop` is a callback itself, and C is behind nothing.
#[test]
fn what_is_queued_behind_stop_runs_on_uvloop_alone() {
    let scenario = scenarios::find("behind-stop").unwrap();
    for with in Profile::ALL {
        let run = scenario.run_as(&profile(with), Form::Broken, 0);
        assert_eq!(run.verdict.is_none(), with == Profile::Uvloop, "{with}");
    }
}
