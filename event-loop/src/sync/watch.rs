//! A value whose changes are watched: who watches sees the last, not every one.

use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::sync::{Notify, watch as tokio_watch};

use self::error::{RecvError, SendError};
use super::leaf::Leaf;
use super::record::{Kind, ReceiverEnd, SenderEnd, ends};
use crate::context::{Surroundings, surroundings};

pub use tokio::sync::watch::{Ref, error};

/// A value that senders change and receivers watch.
///
/// ```
/// use event_loop::sync::watch;
///
/// # let ev = event_loop::production::current_thread(Default::default()).unwrap();
/// # ev.run_until_complete(async {
/// let (level, mut watched) = watch::channel("info");
/// level.send("debug").unwrap();
/// level.send("trace").unwrap();
/// watched.changed().await.unwrap();
/// assert_eq!(*watched.borrow_and_update(), "trace");
/// # }).unwrap();
/// ```
#[must_use]
#[track_caller]
pub fn channel<T>(init: T) -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = tokio_watch::channel(init);
    let (sender_end, receiver_end) = ends(Kind::Watch);
    let changes = Arc::<Changes>::default();
    (
        Sender {
            inner: sender,
            presence: Presence::new(changes.clone()),
            end: sender_end,
        },
        Receiver {
            inner: receiver,
            changes,
            end: receiver_end,
        },
    )
}

/// Changes the value.
pub struct Sender<T> {
    // Dropped before the presence, which tells of it.
    inner: tokio_watch::Sender<T>,
    presence: Presence,
    end: SenderEnd,
}

/// Watches the value.
pub struct Receiver<T> {
    inner: tokio_watch::Receiver<T>,
    changes: Arc<Changes>,
    end: ReceiverEnd,
}

/// Who waits for a change in a world.
///
/// Tokio spreads its own waiters over eight lists, at random: in which order they wake would not be
/// the seed's to decide. In a world they wait here instead, in the order in which they came.
#[derive(Default)]
struct Changes {
    /// Made by the first who waits in a world.
    waiters: OnceLock<Notify>,
    senders: AtomicUsize,
}

impl Changes {
    #[inline]
    fn tell(&self) {
        if let Some(waiters) = self.waiters.get() {
            waiters.notify_waiters();
        }
    }

    fn waiters(&self) -> &Notify {
        self.waiters.get_or_init(Notify::new)
    }
}

/// A sender among the others: with the last of them the channel closes.
struct Presence(Arc<Changes>);

impl Presence {
    fn new(changes: Arc<Changes>) -> Self {
        changes.senders.fetch_add(1, Ordering::Relaxed);
        Self(changes)
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        if self.0.senders.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.tell();
        }
    }
}

impl<T> Receiver<T> {
    /// The value, which stays unseen if it is.
    ///
    /// While the reference lives no sender can change the value: it is a lock.
    #[must_use]
    pub fn borrow(&self) -> Ref<'_, T> {
        self.inner.borrow()
    }

    /// The value, which is seen from now on.
    ///
    /// While the reference lives no sender can change the value: it is a lock.
    #[must_use]
    pub fn borrow_and_update(&mut self) -> Ref<'_, T> {
        self.inner.borrow_and_update()
    }

    /// Whether the value is one it has not seen.
    ///
    /// # Errors
    /// [`RecvError`] if every sender is gone.
    pub fn has_changed(&self) -> Result<bool, RecvError> {
        self.inner.has_changed()
    }

    /// Whether every sender is gone.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }

    /// The value is unseen from now on.
    pub fn mark_changed(&mut self) {
        self.inner.mark_changed();
    }

    /// The value is seen from now on.
    pub fn mark_unchanged(&mut self) {
        self.inner.mark_unchanged();
    }

    /// Waits for a value it has not seen, and marks it seen. Who is dropped while waiting has seen
    /// nothing.
    ///
    /// # Errors
    /// [`RecvError`] if every sender is gone and the value seen.
    pub async fn changed(&mut self) -> Result<(), RecvError> {
        let Self {
            inner,
            changes,
            end,
        } = self;
        if surroundings() == Surroundings::Production {
            return inner.changed().await;
        }
        Leaf::new(changed_in_world(inner, changes), || end.note(A_CHANGE)).await
    }

    /// Waits for a value for which `f` is true, the one there is now included, and marks it seen.
    ///
    /// # Errors
    /// [`RecvError`] if every sender is gone, and `f` false for the last value.
    pub async fn wait_for(&mut self, f: impl FnMut(&T) -> bool) -> Result<Ref<'_, T>, RecvError> {
        let Self {
            inner,
            changes,
            end,
        } = self;
        if surroundings() == Surroundings::Production {
            return inner.wait_for(f).await;
        }
        Leaf::new(wait_in_world(inner, changes, f), || end.note(A_CHANGE)).await
    }

    /// Whether both watch the same value.
    #[must_use]
    pub fn same_channel(&self, other: &Self) -> bool {
        self.inner.same_channel(&other.inner)
    }
}

