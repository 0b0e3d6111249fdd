//! The races as asyncio has them: in its profiles a broken form shows what was measured of CPython
//! and uvloop.

use std::collections::BTreeSet;

use scenarios::r1_asked_twice::{self, Asks};
use scenarios::{Form, r8_hash_order, r9_trampoline};
use sim::{Config, Profile, Sim};

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
