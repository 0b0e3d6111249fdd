//! A limit on how long something may take.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;

use super::{Elapsed, Instant, Sleep, sleep, sleep_until, try_sleep, try_sleep_until};
use crate::{LoopError, coop};

/// Limits how long `future` may take.
///
/// The future is polled before the clock is looked at, so [`Elapsed`] is never returned when the
/// value is ready; the loser is dropped. A limit of zero is over an iteration later.
///
/// # Panics
/// If this thread has no current loop.
#[track_caller]
pub fn timeout<F: IntoFuture>(span: Duration, future: F) -> Timeout<F::IntoFuture> {
    limit(sleep(span), future)
}

/// Limits until when `future` may take, by the current loop's clock. A deadline in the past is
/// over an iteration later.
///
/// # Panics
/// If this thread has no current loop.
#[track_caller]
pub fn timeout_at<F: IntoFuture>(deadline: Instant, future: F) -> Timeout<F::IntoFuture> {
    limit(sleep_until(deadline), future)
}

/// [`timeout`] without its panic.
///
/// # Errors
/// [`LoopError::NoCurrentLoop`] and [`LoopError::Closed`]; the future is given up.
pub fn try_timeout<F: IntoFuture>(
    span: Duration,
    future: F,
) -> Result<Timeout<F::IntoFuture>, LoopError> {
    Ok(limit(try_sleep(span)?, future))
}

/// [`timeout_at`] without its panic.
///
/// # Errors
/// [`LoopError::NoCurrentLoop`] and [`LoopError::Closed`]; the future is given up.
pub fn try_timeout_at<F: IntoFuture>(
    deadline: Instant,
    future: F,
) -> Result<Timeout<F::IntoFuture>, LoopError> {
    Ok(limit(try_sleep_until(deadline)?, future))
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

impl<F> Timeout<F> {
    /// The future that is limited.
    pub fn get_ref(&self) -> &F {
        &self.future
    }

    /// The future that is limited.
    pub fn get_mut(&mut self) -> &mut F {
        &mut self.future
    }

    /// Lifts the limit.
    pub fn into_inner(self) -> F {
        self.future
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
        expired.map(|()| Err(Elapsed::new()))
    }
}

impl<F> fmt::Debug for Timeout<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Timeout(until {:?})", self.sleep.deadline())
    }
}

fn limit<F: IntoFuture>(sleep: Sleep, future: F) -> Timeout<F::IntoFuture> {
    Timeout {
        future: future.into_future(),
        sleep,
    }
}
