//! Many readers, or one writer.

mod owned;
mod read_guard;
mod write_guard;

use std::fmt;
use std::future::Future;
use std::panic::Location;

use tokio::sync::TryLockError;

use super::leaf::{Leaf, attempt, expect_may_block};
use super::record::{Kind, Origin};

pub use owned::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard};
pub use read_guard::RwLockReadGuard;
pub use write_guard::{RwLockMappedWriteGuard, RwLockWriteGuard};

/// A lock that many may read at once, or one may write, and whose guards may be held across an
/// await.
///
/// First come, first served: who comes to read waits behind a writer that waits.
///
/// ```
/// use event_loop::sync::RwLock;
///
/// # let ev = event_loop::production::current_thread(Default::default()).unwrap();
/// # ev.run_until_complete(async {
/// let routes = RwLock::new(vec!["/"]);
/// {
///     let (one, other) = (routes.read().await, routes.read().await);
///     assert_eq!(one.len(), other.len());
/// }
/// routes.write().await.push("/health");
/// assert_eq!(routes.into_inner().len(), 2);
/// # }).unwrap();
/// ```
pub struct RwLock<T: ?Sized> {
    origin: Origin,
    inner: tokio::sync::RwLock<T>,
}

impl<T: ?Sized> RwLock<T> {
    /// An unlocked lock.
    #[track_caller]
    pub fn new(value: T) -> Self
    where
        T: Sized,
    {
        Self {
            origin: Origin::here(Kind::RwLock),
            inner: tokio::sync::RwLock::new(value),
        }
    }

    /// An unlocked lock that no more than `max_reads` may read at once.
    ///
    /// # Panics
    /// If `max_reads` is above `u32::MAX >> 3`.
    #[track_caller]
    pub fn with_max_readers(value: T, max_reads: u32) -> Self
    where
        T: Sized,
    {
        Self {
            origin: Origin::here(Kind::RwLock),
            inner: tokio::sync::RwLock::with_max_readers(value, max_reads),
        }
    }

    /// An unlocked lock, for a static.
    #[track_caller]
    pub const fn const_new(value: T) -> Self
    where
        T: Sized,
    {
        Self {
            origin: Origin::here(Kind::RwLock),
            inner: tokio::sync::RwLock::const_new(value),
        }
    }

    /// As [`RwLock::with_max_readers`], for a static.
    #[track_caller]
    pub const fn const_with_max_readers(value: T, max_reads: u32) -> Self
    where
        T: Sized,
    {
        Self {
            origin: Origin::here(Kind::RwLock),
            inner: tokio::sync::RwLock::const_with_max_readers(value, max_reads),
        }
    }

    /// Waits until nobody writes, nor waited earlier to write, and locks it for reading. Who is
    /// dropped while waiting leaves nothing locked.
    #[track_caller]
    pub fn read(&self) -> impl Future<Output = RwLockReadGuard<'_, T>> {
        let site = Location::caller();
        async move {
            let inner = match attempt(|| self.inner.try_read()).await {
                Ok(inner) => inner,
                Err(_) => Leaf::new(self.inner.read(), || self.origin.note(TO_READ)).await,
            };
            RwLockReadGuard::new(inner, self.origin.hold(site))
        }
    }

    /// Waits until nobody reads nor writes, and locks it for writing. Who is dropped while waiting
    /// leaves nothing locked.
    #[track_caller]
    pub fn write(&self) -> impl Future<Output = RwLockWriteGuard<'_, T>> {
        let site = Location::caller();
        async move {
            let inner = match attempt(|| self.inner.try_write()).await {
                Ok(inner) => inner,
                Err(_) => Leaf::new(self.inner.write(), || self.origin.note(TO_WRITE)).await,
            };
            RwLockWriteGuard::new(inner, self.origin.hold(site))
        }
    }

    /// Blocks the thread until nobody writes, nor waited earlier to write, and locks it for reading.
    ///
    /// # Panics
    /// On a thread that runs a loop: use it in a blocking job.
    #[track_caller]
    pub fn blocking_read(&self) -> RwLockReadGuard<'_, T> {
        expect_may_block();
        let inner = self.inner.blocking_read();
        RwLockReadGuard::new(inner, self.origin.hold(Location::caller()))
    }

    /// Blocks the thread until nobody reads nor writes, and locks it for writing.
    ///
    /// # Panics
    /// On a thread that runs a loop: use it in a blocking job.
    #[track_caller]
    pub fn blocking_write(&self) -> RwLockWriteGuard<'_, T> {
        expect_may_block();
        let inner = self.inner.blocking_write();
        RwLockWriteGuard::new(inner, self.origin.hold(Location::caller()))
    }

    /// Locks it for reading, if that is possible now.
    ///
    /// # Errors
    /// [`TryLockError`] if it is not.
    #[track_caller]
    pub fn try_read(&self) -> Result<RwLockReadGuard<'_, T>, TryLockError> {
        let inner = self.inner.try_read()?;
        let held = self.origin.hold(Location::caller());
        Ok(RwLockReadGuard::new(inner, held))
    }

    /// Locks it for writing, if that is possible now.
    ///
    /// # Errors
    /// [`TryLockError`] if it is not.
    #[track_caller]
    pub fn try_write(&self) -> Result<RwLockWriteGuard<'_, T>, TryLockError> {
        let inner = self.inner.try_write()?;
        let held = self.origin.hold(Location::caller());
        Ok(RwLockWriteGuard::new(inner, held))
    }

    /// The value: who has the lock to itself need not lock it.
    pub fn get_mut(&mut self) -> &mut T {
        self.inner.get_mut()
    }

    /// The value.
    #[must_use]
    pub fn into_inner(self) -> T
    where
        T: Sized,
    {
        self.inner.into_inner()
    }
}

const TO_READ: &str = "a read lock of";
const TO_WRITE: &str = "the write lock of";

impl<T> From<T> for RwLock<T> {
    #[track_caller]
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: Default> Default for RwLock<T> {
    #[track_caller]
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
