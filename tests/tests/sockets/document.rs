//! The document against the suite: no clause without a case, no case without a clause, and what
//! the cases show.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::PathBuf;
use std::{env, fs};

use crate::case::{Case, Reach};
use crate::cases;

/// Where the document stops being written by hand.
const RENDERED: &str = "<!-- From here on rendered by the suite. -->\n";

#[test]
fn every_clause_has_its_cases_and_every_case_its_clause() {
    let written = clauses(&by_hand());
    let once: BTreeSet<_> = written.iter().cloned().collect();
    assert_eq!(once.len(), written.len(), "a clause is written twice");
    let proved: BTreeSet<_> = cases().map(|case| case.clause.to_owned()).collect();
    assert_eq!(once, proved, "docs/SOCKETS.md against the suite");
}

#[test]
fn no_case_is_declared_twice() {
    let mut declared = BTreeSet::new();
    for case in cases() {
        assert!(declared.insert(case.name), "{} {}", case.clause, case.name);
    }
}

#[test]
fn the_document_shows_what_the_suite_does() {
    let by_hand = by_hand();
    let rendered = render(&clauses(&by_hand));
    if env::var_os("UPDATE_DOCS").is_some_and(|value| value == "1") {
        fs::write(path(), format!("{by_hand}{RENDERED}{rendered}")).expect("the document is ours");
        return;
    }
    assert!(
        document() == format!("{by_hand}{RENDERED}{rendered}"),
        "docs/SOCKETS.md does not show what the suite does: write it anew with\n    \
         UPDATE_DOCS=1 cargo test -p tests --test sockets document"
    );
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/SOCKETS.md")
}

fn document() -> String {
    fs::read_to_string(path()).expect("the document is there")
}

fn by_hand() -> String {
    let document = document();
    let (by_hand, _) = document.split_once(RENDERED).expect("the mark is there");
    by_hand.to_owned()
}

/// The clauses of a document, in its order.
fn clauses(document: &str) -> Vec<String> {
    let ids = document
        .lines()
        .filter_map(|line| line.strip_prefix("- **")?.split_once("**"));
    ids.map(|(id, _)| id.to_owned()).collect()
}

fn render(clauses: &[String]) -> String {
    let mut text = String::new();
    for clause in clauses {
        let _ = writeln!(text, "\n### {clause}\n");
        for case in cases().filter(|case| case.clause == *clause) {
            let _ = writeln!(text, "- {}{}", case.name.replace('_', " "), where_to(case));
            for line in case.outcome().unwrap_or_else(|trouble| vec![trouble]) {
                let _ = writeln!(text, "  - `{line}`");
            }
        }
    }
    text
}

fn where_to(case: &Case) -> String {
    match case.reach {
        Reach::Anywhere => String::new(),
        Reach::Loopback => " (one host)".into(),
        Reach::Worlds(because) => format!(" (worlds alone: production cannot {because})"),
    }
}
