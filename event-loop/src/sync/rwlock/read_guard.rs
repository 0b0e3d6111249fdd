//! A lock that is read.

use std::fmt;
use std::ops::Deref;

use crate::sync::record::Held;

/// A [`RwLock`](super::RwLock) locked for reading, unlocked when dropped.
#[must_use = "a guard that is dropped unlocks its lock"]
pub struct RwLockReadGuard<'a, T: ?Sized> {
    inner: tokio::sync::RwLockReadGuard<'a, T>,
    held: Held,
}

impl<'a, T: ?Sized> RwLockReadGuard<'a, T> {
    /// Keeps a part of the value locked; the rest with it.
    pub fn map<F, U: ?Sized>(this: Self, f: F) -> RwLockReadGuard<'a, U>
    where
        F: FnOnce(&T) -> &U,
    {
        let inner = tokio::sync::RwLockReadGuard::map(this.inner, f);
        RwLockReadGuard::new(inner, this.held)
    }

    /// Keeps a part of the value locked, if there is that part.
    ///
    /// # Errors
    /// The guard itself if `f` returns `None`.
    pub fn try_map<F, U: ?Sized>(this: Self, f: F) -> Result<RwLockReadGuard<'a, U>, Self>
    where
        F: FnOnce(&T) -> Option<&U>,
    {
        let Self { inner, held } = this;
        match tokio::sync::RwLockReadGuard::try_map(inner, f) {
            Ok(inner) => Ok(RwLockReadGuard::new(inner, held)),
            Err(inner) => Err(Self { inner, held }),
        }
    }

    #[inline]
    pub(super) fn new(inner: tokio::sync::RwLockReadGuard<'a, T>, held: Held) -> Self {
        Self { inner, held }
    }
}

impl<T: ?Sized> Deref for RwLockReadGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.inner
    }
}

shown_as_its_value!(RwLockReadGuard<'_, T>);
