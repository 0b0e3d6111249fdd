//! A value that is made once, by whoever needs it first.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tokio::sync::SetError;

use super::leaf::poll_leaf;
use super::record::{Kind, Origin};

/// A value that is made once, by whoever needs it first; the others wait for it.
///
/// ```
/// use event_loop::sync::OnceCell;
///
/// static LIMIT: OnceCell<u32> = OnceCell::const_new();
///
/// # let ev = event_loop::production::current_thread(Default::default()).unwrap();
/// # ev.run_until_complete(async {
/// let limit = LIMIT.get_or_init(|| async { 12 }).await;
/// assert_eq!(*limit, 12);
/// # }).unwrap();
/// ```
pub struct OnceCell<T> {
    inner: tokio::sync::OnceCell<T>,
    origin: Origin,
}

impl<T> OnceCell<T> {
    /// An empty cell.
    #[must_use]
    #[track_caller]
    pub fn new() -> Self {
        Self::const_new()
    }

    /// An empty cell, for a static.
    #[must_use]
    #[track_caller]
    pub const fn const_new() -> Self {
        Self {
            inner: tokio::sync::OnceCell::const_new(),
            origin: Origin::here(Kind::OnceCell),
        }
    }

    /// A cell that may hold a value already.
    #[must_use]
    #[track_caller]
    pub fn new_with(value: Option<T>) -> Self {
        Self {
            inner: tokio::sync::OnceCell::new_with(value),
            origin: Origin::here(Kind::OnceCell),
        }
    }

    /// A cell that holds a value, for a static.
    #[must_use]
    #[track_caller]
    pub const fn const_new_with(value: T) -> Self {
        Self {
            inner: tokio::sync::OnceCell::const_new_with(value),
            origin: Origin::here(Kind::OnceCell),
        }
    }

    /// Whether the value is there.
    #[must_use]
    pub fn initialized(&self) -> bool {
        self.inner.initialized()
    }

    /// The value, if it is there.
    #[must_use]
    pub fn get(&self) -> Option<&T> {
        self.inner.get()
    }

    /// The value, if it is there.
    pub fn get_mut(&mut self) -> Option<&mut T> {
        self.inner.get_mut()
    }

    /// Puts the value in.
    ///
    /// # Errors
    /// The value: [`SetError::AlreadyInitializedError`] if there is one,
    /// [`SetError::InitializingError`] if one is being made.
    pub fn set(&self, value: T) -> Result<(), SetError<T>> {
        self.inner.set(value)
    }

    /// The value; made by `f` if there is none, and nobody else is making it. If whoever makes it
    /// panics or is dropped, the next who waits does.
    #[track_caller]
    pub fn get_or_init<F, Fut>(&self, f: F) -> impl Future<Output = &T>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = T>,
    {
        let made = self.get_or_try_init(|| {
            let value = f();
            async move { Ok::<T, Infallible>(value.await) }
        });
        async move {
            match made.await {
                Ok(value) => value,
                Err(never) => match never {},
            }
        }
    }

    /// The value; made by `f` if there is none, and nobody else is making it. If whoever makes it
    /// fails, panics or is dropped, the next who waits does.
    ///
    /// # Errors
    /// That of `f`.
    #[track_caller]
    pub fn get_or_try_init<E, F, Fut>(&self, f: F) -> impl Future<Output = Result<&T, E>>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let site = Location::caller();
        async move {
            if let Some(value) = self.get() {
                return Ok(value);
            }
            let begun = AtomicBool::new(false);
            let make = || {
                begun.store(true, Ordering::Relaxed);
                let held = self.origin.hold(site);
                let value = f();
                async move {
                    let _held = held;
                    value.await
                }
            };
            let turn = Turn {
                future: self.inner.get_or_try_init(make),
                begun: &begun,
                origin: &self.origin,
            };
            turn.await
        }
    }

    /// The value, if it is there.
    #[must_use]
    pub fn into_inner(self) -> Option<T> {
        self.inner.into_inner()
    }

    /// Takes the value out, and leaves the cell empty.
    pub fn take(&mut self) -> Option<T> {
        self.inner.take()
    }
}

pin_project! {
    /// Waits for its turn as a leaf does; what is awaited once it has begun is the user's.
    struct Turn<'a, F> {
        #[pin]
        future: F,
        begun: &'a AtomicBool,
        origin: &'a Origin,
    }
}

impl<F: Future> Future for Turn<'_, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let begun = || this.begun.load(Ordering::Relaxed);
        if begun() {
            return this.future.poll(cx);
        }
        let note = || this.origin.note("the value of");
        let waiting = poll_leaf(cx, note, |cx| match this.future.poll(cx) {
            Poll::Pending if !begun() => Poll::Pending,
            polled => Poll::Ready(polled),
        });
        match waiting {
            Poll::Ready(polled) => polled,
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<T> Default for OnceCell<T> {
    #[track_caller]
    fn default() -> Self {
        Self::new()
    }
}

impl<T> From<T> for OnceCell<T> {
    #[track_caller]
    fn from(value: T) -> Self {
        Self::const_new_with(value)
    }
}

impl<T: Clone> Clone for OnceCell<T> {
    #[track_caller]
    fn clone(&self) -> Self {
        Self::new_with(self.get().cloned())
    }
}

impl<T: PartialEq> PartialEq for OnceCell<T> {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl<T: Eq> Eq for OnceCell<T> {}

impl<T: fmt::Debug> fmt::Debug for OnceCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
