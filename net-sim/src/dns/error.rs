//! Why a look-up found nothing.

use std::{error, fmt, io};

/// How a look-up fails, one variant per answer of `getaddrinfo` on Linux.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DnsFailure {
    /// Nothing has that name: NXDOMAIN (`EAI_NONAME`).
    NoSuchName,
    /// The name exists, and has no address (`EAI_NODATA`).
    NoAddress,
    /// The server cannot answer: SERVFAIL (`EAI_AGAIN`).
    ServerFailure,
    /// Nobody answers, which `getaddrinfo` says after ten seconds: two tries of five, as in a
    /// `resolv.conf` that says nothing of it (`EAI_AGAIN`).
    Timeout,
    /// The server refuses to answer (`EAI_FAIL`).
    Refused,
}

impl DnsFailure {
    /// Linux's number of this error, which is negative and no errno.
    #[must_use]
    pub const fn code(self) -> i32 {
        match self {
            Self::NoSuchName => -2,
            Self::ServerFailure | Self::Timeout => -3,
            Self::Refused => -4,
            Self::NoAddress => -5,
        }
    }

    /// Linux's text for this error.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::NoSuchName => "Name or service not known",
            Self::ServerFailure | Self::Timeout => "Temporary failure in name resolution",
            Self::Refused => "Non-recoverable failure in name resolution",
            Self::NoAddress => "No address associated with hostname",
        }
    }

    const fn why(self) -> &'static str {
        match self {
            Self::NoSuchName => "nothing is named",
            Self::ServerFailure => "the server failed at",
            Self::Timeout => "no server answered for",
            Self::Refused => "the server refused to answer for",
            Self::NoAddress => "there is no address of",
        }
    }
}

/// Why a look-up found nothing, or an entry could not be made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DnsError {
    /// No host can be named so.
    BadName {
        /// The name as it was given.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The look-up failed.
    Failed {
        /// The name as it was asked for.
        name: String,
        /// In which way it failed.
        failure: DnsFailure,
        /// Where there is no such name: names that there are.
        known: Vec<String>,
        /// How many more there are than these.
        more: usize,
    },
}

impl DnsError {
    /// How the look-up failed; `None` if the name could not even be asked for.
    #[must_use]
    pub const fn failure(&self) -> Option<DnsFailure> {
        match self {
            Self::BadName { .. } => None,
            Self::Failed { failure, .. } => Some(*failure),
        }
    }
}

/// What std says of a failed look-up, and what was asked.
impl fmt::Display for DnsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failure = self.failure().unwrap_or(DnsFailure::NoSuchName);
        write!(
            f,
            "failed to lookup address information: {}: ",
            failure.text()
        )?;
        match self {
            Self::BadName { name, why } => write!(f, "\"{name}\" is no name of a host: {why}"),
            Self::Failed {
                name,
                failure,
                known,
                more,
            } => {
                write!(f, "{} \"{name}\"", failure.why())?;
                if !known.is_empty() {
                    write!(f, "; there are: {}", known.join(", "))?;
                }
                match more {
                    0 => Ok(()),
                    more => write!(f, " and {more} more"),
                }
            }
        }
    }
}

impl error::Error for DnsError {}

impl From<DnsError> for io::Error {
    /// Of the kind that std gives where `getaddrinfo` fails, which no program can name; so none
    /// can depend in a world on a kind that production never gives.
    fn from(error: DnsError) -> Self {
        let nameless = Self::from_raw_os_error(0).kind();
        Self::new(nameless, error)
    }
}
