//! How a loop is to be shut down: how long each stage may take, and in which order tasks are asked.

use std::fmt;
use std::time::Duration;

use crate::Signal;

/// How [`EventLoop::shutdown`](crate::EventLoop::shutdown) goes about it: a builder, whose defaults
/// fit into the 30 seconds that Kubernetes gives a container between TERM and KILL.
///
/// ```
/// use std::time::Duration;
/// use event_loop::shutdown::{CancelOrder, ShutdownPolicy};
///
/// let policy = ShutdownPolicy::new()
///     .grace(Duration::from_secs(20))
///     .total(Duration::from_secs(28))
///     .cancel_order(CancelOrder::Reverse);
/// assert!(policy.check().is_ok());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShutdownPolicy {
    pub(crate) hooks: Duration,
    pub(crate) grace: Duration,
    pub(crate) abort: Duration,
    pub(crate) executor: Duration,
    pub(crate) total: Duration,
    pub(crate) order: CancelOrder,
    pub(crate) second: SecondSignal,
    pub(crate) signals: Vec<Signal>,
}

impl ShutdownPolicy {
    /// The defaults: 5 s for the hooks, 10 s of grace for the tasks, 1 s for those that are
    /// aborted, 5 s for the jobs of the executor, 25 s in all; tasks are asked in any order, TERM and
    /// INT begin it, and a second one escalates.
    #[must_use]
    pub fn new() -> Self {
        Self {
            hooks: Duration::from_secs(5),
            grace: Duration::from_secs(10),
            abort: Duration::from_secs(1),
            executor: Duration::from_secs(5),
            total: Duration::from_secs(25),
            order: CancelOrder::Seeded,
            second: SecondSignal::Escalate,
            signals: vec![Signal::Term, Signal::Int],
        }
    }

    /// How long the hooks may take together. Each may take its equal share of what is left: one
    /// that hangs keeps no other from its turn.
    #[must_use]
    pub fn hooks(mut self, span: Duration) -> Self {
        self.hooks = span;
        self
    }

    /// How long tasks that were asked to finish may take, all of them together, before they are
    /// aborted.
    #[must_use]
    pub fn grace(mut self, span: Duration) -> Self {
        self.grace = span;
        self
    }

    /// How long to wait until aborted tasks are gone. They go at their next turn; what takes
    /// longer is a poll that does not end.
    #[must_use]
    pub fn abort(mut self, span: Duration) -> Self {
        self.abort = span;
        self
    }

    /// How long to wait for jobs of the executor that are running, which nobody can abort.
    #[must_use]
    pub fn executor(mut self, span: Duration) -> Self {
        self.executor = span;
        self
    }

    /// How long all stages may take together: the later ones get what the earlier have left.
    #[must_use]
    pub fn total(mut self, span: Duration) -> Self {
        self.total = span;
        self
    }

    /// In which order tasks are asked to finish.
    #[must_use]
    pub fn cancel_order(mut self, order: CancelOrder) -> Self {
        self.order = order;
        self
    }

    /// Which signals begin it, where it is left to signals.
    #[must_use]
    pub fn signals(mut self, signals: impl IntoIterator<Item = Signal>) -> Self {
        self.signals = signals.into_iter().collect();
        self
    }

    /// What a second signal does.
    #[must_use]
    pub fn second_signal(mut self, second: SecondSignal) -> Self {
        self.second = second;
        self
    }

    /// Whether it can be followed; whatever takes a policy asks this first.
    ///
    /// # Errors
    /// [`PolicyError`].
    pub fn check(&self) -> Result<(), PolicyError> {
        let parts = [
            ("hooks", self.hooks),
            ("grace", self.grace),
            ("abort", self.abort),
            ("executor", self.executor),
            ("total", self.total),
        ];
        match parts.into_iter().find(|(_, span)| span.is_zero()) {
            Some((part, _)) => Err(PolicyError::ZeroGrace { part }),
            None if self.signals.is_empty() => Err(PolicyError::NoSignals),
            None => Ok(()),
        }
    }
}

impl Default for ShutdownPolicy {
    fn default() -> Self {
        Self::new()
    }
}

/// In which order a shutdown asks tasks to finish.
///
/// It is the order of the requests, and of the wakes they cause; which task is polled first then is
/// the loop's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CancelOrder {
    /// In that in which they were spawned.
    Registration,
    /// The last that was spawned first.
    Reverse,
    /// In any: in production that of [`Registration`](Self::Registration), in a world one that the
    /// seed draws, so that a program which depends on it is found out.
    Seeded,
}

/// What a second signal does to a shutdown under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecondSignal {
    /// Nothing.
    Ignore,
    /// What [`EventLoop::escalate`](crate::EventLoop::escalate) does.
    Escalate,
}

/// Why a policy cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PolicyError {
    /// A part of the time is none at all.
    ZeroGrace {
        /// The setter it was given to.
        part: &'static str,
    },
    /// No signal is to begin it.
    NoSignals,
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ZeroGrace { part } => write!(
                f,
                "A shutdown cannot have {part} = 0: even what ends at once needs a turn of the \
                 loop to do so. Give it some time, or use close to end without a shutdown"
            ),
            Self::NoSignals => f.write_str(
                "A shutdown without signals would never be begun by one: name some, or leave TERM \
                 and INT",
            ),
        }
    }
}

impl std::error::Error for PolicyError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_fit_into_the_grace_of_kubernetes() {
        let policy = ShutdownPolicy::new();
        assert_eq!(policy.check(), Ok(()));
        let parts = policy.hooks + policy.grace + policy.abort + policy.executor;
        assert!(parts <= policy.total && policy.total < Duration::from_secs(30));
    }

    #[test]
    fn a_part_of_no_time_is_refused_by_its_name() {
        let refused = |policy: ShutdownPolicy| policy.check().unwrap_err();
        let zero = Duration::ZERO;
        let of = |part| PolicyError::ZeroGrace { part };
        assert_eq!(refused(ShutdownPolicy::new().hooks(zero)), of("hooks"));
        assert_eq!(refused(ShutdownPolicy::new().grace(zero)), of("grace"));
        assert_eq!(refused(ShutdownPolicy::new().abort(zero)), of("abort"));
        assert_eq!(refused(ShutdownPolicy::new().total(zero)), of("total"));
        let executor = refused(ShutdownPolicy::new().executor(zero));
        assert_eq!(executor, of("executor"));
        let deaf = ShutdownPolicy::new().signals([]);
        assert_eq!(refused(deaf), PolicyError::NoSignals);
        assert!(executor.to_string().contains("executor = 0"), "{executor}");
    }
}
