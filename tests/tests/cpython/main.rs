//! The same steps on CPython's asyncio and on the loop of profile `asyncio`, compared in what they
//! do, in which order, and with which sentences they refuse; and on uvloop and profile `uvloop`.
//!
//! `steps.py` has each case under the same name. It needs Python 3.11, for `asyncio.Runner`; what
//! differs in later versions is not asked for. Without a `python3` on the `PATH`, or without uvloop
//! in it, nothing is compared, and a line on standard error says so.

mod callbacks;
mod case;
mod refusals;
mod tasks;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::process::Command;

use serde_json::Value;
use sim::Profile;

use crate::case::{Case, Steps};

const STEPS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cpython/steps.py");

/// What each case told.
type Results = BTreeMap<String, Vec<String>>;

#[test]
fn profile_asyncio_does_what_cpython_does() {
    compare(Profile::Asyncio);
}

#[test]
fn profile_uvloop_does_what_uvloop_does() {
    compare(Profile::Uvloop);
}

fn compare(profile: Profile) {
    let theirs = match on_python(profile) {
        Ok(results) => results,
        Err(why) => {
            return eprintln!("profile {profile} was not compared with the real one: {why}");
        }
    };
    let ours = on_ours(profile);
    let mut report = String::new();
    for (case, theirs) in &theirs {
        match ours.get(case) {
            Some(ours) if alike(ours, theirs) => {}
            ours => writeln!(report, "{case}\n  Python: {theirs:?}\n    ours: {ours:?}").unwrap(),
        }
    }
    assert!(report.is_empty(), "{report}");
    let left_out = ours.keys().filter(|case| !theirs.contains_key(*case));
    if profile == Profile::Asyncio {
        assert_eq!(
            left_out.collect::<Vec<_>>(),
            [""; 0],
            "Python has no such cases"
        );
    }
    assert!(theirs.len() >= 30, "{} cases", theirs.len());
}

/// Sentences of ours go on where Python's end, and uvloop spells them its own way.
fn alike(ours: &[String], theirs: &[String]) -> bool {
    let same = |(ours, theirs): (&String, &String)| {
        let sentence = theirs.trim_end_matches('.');
        let begins = ours.get(..sentence.len());
        ours == theirs
            || sentence.contains(' ') && begins.is_some_and(|b| b.eq_ignore_ascii_case(sentence))
    };
    ours.len() == theirs.len() && ours.iter().zip(theirs).all(same)
}

fn on_python(profile: Profile) -> Result<Results, String> {
    let mut command = Command::new("python3");
    command.arg(STEPS);
    if profile == Profile::Uvloop {
        command.arg("uvloop");
    }
    let output = command
        .output()
        .map_err(|error| format!("python3: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    match output.status.code() {
        Some(0) => {}
        // So it says that there is nothing to compare with.
        Some(77) => return Err(text(&output.stderr)),
        _ => panic!("{}", text(&output.stderr)),
    }
    let lines = text(&output.stdout);
    Ok(lines.lines().map(read).collect())
}

fn read(line: &str) -> (String, Vec<String>) {
    let line: Value = serde_json::from_str(line).expect("a line is JSON");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let told = line["result"].as_array().expect("a list");
    (text(&line["case"]), told.iter().map(text).collect())
}

fn on_ours(profile: Profile) -> Results {
    let cases = [callbacks::CASES, refusals::CASES, tasks::CASES].concat();
    cases
        .into_iter()
        .map(|(name, steps)| (name.to_owned(), run(profile, steps)))
        .collect()
}

/// Runs the steps on a thread that is called as Python's is.
fn run(profile: Profile, steps: Steps) -> Vec<String> {
    let thread = std::thread::Builder::new().name("MainThread".to_owned());
    let told = thread.spawn(move || {
        let ev = sim::factory(0, profile).unwrap();
        let case = Case::new(profile, ev.unowned());
        steps(&case);
        let told = case.told();
        drop(ev);
        told
    });
    told.unwrap().join().expect("the steps do not panic")
}
