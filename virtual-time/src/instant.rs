//! A point of virtual time: nanoseconds since the world began.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

/// A point of virtual time, in nanoseconds since the world began.
///
/// Arithmetic saturates at [`Instant::END`], 584 years after the beginning: a sleep of
/// [`Duration::MAX`] ends then and not before.
///
/// ```
/// use std::time::Duration;
/// use virtual_time::Instant;
///
/// let later = Instant::BEGIN + Duration::from_millis(1_500);
/// assert_eq!(later.to_string(), "1.500000000");
/// assert_eq!(later - Instant::BEGIN, Duration::from_millis(1_500));
/// assert_eq!(Instant::BEGIN + Duration::MAX, Instant::END);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(u64);

impl Instant {
    /// The moment a world begins.
    pub const BEGIN: Self = Self(0);
    /// The last representable moment; arithmetic saturates here.
    pub const END: Self = Self(u64::MAX);

    /// The instant `nanos` nanoseconds after the beginning.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the beginning.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to `self`; zero if `earlier` is in fact later.
    #[must_use]
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    /// Saturates at [`Instant::END`].
    fn add(self, span: Duration) -> Self {
        let nanos = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanos))
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, span: Duration) {
        *self = *self + span;
    }
}

impl Sub for Instant {
    type Output = Duration;

    /// Saturates at zero, as [`std::time::Instant`] does.
    fn sub(self, earlier: Self) -> Duration {
        self.saturating_since(earlier)
    }
}

/// Seconds with nine decimals, the form every trace and report uses.
impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}.{:09}",
            self.0 / 1_000_000_000,
            self.0 % 1_000_000_000
        )
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}s")
    }
}
