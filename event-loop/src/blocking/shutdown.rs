//! The end of a pool, which waits for its jobs no longer than it is told.

use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::Location;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use super::{BlockingError, JobId};
use crate::EventLoop;
use crate::time::{Instant, Sleep};

impl EventLoop {
    /// Takes no job from here on, and waits until those there are have ended, for `grace` of the
    /// loop's time at most; zero does not wait. What has not begun by then is dropped, and what runs
    /// is in the report: it cannot be ended from outside, and runs on with nobody waiting for it.
    ///
    /// From the call on, before the future is polled, a job is refused with
    /// [`BlockingError::ShutDown`]. A second call waits again, for what is left.
    ///
    /// Follows asyncio's `shutdown_default_executor`, but the grace binds.
    ///
    /// ```
    /// use std::time::Duration;
    /// # let ev = event_loop::production::current_thread(Default::default()).unwrap();
    /// # ev.clone().run_borrowed(async {
    /// ev.run_blocking_named("export", || std::thread::sleep(Duration::from_millis(200))).detach();
    /// let report = ev.shutdown_executor(Duration::from_millis(10)).await;
    /// assert_eq!(report.running[0].name.as_deref(), Some("export"));
    /// let late = ev.run_blocking(|| ()).await.unwrap_err();
    /// assert!(late.to_string().starts_with("Executor shutdown has been called"));
    /// # }).unwrap();
    /// ```
    #[track_caller]
    pub fn shutdown_executor(
        &self,
        grace: Duration,
    ) -> impl Future<Output = ExecutorReport> + Send + 'static {
        let ev = self.unowned();
        let begun = ev.now();
        let pool = ev.pool(Location::caller()).clone();
        pool.refuse(BlockingError::ShutDown);
        async move {
            // On a closed loop no time passes, and what has not begun is gone.
            if !grace.is_zero() && !ev.is_closed() {
                let mut limit = pin!(Sleep::new(&ev, begun + grace));
                poll_fn(|cx| match pool.poll_end(cx) {
                    Poll::Ready(()) => Poll::Ready(()),
                    Poll::Pending => limit.as_mut().poll(cx),
                })
                .await;
            }
            let dropped = pool.give_up();
            ExecutorReport {
                took: ev.now() - begun,
                dropped,
                running: pool.running(),
            }
        }
    }
}

/// What was left of a pool when its shutdown ended; `Display` prints it, a line a job.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExecutorReport {
    /// How long it took.
    pub took: Duration,
    /// The jobs that had not begun, in the order in which they were asked for: they never will.
    pub dropped: Vec<JobInfo>,
    /// The jobs that had not ended: they run on.
    pub running: Vec<JobInfo>,
}

impl ExecutorReport {
    /// Whether every job had ended.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.dropped.is_empty() && self.running.is_empty()
    }
}

impl fmt::Display for ExecutorReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            took,
            dropped,
            running,
        } = self;
        write!(f, "executor shut down in {took:?}")?;
        if self.is_clean() {
            return f.write_str(", every job had ended");
        }
        for job in running {
            write!(f, "\n  still running: {job}")?;
        }
        dropped
            .iter()
            .try_for_each(|job| write!(f, "\n  never began: {job}"))
    }
}

/// A job of a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JobInfo {
    /// Its identity.
    pub id: JobId,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// Where it was asked for.
    pub asked_at: &'static Location<'static>,
    /// Since when it runs, by its loop's clock; `None` if it has not begun.
    pub began: Option<Instant>,
}

impl fmt::Display for JobInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "job {}", self.id)?;
        if let Some(name) = &self.name {
            write!(f, " \"{name}\"")?;
        }
        write!(f, " asked for at {}", self.asked_at)?;
        match self.began {
            Some(began) => write!(f, ", running since {began:?}"),
            None => Ok(()),
        }
    }
}
