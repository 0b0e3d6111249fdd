//! Permits that tasks take and give back.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::sync::Arc;

use tokio::sync::{AcquireError, TryAcquireError};

use super::leaf::{Leaf, attempt, expect_may_block};
use super::record::{Held, Kind, Origin};

/// A number of permits, given out first come, first served.
///
/// ```
/// use std::sync::Arc;
/// use event_loop::sync::Semaphore;
///
/// # let ev = event_loop::production::current_thread(Default::default()).unwrap();
/// # ev.run_until_complete(async {
/// let connections = Arc::new(Semaphore::new(2));
/// let first = connections.clone().acquire_owned().await.unwrap();
/// let second = connections.acquire().await.unwrap();
/// assert!(connections.try_acquire().is_err());
/// drop(first);
/// assert_eq!(connections.available_permits(), 1);
/// # drop(second);
/// # }).unwrap();
/// ```
pub struct Semaphore {
    inner: tokio::sync::Semaphore,
    origin: Origin,
}

/// Permits of a [`Semaphore`], given back when dropped.
#[must_use = "permits that are dropped are given back"]
pub struct SemaphorePermit<'a> {
    semaphore: &'a Semaphore,
    permits: usize,
    held: Held,
}

/// Permits of a [`Semaphore`] that own it, given back when dropped.
#[must_use = "permits that are dropped are given back"]
pub struct OwnedSemaphorePermit {
    semaphore: Arc<Semaphore>,
    permits: usize,
    held: Held,
}

impl Semaphore {
    /// The most permits a semaphore can have.
    pub const MAX_PERMITS: usize = tokio::sync::Semaphore::MAX_PERMITS;

    /// A semaphore of `permits`.
    ///
    /// # Panics
    /// If `permits` is above [`Semaphore::MAX_PERMITS`].
    #[track_caller]
    #[inline]
    pub fn new(permits: usize) -> Self {
        Self {
            inner: tokio::sync::Semaphore::new(permits),
            origin: Origin::here(Kind::Semaphore),
        }
    }

    /// A semaphore of `permits`, for a static.
    ///
    /// # Panics
    /// If `permits` is above [`Semaphore::MAX_PERMITS`].
    #[track_caller]
    #[inline]
    pub const fn const_new(permits: usize) -> Self {
        Self {
            inner: tokio::sync::Semaphore::const_new(permits),
            origin: Origin::here(Kind::Semaphore),
        }
    }

    /// How many permits nobody holds.
    #[must_use]
    #[inline]
    pub fn available_permits(&self) -> usize {
        self.inner.available_permits()
    }

    /// Adds `n` permits.
    ///
    /// # Panics
    /// If there were more than [`Semaphore::MAX_PERMITS`].
    #[inline]
    pub fn add_permits(&self, n: usize) {
        self.inner.add_permits(n);
    }

    /// Takes up to `n` available permits away for good, and tells how many.
    #[inline]
    pub fn forget_permits(&self, n: usize) -> usize {
        self.inner.forget_permits(n)
    }

