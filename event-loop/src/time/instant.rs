//! A point of a loop's clock.

use std::fmt;
use std::ops::{Add, AddAssign, Sub, SubAssign};
use std::time::Duration;

use crate::{context, production};

/// A point of a loop's monotonic clock, in nanoseconds since the loop's zero.
///
/// Arithmetic saturates: at zero, and 584 years later.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The current loop's time; outside a loop the process's.
    #[must_use]
    pub fn now() -> Self {
        context::with_current(|ev| match ev {
            Some(ev) => ev.now(),
            None => production::process_now(),
        })
    }

    /// The time from `earlier` to `self`; zero if `earlier` is later.
    #[must_use]
    pub fn duration_since(&self, earlier: Self) -> Duration {
        self.saturating_duration_since(earlier)
    }

    /// The time from `earlier` to `self`, or `None` if `earlier` is later.
    #[must_use]
    pub fn checked_duration_since(&self, earlier: Self) -> Option<Duration> {
        self.0.checked_sub(earlier.0).map(Duration::from_nanos)
    }

    /// The time from `earlier` to `self`; zero if `earlier` is later.
    #[must_use]
    pub fn saturating_duration_since(&self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The time from `self` until now.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        Self::now().duration_since(*self)
    }

    /// `self + span`, or `None` past the end of time.
    #[must_use]
    pub fn checked_add(&self, span: Duration) -> Option<Self> {
        let nanos = u64::try_from(span.as_nanos()).ok()?;
        self.0.checked_add(nanos).map(Self)
    }

    /// `self - span`, or `None` before the loop's zero.
    #[must_use]
    pub fn checked_sub(&self, span: Duration) -> Option<Self> {
        let nanos = u64::try_from(span.as_nanos()).ok()?;
        self.0.checked_sub(nanos).map(Self)
    }

    /// The instant `nanos` nanoseconds after the loop's zero.
    #[doc(hidden)]
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the loop's zero.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        self.checked_add(span).unwrap_or(Self(u64::MAX))
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, span: Duration) {
        *self = *self + span;
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;

    fn sub(self, span: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)),
        )
    }
}

impl SubAssign<Duration> for Instant {
    fn sub_assign(&mut self, span: Duration) {
        *self = *self - span;
    }
}

impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.duration_since(earlier)
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}.{:09}s",
            self.0 / 1_000_000_000,
            self.0 % 1_000_000_000
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NANOSECOND: Duration = Duration::from_nanos(1);

    #[test]
    fn arithmetic_saturates_or_says_that_it_cannot() {
        let (zero, one) = (Instant::from_nanos(0), Instant::from_nanos(1));
        let end = Instant::from_nanos(u64::MAX);
        assert_eq!(zero.checked_duration_since(one), None);
        assert_eq!(one.checked_duration_since(zero), Some(NANOSECOND));
        assert_eq!(zero.saturating_duration_since(one), Duration::ZERO);
        assert_eq!(one.checked_sub(NANOSECOND), Some(zero));
        assert_eq!(zero.checked_sub(NANOSECOND), None);
        assert_eq!(end.checked_add(NANOSECOND), None);
        assert_eq!(end.checked_sub(Duration::MAX), None);
        assert_eq!((zero - NANOSECOND, end + Duration::MAX), (zero, end));
    }
}
