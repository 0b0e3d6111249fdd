//! What follows from a failure: it is confirmed where nothing is left of earlier runs, then reported.

use std::io;

use crate::run::artifacts;
use crate::run::campaign::{Mode, Runner, fail_with, variable};
use crate::run::child::Errand;
use crate::run::outcome::Account;
use crate::run::record;
use crate::run::report::Report;
use crate::run::settings::{self, parse_seed};
use crate::trace;
use crate::world::verdict::VerdictKind;

impl Runner<'_> {
    /// A run has failed: it is confirmed, and reported if it is true. Returns how the campaign
    /// goes on if it is not.
    pub(super) fn judge(&self, seed: u64, account: Account, mode: Mode) -> Mode {
        if self.test.case.is_none() {
            self.judge_closure(seed, account);
        }
        let first = match self.in_child(seed, "") {
            Ok(first) => first,
            Err(why) => {
                // Better an unconfirmed report than none.
                let checked = format!("not confirmed, for there was no fresh process: {why}");
                self.report(seed, &account, checked, Vec::new());
            }
        };
        let (second, runs) = match self.in_child(seed, "again") {
            Ok(second) => (Some(second), 2),
            Err(_) => (None, 1),
        };
        if second.is_some_and(|second| !first.agrees_with(&second)) {
            self.report_divergence(seed, first, "two fresh processes");
        }
        let Some(verdict) = &first.verdict else {
            artifacts::discard(&self.test.identity, seed);
            eprintln!(
                "sim: {} failed under seed {seed:#x} in this process ({}) and passes in a fresh \
                 one: something outlives a run, such as a static; going on with a process per seed",
                self.name(),
                account
                    .verdict
                    .map_or_else(String::new, |verdict| verdict.message),
            );
            return Mode::ProcessPerSeed;
        };
        let checked = match verdict.kind {
            VerdictKind::Abort => format!("{runs} of {runs} re-runs ended so in fresh processes"),
            VerdictKind::Hang => format!("{runs} of {runs} re-runs hang in fresh processes"),
            _ => format!(
                "{runs} of {runs} re-runs identical in fresh processes (trace {:016x})",
                first.hash
            ),
        };
        let mut notes = Vec::new();
        if mode == Mode::InProcess && account.hash != 0 && account.hash != first.hash {
            notes.push(
                "the campaign's own process went differently: something outlives a run, such as \
                 a static or a lazily made value"
                    .to_owned(),
            );
        }
        self.report(seed, &first, checked, notes)
    }

    /// A failure of a closure: run again here, for it can be run nowhere else.
    fn judge_closure(&self, seed: u64, account: Account) -> ! {
        let folder = self.test.draft(seed);
        let again = self.run(self.plan(seed), Some(&folder));
        if !again.agrees_with(&account) {
            self.run(self.plan(seed), Some(&folder.join("again")));
            self.report_divergence(seed, account, "two runs in this process");
        }
        let checked = format!(
            "1 of 1 re-runs identical, in this process only (trace {:016x})",
            again.hash
        );
        let how = format!("run this program again with SIM_SEED={seed:#x} in its environment");
        self.report(seed, &again, checked, vec![how])
    }

    /// Two runs of one seed differ: that is the failure, whatever either of them did.
    pub(super) fn report_divergence(&self, seed: u64, mut account: Account, between: &str) -> ! {
        let folder = self.test.draft(seed);
        let difference = trace::first_difference(
            &folder.join("trace.txt"),
            &folder.join("again").join("trace.txt"),
        );
        let what = format!(
            "{between} of one seed differ: the test depends on something the seed does not decide"
        );
        account.verdict = Account::lost(VerdictKind::Divergence, what, 0).verdict;
        let mut notes = difference.unwrap_or_else(|| {
            vec!["the recorded runs agree: the difference comes and goes".to_owned()]
        });
        notes.push(
            "likely leaks: entropy past libc, a file or socket of the machine, an address in a \
             decision, a static that outlives a run"
                .to_owned(),
        );
        if !interpose::SUPPORTED {
            notes.push(
                "on this platform std's clocks and the order of a HashMap are the machine's, not \
                 the seed's"
                    .to_owned(),
            );
        }
        self.report(seed, &account, format!("{between} differ"), notes)
    }

    /// A process died under a seed, and this one was started to look into it.
    pub(super) fn autopsy(&self, words: &str) {
        let seed = words
            .split_once("SIM_SEED=")
            .and_then(|(_, seed)| parse_seed(seed.trim()));
        if let (Some(seed), Some(_)) = (seed, self.test.case) {
            #[cfg(unix)]
            record::reported_for(std::os::unix::process::parent_id(), &self.test.identity);
            let lost = Account::lost(VerdictKind::Abort, "the process died".to_owned(), 0);
            self.judge(seed, lost, Mode::ProcessPerSeed);
        }
    }

    /// A run of the test in a fresh process.
    pub(super) fn in_child(&self, seed: u64, part: &str) -> io::Result<Account> {
        let no_case = || io::Error::other("a closure has no process of its own");
        let case = self.test.case.as_ref().ok_or_else(no_case)?;
        let replay = variable(settings::REPLAY);
        let errand = Errand {
            case,
            seed,
            replay: replay.as_deref(),
        };
        errand.run(&self.test.draft(seed).join(part))
    }

    fn report(&self, seed: u64, account: &Account, checked: String, notes: Vec<String>) -> ! {
        let replay = variable(settings::REPLAY);
        let folder = artifacts::settle(&self.test.identity, seed);
        let report = Report {
            case: self.test.case.as_ref(),
            name: self.name(),
            seed,
            replay: replay.as_deref(),
            account,
            checked,
            files: folder.join("trace.jsonl").is_file().then_some(&folder),
            notes,
        };
        eprint!("{report}");
        let verdict = account.verdict.as_ref();
        fail_with(verdict.map_or_else(String::new, |verdict| verdict.message.clone()))
    }
}
