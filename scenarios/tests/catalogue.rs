//! Every scenario shows its failure in the broken form, and none in the mended one.

use scenarios::{CATALOGUE, Form};

/// Within how many seeds every broken form has failed.
const FOUND_WITHIN: u64 = 20;

#[test]
fn every_broken_form_fails_within_20_seeds() {
    for scenario in CATALOGUE {
        let tally = scenario.play(Form::Broken, FOUND_WITHIN);
        assert!(!tally.failing.is_empty(), "{}", scenario.name);
    }
}

#[test]
fn every_mended_form_survives_1000_seeds() {
    for scenario in CATALOGUE {
        let tally = scenario.play(Form::Mended, 1_000);
        assert!(tally.failing.is_empty(), "{}: {tally:?}", scenario.name);
    }
}

#[test]
fn the_broken_cleanup_order_passes_the_plain_run_and_loses_batches_of_different_workers() {
    let scenario = scenarios::find("cleanup-order").unwrap();
    let plain = scenario.run(Form::Broken, 0);
    assert_eq!(plain.verdict, None);

    let tally = scenario.play(Form::Broken, 200);
    let share = tally.failing.len();
    assert!((40..160).contains(&share), "{share} of 200 seeds fail");

    let failures = tally.failing.iter();
    let failures = failures.map(|&seed| scenario.run(Form::Broken, seed).verdict.unwrap().message);
    let mut failures: Vec<_> = failures.collect();
    failures.sort();
    failures.dedup();
    let expected =
        [0, 1, 2, 3].map(|n| format!("worker {n}'s batch was accepted and never flushed"));
    assert_eq!(failures, expected);
}

#[test]
fn a_recorded_run_is_the_run() {
    for scenario in CATALOGUE {
        let seed = scenario.play(Form::Broken, FOUND_WITHIN).failing[0];
        let run = scenario.run(Form::Broken, seed);
        let recorded = scenario.record(Form::Broken, seed);
        assert_eq!(run.hash, recorded.hash);
        let (verdict, recorded) = (run.verdict.unwrap(), recorded.verdict.unwrap());
        assert!(verdict.same_failure(&recorded), "{verdict}, {recorded}");
    }
}
