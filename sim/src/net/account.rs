//! What the rules of a run did.

use std::fmt;
use std::time::Duration;

use net_sim::FaultStats;
use serde::{Deserialize, Serialize};
use virtual_time::Instant;

/// What a rule that a test asked of its network did in a run, or what befell on its links by their
/// own nature: see [`Run::rules`](crate::Run::rules).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RuleAccount {
    /// What was asked for, such as `partition a | b`, or `loss`.
    pub rule: String,
    /// The first word of it.
    pub kind: String,
    /// When it began, since the world did.
    pub begun: Duration,
    /// When it was lifted; `None` if it stood to the end.
    pub lifted: Option<Duration>,
    /// How many segments and datagrams it looked at.
    pub eligible: u64,
    /// To how many of them it did something.
    pub applied: u64,
}

impl RuleAccount {
    pub(crate) fn new(
        rule: String,
        begun: Duration,
        lifted: Option<Duration>,
        stats: FaultStats,
    ) -> Self {
        Self {
            kind: rule.split(' ').take(1).collect(),
            rule,
            begun,
            lifted,
            eligible: stats.eligible,
            applied: stats.applied,
        }
    }
}

/// As in `partition a | b  1.200000000..3.400000000 s  applied to 17 of 17`.
impl fmt::Display for RuleAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = |span: Duration| Instant::BEGIN + span;
        write!(f, "{}  {}", self.rule, at(self.begun))?;
        match self.lifted {
            Some(lifted) if lifted == self.begun => f.write_str(" s")?,
            Some(lifted) => write!(f, "..{} s", at(lifted))?,
            None => f.write_str("..end")?,
        }
        match (self.eligible, self.applied) {
            (0, _) => f.write_str("  met nothing"),
            (eligible, applied) => write!(f, "  applied to {applied} of {eligible}"),
        }
    }
}
