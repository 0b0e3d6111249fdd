//! A handle that can end a task, and cannot read its outcome.

use std::fmt;
use std::sync::Arc;

use super::TaskId;
use crate::backend::BackendLoop;
use crate::blocking::JobAbort;
use crate::production::local::LocalTask;
use crate::production::task::TokioAbortHandle;

/// A handle that can end a task, of which there may be many; it cannot read the outcome. Dropping
/// it does nothing.
///
/// ```
/// # use event_loop::{production, LoopConfig};
/// # let ev = production::current_thread(LoopConfig::default()).unwrap();
/// # ev.run_borrowed(async {
/// let task = event_loop::spawn(std::future::pending::<()>());
/// let watchdog = task.abort_handle();
/// event_loop::spawn(async move { watchdog.abort() }).detach();
/// assert!(task.await.unwrap_err().is_aborted());
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct AbortHandle {
    repr: Repr,
}

#[derive(Clone)]
enum Repr {
    Tokio(TokioAbortHandle),
    Local(Arc<LocalTask>),
    World { id: TaskId, ev: BackendLoop },
    Job(JobAbort),
    Closed,
}

impl AbortHandle {
    pub(super) fn of_tokio(task: TokioAbortHandle) -> Self {
        let repr = Repr::Tokio(task);
        Self { repr }
    }

    pub(super) fn of_local(task: Arc<LocalTask>) -> Self {
        let repr = Repr::Local(task);
        Self { repr }
    }

    pub(super) fn of_world(id: TaskId, ev: BackendLoop) -> Self {
        let repr = Repr::World { id, ev };
        Self { repr }
    }

    pub(super) fn of_job(job: Option<JobAbort>) -> Self {
        let repr = job.map_or(Repr::Closed, Repr::Job);
        Self { repr }
    }

    pub(super) fn closed() -> Self {
        let repr = Repr::Closed;
        Self { repr }
    }

    /// As [`TaskHandle::request_cancel`](crate::TaskHandle::request_cancel).
    pub fn request_cancel(&self) {
        match &self.repr {
            Repr::Tokio(task) => task.request_cancel(),
            Repr::Local(task) => task.request_cancel(),
            Repr::World { id, ev } if !ev.backend().is_finished(*id) => {
                ev.backend().request_cancel(*id);
            }
            Repr::World { .. } | Repr::Job(_) | Repr::Closed => {}
        }
    }

    /// As [`TaskHandle::abort`](crate::TaskHandle::abort).
    pub fn abort(&self) {
        match &self.repr {
            Repr::Tokio(task) => task.abort(),
            Repr::Local(task) => task.abort(),
            Repr::World { id, ev } => ev.backend().abort(*id),
            Repr::Job(job) => job.abort(),
            Repr::Closed => {}
        }
    }

    /// Whether the task has ended, in whichever way.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        match &self.repr {
            Repr::Tokio(task) => task.is_finished(),
            Repr::Local(task) => task.is_finished(),
            Repr::World { id, ev } => ev.backend().is_finished(*id),
            Repr::Job(job) => job.is_finished(),
            Repr::Closed => true,
        }
    }

    /// The task's identity; `None` if the loop was closed and it never started.
    #[must_use]
    pub fn id(&self) -> Option<TaskId> {
        match &self.repr {
            Repr::Tokio(task) => Some(task.id()),
            Repr::Local(task) => Some(task.id()),
            Repr::World { id, .. } => Some(*id),
            Repr::Job(job) => Some(TaskId::of_job(job.job())),
            Repr::Closed => None,
        }
    }
}

impl fmt::Debug for AbortHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.id() {
            Some(id) => write!(f, "AbortHandle({id})"),
            None => f.write_str("AbortHandle(closed)"),
        }
    }
}
