//! What a fault did.

use std::collections::BTreeMap;
use std::ops::AddAssign;

/// What a fault, or all of one name, did so far.
///
/// A test whose fault was never eligible has not tested what it says; one that was eligible
/// and never applied had no luck.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct FaultStats {
    /// How often it was asked for.
    pub asked: u64,
    /// The segments, acknowledgements and datagrams that it looked at, those included that were
    /// under way when it closed a link.
    pub eligible: u64,
    /// Those to which it did something.
    pub applied: u64,
}

impl FaultStats {
    /// Of a fault that was just asked for.
    pub(crate) const ASKED: Self = Self {
        asked: 1,
        eligible: 0,
        applied: 0,
    };

    pub(crate) fn note(&mut self, applied: bool) {
        self.eligible += 1;
        self.applied += u64::from(applied);
    }
}

impl AddAssign for FaultStats {
    fn add_assign(&mut self, other: Self) {
        self.asked += other.asked;
        self.eligible += other.eligible;
        self.applied += other.applied;
    }
}

/// Accounts by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally(BTreeMap<&'static str, FaultStats>);

impl Tally {
    pub(crate) fn ask(&mut self, name: &'static str) {
        self.add(name, FaultStats::ASKED);
    }

    pub(crate) fn note(&mut self, name: &'static str, applied: bool) {
        self.0.entry(name).or_default().note(applied);
    }

    pub(crate) fn add(&mut self, name: &'static str, stats: FaultStats) {
        *self.0.entry(name).or_default() += stats;
    }

    pub(crate) fn into_vec(self) -> Vec<(&'static str, FaultStats)> {
        self.0.into_iter().collect()
    }
}
