//! A lock that is written.

use std::fmt;
use std::ops::{Deref, DerefMut};

use super::RwLockReadGuard;
use crate::sync::record::Held;

/// A [`RwLock`](super::RwLock) locked for writing, unlocked when dropped.
#[must_use = "a guard that is dropped unlocks its lock"]
pub struct RwLockWriteGuard<'a, T: ?Sized> {
    inner: tokio::sync::RwLockWriteGuard<'a, T>,
    held: Held,
}

/// A part of what a [`RwLock`](super::RwLock) holds, locked for writing: of
/// [`RwLockWriteGuard::map`].
#[must_use = "a guard that is dropped unlocks its lock"]
pub struct RwLockMappedWriteGuard<'a, T: ?Sized> {
    inner: tokio::sync::RwLockMappedWriteGuard<'a, T>,
    held: Held,
}

impl<'a, T: ?Sized> RwLockWriteGuard<'a, T> {
    /// Keeps a part of the value locked; the rest with it.
    pub fn map<F, U: ?Sized>(this: Self, f: F) -> RwLockMappedWriteGuard<'a, U>
    where
        F: FnOnce(&mut T) -> &mut U,
    {
        RwLockMappedWriteGuard {
            inner: tokio::sync::RwLockWriteGuard::map(this.inner, f),
            held: this.held,
        }
    }

    /// Keeps a part of the value locked, if there is that part.
    ///
    /// # Errors
    /// The guard itself if `f` returns `None`.
    pub fn try_map<F, U: ?Sized>(this: Self, f: F) -> Result<RwLockMappedWriteGuard<'a, U>, Self>
    where
        F: FnOnce(&mut T) -> Option<&mut U>,
    {
        let Self { inner, held } = this;
        match tokio::sync::RwLockWriteGuard::try_map(inner, f) {
            Ok(inner) => Ok(RwLockMappedWriteGuard { inner, held }),
            Err(inner) => Err(Self { inner, held }),
        }
    }

    /// The whole as a part of itself.
    pub fn into_mapped(this: Self) -> RwLockMappedWriteGuard<'a, T> {
        RwLockMappedWriteGuard {
            inner: tokio::sync::RwLockWriteGuard::into_mapped(this.inner),
            held: this.held,
        }
    }

    /// Goes on reading: other readers are let in, and no writer in between.
    pub fn downgrade(self) -> RwLockReadGuard<'a, T> {
        RwLockReadGuard::new(self.inner.downgrade(), self.held)
    }

    /// Goes on reading a part.
    pub fn downgrade_map<F, U: ?Sized>(this: Self, f: F) -> RwLockReadGuard<'a, U>
    where
        F: FnOnce(&T) -> &U,
    {
        let inner = tokio::sync::RwLockWriteGuard::downgrade_map(this.inner, f);
        RwLockReadGuard::new(inner, this.held)
    }

    /// Goes on reading a part, if there is that part.
    ///
    /// # Errors
    /// The guard itself if `f` returns `None`.
    pub fn try_downgrade_map<F, U: ?Sized>(this: Self, f: F) -> Result<RwLockReadGuard<'a, U>, Self>
    where
        F: FnOnce(&T) -> Option<&U>,
    {
        let Self { inner, held } = this;
        match tokio::sync::RwLockWriteGuard::try_downgrade_map(inner, f) {
            Ok(inner) => Ok(RwLockReadGuard::new(inner, held)),
            Err(inner) => Err(Self { inner, held }),
        }
    }

    #[inline]
    pub(super) fn new(inner: tokio::sync::RwLockWriteGuard<'a, T>, held: Held) -> Self {
        Self { inner, held }
    }
}

impl<'a, T: ?Sized> RwLockMappedWriteGuard<'a, T> {
    /// Keeps a part of the part locked.
    pub fn map<F, U: ?Sized>(this: Self, f: F) -> RwLockMappedWriteGuard<'a, U>
    where
        F: FnOnce(&mut T) -> &mut U,
    {
        RwLockMappedWriteGuard {
            inner: tokio::sync::RwLockMappedWriteGuard::map(this.inner, f),
            held: this.held,
        }
    }

    /// Keeps a part of the part locked, if there is that part.
    ///
    /// # Errors
    /// The guard itself if `f` returns `None`.
    pub fn try_map<F, U: ?Sized>(this: Self, f: F) -> Result<RwLockMappedWriteGuard<'a, U>, Self>
    where
        F: FnOnce(&mut T) -> Option<&mut U>,
    {
        let Self { inner, held } = this;
        match tokio::sync::RwLockMappedWriteGuard::try_map(inner, f) {
            Ok(inner) => Ok(RwLockMappedWriteGuard { inner, held }),
            Err(inner) => Err(Self { inner, held }),
        }
    }
}

impl<T: ?Sized> Deref for RwLockWriteGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T: ?Sized> DerefMut for RwLockWriteGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

impl<T: ?Sized> Deref for RwLockMappedWriteGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T: ?Sized> DerefMut for RwLockMappedWriteGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

shown_as_its_value!(RwLockWriteGuard<'_, T>);
shown_as_its_value!(RwLockMappedWriteGuard<'_, T>);
