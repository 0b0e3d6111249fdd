//! The program: what it prints, and how it exits.

use std::process::{Command, Output};

fn scenarios(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_scenarios"))
        .args(arguments)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn it_plays_both_forms_and_confirms_a_failing_seed_in_fresh_processes() {
    let output = scenarios(&["--seeds", "50"]);
    let out = text(&output.stdout);
    assert!(output.status.success(), "{out}{}", text(&output.stderr));
    for form in ["broken", "mended"] {
        let row = out
            .lines()
            .find(|line| line.starts_with("cleanup-order") && line.contains(form));
        let columns: Vec<_> = row.expect(out).split_whitespace().collect();
        assert_eq!(columns[2], "50");
        assert_eq!(columns[3] == "0", form == "mended", "{out}");
    }
    assert!(
        out.contains("replayed twice in fresh processes: same verdict, same trace"),
        "{out}"
    );
}

#[test]
fn the_command_it_prints_replays_the_same_failure() {
    let output = scenarios(&["play", "cleanup-order", "--seeds", "50"]);
    let out = text(&output.stdout);
    let line = |label| {
        out.lines()
            .find(|line: &&str| line.starts_with(label))
            .expect(out)
    };
    let mut command = line("again").split_whitespace().skip(1);
    let again = Command::new(command.next().unwrap())
        .args(command)
        .output()
        .unwrap();
    let again = text(&again.stdout);
    for label in ["run ", "verdict ", "trace "] {
        assert!(again.contains(line(label)), "{again}");
    }
    assert!(
        line("verdict").contains("batch was accepted and never flushed"),
        "{out}"
    );
}

#[test]
fn a_timeline_is_printed_before_the_verdict() {
    let replay = scenarios(&["replay", "cleanup-order", "--seed", "0", "--timeline"]);
    let out = text(&replay.stdout);
    assert!(out.lines().count() > 50, "{out}");
    assert!(out.contains("request_cancel"), "{out}");
    assert!(out.contains("verdict  none: the run passes"), "{out}");
}

#[test]
fn a_broken_form_that_never_fails_is_an_error() {
    // The plain run alone shows nothing.
    let output = scenarios(&["--seeds", "1"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("cleanup-order: the broken form never fails"));
}

#[test]
fn an_unknown_name_is_answered_with_the_known_ones() {
    let output = scenarios(&["replay", "nonsense", "--seed", "1"]);
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("no such scenario; there are: cleanup-order"));
    assert!(text(&scenarios(&["list"]).stdout).starts_with("R1   cleanup-order "));
}

#[test]
fn one_form_is_played_by_itself() {
    let output = scenarios(&["play", "hash-order", "--form", "mended", "--seeds", "20"]);
    let out = text(&output.stdout);
    assert!(output.status.success(), "{out}");
    let rows: Vec<_> = out.lines().skip(1).collect();
    assert!(
        matches!(rows[..], [row] if row.starts_with("hash-order       mended")),
        "{out}"
    );
}
