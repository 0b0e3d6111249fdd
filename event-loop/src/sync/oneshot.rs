//! A channel for one value.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

use super::leaf::{expect_may_block, poll_leaf};
use super::record::{Kind, ReceiverEnd, SenderEnd, ends};

pub use tokio::sync::oneshot::error;

/// A channel for one value.
///
/// ```
/// use event_loop::sync::oneshot;
///
/// # let ev = event_loop::production::current_thread(Default::default()).unwrap();
/// # ev.run_until_complete(async {
/// let (reply, answer) = oneshot::channel();
/// event_loop::spawn(async move { reply.send(42) });
/// assert_eq!(answer.await, Ok(42));
/// # }).unwrap();
/// ```
#[inline]
#[must_use]
#[track_caller]
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let (sender_end, receiver_end) = ends(Kind::Oneshot);
    (
        Sender {
            inner: sender,
            end: sender_end,
        },
        Receiver {
            inner: receiver,
            end: receiver_end,
        },
    )
}

/// Sends the value.
pub struct Sender<T> {
    inner: tokio::sync::oneshot::Sender<T>,
    end: SenderEnd,
}

/// A future of the value.
pub struct Receiver<T> {
    inner: tokio::sync::oneshot::Receiver<T>,
    end: ReceiverEnd,
}

impl<T> Sender<T> {
    /// Sends the value.
    ///
    /// # Errors
    /// The value, if the receiver is gone.
    #[inline]
    pub fn send(self, value: T) -> Result<(), T> {
        self.inner.send(value)
    }

    /// Waits until the receiver is closed or gone.
    pub async fn closed(&mut self) {
        poll_fn(|cx| self.poll_closed(cx)).await;
    }

    /// Whether the receiver is closed or gone.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }

    /// As [`Sender::closed`], for those who poll by hand.
    pub fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let note = || self.end.note("the closing of");
        poll_leaf(cx, note, |cx| self.inner.poll_closed(cx))
    }
}

impl<T> Receiver<T> {
    /// Refuses a value from now on; one that was sent can still be received.
    pub fn close(&mut self) {
        self.inner.close();
    }

    /// Whether the channel's outcome was received, so that another poll would panic.
    #[must_use]
    pub fn is_terminated(&self) -> bool {
        self.inner.is_terminated()
    }

    /// Whether there is no value to receive now.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }

    /// Blocks the thread until the value is sent.
    ///
    /// # Errors
    /// [`RecvError`](error::RecvError) if the sender is gone without a value.
    ///
    /// # Panics
    /// On a thread that runs a loop: use it in a blocking job.
    #[track_caller]
    pub fn blocking_recv(self) -> Result<T, error::RecvError> {
        expect_may_block();
        self.inner.blocking_recv()
    }

    /// The value, if it was sent.
    ///
    /// # Errors
    /// [`TryRecvError::Empty`](error::TryRecvError::Empty) if it may still come,
    /// [`TryRecvError::Closed`](error::TryRecvError::Closed) if not.
    pub fn try_recv(&mut self) -> Result<T, error::TryRecvError> {
        self.inner.try_recv()
    }
}

impl<T> Future for Receiver<T> {
    type Output = Result<T, error::RecvError>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { inner, end } = self.get_mut();
        let note = || end.note("the value of");
        poll_leaf(cx, note, |cx| Pin::new(inner).poll(cx))
    }
}

impl<T: fmt::Debug> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl<T: fmt::Debug> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
