//! What can be wrong with what a test asks of a host's process.

use std::fmt;

use super::ExitStatus;

/// Why a host's process cannot be made to do what was asked.
///
/// ```
/// use sim::{Config, HostError};
///
/// sim::check(&Config::new().seeds(1), |sim| async move {
///     let svc = sim.host("svc").start(|_| std::future::pending::<()>());
///     let error = svc.try_restart().unwrap_err();
///     assert!(matches!(error, HostError::Running { .. }));
///     assert_eq!(
///         error.to_string(),
///         "the process of host \"svc\" runs, in its life 1: kill() it first, or wait() for its end",
///     );
/// });
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum HostError {
    /// Called on a thread outside the host's world.
    Outside {
        /// The name of the thread.
        thread: String,
    },
    /// The run is over.
    Over {
        /// The host.
        host: String,
    },
    /// The host is the one that the test's body runs on.
    OfTheTest {
        /// The host.
        host: String,
    },
    /// The process runs already.
    Running {
        /// The host.
        host: String,
        /// Which life of it that is, from 1.
        life: u64,
    },
    /// The process has ended.
    Ended {
        /// The host.
        host: String,
        /// How.
        status: ExitStatus,
    },
    /// The host's machine has no power.
    PoweredOff {
        /// The host.
        host: String,
    },
    /// There is no main function to start the process with.
    NeverStarted {
        /// The host.
        host: String,
    },
    /// There is no process to get a signal: nothing runs on the host.
    NoProcess {
        /// The host.
        host: String,
    },
    /// Who asks is of a process that has ended.
    ByTheDead {
        /// The host of that process.
        host: String,
    },
    /// The host has no clock of its own.
    NoClock {
        /// The host.
        host: String,
    },
    /// A grace of zero, which nobody can use.
    NoGrace {
        /// The host.
        host: String,
    },
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outside { thread } => write!(
                f,
                "thread '{thread}' is not of the world, which only its own tasks may ask: do its \
                 work in a task of the world"
            ),
            Self::Over { host } => write!(
                f,
                "the run is over, and the process of host \"{host}\" with it: ask while the \
                 test's body runs"
            ),
            Self::OfTheTest { host } => write!(
                f,
                "host \"{host}\" is the one that the test's body runs on, and no process of its \
                 own: take another, by sim.host(\"svc\")"
            ),
            Self::Running { host, life } => write!(
                f,
                "the process of host \"{host}\" runs, in its life {life}: kill() it first, or \
                 wait() for its end"
            ),
            Self::Ended { host, status } => write!(
                f,
                "the process of host \"{host}\" has ended ({status}): restart() it, or ask \
                 is_running() first"
            ),
            Self::PoweredOff { host } => write!(
                f,
                "host \"{host}\" is powered off: restart() it, which starts its machine, too"
            ),
            Self::NeverStarted { host } => write!(
                f,
                "host \"{host}\" was never started, so there is no main function to start it \
                 with: give it one, by start(..)"
            ),
            Self::NoProcess { host } => write!(
                f,
                "host \"{host}\" has no process that could get a signal: start one, by start(..), \
                 or is it another host's name?"
            ),
            Self::ByTheDead { host } => write!(
                f,
                "who asks is of the process of host \"{host}\" that has ended: the rest of its \
                 poll is of no effect"
            ),
            Self::NoClock { host } => write!(
                f,
                "host \"{host}\" goes by the world's clock, which nobody steps: give it one of its \
                 own, by sim.host_with(\"{host}\", HostConfig::new().drift_ppm(0))"
            ),
            Self::NoGrace { host } => write!(
                f,
                "a grace of zero leaves host \"{host}\" no time to react to TERM: give it some, \
                 or kill() it"
            ),
        }
    }
}

impl std::error::Error for HostError {}
