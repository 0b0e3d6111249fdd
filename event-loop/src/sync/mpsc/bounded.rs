//! A queue of a certain length: who sends to a full one waits.

use std::fmt;
use std::future::{Future, poll_fn};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::mpsc as tokio_mpsc;

use super::error::{SendError, SendTimeoutError, TryRecvError, TrySendError};
use super::{AN_ITEM, CLOSING, Permit, PermitIterator, ROOM};
use crate::sync::leaf::{Leaf, Unbudgeted, attempt, expect_may_block, poll_leaf};
use crate::sync::record::{Kind, ReceiverEnd, SenderEnd, WeakEnd, ends};
use crate::time::timeout;

/// A queue of at most `buffer` items.
///
/// # Panics
/// If `buffer` is zero, or above [`Semaphore::MAX_PERMITS`](crate::sync::Semaphore::MAX_PERMITS).
#[must_use]
#[track_caller]
pub fn channel<T>(buffer: usize) -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = tokio_mpsc::channel(buffer);
    let (sender_end, receiver_end) = ends(Kind::Channel);
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

/// Sends to a [`Receiver`].
pub struct Sender<T> {
    inner: tokio_mpsc::Sender<T>,
    end: SenderEnd,
}

/// A sender that does not keep the channel open.
pub struct WeakSender<T> {
    inner: tokio_mpsc::WeakSender<T>,
    end: WeakEnd,
}

/// Receives what [`Sender`]s send.
pub struct Receiver<T> {
    inner: tokio_mpsc::Receiver<T>,
    end: ReceiverEnd,
}

/// Room for one item that owns its sender: of [`Sender::reserve_owned`].
pub struct OwnedPermit<T> {
    inner: tokio_mpsc::OwnedPermit<T>,
    end: SenderEnd,
}

impl<T> Receiver<T> {
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

    /// As [`Receiver::recv`], but blocks the thread.
    ///
    /// # Panics
    /// On a thread that runs a loop: use it in a blocking job.
    #[track_caller]
    pub fn blocking_recv(&mut self) -> Option<T> {
        expect_may_block();
        self.inner.blocking_recv()
    }

    /// As [`Receiver::recv_many`], but blocks the thread.
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

    /// How much room there is now.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.inner.capacity()
    }

    /// How much room there is in the empty channel.
    #[must_use]
    pub fn max_capacity(&self) -> usize {
        self.inner.max_capacity()
    }

    /// As [`Receiver::recv`], for those who poll by hand.
    #[inline]
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let note = || self.end.note(AN_ITEM);
        poll_leaf(cx, note, |cx| self.inner.poll_recv(cx))
    }

    /// As [`Receiver::recv_many`], for those who poll by hand.
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

    /// How many [`WeakSender`]s there are.
    #[must_use]
    pub fn sender_weak_count(&self) -> usize {
        self.inner.sender_weak_count()
    }
}

impl<T> Sender<T> {
    /// Sends an item, and waits for room if there is none. Who is dropped while waiting has sent
    /// nothing.
    ///
    /// # Errors
    /// The item, if the receiver is closed or gone.
    pub async fn send(&self, value: T) -> Result<(), SendError<T>> {
        match self.reserve().await {
            Ok(permit) => {
                permit.send(value);
                Ok(())
            }
            Err(_) => Err(SendError(value)),
        }
    }

    /// As [`Sender::send`], but blocks the thread.
    ///
    /// # Errors
    /// The item, if the receiver is closed or gone.
    ///
    /// # Panics
    /// On a thread that runs a loop: use it in a blocking job.
    #[track_caller]
    pub fn blocking_send(&self, value: T) -> Result<(), SendError<T>> {
        expect_may_block();
        self.inner.blocking_send(value)
    }

    /// Waits until the receiver is closed or gone.
    pub fn closed(&self) -> impl Future<Output = ()> {
        Unbudgeted::new(self.inner.closed(), || self.end.note(CLOSING))
    }

    /// Sends an item if there is room.
    ///
    /// # Errors
    /// The item: [`TrySendError::Full`] if there is no room, [`TrySendError::Closed`] if the
    /// receiver is closed or gone.
    pub fn try_send(&self, message: T) -> Result<(), TrySendError<T>> {
        self.inner.try_send(message)
    }

    /// As [`Sender::send`], for no longer than `limit` of the loop's time.
    ///
    /// # Errors
    /// The item: [`SendTimeoutError::Timeout`] if there was no room in time,
    /// [`SendTimeoutError::Closed`] if the receiver is closed or gone.
    ///
    /// # Panics
    /// If this thread has no current loop.
    pub async fn send_timeout(&self, value: T, limit: Duration) -> Result<(), SendTimeoutError<T>> {
        match timeout(limit, self.reserve()).await {
            Err(_) => Err(SendTimeoutError::Timeout(value)),
            Ok(Err(_)) => Err(SendTimeoutError::Closed(value)),
            Ok(Ok(permit)) => {
                permit.send(value);
                Ok(())
            }
        }
    }

    /// Whether the receiver is closed or gone.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }

