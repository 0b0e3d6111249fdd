//! The document against the suite: no clause without a test, no test without a clause, and the
//! matrix as it follows from the table.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::PathBuf;
use std::{env, fs};

use sim::Profile;

use crate::backends::{Backend, Backends, made};
use crate::clause::{Reach, Test};
use crate::tests;

/// Clauses that wait for their feature, and for which.
const NOT_BUILT_YET: &[(&str, &str)] = &[];

/// Where the document stops being written by hand.
const RENDERED: &str = "<!-- From here on rendered by the suite. -->\n";

#[test]
fn every_clause_has_its_tests_and_every_test_its_clause() {
    let written: BTreeSet<_> = clauses(&document()).into_iter().collect();
    let built: BTreeSet<_> = tests().map(|test| test.clause.to_owned()).collect();
    let waiting: BTreeSet<_> = NOT_BUILT_YET.iter().map(|(id, _)| (*id).into()).collect();
    assert_eq!(
        built.intersection(&waiting).collect::<Vec<_>>(),
        [""; 0],
        "these clauses have tests: take them from NOT_BUILT_YET"
    );
    let known: BTreeSet<_> = built.union(&waiting).cloned().collect();
    assert_eq!(written, known, "docs/CONTRACT.md against the suite");
}

#[test]
fn no_clause_is_written_twice() {
    let mut written = clauses(&document());
    written.sort_unstable();
    let twice: Vec<_> = written.windows(2).filter(|two| two[0] == two[1]).collect();
    assert_eq!(twice.len(), 0, "{twice:?}");
}

#[test]
fn no_test_is_declared_twice_for_a_clause() {
    let mut declared = BTreeSet::new();
    for test in tests() {
        let new = declared.insert((test.clause, test.name));
        assert!(new, "{} {}", test.clause, test.name);
    }
}

#[test]
fn the_matrix_is_what_the_suite_declares() {
    let document = document();
    let (by_hand, rendered) = document.split_once(RENDERED).expect("the mark is there");
    let matrix = render(&clauses(by_hand));
    if env::var_os("UPDATE_DOCS").is_some_and(|value| value == "1") {
        fs::write(path(), format!("{by_hand}{RENDERED}{matrix}")).expect("the document is ours");
        return;
    }
    assert!(
        rendered == matrix,
        "docs/CONTRACT.md does not show what the suite declares: write it anew with\n    \
         UPDATE_DOCS=1 cargo test -p tests --test contract matrix"
    );
}

#[test]
fn a_reach_runs_on_every_loop_it_names_and_on_no_other() {
    let everything = Backends::Everywhere.list();
    let backends = columns();
    for test in tests() {
        let runs = test.reach.backends().list();
        assert!(!runs.is_empty(), "{} runs nowhere", test.name);
        let elsewhere = everything.iter().filter(|backend| !runs.contains(backend));
        assert!(elsewhere.into_iter().all(|backend| !test.runs_on(*backend)));
        // The matrix looks at the plain run of each profile.
        for column in &backends {
            let any = runs.iter().any(|backend| same_column(*column, *backend));
            assert_eq!(any, test.runs_on(*column), "{}", test.name);
        }
    }
}

#[test]
fn a_test_that_makes_no_loop_of_its_backend_fails() {
    let test = |body| Test {
        clause: "C1",
        name: "of_no_loop",
        reach: Reach::Everywhere,
        body,
    };
    let run = |test: Test| std::panic::catch_unwind(move || test.run());
    assert!(run(test(|_| ())).is_err());
    assert!(run(test(|_| drop(Backend::CurrentThread.make()))).is_err());
    let before = made(Backend::MultiThread);
    assert!(run(test(|backend| drop(backend.make()))).is_ok());
    assert_eq!(made(Backend::MultiThread), before + 1);
}

#[test]
fn a_loop_is_of_the_backend_that_it_is_counted_for() {
    for backend in Backends::Everywhere.list() {
        let described = backend.make().describe();
        let expected = match backend {
            Backend::CurrentThread => ("tokio", "current-thread".to_owned()),
            Backend::MultiThread => ("tokio", "multi-thread".to_owned()),
            Backend::Simulated { profile, .. } => ("simulated", profile.to_string()),
        };
        assert_eq!((described.backend, described.profile), expected);
    }
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/CONTRACT.md")
}

