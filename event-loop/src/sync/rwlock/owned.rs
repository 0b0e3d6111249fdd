//! Guards that own their lock.

use std::fmt;
use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::panic::Location;
use std::sync::Arc;

use ouroboros::self_referencing;
use tokio::sync::TryLockError;

use super::{RwLock, TO_READ, TO_WRITE};
use crate::sync::leaf::{Leaf, attempt};
use crate::sync::record::Held;

/// A [`RwLock`] that the guard owns, locked for reading, unlocked when dropped.
#[must_use = "a guard that is dropped unlocks its lock"]
pub struct OwnedRwLockReadGuard<T: ?Sized + 'static> {
    inner: Read<T>,
    _held: Held,
}

/// A [`RwLock`] that the guard owns, locked for writing, unlocked when dropped.
#[must_use = "a guard that is dropped unlocks its lock"]
pub struct OwnedRwLockWriteGuard<T: ?Sized + 'static> {
    inner: Write<T>,
    _held: Held,
}

#[self_referencing]
struct Read<T: ?Sized + 'static> {
    lock: Arc<RwLock<T>>,
    #[borrows(lock)]
    #[not_covariant]
    guard: tokio::sync::RwLockReadGuard<'this, T>,
}

#[self_referencing]
struct Write<T: ?Sized + 'static> {
    lock: Arc<RwLock<T>>,
    #[borrows(lock)]
    #[not_covariant]
    guard: tokio::sync::RwLockWriteGuard<'this, T>,
}

impl<T: ?Sized + 'static> RwLock<T> {
    /// As [`RwLock::read`], with a guard that owns the lock.
    #[track_caller]
    pub fn read_owned(self: Arc<Self>) -> impl Future<Output = OwnedRwLockReadGuard<T>>
    where
        T: Send + Sync,
    {
        let site = Location::caller();
        async move {
            let at_once = attempt(|| Read::try_lock(self.clone()));
            let inner = match at_once.await {
                Ok(inner) => inner,
                Err(_) => {
                    Read::new_async_send(self, |lock| {
                        Box::pin(Leaf::new(lock.inner.read(), || lock.origin.note(TO_READ)))
                    })
                    .await
                }
            };
            OwnedRwLockReadGuard::new(inner, site)
        }
    }

    /// As [`RwLock::write`], with a guard that owns the lock.
    #[track_caller]
    pub fn write_owned(self: Arc<Self>) -> impl Future<Output = OwnedRwLockWriteGuard<T>>
    where
        T: Send + Sync,
    {
        let site = Location::caller();
        async move {
            let at_once = attempt(|| Write::try_lock(self.clone()));
            let inner = match at_once.await {
                Ok(inner) => inner,
                Err(_) => {
                    Write::new_async_send(self, |lock| {
                        Box::pin(Leaf::new(lock.inner.write(), || lock.origin.note(TO_WRITE)))
                    })
                    .await
                }
            };
            OwnedRwLockWriteGuard::new(inner, site)
        }
    }

    /// As [`RwLock::try_read`], with a guard that owns the lock.
    ///
    /// # Errors
    /// [`TryLockError`] if that is not possible now.
    #[track_caller]
    pub fn try_read_owned(self: Arc<Self>) -> Result<OwnedRwLockReadGuard<T>, TryLockError> {
        let inner = Read::try_lock(self)?;
        Ok(OwnedRwLockReadGuard::new(inner, Location::caller()))
    }

    /// As [`RwLock::try_write`], with a guard that owns the lock.
    ///
    /// # Errors
    /// [`TryLockError`] if that is not possible now.
    #[track_caller]
    pub fn try_write_owned(self: Arc<Self>) -> Result<OwnedRwLockWriteGuard<T>, TryLockError> {
        let inner = Write::try_lock(self)?;
        Ok(OwnedRwLockWriteGuard::new(inner, Location::caller()))
    }
}

impl<T: ?Sized + 'static> Read<T> {
    fn try_lock(lock: Arc<RwLock<T>>) -> Result<Self, TryLockError> {
        Self::try_new(lock, |lock| lock.inner.try_read())
    }
}

impl<T: ?Sized + 'static> Write<T> {
    fn try_lock(lock: Arc<RwLock<T>>) -> Result<Self, TryLockError> {
        Self::try_new(lock, |lock| lock.inner.try_write())
    }
}

impl<T: ?Sized + 'static> OwnedRwLockReadGuard<T> {
    /// The lock.
    #[must_use]
    pub fn rwlock(this: &Self) -> &Arc<RwLock<T>> {
        this.inner.borrow_lock()
    }

    fn new(inner: Read<T>, site: &'static Location<'static>) -> Self {
        let _held = inner.borrow_lock().origin.hold(site);
        Self { inner, _held }
    }
}

impl<T: ?Sized + 'static> OwnedRwLockWriteGuard<T> {
    /// The lock.
    #[must_use]
    pub fn rwlock(this: &Self) -> &Arc<RwLock<T>> {
        this.inner.borrow_lock()
    }

    fn new(inner: Write<T>, site: &'static Location<'static>) -> Self {
        let _held = inner.borrow_lock().origin.hold(site);
        Self { inner, _held }
    }
}

impl<T: ?Sized + 'static> Deref for OwnedRwLockReadGuard<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.inner.with_guard(|guard| &**guard)
    }
}

impl<T: ?Sized + 'static> Deref for OwnedRwLockWriteGuard<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.inner.with_guard(|guard| &**guard)
    }
}

impl<T: ?Sized + 'static> DerefMut for OwnedRwLockWriteGuard<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        self.inner.with_guard_mut(|guard| &mut **guard)
    }
}

shown_as_its_value!(OwnedRwLockReadGuard<T>);
shown_as_its_value!(OwnedRwLockWriteGuard<T>);