    /// Waits for room for an item, which is then kept for it.
    ///
    /// # Errors
    /// [`SendError`] if the receiver is closed or gone.
    pub async fn reserve(&self) -> Result<Permit<'_, T>, SendError<()>> {
        match attempt(|| self.inner.try_reserve()).await {
            Ok(permit) => Ok(permit),
            Err(_) => Leaf::new(self.inner.reserve(), || self.end.note(ROOM)).await,
        }
    }

    /// Waits for room for `n` items, which is then kept for them.
    ///
    /// # Errors
    /// [`SendError`] if the receiver is closed or gone, or the channel never has so much room.
    pub fn reserve_many(
        &self,
        n: usize,
    ) -> impl Future<Output = Result<PermitIterator<'_, T>, SendError<()>>> {
        Leaf::new(self.inner.reserve_many(n), || self.end.note(ROOM))
    }

    /// As [`Sender::reserve`], with a permit that owns the sender.
    ///
    /// # Errors
    /// [`SendError`] if the receiver is closed or gone.
    pub async fn reserve_owned(self) -> Result<OwnedPermit<T>, SendError<()>> {
        let Self { inner, end } = self;
        let inner = Leaf::new(inner.reserve_owned(), || end.note(ROOM)).await?;
        Ok(OwnedPermit { inner, end })
    }

    /// Keeps room for an item if there is any.
    ///
    /// # Errors
    /// [`TrySendError::Full`] if there is no room, [`TrySendError::Closed`] if the receiver is
    /// closed or gone.
    pub fn try_reserve(&self) -> Result<Permit<'_, T>, TrySendError<()>> {
        self.inner.try_reserve()
    }

    /// Keeps room for `n` items if there is so much.
    ///
    /// # Errors
    /// As of [`Sender::try_reserve`].
    pub fn try_reserve_many(&self, n: usize) -> Result<PermitIterator<'_, T>, TrySendError<()>> {
        self.inner.try_reserve_many(n)
    }

    /// As [`Sender::try_reserve`], with a permit that owns the sender.
    ///
    /// # Errors
    /// The sender, with the reasons of [`Sender::try_reserve`].
    pub fn try_reserve_owned(self) -> Result<OwnedPermit<T>, TrySendError<Self>> {
        let Self { inner, end } = self;
        match inner.try_reserve_owned() {
            Ok(inner) => Ok(OwnedPermit { inner, end }),
            Err(TrySendError::Full(inner)) => Err(TrySendError::Full(Self { inner, end })),
            Err(TrySendError::Closed(inner)) => Err(TrySendError::Closed(Self { inner, end })),
        }
    }

    /// Whether both send to the same receiver.
    #[must_use]
    pub fn same_channel(&self, other: &Self) -> bool {
        self.inner.same_channel(&other.inner)
    }

    /// How much room there is now.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.inner.capacity()
    }

    /// How much room there is in the empty channel.
    #[must_use]
    pub fn max_capacity(&self) -> usize {
        self.inner.max_capacity()
    }

    /// A sender that does not keep the channel open.
    #[must_use = "this one goes on keeping it open"]
    pub fn downgrade(&self) -> WeakSender<T> {
        WeakSender {
            inner: self.inner.downgrade(),
            end: self.end.downgrade(),
        }
    }

    /// How many senders there are.
    #[must_use]
    pub fn strong_count(&self) -> usize {
        self.inner.strong_count()
    }

    /// How many [`WeakSender`]s there are.
    #[must_use]
    pub fn weak_count(&self) -> usize {
        self.inner.weak_count()
    }
}

impl<T> WeakSender<T> {
    /// A sender, unless all are gone.
    #[must_use]
    pub fn upgrade(&self) -> Option<Sender<T>> {
        let inner = self.inner.upgrade()?;
        let end = self.end.clone().upgrade();
        Some(Sender { inner, end })
    }

    /// How many senders there are.
    #[must_use]
    pub fn strong_count(&self) -> usize {
        self.inner.strong_count()
    }

    /// How many [`WeakSender`]s there are.
    #[must_use]
    pub fn weak_count(&self) -> usize {
        self.inner.weak_count()
    }
}

impl<T> OwnedPermit<T> {
    /// Sends an item into the room kept for it, and gives the sender back.
    pub fn send(self, value: T) -> Sender<T> {
        Sender {
            inner: self.inner.send(value),
            end: self.end,
        }
    }

    /// Gives the room and the sender back.
    #[must_use = "dropping the permit gives the room back, too"]
    pub fn release(self) -> Sender<T> {
        Sender {
            inner: self.inner.release(),
            end: self.end,
        }
    }

    /// Whether both are of the same channel.
    #[must_use]
    pub fn same_channel(&self, other: &Self) -> bool {
        self.inner.same_channel(&other.inner)
    }

    /// Whether it is of the sender's channel.
    #[must_use]
    pub fn same_channel_as_sender(&self, sender: &Sender<T>) -> bool {
        self.inner.same_channel_as_sender(&sender.inner)
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            end: self.end.clone(),
        }
    }
}

impl<T> Clone for WeakSender<T> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            end: self.end.clone(),
        }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl<T> fmt::Debug for WeakSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl<T> fmt::Debug for OwnedPermit<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
