//! What can be set before a loop starts, and what is in force afterwards.

use std::fmt;
use std::time::Duration;

use crate::blocking::{DEFAULT_THREADS, PoolSettings};
use crate::{BlockingQueue, EventLoop, LoopError};

/// What a factory needs to know; consumed by it, so that no setting can come too late.
///
/// ```
/// use event_loop::{production, LoopConfig};
///
/// let ev = production::multi_thread(LoopConfig::default().name("api").worker_threads(2)).unwrap();
/// assert_eq!(ev.describe().to_string(), "api: tokio, multi-thread, 2 workers");
/// # ev.close().unwrap();
/// ```
#[derive(Clone, Debug, Default)]
pub struct LoopConfig {
    pub(crate) name: Option<String>,
    pub(crate) worker_threads: Option<usize>,
    pub(crate) settings: Settings,
}

/// What may still be changed until the first run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    pub(crate) debug: bool,
    slow_callback: Option<Duration>,
    pub(crate) pool: PoolSettings,
}

/// As asyncio has it in its debug mode.
const SLOW_IN_DEBUG: Duration = Duration::from_millis(100);

impl Settings {
    /// From how long on a callback or poll is slow.
    pub(crate) fn slow_after(&self) -> Option<Duration> {
        self.slow_callback
            .or_else(|| self.debug.then_some(SLOW_IN_DEBUG))
    }
}

impl LoopConfig {
    /// The loop's name, in errors and descriptions. Default: `loop`.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// How many threads of a multi-thread loop poll tasks, from 1; a factory refuses what its loop
    /// cannot have. Default: the number of processors.
    #[must_use]
    pub fn worker_threads(mut self, threads: usize) -> Self {
        self.worker_threads = Some(threads);
        self
    }

    /// Tells of every callback and every poll of a task that takes this long or longer; see
    /// [`EventLoop::set_slow_callback_handler`]. Default: of none, and the clock is not read;
    /// with [`debug`](Self::debug), of those of 100 ms, as asyncio's debug mode does.
    #[must_use]
    pub fn slow_callback(mut self, threshold: Duration) -> Self {
        self.settings.slow_callback = Some(threshold);
        self
    }

    /// Tells of what asyncio's debug mode tells of: callbacks and polls of 100 ms, unless
    /// [`slow_callback`](Self::slow_callback) says otherwise. Default: off.
    #[must_use]
    pub fn debug(mut self, debug: bool) -> Self {
        self.settings.debug = debug;
        self
    }

    /// How many threads [`run_blocking`](crate::run_blocking) may have at once, from 1; a factory
    /// refuses zero. They are made when they are needed. Default: 512, as tokio has it.
    #[must_use]
    pub fn blocking_threads(mut self, threads: usize) -> Self {
        self.settings.pool.threads = threads;
        self
    }

    /// What happens to blocking jobs that find every thread busy. Default:
    /// [`BlockingQueue::Unbounded`].
    #[must_use]
    pub fn blocking_queue(mut self, queue: BlockingQueue) -> Self {
        self.settings.pool.queue = queue;
        self
    }
}

impl EventLoop {
    /// [`LoopConfig::slow_callback`] for a loop that was made but has not run; `None` restores the
    /// default.
    ///
    /// # Errors
    /// [`LoopError::SetTooLate`] once the loop has run, and always on a loop that a world runs;
    /// [`LoopError::Closed`].
    pub fn set_slow_callback(&self, threshold: Option<Duration>) -> Result<(), LoopError> {
        self.set("slow_callback", |settings| {
            settings.slow_callback = threshold
        })
    }

    /// [`LoopConfig::debug`] for a loop that was made but has not run.
    ///
    /// # Errors
    /// [`LoopError::SetTooLate`] once the loop has run, and always on a loop that a world runs;
    /// [`LoopError::Closed`].
    pub fn set_debug(&self, debug: bool) -> Result<(), LoopError> {
        self.set("debug", |settings| settings.debug = debug)
    }

