//! A queue of any length: sending never waits.

use std::fmt;
use std::future::{Future, poll_fn};
use std::task::{Context, Poll};

use tokio::sync::mpsc as tokio_mpsc;

use super::error::{SendError, TryRecvError};
use super::{AN_ITEM, CLOSING};
use crate::sync::leaf::{Unbudgeted, expect_may_block, poll_leaf};
use crate::sync::record::{Kind, ReceiverEnd, SenderEnd, WeakEnd, ends};

/// A queue of any length; memory is its limit.
#[must_use]
#[track_caller]
pub fn unbounded_channel<T>() -> (UnboundedSender<T>, UnboundedReceiver<T>) {
    let (sender, receiver) = tokio_mpsc::unbounded_channel();
    let (sender_end, receiver_end) = ends(Kind::Channel);
    (
        UnboundedSender {
            inner: sender,
            end: sender_end,
        },
        UnboundedReceiver {
            inner: receiver,
            end: receiver_end,
        },
    )
}

/// Sends to an [`UnboundedReceiver`].
pub struct UnboundedSender<T> {
    inner: tokio_mpsc::UnboundedSender<T>,
    end: SenderEnd,
}

/// A sender that does not keep the channel open.
pub struct WeakUnboundedSender<T> {
    inner: tokio_mpsc::WeakUnboundedSender<T>,
    end: WeakEnd,
}

/// Receives what [`UnboundedSender`]s send.
pub struct UnboundedReceiver<T> {
    inner: tokio_mpsc::UnboundedReceiver<T>,
    end: ReceiverEnd,
}

impl<T> UnboundedReceiver<T> {
    /// The next item; `None` once the channel is closed and empty. Who is dropped while waiting
    /// loses no item.
    pub fn recv(&mut self) -> impl Future<Output = Option<T>> {
        poll_fn(|cx| self.poll_recv(cx))
    }

    /// Appends up to `limit` items to `buffer`, as many as there are, and tells how many; zero once
    /// the channel is closed and empty, or if `limit` is zero.
    pub fn recv_many(&mut self, buffer: &mut Vec<T>, limit: usize) -> impl Future<Output = usize> {
        poll_fn(move |cx| self.poll_recv_many(cx, buffer, limit))
    }

    /// The next item, if there is one.
    ///
    /// # Errors
    /// [`TryRecvError::Empty`] if one may still come, [`TryRecvError::Disconnected`] if not.
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        self.inner.try_recv()
    }

    /// As [`UnboundedReceiver::recv`], but blocks the thread.
    ///
    /// # Panics
    /// On a thread that runs a loop: use it in a blocking job.
    #[track_caller]
    pub fn blocking_recv(&mut self) -> Option<T> {
        expect_may_block();
        self.inner.blocking_recv()
    }

    /// As [`UnboundedReceiver::recv_many`], but blocks the thread.
    ///
    /// # Panics
    /// On a thread that runs a loop: use it in a blocking job.
    #[track_caller]
    pub fn blocking_recv_many(&mut self, buffer: &mut Vec<T>, limit: usize) -> usize {
        expect_may_block();
        self.inner.blocking_recv_many(buffer, limit)
    }

    /// Refuses further items; those that were sent can still be received.
    pub fn close(&mut self) {
        self.inner.close();
    }

    /// Whether no further items can be sent.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }

    /// Whether there is no item.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }

    /// How many items there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inner.len()
    }

    /// As [`UnboundedReceiver::recv`], for those who poll by hand.
    #[inline]
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let note = || self.end.note(AN_ITEM);
        poll_leaf(cx, note, |cx| self.inner.poll_recv(cx))
    }

    /// As [`UnboundedReceiver::recv_many`], for those who poll by hand.
    #[inline]
    pub fn poll_recv_many(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut Vec<T>,
        limit: usize,
    ) -> Poll<usize> {
        let note = || self.end.note(AN_ITEM);
        poll_leaf(cx, note, |cx| self.inner.poll_recv_many(cx, buffer, limit))
    }

    /// How many senders there are.
    #[must_use]
    pub fn sender_strong_count(&self) -> usize {
        self.inner.sender_strong_count()
    }

    /// How many [`WeakUnboundedSender`]s there are.
    #[must_use]
    pub fn sender_weak_count(&self) -> usize {
        self.inner.sender_weak_count()
    }
}

impl<T> UnboundedSender<T> {
    /// Sends an item.
    ///
    /// # Errors
    /// The item, if the receiver is closed or gone.
    pub fn send(&self, message: T) -> Result<(), SendError<T>> {
        self.inner.send(message)
    }

    /// Waits until the receiver is closed or gone.
    pub fn closed(&self) -> impl Future<Output = ()> {
        Unbudgeted::new(self.inner.closed(), || self.end.note(CLOSING))
    }

    /// Whether the receiver is closed or gone.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }

    /// Whether both send to the same receiver.
    #[must_use]
    pub fn same_channel(&self, other: &Self) -> bool {
        self.inner.same_channel(&other.inner)
    }

    /// A sender that does not keep the channel open.
    #[must_use = "this one goes on keeping it open"]
    pub fn downgrade(&self) -> WeakUnboundedSender<T> {
        WeakUnboundedSender {
            inner: self.inner.downgrade(),
            end: self.end.downgrade(),
        }
    }

    /// How many senders there are.
    #[must_use]
    pub fn strong_count(&self) -> usize {
        self.inner.strong_count()
    }

    /// How many [`WeakUnboundedSender`]s there are.
    #[must_use]
    pub fn weak_count(&self) -> usize {
        self.inner.weak_count()
    }
}

impl<T> WeakUnboundedSender<T> {
    /// A sender, unless all are gone.
    #[must_use]
    pub fn upgrade(&self) -> Option<UnboundedSender<T>> {
        let inner = self.inner.upgrade()?;
        let end = self.end.clone().upgrade();
        Some(UnboundedSender { inner, end })
    }

    /// How many senders there are.
    #[must_use]
    pub fn strong_count(&self) -> usize {
        self.inner.strong_count()
    }

    /// How many [`WeakUnboundedSender`]s there are.
    #[must_use]
    pub fn weak_count(&self) -> usize {
        self.inner.weak_count()
    }
}

impl<T> Clone for UnboundedSender<T> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            end: self.end.clone(),
        }
    }
}

impl<T> Clone for WeakUnboundedSender<T> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            end: self.end.clone(),
        }
    }
}

impl<T> fmt::Debug for UnboundedSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl<T> fmt::Debug for WeakUnboundedSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl<T> fmt::Debug for UnboundedReceiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
