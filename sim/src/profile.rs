//! Profiles: which orders of events and which clocks are legal.

use std::fmt;
use std::str::FromStr;

use event_loop::backend::Budget;

/// Whose production loop the world stands for, and so what it may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Profile {
    /// Tokio's multi-thread runtime: any task that can run may be next; timers round up to the
    /// next millisecond; a poll has 128 ready operations. The default.
    #[default]
    TokioMt,
    /// Tokio's current-thread runtime: the tasks of one host run first woken, first polled; hosts
    /// interleave in any order; timers round up to the next millisecond; a poll has 128 ready
    /// operations.
    TokioCt,
    /// Any task that can run may be next; timers are exact to the nanosecond, polls take no time.
    Exact,
    /// CPython's asyncio: the callbacks and task steps of one host share a queue and run first in,
    /// first out, in iterations; hosts interleave in any order; a loop with nothing to do sleeps
    /// for whole milliseconds, rounded up; timers of one deadline run in any order.
    Asyncio,
    /// uvloop: as asyncio, but `stop` is itself a callback, timers run before the batch and count
    /// in milliseconds, those of less than half a one are calls of the next batch.
    Uvloop,
}

impl Profile {
    /// Every profile, in the order of the documentation.
    pub const ALL: [Self; 5] = [
        Self::TokioMt,
        Self::TokioCt,
        Self::Exact,
        Self::Asyncio,
        Self::Uvloop,
    ];

    /// Its name, as attributes and reports spell it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TokioMt => "tokio-mt",
            Self::TokioCt => "tokio-ct",
            Self::Exact => "exact",
            Self::Asyncio => "asyncio",
            Self::Uvloop => "uvloop",
        }
    }

    pub(crate) const fn rounds_timers(self) -> bool {
        matches!(self, Self::TokioMt | Self::TokioCt)
    }

    /// Callbacks and task steps share a queue and run in iterations.
    pub(crate) const fn iterates(self) -> bool {
        matches!(self, Self::Asyncio | Self::Uvloop)
    }

    /// Any task of a host may be next, whichever was woken first.
    pub(crate) const fn shuffles_tasks(self) -> bool {
        matches!(self, Self::TokioMt | Self::Exact)
    }

    /// How many ready operations a poll may have.
    pub(crate) const fn budget(self) -> Budget {
        match self {
            Self::TokioMt | Self::TokioCt => Budget::TOKIO,
            Self::Exact | Self::Asyncio | Self::Uvloop => Budget::UNLIMITED,
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no profile's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownProfile(String);

impl fmt::Display for UnknownProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown profile \"{}\": allowed are", self.0)?;
        for (i, profile) in Profile::ALL.into_iter().enumerate() {
            write!(f, "{}{profile}", if i == 0 { " " } else { ", " })?;
        }
        Ok(())
    }
}

impl std::error::Error for UnknownProfile {}

impl FromStr for Profile {
    type Err = UnknownProfile;

    fn from_str(name: &str) -> Result<Self, UnknownProfile> {
        let known = Self::ALL.into_iter().find(|profile| profile.name() == name);
        known.ok_or_else(|| UnknownProfile(name.to_owned()))
    }
}
