//! Which branch comes first in a world: the seed's to decide, recorded and replayed.

use std::future::ready;
use std::process::{Command, Output};

use sim::{Config, Profile, Sim};

/// Which of three ready branches comes first, three times.
async fn firsts(_: Sim) -> [u32; 3] {
    let mut firsts = [0; 3];
    for first in &mut firsts {
        *first = event_loop::select! {
            () = ready(()) => 0,
            () = ready(()) => 1,
            () = ready(()) => 2,
        };
    }
    firsts
}

#[test]
fn every_branch_comes_first_for_some_seed_and_the_first_in_the_plain_run() {
    for profile in Profile::ALL {
        let config = Config::new().profile(profile);
        let of = |seed| sim::run_once(&config, seed, firsts).value.unwrap();
        assert_eq!(of(0), [0; 3]);
        for branch in 0..3 {
            for place in 0..3 {
                let found = (1..50).find(|seed| of(*seed)[place] == branch);
                assert!(found.is_some(), "{profile}: never {branch} at {place}");
            }
        }
    }
}

#[test]
fn a_first_branch_is_a_choice_that_its_entries_replay() {
    let config = Config::new().profile(Profile::Exact);
    let recorded = (1..50)
        .map(|seed| sim::record_once(&config, seed, firsts))
        .find(|run| run.value == Some([2, 0, 1]))
        .expect("one of 27");
    let entries = recorded.entries().unwrap();
    assert_eq!(entries, "main?select#1=2;main?select#3=1");
    let replayed = sim::replay_once(&config, 0, &entries, firsts).unwrap();
    assert_eq!(replayed.value, recorded.value);
    assert_eq!(replayed.hash, recorded.hash);
}

#[test]
fn a_biased_select_leaves_nothing_open() {
    let config = Config::new().profile(Profile::Exact);
    let biased = |_: Sim| async {
        event_loop::select! {
            biased;
            () = ready(()) => 0,
            () = ready(()) => 1,
        }
    };
    for seed in 0..50 {
        let run = sim::record_once(&config, seed, biased);
        assert_eq!(run.value, Some(0));
        assert_eq!(run.entries().unwrap(), "");
    }
}

/// This binary once more, for the planted test.
fn run_planted(environment: &[(&str, &str)]) -> (bool, String) {
    let Output {
        status,
        stderr,
        stdout,
    } = Command::new(std::env::current_exe().unwrap())
        .args(["choice::planted", "--exact", "--ignored", "--nocapture"])
        .env_remove("SIM_CHILD")
        .envs(environment.iter().copied())
        .output()
        .expect("this binary starts again");
    let printed = String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned();
    (status.success(), printed)
}

/// The rest of the report's line with this title.
fn line<'a>(report: &'a str, title: &str) -> &'a str {
    let mut lines = report.lines().map(str::trim_start);
    let line = lines.find_map(|line| line.strip_prefix(title));
    line.unwrap_or_else(|| panic!("no line \"{title}\" in\n{report}"))
        .trim()
}

#[test]
fn a_failure_that_hangs_on_it_is_replayed_by_its_seed_and_by_its_entries() {
    let (passed, report) = run_planted(&[]);
    assert!(!passed, "{report}");
    assert!(line(&report, "checked ").starts_with("2 of 2"), "{report}");
    let replay = line(&report, "replay ");
    let seed = replay.split_once(' ').unwrap().0;
    let seed = seed.strip_prefix("SIM_SEED=").expect("a seed suffices");
    let folder = line(&report, "files ").split("/ {").next().unwrap();
    let choices = format!("{folder}/choices.json");
    for environment in [("SIM_SEED", seed), ("SIM_REPLAY", choices.as_str())] {
        let (passed, again) = run_planted(&[environment]);
        assert!(!passed, "{again}");
        for title in ["sim FAILED", "checked ", "when "] {
            assert_eq!(line(&report, title), line(&again, title));
        }
    }
    let (passed, again) = run_planted(&[("SIM_REPLAY", "main?select#1=1;main?select#2=2")]);
    assert!(!passed, "{again}");
    let (passed, again) = run_planted(&[("SIM_REPLAY", "main?select#1=1")]);
    assert!(passed, "{again}");
}

#[sim::test(profile = "exact")]
#[ignore = "fails on purpose"]
async fn planted(sim: Sim) {
    let [first, second, _] = firsts(sim).await;
    assert!((first, second) != (1, 2), "the second, then the third");
}
