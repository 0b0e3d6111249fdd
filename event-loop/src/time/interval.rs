//! Ticks at a fixed period.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::sleep::open_loop;
use super::{Instant, Sleep};
use crate::{EventLoop, LoopError, context};

/// How late a tick may be before it counts as missed.
const TOLERANCE: Duration = Duration::from_millis(5);

/// Ticks every `period`, the first time at once.
///
/// As all timers, a tick is never ready at its first poll.
///
/// ```
/// # use std::time::Duration;
/// # use event_loop::time::interval;
/// # let ev = event_loop::production::current_thread(Default::default()).unwrap();
/// # ev.run_borrowed(async {
/// let mut beats = interval(Duration::from_millis(2));
/// let first = beats.tick().await;
/// let second = beats.tick().await;
/// assert_eq!(second - first, Duration::from_millis(2));
/// # }).unwrap();
/// ```
///
/// # Panics
/// If `period` is zero, or this thread has no current loop.
#[track_caller]
pub fn interval(period: Duration) -> Interval {
    let ev = context::expect_current();
    Interval::new(&ev, ev.now(), period)
}

/// Ticks every `period`, the first time at `start`.
///
/// # Panics
/// If `period` is zero, or this thread has no current loop.
#[track_caller]
pub fn interval_at(start: Instant, period: Duration) -> Interval {
    Interval::new(&context::expect_current(), start, period)
}

/// [`interval`] without its panic where there is no loop.
///
/// # Errors
/// [`LoopError::NoCurrentLoop`] and [`LoopError::Closed`].
///
/// # Panics
/// If `period` is zero.
#[track_caller]
pub fn try_interval(period: Duration) -> Result<Interval, LoopError> {
    let ev = open_loop()?;
    Ok(Interval::new(&ev, ev.now(), period))
}

/// [`interval_at`] without its panic where there is no loop.
///
/// # Errors
/// [`LoopError::NoCurrentLoop`] and [`LoopError::Closed`].
///
/// # Panics
/// If `period` is zero.
#[track_caller]
pub fn try_interval_at(start: Instant, period: Duration) -> Result<Interval, LoopError> {
    Ok(Interval::new(&open_loop()?, start, period))
}

/// What becomes of ticks that nobody awaited for more than 5 ms after their time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissedTickBehavior {
    /// They all come, one right after the other, until the interval is where it would have been.
    #[default]
    Burst,
    /// One comes at once, and the next a period later.
    Delay,
    /// One comes at once, and the next at the next multiple of the period since the start.
    Skip,
}

impl MissedTickBehavior {
    fn next(self, due: Instant, now: Instant, period: Duration) -> Instant {
        match self {
            Self::Burst => due + period,
            Self::Delay => now + period,
            Self::Skip => {
                let late = now.duration_since(due).as_nanos() % period.as_nanos();
                // What is late is less than 584 years, in nanoseconds.
                now + (period - Duration::from_nanos(late as u64))
            }
        }
    }
}

/// The ticks of [`interval`].
pub struct Interval {
    sleep: Sleep,
    period: Duration,
    missed: MissedTickBehavior,
}

impl Interval {
    #[track_caller]
    fn new(ev: &EventLoop, start: Instant, period: Duration) -> Self {
        assert!(!period.is_zero(), "`period` must be non-zero.");
        Self {
            sleep: Sleep::new(ev, start),
            period,
            missed: MissedTickBehavior::default(),
        }
    }

    /// Waits for the next tick, and says when it was due. A tick is lost to nobody who gives up
    /// waiting.
    pub async fn tick(&mut self) -> Instant {
        poll_fn(|cx| self.poll_tick(cx)).await
    }

    /// [`tick`](Self::tick) for hand-written futures; the last who polled is woken.
    pub fn poll_tick(&mut self, cx: &mut Context<'_>) -> Poll<Instant> {
        ready!(Pin::new(&mut self.sleep).poll(cx));
        let (due, now) = (self.sleep.deadline(), Instant::now());
        let next = if now > due + TOLERANCE {
            self.missed.next(due, now, self.period)
        } else {
            due + self.period
        };
        self.reset_at(next);
        Poll::Ready(due)
    }

    /// The next tick comes a period from now.
    pub fn reset(&mut self) {
        self.reset_at(Instant::now() + self.period);
    }

    /// The next tick comes at once.
    pub fn reset_immediately(&mut self) {
        self.reset_at(Instant::now());
    }

    /// The next tick comes `after` from now.
    pub fn reset_after(&mut self, after: Duration) {
        self.reset_at(Instant::now() + after);
    }

    /// The next tick comes at `deadline`.
    pub fn reset_at(&mut self, deadline: Instant) {
        Pin::new(&mut self.sleep).reset(deadline);
    }

    /// What becomes of missed ticks.
    #[must_use]
    pub fn missed_tick_behavior(&self) -> MissedTickBehavior {
        self.missed
    }

    /// Says what becomes of missed ticks; [`MissedTickBehavior::Burst`] otherwise.
    pub fn set_missed_tick_behavior(&mut self, behavior: MissedTickBehavior) {
        self.missed = behavior;
    }

    /// The time from one tick to the next.
    #[must_use]
    pub fn period(&self) -> Duration {
        self.period
    }
}

impl fmt::Debug for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (period, next) = (self.period, self.sleep.deadline());
        write!(f, "Interval(every {period:?}, next at {next:?})")
    }
}
