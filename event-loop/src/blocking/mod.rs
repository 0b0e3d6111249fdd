//! Blocking work: jobs that may block, on threads of their own beside the loop.
//!
//! [`EventLoop::run_blocking`] gives a job to the loop's pool, which has a limit of threads
//! ([`LoopConfig::blocking_threads`](crate::LoopConfig::blocking_threads)) and a queue
//! ([`LoopConfig::blocking_queue`](crate::LoopConfig::blocking_queue)). Jobs begin in the order in
//! which they were asked for, as threads get free. A thread that has nothing to do for ten seconds
//! ends; in a world it stays.
//!
//! A job is an ordinary blocking function. The loop is current in it, as in tokio: it may start
//! tasks and jobs, send to channels, and wait with `blocking_recv` and its like. A future it can
//! drive with any `block_on` that parks its thread, such as that of the `futures` crate; the loop's
//! own `run_*` calls are refused there, for the loop is running already.
//!
//! The pool ends with its loop and keeps nobody waiting: jobs that have not begun are dropped, those
//! that have run on to their end on their threads, and nobody reads what they come to.
//! [`EventLoop::shutdown_executor`] waits for them first.

mod error;
mod handle;
mod job;
mod pool;
mod settings;
mod shutdown;
mod stats;
pub(crate) mod threads;
mod worker;

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use crate::handle::Inner;
use crate::{EventLoop, TaskHandle, context};

pub use error::{BlockingError, QueueFull};
pub use handle::BlockingHandle;
pub(crate) use handle::JobAbort;
use job::Job;
use pool::Placed;
pub(crate) use pool::Pool;
pub use settings::BlockingQueue;
pub(crate) use settings::{DEFAULT_THREADS, PoolSettings};
pub use shutdown::{ExecutorReport, JobInfo};
pub use stats::BlockingStats;
pub use worker::Worker;

/// Identifies a job within its loop, in the order in which they were asked for, from 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(u64);

impl JobId {
    /// Its number.
    #[must_use]
    pub const fn serial(self) -> u64 {
        self.0
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Debug for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JobId({})", self.0)
    }
}

/// Runs `f`, which may block, on the current loop's pool of threads.
///
/// ```
/// # let ev = event_loop::production::current_thread(Default::default()).unwrap();
/// # ev.run_borrowed(async {
/// let text = event_loop::run_blocking(|| std::fs::read_to_string("Cargo.toml")).await;
/// assert!(text.unwrap().unwrap().contains("[package]"));
/// # }).unwrap();
/// ```
///
/// # Panics
/// If this thread has no current loop; [`try_run_blocking`] returns an error instead.
#[track_caller]
pub fn run_blocking<F, T>(f: F) -> BlockingHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let site = Location::caller();
    match context::expect_current().ask(None, site, f) {
        Ok(handle) => handle,
        Err(error) => BlockingHandle::refused(error),
    }
}

/// [`run_blocking`] without its panic.
///
/// # Errors
/// Those of [`EventLoop::try_run_blocking`], and [`BlockingError::NoCurrentLoop`].
#[track_caller]
pub fn try_run_blocking<F, T>(f: F) -> Result<BlockingHandle<T>, BlockingError>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let site = Location::caller();
    context::try_current()?.ask(None, site, f)
}

/// [`run_blocking`] as tokio calls it, with the handle of a task.
///
/// A job that is refused is told by the handle. Where the queue makes callers wait, the job stands in
/// line and the call returns.
///
/// # Panics
/// If this thread has no current loop.
#[track_caller]
pub fn spawn_blocking<F, T>(f: F) -> TaskHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    TaskHandle::from(run_blocking(f))
}

impl EventLoop {
    /// Runs `f`, which may block, on the loop's pool of threads. It begins at once if a thread is
    /// free, and else when its turn comes.
    ///
    /// Dropping the handle lets the job go on; a panic that nobody reads from it goes to the
    /// exception handler, as asyncio's "Future exception was never retrieved". A job that is
    /// refused is told by the handle.
    ///
    /// Follows asyncio's `run_in_executor`.
    #[track_caller]
    pub fn run_blocking<F, T>(&self, f: F) -> BlockingHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        match self.ask(None, Location::caller(), f) {
            Ok(handle) => handle,
            Err(error) => BlockingHandle::refused(error),
        }
    }

    /// [`run_blocking`](Self::run_blocking) with a name, which reports and errors show.
    #[track_caller]
    pub fn run_blocking_named<F, T>(&self, name: &str, f: F) -> BlockingHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        match self.ask(Some(name), Location::caller(), f) {
            Ok(handle) => handle,
            Err(error) => BlockingHandle::refused(error),
        }
    }

    /// [`run_blocking`](Self::run_blocking), or the reason why the job is refused.
    ///
    /// # Errors
    /// [`BlockingError::QueueFull`], [`BlockingError::ShutDown`], [`BlockingError::Closed`], and
    /// [`BlockingError::NoThread`] if the operating system gives no thread.
    #[track_caller]
    pub fn try_run_blocking<F, T>(&self, f: F) -> Result<BlockingHandle<T>, BlockingError>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.ask(None, Location::caller(), f)
    }

    /// What the pool of threads has done and has to do.
    #[must_use]
    pub fn blocking_stats(&self) -> BlockingStats {
        let stats = match self.pool_if_used() {
            Some(pool) => pool.stats(),
            None => BlockingStats::unused(&self.life().settings().pool),
        };
        let idle = match &self.shared.inner {
            Inner::Tokio(tokio) => tokio.threads().idle(),
            Inner::Other(backend) => backend.idle_workers(),
        };
        stats.with_idle(idle)
    }

    fn ask<F, T>(
        &self,
        name: Option<&str>,
        site: &'static Location<'static>,
        f: F,
    ) -> Result<BlockingHandle<T>, BlockingError>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        if self.is_closed() {
            return Err(BlockingError::Closed);
        }
        let pool = self.pool(site);
        let id = pool.next_id();
        let job = Arc::new(Job::new(self.unowned(), pool.clone(), id, name, site, f));
        let placed = pool.place(job.clone(), self.now())?;
        if let Some(backend) = self.backend() {
            backend.job_asked(id, site, pool.in_line());
        }
        if let Placed::OnThread = placed {
            let worker = Worker::new(self.unowned(), pool.clone(), job.clone());
            let started = match &self.shared.inner {
                Inner::Tokio(tokio) => tokio.threads().run(worker, pool.threads()),
                Inner::Other(backend) => backend.run_worker(worker),
            };
            if let Err(error) = started {
                pool.withdraw(id);
                return Err(error);
            }
        }
        // Who closes the loop has said so before it gives up the jobs there are.
        if self.closed_flag() {
            pool.abort(id);
        }
        Ok(BlockingHandle::of(job))
    }

    /// The pool, made by the first job.
    fn pool(&self, site: &'static Location<'static>) -> &Arc<Pool> {
        let make = || Arc::new(Pool::new(self.life().settings().pool.clone(), site));
        self.shared.pool.get_or_init(make)
    }

    /// Where the first job was asked for.
    pub(crate) fn first_job_at(&self) -> Option<&'static Location<'static>> {
        self.pool_if_used().map(|pool| pool.made_at())
    }

    fn pool_if_used(&self) -> Option<&Arc<Pool>> {
        self.shared.pool.get()
    }

    /// The loop is closed: what has not begun is dropped, in the order in which it was asked for.
    pub(crate) fn close_pool(&self) {
        if let Some(pool) = self.pool_if_used() {
            pool.refuse(BlockingError::Closed);
            pool.give_up();
        }
    }
}
