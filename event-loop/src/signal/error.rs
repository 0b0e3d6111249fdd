//! Why a signal cannot be handled.

use std::fmt;
use std::io;

use super::Signal;
use crate::Closed;

/// Why a signal cannot be handled, or sent.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum SignalError {
    /// KILL and STOP reach no program.
    Uncatchable {
        /// Which of them.
        signal: Signal,
    },
    /// A number that is no signal's, or one of a signal that no program can go on after.
    Invalid {
        /// The number.
        number: i32,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The system has no signals.
    Unsupported {
        /// The loop's name; in simulation its host's.
        host: String,
    },
    /// The loop is closed.
    Closed,
    /// The operating system refuses; its words.
    Refused(String),
}

impl fmt::Display for SignalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uncatchable { signal } => write!(
                f,
                "sig {signal} cannot be caught: the kernel acts on it and no program hears of it; \
                 handle SIGTERM, which whoever ends processes sends first"
            ),
            Self::Invalid { number, why } => write!(f, "invalid signal number {number}: {why}"),
            Self::Unsupported { host } => write!(
                f,
                "signals are not supported on \"{host}\": the system there has none; let the \
                 program be asked to end by other means"
            ),
            Self::Closed => Closed.fmt(f),
            Self::Refused(why) => write!(f, "the signal could not be handled: {why}"),
        }
    }
}

impl std::error::Error for SignalError {}

impl From<Closed> for SignalError {
    fn from(_: Closed) -> Self {
        Self::Closed
    }
}

impl From<SignalError> for io::Error {
    fn from(error: SignalError) -> Self {
        let kind = match error {
            SignalError::Uncatchable { .. } | SignalError::Invalid { .. } => {
                io::ErrorKind::InvalidInput
            }
            SignalError::Unsupported { .. } => io::ErrorKind::Unsupported,
            SignalError::Closed | SignalError::Refused(_) => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}
