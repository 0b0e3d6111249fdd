//! The handle of a task: a future of its outcome.

use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use async_task::FallibleTask;

use super::{AbortHandle, Output, TaskError, TaskId};
use crate::BlockingHandle;
use crate::backend::{BackendLoop, Head};
use crate::coop::poll_leaf;
use crate::production::local::LocalTaskHandle;
use crate::production::task::TokioTaskHandle;

/// A task that was started: a future of its outcome. Dropping it detaches the task.
///
/// A panic that nobody reads here goes to the loop's exception handler, as asyncio's "Task
/// exception was never retrieved" does; so does the `Err` of a task that was started by
/// [`spawn_fallible`](crate::spawn_fallible).
#[must_use = "a handle that is dropped detaches its task; say so with `drop` or `detach`"]
pub struct TaskHandle<T> {
    repr: Repr<T>,
}

pub(super) enum Repr<T> {
    Tokio(TokioTaskHandle<T>),
    Local(LocalTaskHandle<T>),
    World {
        task: FallibleTask<Output<T>, Head>,
        id: TaskId,
        ev: BackendLoop,
    },
    Job(BlockingHandle<T>),
    Closed,
}

impl<T> TaskHandle<T> {
    pub(super) fn new(repr: Repr<T>) -> Self {
        Self { repr }
    }

    pub(crate) fn closed() -> Self {
        Self::new(Repr::Closed)
    }

    /// Asks the task to finish: [`cancelled`](crate::cancelled) becomes ready in it.
    pub fn request_cancel(&self) {
        match &self.repr {
            Repr::Tokio(task) => task.request_cancel(),
            Repr::Local(task) => task.task().request_cancel(),
            Repr::World { task, id, ev } if !task.is_finished() => {
                ev.backend().request_cancel(*id);
            }
            Repr::World { .. } | Repr::Job(_) | Repr::Closed => {}
        }
    }

    /// Drops the task's future at the await it stands at: only its destructors run. A task that
    /// has finished keeps its result.
    pub fn abort(&self) {
        match &self.repr {
            Repr::Tokio(task) => task.abort(),
            Repr::Local(task) => task.task().abort(),
            Repr::World { task, id, ev } if !task.is_finished() => {
                ev.backend().abort(*id);
            }
            Repr::Job(job) => job.abort(),
            Repr::World { .. } | Repr::Closed => {}
        }
    }

    /// A second handle to the task, which cannot read its outcome.
    #[must_use]
    pub fn abort_handle(&self) -> AbortHandle {
        match &self.repr {
            Repr::Tokio(task) => AbortHandle::of_tokio(task.abort_handle()),
            Repr::Local(task) => AbortHandle::of_local(task.task().clone()),
            Repr::World { id, ev, .. } => AbortHandle::of_world(*id, ev.clone()),
            Repr::Job(job) => AbortHandle::of_job(job.abort_handle()),
            Repr::Closed => AbortHandle::closed(),
        }
    }

    /// Whether the task has ended, in whichever way.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        match &self.repr {
            Repr::Tokio(task) => task.is_finished(),
            Repr::Local(task) => task.is_finished(),
            Repr::World { task, .. } => task.is_finished(),
            Repr::Job(job) => job.is_finished(),
            Repr::Closed => true,
        }
    }

    /// The task's identity; `None` if it never started, for the loop was closed or the blocking job
    /// refused.
    #[must_use]
    pub fn id(&self) -> Option<TaskId> {
        match &self.repr {
            Repr::Tokio(task) => Some(task.id()),
            Repr::Local(task) => Some(task.task().id()),
            Repr::World { id, .. } => Some(*id),
            Repr::Job(job) => job.id().map(TaskId::of_job),
            Repr::Closed => None,
        }
    }

    /// Lets the task run on with nobody waiting for it.
    pub fn detach(self) {
        drop(self);
    }

    /// Polls for the outcome on behalf of somebody who may be waiting for something else.
    pub(super) fn poll_unnoted(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, TaskError>> {
        match &mut self.repr {
            Repr::Tokio(task) => Pin::new(task).poll(cx),
            Repr::Local(task) => Pin::new(task).poll(cx),
            Repr::World { task, id, .. } => poll_leaf(cx, |cx| {
                Pin::new(task).poll(cx).map(|output| match output {
                    Some(output) => output.read(*id),
                    None => Err(TaskError::aborted(*id)),
                })
            }),
            Repr::Job(job) => job.poll_unnoted(cx),
            Repr::Closed => Poll::Ready(Err(TaskError::loop_closed())),
        }
    }

    /// Tells a world that the current task waits for the end of this one.
    pub(super) fn note_join(&self) {
        match &self.repr {
            Repr::World { id, ev, .. } => ev.backend().note_join(*id),
            Repr::Job(job) => job.note_wait(),
            Repr::Tokio(_) | Repr::Local(_) | Repr::Closed => {}
        }
    }
}

impl<T> From<BlockingHandle<T>> for TaskHandle<T> {
    /// A blocking job's handle among those of tasks, which abort it if it has not begun.
    fn from(job: BlockingHandle<T>) -> Self {
        Self::new(Repr::Job(job))
    }
}

impl<T> Future for TaskHandle<T> {
    type Output = Result<T, TaskError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = self.poll_unnoted(cx);
        if polled.is_pending() {
            self.note_join();
        }
        polled
    }
}

impl<T> Drop for TaskHandle<T> {
    fn drop(&mut self) {
        // Dropping async-task's own handle would cancel the task.
        match mem::replace(&mut self.repr, Repr::Closed) {
            Repr::World { task, ev, .. } => {
                // A value that nobody took is dropped here, where no loop need be current.
                let drops = mem::needs_drop::<T>() && task.is_finished();
                let _entered = drops.then(|| ev.unowned().enter());
                task.detach();
            }
            Repr::Local(task) => task.detach(),
            Repr::Tokio(_) | Repr::Job(_) | Repr::Closed => {}
        }
    }
}

impl<T> fmt::Debug for TaskHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.id() {
            Some(id) => write!(f, "TaskHandle({id})"),
            None => f.write_str("TaskHandle(closed)"),
        }
    }
}