    /// Waits for a permit. Who is dropped while waiting loses its place, and no permit.
    ///
    /// # Errors
    /// [`AcquireError`] once the semaphore is closed.
    #[track_caller]
    #[inline]
    pub fn acquire(&self) -> impl Future<Output = Result<SemaphorePermit<'_>, AcquireError>> {
        self.take(1, Location::caller(), || self.origin.note(A_PERMIT))
    }

    /// Waits for `n` permits at once.
    ///
    /// # Errors
    /// [`AcquireError`] once the semaphore is closed.
    #[track_caller]
    #[inline]
    pub fn acquire_many(
        &self,
        n: u32,
    ) -> impl Future<Output = Result<SemaphorePermit<'_>, AcquireError>> {
        self.take(n, Location::caller(), || self.origin.note(PERMITS))
    }

    /// Blocks the thread until there is a permit, and takes it.
    ///
    /// # Errors
    /// [`AcquireError`] once the semaphore is closed.
    ///
    /// # Panics
    /// On a thread that runs a loop: use it in a blocking job.
    #[track_caller]
    pub fn blocking_acquire(&self) -> Result<SemaphorePermit<'_>, AcquireError> {
        self.blocking_acquire_many(1)
    }

    /// Blocks the thread until there are `n` permits, and takes them at once.
    ///
    /// # Errors
    /// [`AcquireError`] once the semaphore is closed.
    ///
    /// # Panics
    /// On a thread that runs a loop: use it in a blocking job.
    #[track_caller]
    pub fn blocking_acquire_many(&self, n: u32) -> Result<SemaphorePermit<'_>, AcquireError> {
        expect_may_block();
        let permits = self.inner.blocking_acquire_many(n)?;
        Ok(self.given(permits, n, Location::caller()))
    }

    /// Takes a permit if there is one.
    ///
    /// # Errors
    /// [`TryAcquireError::NoPermits`] if there is none, [`TryAcquireError::Closed`] once the
    /// semaphore is closed.
    #[track_caller]
    #[inline]
    pub fn try_acquire(&self) -> Result<SemaphorePermit<'_>, TryAcquireError> {
        self.try_acquire_many(1)
    }

    /// Takes `n` permits if there are as many.
    ///
    /// # Errors
    /// [`TryAcquireError::NoPermits`] if there are fewer, [`TryAcquireError::Closed`] once the
    /// semaphore is closed.
    #[track_caller]
    #[inline]
    pub fn try_acquire_many(&self, n: u32) -> Result<SemaphorePermit<'_>, TryAcquireError> {
        let permit = self.inner.try_acquire_many(n)?;
        Ok(self.given(permit, n, Location::caller()))
    }

    /// Waits for a permit that owns the semaphore.
    ///
    /// # Errors
    /// [`AcquireError`] once the semaphore is closed.
    #[track_caller]
    #[inline]
    pub fn acquire_owned(
        self: Arc<Self>,
    ) -> impl Future<Output = Result<OwnedSemaphorePermit, AcquireError>> {
        let site = Location::caller();
        async move {
            let note = || self.origin.note(A_PERMIT);
            let taken = self.take(1, site, note).await?.into_parts();
            Ok(OwnedSemaphorePermit::of(self, taken))
        }
    }

    /// Waits for `n` permits at once that own the semaphore.
    ///
    /// # Errors
    /// [`AcquireError`] once the semaphore is closed.
    #[track_caller]
    #[inline]
    pub fn acquire_many_owned(
        self: Arc<Self>,
        n: u32,
    ) -> impl Future<Output = Result<OwnedSemaphorePermit, AcquireError>> {
        let site = Location::caller();
        async move {
            let note = || self.origin.note(PERMITS);
            let taken = self.take(n, site, note).await?.into_parts();
            Ok(OwnedSemaphorePermit::of(self, taken))
        }
    }

    /// As [`Semaphore::blocking_acquire`], with a permit that owns the semaphore.
    ///
    /// # Errors
    /// [`AcquireError`] once the semaphore is closed.
    ///
    /// # Panics
    /// On a thread that runs a loop: use it in a blocking job.
    #[track_caller]
    pub fn blocking_acquire_owned(self: Arc<Self>) -> Result<OwnedSemaphorePermit, AcquireError> {
        self.blocking_acquire_many_owned(1)
    }

    /// As [`Semaphore::blocking_acquire_many`], with permits that own the semaphore.
    ///
    /// # Errors
    /// [`AcquireError`] once the semaphore is closed.
    ///
    /// # Panics
    /// On a thread that runs a loop: use it in a blocking job.
    #[track_caller]
    pub fn blocking_acquire_many_owned(
        self: Arc<Self>,
        n: u32,
    ) -> Result<OwnedSemaphorePermit, AcquireError> {
        let taken = self.blocking_acquire_many(n)?.into_parts();
        Ok(OwnedSemaphorePermit::of(self, taken))
    }

    /// Takes a permit that owns the semaphore if there is one.
    ///
    /// # Errors
    /// As of [`Semaphore::try_acquire`].
    #[track_caller]
    #[inline]
    pub fn try_acquire_owned(self: Arc<Self>) -> Result<OwnedSemaphorePermit, TryAcquireError> {
        self.try_acquire_many_owned(1)
    }

    /// Takes `n` permits that own the semaphore if there are as many.
    ///
    /// # Errors
    /// As of [`Semaphore::try_acquire_many`].
    #[track_caller]
    #[inline]
    pub fn try_acquire_many_owned(
        self: Arc<Self>,
        n: u32,
    ) -> Result<OwnedSemaphorePermit, TryAcquireError> {
        let taken = self.try_acquire_many(n)?.into_parts();
        Ok(OwnedSemaphorePermit::of(self, taken))
    }

    /// Gives out no more permits: who waits, and whoever comes, gets an error.
    #[inline]
    pub fn close(&self) {
        self.inner.close();
    }

    /// Whether [`Semaphore::close`] was called.
    #[must_use]
    #[inline]
    pub fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }

    #[inline]
    async fn take(
        &self,
        n: u32,
        site: &'static Location<'static>,
        note: impl Fn(),
    ) -> Result<SemaphorePermit<'_>, AcquireError> {
        let inner = match attempt(|| self.inner.try_acquire_many(n)).await {
            Ok(inner) => inner,
            Err(_) => Leaf::new(self.inner.acquire_many(n), note).await?,
        };
        Ok(self.given(inner, n, site))
    }

    #[inline]
    fn given(
        &self,
        permit: tokio::sync::SemaphorePermit<'_>,
        n: u32,
        site: &'static Location<'static>,
    ) -> SemaphorePermit<'_> {
        // Tokio's holds no more than the number: from here on ours does.
        std::mem::forget(permit);
        SemaphorePermit {
            semaphore: self,
            permits: n as usize,
            held: self.origin.hold(site),
        }
    }
}

