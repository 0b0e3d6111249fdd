//! How fast bytes leave.

use std::time::Duration;

use crate::ConfigError;

/// How many bytes a link takes in a second.
///
/// ```
/// use net_sim::Bandwidth;
///
/// assert_eq!(Bandwidth::from_megabits(100), Bandwidth::from_bytes(12_500_000));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bandwidth {
    bytes_per_second: u64,
}

impl Bandwidth {
    /// So many bytes a second.
    ///
    /// # Panics
    ///
    /// If it is zero: that is no link at all.
    #[must_use]
    #[track_caller]
    pub const fn from_bytes(per_second: u64) -> Self {
        match Self::try_from_bytes(per_second) {
            Ok(bandwidth) => bandwidth,
            Err(_) => panic!("a link of 0 bytes a second is none: allowed is 1 or more"),
        }
    }

    /// As [`from_bytes`](Self::from_bytes), for a number that comes from a user.
    ///
    /// # Errors
    ///
    /// [`ConfigError::ZeroBandwidth`].
    pub const fn try_from_bytes(per_second: u64) -> Result<Self, ConfigError> {
        if per_second == 0 {
            return Err(ConfigError::ZeroBandwidth);
        }
        Ok(Self {
            bytes_per_second: per_second,
        })
    }

    /// So many millions of bits a second, as networks are sold.
    ///
    /// # Panics
    ///
    /// If it is zero.
    #[must_use]
    #[track_caller]
    pub const fn from_megabits(per_second: u64) -> Self {
        Self::from_bytes(per_second.saturating_mul(125_000))
    }

    pub(super) fn time_for(self, bytes: usize) -> Duration {
        let nanos = bytes as u128 * 1_000_000_000 / u128::from(self.bytes_per_second);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// How many bytes leave in that time.
    pub(super) fn bytes_in(self, time: Duration) -> u64 {
        let bytes = time.as_nanos() * u128::from(self.bytes_per_second) / 1_000_000_000;
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }
}
