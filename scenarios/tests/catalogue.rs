//! Every scenario shows its failure in the broken form, and none in the mended one.

use scenarios::{CATALOGUE, Form};

/// How many seeds every mended form survives.
const SEEDS: u64 = 10_000;

/// A test for each scenario, so that they share the machine's cores.
macro_rules! every_mended_form_survives_10_000_seeds {
    ($($test:ident = $name:literal,)*) => {
        mod every_mended_form_survives_10_000_seeds {
            $(
                #[test]
                fn $test() {
                    let scenario = scenarios::find($name).unwrap();
                    let tally = scenario.play(scenarios::Form::Mended, super::SEEDS);
                    assert_eq!(tally.failing, [0; 0]);
                }
            )*
        }

        #[test]
        fn no_scenario_is_left_out() {
            let known = CATALOGUE.iter().map(|scenario| scenario.name);
            assert!(known.eq([$($name),*]));
        }
    };
}

every_mended_form_survives_10_000_seeds! {
    cleanup_order = "cleanup-order",
    asked_twice = "asked-twice",
    never_finished = "never-finished",
    second_term = "second-term",
    grace = "grace",
    job_holds_exit = "job-holds-exit",
    blocked_handler = "blocked-handler",
    early_term = "early-term",
    hash_order = "hash-order",
    trampoline = "trampoline",
    nested_run = "nested-run",
    nested_block_on = "nested-block-on",
    own_loop = "own-loop",
    burst = "burst",
    unread_failure = "unread-failure",
    result_or_cancel = "result-or-cancel",
    behind_stop = "behind-stop",
}

#[test]
fn every_broken_form_fails_within_the_seeds_it_states() {
    for scenario in CATALOGUE {
        assert!(scenario.fails_within <= 20, "{}", scenario.name);
        let tally = scenario.play(Form::Broken, scenario.fails_within);
        assert!(!tally.failing.is_empty(), "{}", scenario.name);
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
        let seed = scenario.play(Form::Broken, scenario.fails_within).failing[0];
        let run = scenario.run(Form::Broken, seed);
        let recorded = scenario.record(Form::Broken, seed);
        assert_eq!(run.hash, recorded.hash, "{}", scenario.name);
        let (verdict, recorded) = (run.verdict.unwrap(), recorded.verdict.unwrap());
        assert!(verdict.same_failure(&recorded), "{verdict}, {recorded}");
    }
}
