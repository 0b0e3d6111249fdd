//! A value that is set once, and waited for.

use std::fmt;
use std::future::Future;

use tokio::sync::SetOnceError;

use super::leaf::Unbudgeted;
use super::record::{Kind, Origin};

/// A value that is set once, and waited for.
///
/// ```
/// use event_loop::sync::SetOnce;
///
/// static ADDRESS: SetOnce<&str> = SetOnce::const_new();
///
/// # let ev = event_loop::production::current_thread(Default::default()).unwrap();
/// # ev.run_until_complete(async {
/// event_loop::spawn(async { ADDRESS.set("10.0.0.1:80") });
/// assert_eq!(*ADDRESS.wait().await, "10.0.0.1:80");
/// # }).unwrap();
/// ```
pub struct SetOnce<T> {
    inner: tokio::sync::SetOnce<T>,
    origin: Origin,
}

impl<T> SetOnce<T> {
    /// An empty one.
    #[must_use]
    #[track_caller]
    pub fn new() -> Self {
        Self::const_new()
    }

    /// An empty one, for a static.
    #[must_use]
    #[track_caller]
    pub const fn const_new() -> Self {
        Self {
            inner: tokio::sync::SetOnce::const_new(),
            origin: Origin::here(Kind::SetOnce),
        }
    }

    /// One that may hold a value already.
    #[must_use]
    #[track_caller]
    pub fn new_with(value: Option<T>) -> Self {
        Self {
            inner: tokio::sync::SetOnce::new_with(value),
            origin: Origin::here(Kind::SetOnce),
        }
    }

    /// One that holds a value, for a static.
    #[must_use]
    #[track_caller]
    pub const fn const_new_with(value: T) -> Self {
        Self {
            inner: tokio::sync::SetOnce::const_new_with(value),
            origin: Origin::here(Kind::SetOnce),
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

    /// Sets the value, and wakes who waits for it.
    ///
    /// # Errors
    /// The value, if there is one.
    pub fn set(&self, value: T) -> Result<(), SetOnceError<T>> {
        self.inner.set(value)
    }

    /// The value, if it is there.
    #[must_use]
    pub fn into_inner(self) -> Option<T> {
        self.inner.into_inner()
    }

    /// Waits for the value.
    pub fn wait(&self) -> impl Future<Output = &T> {
        Unbudgeted::new(self.inner.wait(), || self.origin.note("the value of"))
    }
}

impl<T> Default for SetOnce<T> {
    #[track_caller]
    fn default() -> Self {
        Self::new()
    }
}

impl<T> From<T> for SetOnce<T> {
    #[track_caller]
    fn from(value: T) -> Self {
        Self::const_new_with(value)
    }
}

impl<T: Clone> Clone for SetOnce<T> {
    #[track_caller]
    fn clone(&self) -> Self {
        Self::new_with(self.get().cloned())
    }
}

impl<T: PartialEq> PartialEq for SetOnce<T> {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl<T: Eq> Eq for SetOnce<T> {}

impl<T: fmt::Debug> fmt::Debug for SetOnce<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
