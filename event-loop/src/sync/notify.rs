//! Telling tasks that something has happened.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use ouroboros::self_referencing;
use pin_project_lite::pin_project;

use super::leaf::poll_unbudgeted;
use super::record::{Kind, Origin};

/// Wakes one task or all that wait, and remembers one notification that nobody waited for.
///
/// ```
/// use std::sync::Arc;
/// use event_loop::sync::Notify;
///
/// # let ev = event_loop::production::current_thread(Default::default()).unwrap();
/// # ev.run_until_complete(async {
/// let reload = Arc::new(Notify::new());
/// let reloader = event_loop::spawn({
///     let reload = reload.clone();
///     async move { reload.notified().await }
/// });
/// reload.notify_one();
/// reloader.await.unwrap();
/// # }).unwrap();
/// ```
pub struct Notify {
    inner: tokio::sync::Notify,
    origin: Origin,
}

impl Notify {
    /// One without a notification.
    #[must_use]
    #[track_caller]
    #[inline]
    pub fn new() -> Self {
        Self::const_new()
    }

    /// One without a notification, for a static.
    #[must_use]
    #[track_caller]
    #[inline]
    pub const fn const_new() -> Self {
        Self {
            inner: tokio::sync::Notify::const_new(),
            origin: Origin::here(Kind::Notify),
        }
    }

    /// Waits for a notification: one that nobody waited for, or a later one. It takes part in
    /// [`Notify::notify_waiters`] from now on, and in the others' order from its first poll.
    #[inline]
    pub fn notified(&self) -> Notified<'_> {
        Notified {
            inner: self.inner.notified(),
            origin: &self.origin,
        }
    }

    /// As [`Notify::notified`], with a future that owns the notify.
    #[inline]
    pub fn notified_owned(self: Arc<Self>) -> OwnedNotified {
        OwnedNotified(OwnedInner::new(self, |notify| Box::pin(notify.notified())))
    }

    /// Wakes who has waited longest; if nobody waits, the next who does need not.
    #[inline]
    pub fn notify_one(&self) {
        self.inner.notify_one();
    }

    /// Wakes who has waited shortest; if nobody waits, the next who does need not.
    #[inline]
    pub fn notify_last(&self) {
        self.inner.notify_last();
    }

    /// Wakes everybody who waits now.
    #[inline]
    pub fn notify_waiters(&self) {
        self.inner.notify_waiters();
    }
}

impl Default for Notify {
    #[track_caller]
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

pin_project! {
    /// The future of [`Notify::notified`]. Dropped after it was notified and before it was ready,
    /// it passes the notification on.
    #[must_use = "futures do nothing unless awaited"]
    pub struct Notified<'a> {
        #[pin]
        inner: tokio::sync::futures::Notified<'a>,
        origin: &'a Origin,
    }
}

impl Notified<'_> {
    /// Takes its place among the waiters without a poll; whether it is notified already.
    #[inline]
    pub fn enable(self: Pin<&mut Self>) -> bool {
        self.project().inner.enable()
    }
}

impl Future for Notified<'_> {
    type Output = ();

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let note = || this.origin.note("a notification of");
        poll_unbudgeted(cx, note, |cx| this.inner.poll(cx))
    }
}

impl fmt::Debug for Notified<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Notified")
    }
}

/// The future of [`Notify::notified_owned`].
#[must_use = "futures do nothing unless awaited"]
pub struct OwnedNotified(OwnedInner);

#[self_referencing]
struct OwnedInner {
    notify: Arc<Notify>,
    #[borrows(notify)]
    #[covariant]
    notified: Pin<Box<Notified<'this>>>,
}

impl OwnedNotified {
    /// Takes its place among the waiters without a poll; whether it is notified already.
    #[inline]
    pub fn enable(self: Pin<&mut Self>) -> bool {
        let inner = &mut self.get_mut().0;
        inner.with_notified_mut(|notified| notified.as_mut().enable())
    }
}

impl Future for OwnedNotified {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let inner = &mut self.get_mut().0;
        inner.with_notified_mut(|notified| notified.as_mut().poll(cx))
    }
}

impl fmt::Debug for OwnedNotified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnedNotified")
    }
}