const A_PERMIT: &str = "a permit of";
const PERMITS: &str = "permits of";

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl SemaphorePermit<'_> {
    /// Keeps the permits from ever being given back.
    #[inline]
    pub fn forget(mut self) {
        self.permits = 0;
    }

    /// Adds `other`'s permits to these.
    ///
    /// # Panics
    /// If they are of different semaphores.
    #[inline]
    #[track_caller]
    pub fn merge(&mut self, mut other: Self) {
        assert!(
            std::ptr::eq(self.semaphore, other.semaphore),
            "merging permits from different semaphore instances"
        );
        self.permits += std::mem::take(&mut other.permits);
    }

    /// Takes `n` of these permits apart; `None` if there are fewer.
    #[inline]
    #[must_use = "permits that are dropped are given back"]
    pub fn split(&mut self, n: usize) -> Option<Self> {
        self.permits = self.permits.checked_sub(n)?;
        Some(Self {
            semaphore: self.semaphore,
            permits: n,
            held: self.held.share(),
        })
    }

    /// The semaphore they are of.
    #[inline]
    #[must_use]
    pub fn semaphore(&self) -> &Semaphore {
        self.semaphore
    }

    /// How many permits these are.
    #[inline]
    #[must_use]
    pub fn num_permits(&self) -> usize {
        self.permits
    }

    #[inline]
    fn into_parts(mut self) -> (usize, Held) {
        (std::mem::take(&mut self.permits), self.held.take())
    }
}

impl Drop for SemaphorePermit<'_> {
    #[inline]
    fn drop(&mut self) {
        self.semaphore.inner.add_permits(self.permits);
    }
}

impl OwnedSemaphorePermit {
    /// Keeps the permits from ever being given back.
    #[inline]
    pub fn forget(mut self) {
        self.permits = 0;
    }

    /// Adds `other`'s permits to these.
    ///
    /// # Panics
    /// If they are of different semaphores.
    #[track_caller]
    #[inline]
    pub fn merge(&mut self, mut other: Self) {
        assert!(
            Arc::ptr_eq(&self.semaphore, &other.semaphore),
            "merging permits from different semaphore instances"
        );
        self.permits += std::mem::take(&mut other.permits);
    }

    /// Takes `n` of these permits apart; `None` if there are fewer.
    #[must_use = "permits that are dropped are given back"]
    #[inline]
    pub fn split(&mut self, n: usize) -> Option<Self> {
        self.permits = self.permits.checked_sub(n)?;
        Some(Self {
            semaphore: self.semaphore.clone(),
            permits: n,
            held: self.held.share(),
        })
    }

    /// The semaphore they are of.
    #[must_use]
    #[inline]
    pub fn semaphore(&self) -> &Arc<Semaphore> {
        &self.semaphore
    }

    /// How many permits these are.
    #[must_use]
    #[inline]
    pub fn num_permits(&self) -> usize {
        self.permits
    }

    #[inline]
    fn of(semaphore: Arc<Semaphore>, (permits, held): (usize, Held)) -> Self {
        Self {
            semaphore,
            permits,
            held,
        }
    }
}

impl Drop for OwnedSemaphorePermit {
    #[inline]
    fn drop(&mut self) {
        self.semaphore.add_permits(self.permits);
    }
}

impl fmt::Debug for SemaphorePermit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SemaphorePermit({})", self.num_permits())
    }
}

impl fmt::Debug for OwnedSemaphorePermit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OwnedSemaphorePermit({})", self.permits)
    }
}
