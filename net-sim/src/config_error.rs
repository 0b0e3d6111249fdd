//! What can be wrong with a link or a fault that somebody asks for.

use std::convert::Infallible;
use std::time::Duration;
use std::{error, fmt};

use crate::HostId;

/// Why a link or a fault cannot be: the text names what was asked for.
///
/// ```
/// use net_sim::{ConfigError, Fault, Net, Plain};
/// use virtual_time::Instant;
///
/// let mut net = Net::default();
/// let alone = net.add_host(&[])?;
/// let fault = Fault::partition([alone], [alone]);
/// let refused = net.add_fault(Instant::BEGIN, fault, &mut Plain).unwrap_err();
/// assert_eq!(refused, ConfigError::WithItself { fault: "partition", host: alone });
/// # Ok::<(), net_sim::NetError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum ConfigError {
    /// No host of this network has that id.
    UnknownHost {
        /// What it was asked for.
        host: HostId,
    },
    /// A fault between a host and itself: what a host sends to itself goes through no link.
    WithItself {
        /// The name of the fault.
        fault: &'static str,
        /// The host on both sides.
        host: HostId,
    },
    /// A fault of no hosts at all.
    NoHosts {
        /// The name of the fault.
        fault: &'static str,
    },
    /// The lower end of a range is above the higher.
    EmptyRange {
        /// What the range is of.
        what: &'static str,
        /// The lower end.
        low: Duration,
        /// The higher end.
        high: Duration,
    },
    /// A table of latencies without entries.
    EmptyTable,
    /// A bandwidth of no bytes in a second.
    ZeroBandwidth,
    /// A probability that is not from 0 to 1.
    Probability {
        /// What was given.
        given: f64,
    },
    /// A longest packet that is shorter than IP allows.
    SmallMtu {
        /// What was given.
        bytes: usize,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownHost { host } => write!(
                f,
                "{host} is not of this network: hosts are those that add_host returned"
            ),
            Self::WithItself { fault, host } => write!(
                f,
                "a {fault} of {host} with itself: what a host sends to itself goes through no \
                 link, so name it on one side only"
            ),
            Self::NoHosts { fault } => {
                write!(f, "a {fault} of no hosts: name at least one on each side")
            }
            Self::EmptyRange { what, low, high } => write!(
                f,
                "a {what} from {low:?} to {high:?} is empty: the lower end comes first, and a \
                 distribution's is above zero"
            ),
            Self::EmptyTable => write!(f, "a latency without times: give at least one"),
            Self::ZeroBandwidth => write!(
                f,
                "a bandwidth of 0 bytes a second: for a link that takes nothing, partition it"
            ),
            Self::Probability { given } => {
                write!(f, "a probability of {given}: it is from 0 to 1")
            }
            Self::SmallMtu { bytes } => {
                write!(f, "an MTU of {bytes} bytes: IP asks for at least 68")
            }
        }
    }
}

impl error::Error for ConfigError {}

/// What cannot be wrong, where what could is taken as well.
impl From<Infallible> for ConfigError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}
