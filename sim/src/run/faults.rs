//! What the faults of a campaign's runs came to.

use std::collections::BTreeMap;

use crate::run::outcome::Account;

/// The faults of all runs so far, by their kind.
#[derive(Debug, Default)]
pub(super) struct Faults {
    by_kind: BTreeMap<String, Sum>,
}

#[derive(Debug)]
struct Sum {
    /// The first one.
    example: String,
    asked: u64,
    eligible: u64,
    applied: u64,
    /// Each was lifted in the instant in which it began.
    momentary: bool,
}

impl Faults {
    /// Adds those of a run.
    pub(super) fn add(&mut self, account: &Account) {
        for rule in &account.rules {
            let sum = self.by_kind.entry(rule.kind.clone());
            let sum = sum.or_insert_with(|| Sum {
                example: rule.rule.clone(),
                asked: 0,
                eligible: 0,
                applied: 0,
                momentary: true,
            });
            sum.asked += 1;
            sum.eligible += rule.eligible;
            sum.applied += rule.applied;
            sum.momentary &= rule.lifted == Some(rule.begun);
        }
    }

    /// The kinds that did nothing in any run, a sentence each: the test has not shown what they
    /// were there for.
    pub(super) fn idle(&self) -> impl Iterator<Item = String> {
        let idle = self.by_kind.iter().filter(|(_, sum)| sum.applied == 0);
        idle.map(|(kind, sum)| {
            let Sum {
                example,
                asked,
                eligible,
                momentary,
                ..
            } = sum;
            let times = if *asked == 1 { "time" } else { "times" };
            let why = match (&**kind, eligible) {
                ("reset", _) => "there was no connection to cut",
                (_, 0) if *momentary => {
                    "it was lifted in the instant in which it began, as `let _ = …` does: hold \
                     the guard as `let _guard = …`, or `keep` the rule"
                }
                ("dns", 0) => "nobody looked the name up while it stood",
                (_, 0) => "nothing was sent where it stood",
                _ => "it let pass all that it looked at",
            };
            format!("\"{example}\" was asked for {asked} {times} and never did anything: {why}")
        })
    }
}
