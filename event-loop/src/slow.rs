//! What keeps a loop busy for too long: the report of it, and blocking on purpose.

use std::fmt;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::exception::told;
use crate::handle::Inner;
use crate::{ErrorContext, EventLoop, TaskId, context};

/// Blocks this thread for `span`, as code does that computes or calls something slow.
///
/// Nobody else on this thread's loop gets on meanwhile. In production the thread sleeps; in a world
/// the clock moves, and timers that became due are served afterwards.
///
/// ```
/// use std::time::Duration;
/// use event_loop::block_for;
/// use event_loop::time::Instant;
///
/// let begun = Instant::now();
/// block_for(Duration::from_millis(2));
/// assert!(begun.elapsed() >= Duration::from_millis(2));
/// ```
#[expect(clippy::disallowed_methods, reason = "it blocks in production")]
pub fn block_for(span: Duration) {
    let backend = context::with_current(|ev| ev?.backend().cloned());
    match backend {
        Some(backend) => backend.block_for(span),
        None => std::thread::sleep(span),
    }
}

/// A callback or a poll that kept its loop busy for longer than allowed.
///
/// `Display` prints asyncio's sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SlowCallback {
    /// The task it was a poll of; `None` for a callback.
    pub task: Option<TaskId>,
    /// The task's name, if it has one.
    pub task_name: Option<String>,
    /// Where the task was spawned, or the callback scheduled.
    pub created_at: &'static Location<'static>,
    /// How long it took.
    pub took: Duration,
}

impl SlowCallback {
    /// For a callback.
    pub(crate) fn of_callback(created_at: &'static Location<'static>, took: Duration) -> Self {
        Self {
            task: None,
            task_name: None,
            created_at,
            took,
        }
    }

    /// For a poll.
    #[doc(hidden)]
    #[must_use]
    pub fn of_task(
        id: TaskId,
        name: Option<String>,
        created_at: &'static Location<'static>,
        took: Duration,
    ) -> Self {
        Self {
            task: Some(id),
            task_name: name,
            created_at,
            took,
        }
    }
}

impl fmt::Display for SlowCallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Executing <")?;
        match (&self.task_name, self.task) {
            (Some(name), _) => write!(f, "task \"{name}\" spawned")?,
            (None, Some(id)) => write!(f, "task {id} spawned")?,
            (None, None) => f.write_str("callback scheduled")?,
        }
        let (seconds, millis) = (self.took.as_secs(), self.took.subsec_millis());
        write!(
            f,
            " at {}> took {seconds}.{millis:03} seconds",
            self.created_at
        )
    }
}

impl EventLoop {
    /// Who is told of callbacks and polls that take longer than
    /// [`LoopConfig::slow_callback`](crate::LoopConfig::slow_callback) allows, from now on; on a
    /// multi-thread loop from whichever thread. `None` restores the default: in production a line
    /// on standard error, in a world an event of its trace, which there is in any case.
    pub fn set_slow_callback_handler<H>(&self, handler: Option<H>)
    where
        H: Fn(&EventLoop, &SlowCallback) + Send + Sync + 'static,
    {
        let handler = handler.map(|handler| Arc::new(handler) as Handler);
        let watch = &self.shared.watch;
        let replaced = watch.replace(handler);
        // Who closes the loop has said so before it takes the handler out.
        let unused = if self.closed_flag() {
            watch.replace(None)
        } else {
            None
        };
        drop((replaced, unused));
    }

    /// Tells of something slow. A handler that panics is reported to the exception handler.
    #[doc(hidden)]
    #[cold]
    pub fn report_slow(&self, slow: &SlowCallback) {
        if let Some(backend) = self.backend() {
            backend.note_slow(slow);
        }
        if let Some(handler) = self.shared.watch.handler() {
            let handled = || handler(&self.unowned(), slow);
            if let Err(panic) = catch_unwind(AssertUnwindSafe(handled)) {
                let message = "Exception in slow-callback handler";
                let error = told(panic);
                self.call_exception_handler(&ErrorContext::new(self, message, error));
            }
        } else if let Inner::Tokio(_) = &self.shared.inner {
            eprintln!("{slow}");
        }
    }

    /// From how long on a callback or poll is slow; `None` if nobody looks.
    #[inline]
    pub(crate) fn slow_after(&self) -> Option<Duration> {
        self.shared.watch.threshold()
    }
}

type Handler = Arc<dyn Fn(&EventLoop, &SlowCallback) + Send + Sync>;

/// From when on something is slow, and who is told.
pub(crate) struct Watch {
    /// In nanoseconds; [`OFF`] if nobody looks.
    threshold: AtomicU64,
    handler: Mutex<Option<Handler>>,
}

const OFF: u64 = u64::MAX;

impl Watch {
    pub(crate) fn new(threshold: Option<Duration>) -> Self {
        let watch = Self {
            threshold: AtomicU64::new(OFF),
            handler: Mutex::default(),
        };
        watch.set_threshold(threshold);
        watch
    }

    pub(crate) fn set_threshold(&self, threshold: Option<Duration>) {
        let nanos = threshold.map_or(OFF, |span| u64::try_from(span.as_nanos()).unwrap_or(OFF));
        self.threshold.store(nanos, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn threshold(&self) -> Option<Duration> {
        match self.threshold.load(Ordering::Relaxed) {
            OFF => None,
            nanos => Some(Duration::from_nanos(nanos)),
        }
    }

    /// Puts `handler` in and gives the previous one back.
    pub(crate) fn replace(&self, handler: Option<Handler>) -> Option<Handler> {
        let mut slot = self.handler.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *slot, handler)
    }

    fn handler(&self) -> Option<Handler> {
        let slot = self.handler.lock().unwrap_or_else(PoisonError::into_inner);
        slot.clone()
    }
}
