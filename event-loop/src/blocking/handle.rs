//! The handle of a job: a future of what it comes to.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::job::{Asked, Work};
use super::{BlockingError, JobId};
use crate::TaskError;
use crate::coop::poll_leaf;

/// A blocking job that was asked for: a future of what it comes to. Dropping it lets the job go on.
///
/// A panic that nobody reads here goes to the loop's exception handler.
///
/// ```
/// # let ev = event_loop::production::current_thread(Default::default()).unwrap();
/// # ev.run_borrowed(async {
/// let broken = event_loop::run_blocking(|| -> u32 { panic!("no such row") });
/// assert_eq!(broken.await.unwrap_err().to_string(), "the job panicked: no such row");
/// # }).unwrap();
/// ```
#[must_use = "a handle that is dropped lets its job go on; say so with `drop` or `detach`"]
pub struct BlockingHandle<T> {
    repr: Repr<T>,
}

enum Repr<T> {
    Taken(Arc<dyn Asked<T>>),
    Refused(BlockingError),
}

impl<T> BlockingHandle<T> {
    pub(super) fn of(job: Arc<dyn Asked<T>>) -> Self {
        let repr = Repr::Taken(job);
        Self { repr }
    }

    pub(super) fn refused(error: BlockingError) -> Self {
        let repr = Repr::Refused(error);
        Self { repr }
    }

    /// Waits until the job has its place in the queue or a thread: at once, unless
    /// [`BlockingQueue::Wait`](crate::BlockingQueue::Wait) has it stand in line. Who asks for many
    /// jobs without awaiting them awaits this before the next one.
    ///
    /// ```
    /// # use event_loop::{BlockingQueue, LoopConfig, production};
    /// let config = LoopConfig::default().blocking_threads(1).blocking_queue(BlockingQueue::Wait(4));
    /// let ev = production::current_thread(config).unwrap();
    /// ev.run_borrowed(async {
    ///     for row in 0..100 {
    ///         let mut insert = event_loop::run_blocking(move || drop(row));
    ///         insert.queued().await;
    ///         assert!(event_loop::current().unwrap().blocking_stats().waiting <= 1);
    ///     }
    /// }).unwrap();
    /// ```
    pub async fn queued(&mut self) {
        if let Repr::Taken(job) = &self.repr {
            poll_fn(|cx| {
                let polled = poll_leaf(cx, |cx| job.poll_room(cx));
                if polled.is_pending() {
                    job.note_wait();
                }
                polled
            })
            .await;
        }
    }

    /// Takes the job back if it has not begun: it never runs, and its closure is dropped here. A job
    /// that runs cannot be ended from outside, and one that has ended keeps its result.
    pub fn abort(&self) {
        if let Repr::Taken(job) = &self.repr {
            job.abort();
        }
    }

    /// Whether the job has ended, in whichever way.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        match &self.repr {
            Repr::Taken(job) => job.is_finished(),
            Repr::Refused(_) => true,
        }
    }

    /// The job's identity; `None` if it was refused.
    #[must_use]
    pub fn id(&self) -> Option<JobId> {
        match &self.repr {
            Repr::Taken(job) => Some(job.id()),
            Repr::Refused(_) => None,
        }
    }

    /// Lets the job go on with nobody waiting for it.
    pub fn detach(self) {
        drop(self);
    }

    pub(crate) fn abort_handle(&self) -> Option<JobAbort> {
        match &self.repr {
            Repr::Taken(job) => Some(JobAbort(job.clone())),
            Repr::Refused(_) => None,
        }
    }

    /// Polls for the outcome on behalf of somebody who may be waiting for something else.
    pub(crate) fn poll_unnoted(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, TaskError>> {
        match &self.repr {
            Repr::Taken(job) => poll_leaf(cx, |cx| job.poll(cx)),
            Repr::Refused(error) => Poll::Ready(Err(TaskError::job_refused(error.clone()))),
        }
    }

    /// Tells a world that the current task waits for the end of the job.
    pub(crate) fn note_wait(&self) {
        if let Repr::Taken(job) = &self.repr {
            job.note_wait();
        }
    }
}

impl<T> Future for BlockingHandle<T> {
    type Output = Result<T, TaskError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = self.poll_unnoted(cx);
        if polled.is_pending() {
            self.note_wait();
        }
        polled
    }
}

impl<T> Drop for BlockingHandle<T> {
    fn drop(&mut self) {
        if let Repr::Taken(job) = &self.repr {
            job.detach();
        }
    }
}

impl<T> fmt::Debug for BlockingHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.repr {
            Repr::Taken(job) => write!(f, "BlockingHandle(job {})", job.id()),
            Repr::Refused(error) => write!(f, "BlockingHandle(refused: {error})"),
        }
    }
}

/// Takes a job back if it has not begun; it cannot read what it comes to.
#[derive(Clone)]
pub(crate) struct JobAbort(Arc<dyn Work>);

impl JobAbort {
    pub(crate) fn abort(&self) {
        self.0.abort();
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.0.is_finished()
    }

    pub(crate) fn job(&self) -> JobId {
        self.0.id()
    }
}
