//! What blocked the threads of loops in the runs of a campaign that went on all the same.

use crate::run::outcome::Account;

/// The blocking calls of all runs so far.
#[derive(Debug, Default)]
pub(super) struct Blocked {
    runs: u64,
    all_runs: u64,
    calls: u64,
    /// The first seed under which something blocked.
    first: Option<u64>,
}

impl Blocked {
    /// Adds those of a run.
    pub(super) fn add(&mut self, seed: u64, account: &Account) {
        self.all_runs += 1;
        let calls = account.blockings.count;
        if calls > 0 {
            self.runs += 1;
            self.calls += calls;
            self.first.get_or_insert(seed);
        }
    }

    /// The seed that shows it, and what is said, unless nothing blocked.
    pub(super) fn told(&self) -> Option<(u64, String)> {
        let seed = self.first?;
        let Self {
            runs,
            all_runs,
            calls,
            ..
        } = self;
        let calls = match calls {
            1 => "1 call".to_owned(),
            n => format!("{n} calls"),
        };
        let sentence = format!(
            "{calls} blocked the thread of a loop, in {runs} of {all_runs} runs; under seed {seed:#x}:"
        );
        Some((seed, sentence))
    }
}