    /// [`LoopConfig::blocking_threads`] for a loop that was made but has not run.
    ///
    /// # Errors
    /// [`LoopError::BadSetting`] for zero; [`LoopError::SetTooLate`] once the loop has run or has
    /// had a job, and always on a loop that a world runs; [`LoopError::Closed`].
    pub fn set_blocking_threads(&self, threads: usize) -> Result<(), LoopError> {
        let queue = self.life().settings().pool.queue;
        self.set_pool("blocking_threads", PoolSettings { threads, queue })
    }

    /// [`LoopConfig::blocking_queue`] for a loop that was made but has not run.
    ///
    /// # Errors
    /// [`LoopError::SetTooLate`] once the loop has run or has had a job, and always on a loop that
    /// a world runs; [`LoopError::Closed`].
    pub fn set_blocking_queue(&self, queue: BlockingQueue) -> Result<(), LoopError> {
        let threads = self.life().settings().pool.threads;
        self.set_pool("blocking_queue", PoolSettings { threads, queue })
    }

    fn set_pool(&self, setting: &'static str, pool: PoolSettings) -> Result<(), LoopError> {
        pool.check()?;
        if let Some(started) = self.first_job_at() {
            return Err(LoopError::SetTooLate { setting, started });
        }
        self.set(setting, |settings| settings.pool = pool)
    }

    fn set(
        &self,
        setting: &'static str,
        change: impl FnOnce(&mut Settings),
    ) -> Result<(), LoopError> {
        if self.is_closed() {
            return Err(LoopError::Closed);
        }
        let slow_after = {
            let mut life = self.life();
            let settings = life.settings_mut(setting)?;
            change(settings);
            settings.slow_after()
        };
        self.shared.watch.set_threshold(slow_after);
        if let Some(backend) = self.backend() {
            backend.watch_polls(slow_after);
        }
        Ok(())
    }
}

/// What is really in force in a loop.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Description {
    /// The loop's name.
    pub name: String,
    /// The implementation: `tokio` or `simulated`.
    pub backend: &'static str,
    /// Flavour or profile: `multi-thread`, `current-thread`, `tokio-mt`, `exact`, …
    pub profile: String,
    /// How many threads poll tasks.
    pub workers: usize,
    /// Whether [`LoopConfig::debug`] is on.
    pub debug: bool,
    /// From how long on a callback or a poll is told of; `None` is never.
    pub slow_callback: Option<Duration>,
    /// How many threads blocking jobs may have at once.
    pub blocking_threads: usize,
    /// What happens to blocking jobs that find every thread busy.
    pub blocking_queue: BlockingQueue,
}

impl Description {
    /// For backends outside this crate.
    #[doc(hidden)]
    pub fn new(
        name: impl Into<String>,
        backend: &'static str,
        profile: impl Into<String>,
        workers: usize,
    ) -> Self {
        Self {
            name: name.into(),
            backend,
            profile: profile.into(),
            workers,
            debug: false,
            slow_callback: None,
            blocking_threads: DEFAULT_THREADS,
            blocking_queue: BlockingQueue::default(),
        }
    }
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            backend,
            profile,
            workers,
            debug,
            slow_callback,
            blocking_threads,
            blocking_queue,
        } = self;
        let plural = if *workers == 1 { "" } else { "s" };
        write!(f, "{name}: {backend}, {profile}, {workers} worker{plural}")?;
        if *debug {
            f.write_str(", debug")?;
        }
        if let Some(threshold) = slow_callback {
            write!(f, ", slow from {threshold:?}")?;
        }
        if *blocking_threads != DEFAULT_THREADS {
            let plural = if *blocking_threads == 1 { "" } else { "s" };
            write!(f, ", {blocking_threads} blocking thread{plural}")?;
        }
        match blocking_queue {
            BlockingQueue::Unbounded => Ok(()),
            bounded => write!(f, ", {bounded}"),
        }
    }
}
