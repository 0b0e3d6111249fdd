//! How a future of tokio's is polled: as it is in production, by the world's rules in a world.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use crate::context::{self, Surroundings, surroundings};
use crate::coop;

/// Polls an operation that tokio counts in its cooperative budget, which it does by itself in
/// production. `note` is called when the task is about to wait in a run that is recorded.
#[inline(always)]
pub(super) fn poll_leaf<R>(
    cx: &mut Context<'_>,
    note: impl Fn(),
    poll: impl FnOnce(&mut Context<'_>) -> Poll<R>,
) -> Poll<R> {
    if surroundings() == Surroundings::Production {
        return poll(cx);
    }
    let taken = ready!(coop::poll_proceed(cx));
    let polled = poll_unbudgeted(cx, note, poll);
    if polled.is_ready() {
        taken.made_progress();
    }
    polled
}

/// Polls an operation that tokio does not count.
#[inline(always)]
pub(super) fn poll_unbudgeted<R>(
    cx: &mut Context<'_>,
    note: impl Fn(),
    poll: impl FnOnce(&mut Context<'_>) -> Poll<R>,
) -> Poll<R> {
    let polled = poll(cx);
    if polled.is_pending() && surroundings() == Surroundings::RecordedWorld {
        note();
    }
    polled
}

/// Refuses a call that blocks the thread where the thread runs a loop. In production tokio does so
/// by itself, with these words.
#[inline]
#[track_caller]
pub(super) fn expect_may_block() {
    let refused = surroundings() != Surroundings::Production
        && context::with_current(|ev| Some(ev?.backend()?.is_on_loop_thread())) == Some(true);
    assert!(
        !refused,
        "Cannot block the current thread from within a runtime. This happens because a function \
         attempted to block the current thread while the thread is being used to drive \
         asynchronous tasks."
    );
}

/// An attempt that counts as an operation if it succeeds, in production too.
///
/// Mostly there is nothing to wait for, and then no future of tokio's need be made: that costs more
/// than the attempt, and where it is boxed an allocation. Tokio's futures begin with the same
/// attempt, and it lets nobody overtake: what is freed goes to those who wait.
#[inline]
pub(super) fn attempt<R, E, F>(attempt: F) -> Attempt<F>
where
    F: FnMut() -> Result<R, E>,
{
    Attempt(attempt)
}

/// The future of [`attempt`].
#[must_use = "futures do nothing unless awaited"]
pub(super) struct Attempt<F>(F);

// Nothing of it is pinned: the attempt is a closure to call.
impl<F> Unpin for Attempt<F> {}

impl<R, E, F: FnMut() -> Result<R, E>> Future for Attempt<F> {
    type Output = Result<R, E>;

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let taken = ready!(coop::poll_proceed(cx));
        let outcome = (self.0)();
        if outcome.is_ok() {
            // As `made_progress` and a drop, but for tokio's call.
            std::mem::forget(taken);
        }
        Poll::Ready(outcome)
    }
}

pin_project! {
    /// A future polled by [`poll_leaf`].
    #[must_use = "futures do nothing unless awaited"]
    pub(super) struct Leaf<F, N> {
        #[pin]
        future: F,
        note: N,
    }
}

impl<F: Future, N: Fn()> Leaf<F, N> {
    pub(super) fn new(future: F, note: N) -> Self {
        Self { future, note }
    }
}

impl<F: Future, N: Fn()> Future for Leaf<F, N> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        poll_leaf(cx, &*this.note, |cx| this.future.poll(cx))
    }
}

pin_project! {
    /// A future polled by [`poll_unbudgeted`].
    #[must_use = "futures do nothing unless awaited"]
    pub(super) struct Unbudgeted<F, N> {
        #[pin]
        future: F,
        note: N,
    }
}

impl<F: Future, N: Fn()> Unbudgeted<F, N> {
    pub(super) fn new(future: F, note: N) -> Self {
        Self { future, note }
    }
}

impl<F: Future, N: Fn()> Future for Unbudgeted<F, N> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        poll_unbudgeted(cx, &*this.note, |cx| this.future.poll(cx))
    }
}
