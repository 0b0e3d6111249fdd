//! Verdicts: why a run failed.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What kind of failure a run ended with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum VerdictKind {
    /// The test's body panicked.
    Panic,
    /// The test's body returned an error.
    Error,
    /// An error reached the exception handler and nobody took it: a task's panic that was never
    /// read, a callback's panic, a destructor's.
    Unread,
    /// Nothing can run and nothing is pending.
    Deadlock,
    /// A million polls and nothing else: no time passed, no task began or ended, no byte moved.
    Livelock,
    /// More polls than allowed.
    PollLimit,
    /// More virtual time than allowed.
    TimeLimit,
    /// A thread outside the world touched it.
    ForeignThread,
    /// Two runs of one seed differ.
    Divergence,
    /// A poll that does not return.
    Hang,
    /// The process of the run ended before the run did.
    Abort,
    /// What the code states by [`always!`](event_loop::always) does not hold, or it came where
    /// [`unreachable!`](event_loop::unreachable) stands.
    Property,
    /// Timers fire, and nobody gets anywhere: see [`Config::stall_after`](crate::Config::stall_after).
    Stall,
    /// More blocking jobs stand in line than
    /// [`Config::blocking_budget`](crate::Config::blocking_budget) allows.
    Overload,
    /// A call blocked the thread of a loop: see [`OnBlocking`](crate::OnBlocking).
    Blocking,
}

impl VerdictKind {
    /// The word for it in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Panic => "panic",
            Self::Error => "error",
            Self::Unread => "unread failure",
            Self::Deadlock => "deadlock",
            Self::Livelock => "livelock",
            Self::PollLimit => "poll limit",
            Self::TimeLimit => "time limit",
            Self::ForeignThread => "foreign thread",
            Self::Divergence => "divergence",
            Self::Hang => "hang",
            Self::Abort => "abort",
            Self::Property => "property",
            Self::Stall => "stall",
            Self::Overload => "overload",
            Self::Blocking => "blocking",
        }
    }
}

/// Why a run failed, and where.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Verdict {
    /// What kind of failure.
    pub kind: VerdictKind,
    /// The panic's or error's text, or a sentence.
    pub message: String,
    /// `file:line` of the panic, or of the call that blocked, if there was one.
    pub location: Option<String>,
    /// Virtual time, in nanoseconds since the world began.
    pub at_nanos: u64,
    /// How many events the trace has until then.
    pub event: u64,
    /// The task that was being polled, and its host.
    pub task: Option<String>,
    /// Who waits on what, a line each, where nobody can go on; the call that blocked, and who was
    /// kept waiting.
    pub blocked: Vec<String>,
    /// The panics of the run before this one, oldest first, a line each.
    pub earlier_panics: Vec<String>,
}

impl Verdict {
    /// A verdict of which nothing but its sentence is known.
    pub(crate) fn new(kind: VerdictKind, message: String) -> Self {
        Self {
            kind,
            message,
            location: None,
            at_nanos: 0,
            event: 0,
            task: None,
            blocked: Vec::new(),
            earlier_panics: Vec::new(),
        }
    }
}

impl Verdict {
    /// Whether both are the same failure, whatever their schedules: same kind, same place, same
    /// text. The place of a blocking call is known of recorded runs only.
    #[must_use]
    pub fn same_failure(&self, other: &Self) -> bool {
        let same_place = match (&self.location, &other.location) {
            (None, Some(_)) | (Some(_), None) => self.kind == VerdictKind::Blocking,
            (one, other) => one == other,
        };
        same_place && (self.kind, &self.message) == (other.kind, &other.message)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.name(), self.message)?;
        if let Some(location) = &self.location {
            write!(f, " ({location})")?;
        }
        let at = virtual_time::Instant::from_nanos(self.at_nanos);
        write!(f, " at {at} s")?;
        for line in &self.blocked {
            write!(f, "\n  {line}")?;
        }
        Ok(())
    }
}
