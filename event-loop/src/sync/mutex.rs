//! One at a time.

use std::fmt;
use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::panic::Location;
use std::sync::Arc;

use ouroboros::self_referencing;
use tokio::sync::TryLockError;

use super::leaf::{Leaf, attempt, expect_may_block};
use super::record::{Held, Kind, Origin};

/// A lock whose waiters wait as tasks do, and whose guard may be held across an await.
///
/// First come, first served.
///
/// ```
/// use event_loop::sync::Mutex;
///
/// # let ev = event_loop::production::current_thread(Default::default()).unwrap();
/// # ev.run_until_complete(async {
/// let balance = Mutex::new(100);
/// *balance.lock().await -= 30;
/// assert_eq!(balance.into_inner(), 70);
/// # }).unwrap();
/// ```
pub struct Mutex<T: ?Sized> {
    origin: Origin,
    inner: tokio::sync::Mutex<T>,
}

/// A locked [`Mutex`], unlocked when dropped.
#[must_use = "a guard that is dropped unlocks its mutex"]
pub struct MutexGuard<'a, T: ?Sized> {
    mutex: &'a Mutex<T>,
    inner: tokio::sync::MutexGuard<'a, T>,
    held: Held,
}

/// A part of what a locked [`Mutex`] holds: of [`MutexGuard::map`].
#[must_use = "a guard that is dropped unlocks its mutex"]
pub struct MappedMutexGuard<'a, T: ?Sized> {
    inner: tokio::sync::MappedMutexGuard<'a, T>,
    held: Held,
}

/// A locked [`Mutex`] that the guard owns, unlocked when dropped.
#[must_use = "a guard that is dropped unlocks its mutex"]
pub struct OwnedMutexGuard<T: ?Sized + 'static> {
    inner: OwnedInner<T>,
    _held: Held,
}

#[self_referencing]
struct OwnedInner<T: ?Sized + 'static> {
    mutex: Arc<Mutex<T>>,
    #[borrows(mutex)]
    #[not_covariant]
    guard: tokio::sync::MutexGuard<'this, T>,
}

impl<T: ?Sized> Mutex<T> {
    /// An unlocked mutex.
    #[track_caller]
    pub fn new(value: T) -> Self
    where
        T: Sized,
    {
        Self {
            origin: Origin::here(Kind::Mutex),
            inner: tokio::sync::Mutex::new(value),
        }
    }

    /// An unlocked mutex, for a static.
    #[track_caller]
    pub const fn const_new(value: T) -> Self
    where
        T: Sized,
    {
        Self {
            origin: Origin::here(Kind::Mutex),
            inner: tokio::sync::Mutex::const_new(value),
        }
    }

    /// Waits until the mutex is unlocked, and locks it. Who is dropped while waiting loses its
    /// place, and leaves nothing locked.
    #[track_caller]
    pub fn lock(&self) -> impl Future<Output = MutexGuard<'_, T>> {
        let site = Location::caller();
        async move {
            let inner = match attempt(|| self.inner.try_lock()).await {
                Ok(inner) => inner,
                Err(_) => Leaf::new(self.inner.lock(), || self.origin.note("")).await,
            };
            self.locked(inner, site)
        }
    }

    /// Blocks the thread until the mutex is unlocked, and locks it.
    ///
    /// # Panics
    /// On a thread that runs a loop: use it in a blocking job.
    #[track_caller]
    pub fn blocking_lock(&self) -> MutexGuard<'_, T> {
        expect_may_block();
        self.locked(self.inner.blocking_lock(), Location::caller())
    }

    /// Locks the mutex if nobody has.
    ///
    /// # Errors
    /// [`TryLockError`] if it is locked.
    #[track_caller]
    pub fn try_lock(&self) -> Result<MutexGuard<'_, T>, TryLockError> {
        Ok(self.locked(self.inner.try_lock()?, Location::caller()))
    }

    /// The value: who has the mutex to itself need not lock it.
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

    #[inline]
    fn locked<'a>(
        &'a self,
        inner: tokio::sync::MutexGuard<'a, T>,
        site: &'static Location<'static>,
    ) -> MutexGuard<'a, T> {
        MutexGuard {
            mutex: self,
            inner,
            held: self.origin.hold(site),
        }
    }
}

