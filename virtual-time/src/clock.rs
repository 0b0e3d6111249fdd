//! The world's clock.

use std::time::Duration;

use crate::Instant;

/// The world's now, which moves when it is told to, and only forwards.
///
/// ```
/// use std::time::Duration;
/// use virtual_time::{Clock, Instant};
///
/// let mut clock = Clock::new();
/// assert_eq!(clock.advance_to(Instant::from_nanos(5)), Duration::from_nanos(5));
/// assert_eq!(clock.advance_to(Instant::from_nanos(3)), Duration::ZERO);
/// assert_eq!(clock.now(), Instant::from_nanos(5));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Clock {
    now: Instant,
}

impl Clock {
    /// A clock at [`Instant::BEGIN`].
    #[must_use]
    pub const fn new() -> Self {
        Self {
            now: Instant::BEGIN,
        }
    }

    /// Moves to `to` unless it is already past, and returns how far that was.
    pub fn advance_to(&mut self, to: Instant) -> Duration {
        let passed = to - self.now;
        self.now = self.now.max(to);
        passed
    }

    /// Moves on by `span`, to [`Instant::END`] at most.
    pub fn advance(&mut self, span: Duration) {
        self.now += span;
    }

    /// The present moment.
    #[must_use]
    pub const fn now(&self) -> Instant {
        self.now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advancing_stops_at_the_end_of_time() {
        let mut clock = Clock::new();
        clock.advance(Duration::from_secs(1));
        assert_eq!(clock.now(), Instant::from_nanos(1_000_000_000));
        clock.advance(Duration::MAX);
        assert_eq!(clock.now(), Instant::END);
        clock.advance(Duration::from_secs(1));
        assert_eq!(clock.now(), Instant::END);
    }
}
