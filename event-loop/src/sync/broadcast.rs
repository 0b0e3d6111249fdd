//! A queue from many senders to many receivers, each of whom gets every item.

use std::fmt;
use std::future::Future;

use tokio::sync::broadcast as tokio_broadcast;

use self::error::{RecvError, SendError, TryRecvError};
use super::leaf::{Leaf, Unbudgeted, expect_may_block};
use super::record::{Kind, ReceiverEnd, SenderEnd, WeakEnd, ends};

pub use tokio::sync::broadcast::error;

/// A queue of at least `capacity` items. A receiver that lags further behind misses the oldest.
///
/// ```
/// use event_loop::sync::broadcast;
///
/// # let ev = event_loop::production::current_thread(Default::default()).unwrap();
/// # ev.run_until_complete(async {
/// let (quotes, mut chart) = broadcast::channel(16);
/// let mut ledger = quotes.subscribe();
/// quotes.send(101).unwrap();
/// assert_eq!((chart.recv().await, ledger.recv().await), (Ok(101), Ok(101)));
/// # }).unwrap();
/// ```
///
/// # Panics
/// If `capacity` is zero or above half of `usize::MAX`.
#[must_use]
#[track_caller]
pub fn channel<T: Clone>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = tokio_broadcast::channel(capacity);
    let (sender_end, receiver_end) = ends(Kind::Broadcast);
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

/// Sends to every [`Receiver`].
pub struct Sender<T> {
    inner: tokio_broadcast::Sender<T>,
    end: SenderEnd,
}

/// A sender that does not keep the channel open.
pub struct WeakSender<T> {
    inner: tokio_broadcast::WeakSender<T>,
    end: WeakEnd,
}

/// Receives what is sent from when it was made.
pub struct Receiver<T> {
    inner: tokio_broadcast::Receiver<T>,
    end: ReceiverEnd,
}

impl<T> Sender<T> {
    /// A sender without a receiver as yet.
    ///
    /// # Panics
    /// As [`channel`].
    #[must_use]
    #[track_caller]
    pub fn new(capacity: usize) -> Self {
        Self {
            inner: tokio_broadcast::Sender::new(capacity),
            end: ends(Kind::Broadcast).0,
        }
    }

    /// Sends an item to every receiver there is, and tells how many there are.
    ///
    /// # Errors
    /// The item, if there is none.
    pub fn send(&self, value: T) -> Result<usize, SendError<T>> {
        self.inner.send(value)
    }

    /// A receiver of what is sent from now on.
    #[must_use]
    pub fn subscribe(&self) -> Receiver<T> {
        Receiver {
            inner: self.inner.subscribe(),
            end: self.end.downgrade().upgrade(),
        }
    }

    /// A sender that does not keep the channel open.
    #[must_use = "this one goes on keeping it open"]
    pub fn downgrade(&self) -> WeakSender<T> {
        WeakSender {
            inner: self.inner.downgrade(),
            end: self.end.downgrade(),
        }
    }

    /// How many items some receiver has yet to get.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inner.len()
    }

    /// Whether every receiver has got every item.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }

    /// How many receivers there are.
    #[must_use]
    pub fn receiver_count(&self) -> usize {
        self.inner.receiver_count()
    }

    /// Whether both send to the same receivers.
    #[must_use]
    pub fn same_channel(&self, other: &Self) -> bool {
        self.inner.same_channel(&other.inner)
    }

    /// Waits until there is no receiver.
    pub fn closed(&self) -> impl Future<Output = ()> {
        Unbudgeted::new(self.inner.closed(), || self.end.note("the closing of"))
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

impl<T> Receiver<T> {
    /// How many items it has yet to get.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inner.len()
    }

    /// Whether it has got every item.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }

    /// Whether both are of the same channel.
    #[must_use]
    pub fn same_channel(&self, other: &Self) -> bool {
        self.inner.same_channel(&other.inner)
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

    /// Whether every sender is gone.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }
}

impl<T: Clone> Receiver<T> {
    /// The next item. Who is dropped while waiting loses none.
    ///
    /// # Errors
    /// [`RecvError::Lagged`] with the number of items it has missed, after which it gets the oldest
    /// there is; [`RecvError::Closed`] once every sender is gone and every item got.
    pub fn recv(&mut self) -> impl Future<Output = Result<T, RecvError>> {
        Leaf::new(self.inner.recv(), || self.end.note("an item of"))
    }

    /// As [`Receiver::recv`], but blocks the thread.
    ///
    /// # Errors
    /// As [`Receiver::recv`].
    ///
    /// # Panics
    /// On a thread that runs a loop: use it in a blocking job.
    #[track_caller]
    pub fn blocking_recv(&mut self) -> Result<T, RecvError> {
        expect_may_block();
        self.inner.blocking_recv()
    }

    /// The next item, if there is one.
    ///
    /// # Errors
    /// As [`Receiver::recv`], and [`TryRecvError::Empty`] if there is none as yet.
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        self.inner.try_recv()
    }

    /// Another receiver, of what is sent from now on.
    #[must_use]
    pub fn resubscribe(&self) -> Self {
        Self {
            inner: self.inner.resubscribe(),
            end: self.end.clone(),
        }
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