impl<T: ?Sized + 'static> Mutex<T> {
    /// As [`Mutex::lock`], with a guard that owns the mutex.
    #[track_caller]
    pub fn lock_owned(self: Arc<Self>) -> impl Future<Output = OwnedMutexGuard<T>>
    where
        T: Send,
    {
        let site = Location::caller();
        async move {
            let at_once = attempt(|| self.clone().try_lock_inner());
            let inner = match at_once.await {
                Ok(inner) => inner,
                Err(_) => {
                    OwnedInner::new_async_send(self, |mutex| {
                        Box::pin(Leaf::new(mutex.inner.lock(), || mutex.origin.note("")))
                    })
                    .await
                }
            };
            OwnedMutexGuard::new(inner, site)
        }
    }

    /// As [`Mutex::blocking_lock`], with a guard that owns the mutex.
    ///
    /// # Panics
    /// On a thread that runs a loop: use it in a blocking job.
    #[track_caller]
    pub fn blocking_lock_owned(self: Arc<Self>) -> OwnedMutexGuard<T> {
        expect_may_block();
        let inner = OwnedInner::new(self, |mutex| mutex.inner.blocking_lock());
        OwnedMutexGuard::new(inner, Location::caller())
    }

    /// As [`Mutex::try_lock`], with a guard that owns the mutex.
    ///
    /// # Errors
    /// [`TryLockError`] if it is locked.
    #[track_caller]
    pub fn try_lock_owned(self: Arc<Self>) -> Result<OwnedMutexGuard<T>, TryLockError> {
        let inner = self.try_lock_inner()?;
        Ok(OwnedMutexGuard::new(inner, Location::caller()))
    }

    fn try_lock_inner(self: Arc<Self>) -> Result<OwnedInner<T>, TryLockError> {
        OwnedInner::try_new(self, |mutex| mutex.inner.try_lock())
    }
}

impl<T> From<T> for Mutex<T> {
    #[track_caller]
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: Default> Default for Mutex<T> {
    #[track_caller]
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl<'a, T: ?Sized> MutexGuard<'a, T> {
    /// Keeps a part of the value locked; the rest with it.
    pub fn map<U: ?Sized, F>(this: Self, f: F) -> MappedMutexGuard<'a, U>
    where
        F: FnOnce(&mut T) -> &mut U,
    {
        MappedMutexGuard {
            inner: tokio::sync::MutexGuard::map(this.inner, f),
            held: this.held,
        }
    }

    /// Keeps a part of the value locked, if there is that part.
    ///
    /// # Errors
    /// The guard itself if `f` returns `None`.
    pub fn try_map<U: ?Sized, F>(this: Self, f: F) -> Result<MappedMutexGuard<'a, U>, Self>
    where
        F: FnOnce(&mut T) -> Option<&mut U>,
    {
        let Self { mutex, inner, held } = this;
        match tokio::sync::MutexGuard::try_map(inner, f) {
            Ok(inner) => Ok(MappedMutexGuard { inner, held }),
            Err(inner) => Err(Self { mutex, inner, held }),
        }
    }

    /// The mutex it locks.
    #[must_use]
    pub fn mutex(this: &Self) -> &'a Mutex<T> {
        this.mutex
    }
}

impl<'a, T: ?Sized> MappedMutexGuard<'a, T> {
    /// Keeps a part of the part locked.
    pub fn map<U, F>(this: Self, f: F) -> MappedMutexGuard<'a, U>
    where
        F: FnOnce(&mut T) -> &mut U,
    {
        MappedMutexGuard {
            inner: tokio::sync::MappedMutexGuard::map(this.inner, f),
            held: this.held,
        }
    }

    /// Keeps a part of the part locked, if there is that part.
    ///
    /// # Errors
    /// The guard itself if `f` returns `None`.
    pub fn try_map<U, F>(this: Self, f: F) -> Result<MappedMutexGuard<'a, U>, Self>
    where
        F: FnOnce(&mut T) -> Option<&mut U>,
    {
        let Self { inner, held } = this;
        match tokio::sync::MappedMutexGuard::try_map(inner, f) {
            Ok(inner) => Ok(MappedMutexGuard { inner, held }),
            Err(inner) => Err(Self { inner, held }),
        }
    }
}

impl<T: ?Sized + 'static> OwnedMutexGuard<T> {
    /// The mutex it locks.
    #[must_use]
    pub fn mutex(this: &Self) -> &Arc<Mutex<T>> {
        this.inner.borrow_mutex()
    }

    fn new(inner: OwnedInner<T>, site: &'static Location<'static>) -> Self {
        let _held = inner.borrow_mutex().origin.hold(site);
        Self { inner, _held }
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

impl<T: ?Sized> Deref for MappedMutexGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T: ?Sized> DerefMut for MappedMutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

impl<T: ?Sized + 'static> Deref for OwnedMutexGuard<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.inner.with_guard(|guard| &**guard)
    }
}

impl<T: ?Sized + 'static> DerefMut for OwnedMutexGuard<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        self.inner.with_guard_mut(|guard| &mut **guard)
    }
}

shown_as_its_value!(MutexGuard<'_, T>);
shown_as_its_value!(MappedMutexGuard<'_, T>);
shown_as_its_value!(OwnedMutexGuard<T>);
