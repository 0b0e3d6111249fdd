//! The loop's time: an instant, sleeping, and a limit on how long something may take.

use std::fmt;
use std::future::Future;
use std::ops::{Add, AddAssign, Sub, SubAssign};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;

use crate::backend::{BackendLoop, TimerId};
use crate::handle::Inner;
use crate::{EventLoop, LoopError, context, coop, production};

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
    pub fn duration_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The time from `self` until now.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        Self::now().duration_since(self)
    }

    /// `self + span`, or `None` past the end of time.
    #[must_use]
    pub fn checked_add(self, span: Duration) -> Option<Self> {
        let nanos = u64::try_from(span.as_nanos()).ok()?;
        self.0.checked_add(nanos).map(Self)
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

/// Waits for `span`. Never ready at its first poll, not even for zero. The timers of tokio, and so
/// of the profiles that stand for it, round up to the next millisecond.
///
/// # Panics
/// If this thread has no current loop.
#[track_caller]
pub fn sleep(span: Duration) -> Sleep {
    context::with_current(|ev| ev.map(|ev| Sleep::new(ev, ev.now() + span)))
        .unwrap_or_else(|| sleep_until(context::expect_current().now() + span))
}

/// Waits until `deadline` of the current loop's clock. Never ready at its first poll, not even
/// for a deadline in the past.
///
/// # Panics
/// If this thread has no current loop.
#[track_caller]
pub fn sleep_until(deadline: Instant) -> Sleep {
    Sleep::new(&context::expect_current(), deadline)
}

/// [`sleep`] without its panic.
///
/// # Errors
/// [`LoopError::NoCurrentLoop`] and [`LoopError::Closed`].
pub fn try_sleep(span: Duration) -> Result<Sleep, LoopError> {
    let ev = open_loop()?;
    Ok(Sleep::new(&ev, ev.now() + span))
}

/// [`sleep_until`] without its panic.
///
/// # Errors
/// [`LoopError::NoCurrentLoop`] and [`LoopError::Closed`].
pub fn try_sleep_until(deadline: Instant) -> Result<Sleep, LoopError> {
    Ok(Sleep::new(&open_loop()?, deadline))
}

/// [`timeout`] without its panic.
///
/// # Errors
/// [`LoopError::NoCurrentLoop`] and [`LoopError::Closed`]; the future is given up.
pub fn try_timeout<F: Future>(span: Duration, future: F) -> Result<Timeout<F>, LoopError> {
    let sleep = try_sleep(span)?;
    Ok(Timeout { future, sleep })
}

/// Limits how long `future` may take.
///
/// The future is polled before the clock is looked at, so [`Elapsed`] is never returned when the
/// value is ready; the loser is dropped.
///
/// # Panics
/// If this thread has no current loop.
#[track_caller]
pub fn timeout<F: Future>(span: Duration, future: F) -> Timeout<F> {
    Timeout {
        future,
        sleep: sleep(span),
    }
}

/// The current loop, if there is time to wait for on it.
fn open_loop() -> Result<EventLoop, LoopError> {
    let ev = context::try_current()?;
    if ev.is_closed() {
        return Err(LoopError::Closed);
    }
    Ok(ev)
}

/// The future of [`sleep`].
#[must_use = "a sleep does nothing unless awaited"]
pub struct Sleep {
    deadline: Instant,
    state: State,
}

enum State {
    Tokio {
        sleep: Pin<Box<tokio::time::Sleep>>,
        polled: bool,
    },
    World {
        ev: BackendLoop,
        timer: Option<TimerId>,
    },
    Done,
}

impl Sleep {
    pub(crate) fn new(ev: &EventLoop, deadline: Instant) -> Self {
        let state = match &ev.shared.inner {
            Inner::Tokio(tokio) => State::Tokio {
                sleep: Box::pin(tokio.sleep_until(deadline)),
                polled: false,
            },
            Inner::Other(_) => State::World {
                ev: BackendLoop::of_other(ev),
                timer: None,
            },
        };
        Self { deadline, state }
    }

    /// When it ends.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.deadline
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let deadline = self.deadline;
        let ready = match &mut self.state {
            State::Tokio { sleep, polled } => {
                let due = sleep.as_mut().poll(cx).is_ready();
                if due && !*polled {
                    // Tokio's is ready at once if its time is past; ours takes an iteration.
                    cx.waker().wake_by_ref();
                    self.state = State::Done;
                    return Poll::Pending;
                }
                *polled = true;
                due
            }
            State::World { ev, timer } => match timer {
                Some(armed) => {
                    let fired = coop::poll_leaf(cx, |cx| {
                        let fired = ev.backend().timer_poll(*armed, cx.waker());
                        if fired {
                            Poll::Ready(())
                        } else {
                            Poll::Pending
                        }
                    });
                    fired.is_ready()
                }
                None => {
                    // On a closed loop there is no time to wait for: pending for ever, and the
                    // task that waits is about to be dropped.
                    *timer = ev.backend().timer_start(deadline, cx.waker()).ok();
                    false
                }
            },
            State::Done => true,
        };
        if !ready {
            return Poll::Pending;
        }
        self.state = State::Done;
        Poll::Ready(())
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let State::World {
            ev,
            timer: Some(armed),
        } = &self.state
        {
            ev.backend().timer_cancel(*armed);
        }
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sleep(until {:?})", self.deadline)
    }
}

pin_project! {
    /// The future of [`timeout`].
    #[must_use = "a timeout does nothing unless awaited"]
    pub struct Timeout<F> {
        #[pin]
        future: F,
        sleep: Sleep,
    }
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let had_budget = coop::has_budget_remaining();
        if let Poll::Ready(value) = this.future.poll(cx) {
            return Poll::Ready(Ok(value));
        }
        let sleep = Pin::new(this.sleep);
        let expired = if had_budget && !coop::has_budget_remaining() {
            // A future that always uses up the budget must not outlive its time.
            pin!(coop::unconstrained(sleep)).poll(cx)
        } else {
            sleep.poll(cx)
        };
        expired.map(|()| Err(Elapsed))
    }
}

impl<F> fmt::Debug for Timeout<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Timeout(until {:?})", self.sleep.deadline)
    }
}

/// The time was up first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed;

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("deadline has elapsed")
    }
}

impl std::error::Error for Elapsed {}

impl From<Elapsed> for std::io::Error {
    fn from(_: Elapsed) -> Self {
        std::io::ErrorKind::TimedOut.into()
    }
}
