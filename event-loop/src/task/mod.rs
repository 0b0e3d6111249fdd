//! Tasks: a handle that is a future of the outcome, and two endings that are never mixed.
//!
//! [`TaskHandle::request_cancel`] asks: the task sees it in [`cancelled`], and its cleanup may
//! await. [`TaskHandle::abort`] drops the task's future at the await it stands at.

mod cancel;
mod outcome;

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::num::NonZeroU64;
use std::panic::Location;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use async_task::{FallibleTask, WithInfo};

pub use crate::coop::{Unconstrained, consume_budget, unconstrained};
pub use cancel::{CancelPlace, Cancellation, Cancelled, cancelled};
pub(crate) use outcome::{Caught, Output};

use crate::backend::{Backend, BackendLoop, Head, Runnable};
use crate::coop::poll_leaf;
use crate::exception::panic_text;
use crate::handle::Inner;
use crate::production::task::TokioTaskHandle;
use crate::{Closed, EventLoop, context};

/// The cooperative budget, as tokio has it: in one poll a task gets 128 ready operations of
/// sockets, timers and handles; then it is as if nothing were ready, and the others go first.
///
/// A world keeps the budget in the profiles that stand for tokio.
pub mod coop {
    pub use crate::coop::{
        Coop, RestoreOnPending, Unconstrained, consume_budget, cooperative, has_budget_remaining,
        poll_proceed, unconstrained,
    };
}

/// Starts a task on the current loop.
///
/// # Panics
/// If this thread has no current loop; [`try_spawn`](crate::try_spawn) returns an error instead.
#[track_caller]
pub fn spawn<F>(future: F) -> TaskHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    spawn_here(None, Location::caller(), future)
}

/// Starts a task with a name on the current loop.
///
/// # Panics
/// If this thread has no current loop.
#[track_caller]
pub fn spawn_named<F>(name: &str, future: F) -> TaskHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    spawn_here(Some(name), Location::caller(), future)
}

/// Lets every other task that can run go first, once.
pub async fn yield_now() {
    let mut yielded = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Identifies a task within its loop, in creation order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(NonZeroU64);

/// How many bits of an id are the task's place in its backend's table; 16 million tasks at once.
const SLOT_BITS: u32 = 24;

impl TaskId {
    /// The id of the `serial`th task, which sits at `slot` of its backend's table.
    ///
    /// # Panics
    /// If there are more than 16,777,216 tasks at once, or `serial` is zero.
    #[doc(hidden)]
    #[must_use]
    pub const fn new(serial: u64, slot: u32) -> Self {
        assert!(slot >> SLOT_BITS == 0, "more than 16,777,216 tasks at once");
        match NonZeroU64::new(serial << SLOT_BITS | slot as u64) {
            Some(id) => Self(id),
            None => panic!("serials are counted from 1"),
        }
    }

    /// The number of the task in creation order, from 1.
    #[must_use]
    pub const fn serial(self) -> u64 {
        self.0.get() >> SLOT_BITS
    }

    /// Its place in the backend's table.
    #[doc(hidden)]
    #[must_use]
    pub const fn slot(self) -> u32 {
        (self.0.get() & ((1 << SLOT_BITS) - 1)) as u32
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.serial())
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskId({self})")
    }
}

/// A task that was started: a future of its outcome. Dropping it detaches the task.
///
/// A panic that nobody reads here goes to the loop's exception handler, as asyncio's "Task
/// exception was never retrieved" does.
#[must_use = "a handle that is dropped detaches its task; say so with `drop` or `detach`"]
pub struct TaskHandle<T> {
    repr: Repr<T>,
}

enum Repr<T> {
    Tokio(TokioTaskHandle<T>),
    World {
        task: FallibleTask<Output<T>, Head>,
        id: TaskId,
        ev: BackendLoop,
    },
    Closed,
}

impl<T> TaskHandle<T> {
    pub(crate) fn closed() -> Self {
        Self { repr: Repr::Closed }
    }

    /// Asks the task to finish: [`cancelled`] becomes ready in it.
    pub fn request_cancel(&self) {
        match &self.repr {
            Repr::Tokio(task) => task.request_cancel(),
            Repr::World { task, id, ev } if !task.is_finished() => {
                ev.backend().request_cancel(*id);
            }
            Repr::World { .. } | Repr::Closed => {}
        }
    }

    /// Drops the task's future at the await it stands at: only its destructors run. A task that
    /// has finished keeps its result.
    pub fn abort(&self) {
        match &self.repr {
            Repr::Tokio(task) => task.abort(),
            Repr::World { task, id, ev } if !task.is_finished() => {
                ev.backend().abort(*id);
            }
            Repr::World { .. } | Repr::Closed => {}
        }
    }

    /// Whether the task has ended, in whichever way.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        match &self.repr {
            Repr::Tokio(task) => task.is_finished(),
            Repr::World { task, .. } => task.is_finished(),
            Repr::Closed => true,
        }
    }

    /// The task's identity; `None` if the loop was closed and it never started.
    #[must_use]
    pub fn id(&self) -> Option<TaskId> {
        match &self.repr {
            Repr::Tokio(task) => Some(task.id()),
            Repr::World { id, .. } => Some(*id),
            Repr::Closed => None,
        }
    }

    /// Lets the task run on with nobody waiting for it.
    pub fn detach(self) {
        drop(self);
    }
}