fn document() -> String {
    fs::read_to_string(path()).expect("the document is there")
}

/// The clauses of a document, in its order.
fn clauses(document: &str) -> Vec<String> {
    let ids = document
        .lines()
        .filter_map(|line| line.strip_prefix("- **")?.split_once("**"));
    ids.map(|(id, _)| id.to_owned()).collect()
}

/// A backend for each column: the loops of production, and the plain run of each profile.
fn columns() -> Vec<Backend> {
    let worlds = Profile::ALL.map(|profile| Backend::Simulated { profile, seed: 0 });
    [Backend::CurrentThread, Backend::MultiThread]
        .into_iter()
        .chain(worlds)
        .collect()
}

fn same_column(a: Backend, b: Backend) -> bool {
    match (a, b) {
        (Backend::Simulated { profile: a, .. }, Backend::Simulated { profile: b, .. }) => a == b,
        _ => a == b,
    }
}

fn heading(column: Backend) -> String {
    match column {
        Backend::CurrentThread => "current-thread".into(),
        Backend::MultiThread => "multi-thread".into(),
        Backend::Simulated { profile, .. } => format!("`{profile}`"),
    }
}

fn render(clauses: &[String]) -> String {
    let columns = columns();
    let mut text = String::from(
        "\nThe first two columns are the loops of production, the others the profiles of the \
         simulated one.\n*In part* means but for what is listed below.\n\n| |",
    );
    for column in &columns {
        let _ = write!(text, " {} |", heading(*column));
    }
    text.push_str("\n|---|");
    text.push_str(&"---|".repeat(columns.len()));
    text.push('\n');
    for clause in clauses {
        let _ = write!(text, "| {clause} |");
        for column in &columns {
            let _ = write!(text, " {} |", cell(clause, *column));
        }
        text.push('\n');
    }
    text.push_str("\n### What does not hold everywhere\n\n| clause | what | not on | because |\n");
    text.push_str("|---|---|---|---|\n");
    for (place, test) in exceptions(clauses) {
        let missing = columns.iter().filter(|column| !test.runs_on(**column));
        let missing: Vec<_> = missing.map(|column| heading(*column)).collect();
        let missing = match missing.len() {
            2 if missing[0] == "current-thread" => "production".to_owned(),
            n if n == Profile::ALL.len() => "a world".to_owned(),
            _ => missing.join(", "),
        };
        let (what, because) = (sentence(test.name), test.reach.because().unwrap_or("?"));
        let clause = &clauses[place];
        let _ = writeln!(text, "| {clause} | {what} | {missing} | {because} |");
    }
    text
}

/// The tests that do not run everywhere, in the document's order of their clauses.
fn exceptions(clauses: &[String]) -> Vec<(usize, &'static Test)> {
    let places: BTreeMap<_, _> = clauses.iter().map(String::as_str).zip(0..).collect();
    let mut exceptions: Vec<_> = tests()
        .filter(|test| test.reach.because().is_some())
        .filter_map(|test| Some((*places.get(test.clause)?, test)))
        .collect();
    exceptions.sort_by_key(|(place, _)| *place);
    exceptions
}

fn cell(clause: &str, column: Backend) -> &'static str {
    let of_clause = || tests().filter(|test| test.clause == clause);
    let concerned = of_clause().filter(|test| test.concerns(column)).count();
    let promised = of_clause().filter(|test| test.concerns(column) && test.runs_on(column));
    match promised.count() {
        _ if NOT_BUILT_YET.iter().any(|(id, _)| *id == clause) => "not built yet",
        0 if column.is_simulated() => "not promised",
        0 => "simulation only",
        n if n == concerned => "promised",
        _ => "in part",
    }
}

/// The name of a test as the sentence it is.
fn sentence(name: &str) -> String {
    name.replace('_', " ")
}