const A_CHANGE: &str = "a change in";

async fn changed_in_world<T>(
    receiver: &mut tokio_watch::Receiver<T>,
    changes: &Changes,
) -> Result<(), RecvError> {
    loop {
        let told = changes.waiters().notified();
        if receiver.borrow().has_changed() {
            receiver.mark_unchanged();
            return Ok(());
        }
        receiver.has_changed()?;
        told.await;
    }
}

async fn wait_in_world<'a, T>(
    receiver: &'a mut tokio_watch::Receiver<T>,
    changes: &Changes,
    mut f: impl FnMut(&T) -> bool,
) -> Result<Ref<'a, T>, RecvError> {
    let mut outcome = Ok(());
    loop {
        let found = {
            let value = receiver.borrow();
            (outcome.is_ok() || value.has_changed()) && f(&value)
        };
        if found {
            // The same value still: a world has one thread.
            return Ok(receiver.borrow_and_update());
        }
        receiver.mark_unchanged();
        outcome?;
        outcome = changed_in_world(receiver, changes).await;
    }
}

impl<T> Sender<T> {
    /// A sender without a receiver as yet.
    #[must_use]
    #[track_caller]
    pub fn new(init: T) -> Self {
        channel(init).0
    }

    /// Changes the value.
    ///
    /// # Errors
    /// The value, if there is no receiver.
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        let sent = self.inner.send(value);
        if sent.is_ok() {
            self.presence.0.tell();
        }
        sent
    }

    /// Changes the value in place, whether there is a receiver or not.
    pub fn send_modify<F>(&self, modify: F)
    where
        F: FnOnce(&mut T),
    {
        self.inner.send_modify(modify);
        self.presence.0.tell();
    }

    /// Changes the value in place, and tells the receivers if `modify` says that it did.
    pub fn send_if_modified<F>(&self, modify: F) -> bool
    where
        F: FnOnce(&mut T) -> bool,
    {
        let modified = self.inner.send_if_modified(modify);
        if modified {
            self.presence.0.tell();
        }
        modified
    }

    /// Changes the value, whether there is a receiver or not, and gives the previous one.
    pub fn send_replace(&self, value: T) -> T {
        let previous = self.inner.send_replace(value);
        self.presence.0.tell();
        previous
    }

    /// The value.
    ///
    /// While the reference lives no sender can change the value: it is a lock.
    #[must_use]
    pub fn borrow(&self) -> Ref<'_, T> {
        self.inner.borrow()
    }

    /// Whether there is no receiver.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }

    /// Waits until there is no receiver.
    pub fn closed(&self) -> impl Future<Output = ()> {
        Leaf::new(self.inner.closed(), || self.end.note("the closing of"))
    }

    /// A receiver that has seen the value there is now.
    #[must_use]
    pub fn subscribe(&self) -> Receiver<T> {
        Receiver {
            inner: self.inner.subscribe(),
            changes: self.presence.0.clone(),
            end: self.end.downgrade().upgrade(),
        }
    }

    /// How many receivers there are.
    #[must_use]
    pub fn receiver_count(&self) -> usize {
        self.inner.receiver_count()
    }

    /// How many senders there are.
    #[must_use]
    pub fn sender_count(&self) -> usize {
        self.inner.sender_count()
    }

    /// Whether both change the same value.
    #[must_use]
    pub fn same_channel(&self, other: &Self) -> bool {
        self.inner.same_channel(&other.inner)
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            presence: Presence::new(self.presence.0.clone()),
            end: self.end.clone(),
        }
    }
}

impl<T: Default> Default for Sender<T> {
    #[track_caller]
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            changes: self.changes.clone(),
            end: self.end.clone(),
        }
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