impl<T> Future for TaskHandle<T> {
    type Output = Result<T, TaskError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.repr {
            Repr::Tokio(task) => Pin::new(task).poll(cx),
            Repr::World { task, id, ev } => {
                poll_leaf(cx, |cx| match Pin::new(&mut *task).poll(cx) {
                    Poll::Ready(Some(Ok(value))) => Poll::Ready(Ok(value.take())),
                    Poll::Ready(Some(Err(unread))) => Poll::Ready(Err(unread.read())),
                    Poll::Ready(None) => Poll::Ready(Err(TaskError::aborted())),
                    Poll::Pending => {
                        ev.backend().note_join(*id);
                        Poll::Pending
                    }
                })
            }
            Repr::Closed => Poll::Ready(Err(TaskError::loop_closed())),
        }
    }
}

impl<T> Drop for TaskHandle<T> {
    fn drop(&mut self) {
        // Dropping async-task's own handle would cancel the task.
        if let Repr::World { task, .. } = std::mem::replace(&mut self.repr, Repr::Closed) {
            task.detach();
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

/// Why a task has no result.
pub struct TaskError {
    reason: Reason,
}

enum Reason {
    Aborted,
    LoopClosed,
    // The mutex makes the error `Sync`; nobody ever waits for it.
    Panicked {
        text: String,
        payload: Mutex<Box<dyn Any + Send>>,
    },
}

impl TaskError {
    pub(crate) fn aborted() -> Self {
        Self {
            reason: Reason::Aborted,
        }
    }

    pub(crate) fn loop_closed() -> Self {
        Self {
            reason: Reason::LoopClosed,
        }
    }

    pub(crate) fn panicked(payload: Box<dyn Any + Send>) -> Self {
        let text = panic_text(&*payload);
        Self {
            reason: Reason::Panicked {
                text,
                payload: Mutex::new(payload),
            },
        }
    }

    /// The task was aborted, or dropped with its loop.
    #[must_use]
    pub fn is_aborted(&self) -> bool {
        matches!(self.reason, Reason::Aborted)
    }

    /// The task panicked.
    #[must_use]
    pub fn is_panic(&self) -> bool {
        matches!(self.reason, Reason::Panicked { .. })
    }

    /// The loop was closed before the task could start.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self.reason, Reason::LoopClosed)
    }

    /// The panic's payload, for [`std::panic::resume_unwind`].
    ///
    /// # Errors
    /// The error itself if it was no panic.
    pub fn into_panic(self) -> Result<Box<dyn Any + Send>, Self> {
        match self.reason {
            Reason::Panicked { payload, .. } => {
                Ok(payload.into_inner().unwrap_or_else(PoisonError::into_inner))
            }
            reason => Err(Self { reason }),
        }
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reason {
            Reason::Aborted => f.write_str("the task was aborted"),
            Reason::LoopClosed => f.write_str("the task never started: Event loop is closed"),
            Reason::Panicked { text, .. } => write!(f, "the task panicked: {text}"),
        }
    }
}

impl fmt::Debug for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskError({self})")
    }
}

impl std::error::Error for TaskError {}

pub(crate) fn spawn_on<F>(
    ev: &EventLoop,
    name: Option<&str>,
    site: &'static Location<'static>,
    future: F,
) -> Result<TaskHandle<F::Output>, Closed>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let repr = match &ev.shared.inner {
        Inner::Tokio(tokio) => Repr::Tokio(tokio.spawn(ev, name, site, future)?),
        Inner::Other(backend) => spawn_admitted(admit(ev, backend, name, site)?, future),
    };
    Ok(TaskHandle { repr })
}

/// Starts a task on the current loop, as an ambient function does.
#[track_caller]
fn spawn_here<F>(
    name: Option<&str>,
    site: &'static Location<'static>,
    future: F,
) -> TaskHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    // The future is built, or dropped, with the current loop free to be changed by its code.
    let admitted = context::with_current(|ev| {
        let (ev, backend) = (ev?, ev?.backend()?);
        Some(admit(ev, backend, name, site))
    });
    match admitted {
        Some(Ok(head)) => TaskHandle {
            repr: spawn_admitted(head, future),
        },
        Some(Err(Closed)) => TaskHandle::closed(),
        None => spawn_on(&context::expect_current(), name, site, future)
            .unwrap_or_else(|Closed| TaskHandle::closed()),
    }
}

/// A new task of a loop that is not tokio's.
fn admit(
    ev: &EventLoop,
    backend: &Arc<dyn Backend>,
    name: Option<&str>,
    site: &'static Location<'static>,
) -> Result<Head, Closed> {
    // A loop that is closing drops its callbacks before its backend closes.
    if ev.closed_flag() {
        return Err(Closed);
    }
    Ok(Head {
        meta: backend.admit(name, site)?,
        ev: BackendLoop::of_other(ev),
    })
}

fn spawn_admitted<F>(head: Head, future: F) -> Repr<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let id = head.meta.id;
    let ev = head.ev.clone();
    let (runnable, task) = async_task::Builder::new()
        .metadata(head)
        .spawn(|_| Caught::new(future), WithInfo(context::schedule_task));
    // A task of a loop that was closed meanwhile is dropped here.
    drop(ev.backend().start(Runnable(runnable)));
    Repr::World {
        task: task.fallible(),
        id,
        ev,
    }
}
