//! Tasks: a handle that is a future of the outcome, and two endings that are never mixed.
//!
//! [`TaskHandle::request_cancel`] asks: the task sees it in [`cancelled`], and its cleanup may
//! await. [`TaskHandle::abort`] drops the task's future at the await it stands at.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::num::NonZeroU64;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use async_task::{FallibleTask, WithInfo};
use pin_project_lite::pin_project;

use crate::backend::{Backend, BackendLoop, Head, Runnable, current_task};
use crate::exception::{HandlerSlot, panic_text};
use crate::handle::Inner;
use crate::production::task::TokioTaskHandle;
use crate::waiters::{Place, Waiters};
use crate::{Closed, ErrorContext, EventLoop, context};

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

/// Waits until the current task is asked to finish by [`TaskHandle::request_cancel`].
///
/// Ready at once if it was asked before. The task decides what to do about it: it may finish what
/// it holds, await its cleanup, or go on.
///
/// ```
/// # use std::time::Duration;
/// # use event_loop::{production, LoopConfig};
/// # let ev = production::current_thread(LoopConfig::default()).unwrap();
/// # ev.run_borrowed(async {
/// let worker = event_loop::spawn(async {
///     event_loop::cancelled().await;
///     event_loop::time::sleep(Duration::from_millis(1)).await; // cleanup may await
///     "flushed"
/// });
/// worker.request_cancel();
/// assert_eq!(worker.await.unwrap(), "flushed");
/// # }).unwrap();
/// ```
///
/// # Panics
/// Outside a task.
pub fn cancelled() -> Cancelled {
    Cancelled {
        place: CancelPlace::default(),
    }
}

/// The future of [`cancelled`].
#[must_use = "futures do nothing unless awaited"]
pub struct Cancelled {
    place: CancelPlace,
}

impl Future for Cancelled {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let place = &mut self.place;
        if let Some(task) = current_task() {
            let ready = context::with_current(|ev| {
                let backend = ev.and_then(EventLoop::backend);
                backend.is_none_or(|backend| backend.poll_cancelled(task.id, place, cx.waker()))
            });
            return if ready {
                Poll::Ready(())
            } else {
                Poll::Pending
            };
        }
        context::with_tokio_task(|task| match task {
            Some(task) => task.cancellation().poll(place, cx.waker()),
            None => panic!("cancelled() was awaited outside a task"),
        })
    }
}

impl fmt::Debug for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cancelled")
    }
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
            Repr::World { task, id, ev } => match Pin::new(&mut *task).poll(cx) {
                Poll::Ready(Some(Ok(value))) => Poll::Ready(Ok(value.take())),
                Poll::Ready(Some(Err(unread))) => Poll::Ready(Err(unread.read())),
                Poll::Ready(None) => Poll::Ready(Err(TaskError::aborted())),
                Poll::Pending => {
                    ev.backend().note_join(*id);
                    Poll::Pending
                }
            },
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

/// What a task leaves behind: its value, or a failure somebody has to read.
pub(crate) type Output<T> = Result<Kept<T>, Box<Unread>>;

/// A task's value on its way to a reader.
///
/// If it is dropped unread, its destructor's panic is caught here: below, in the executor's hands,
/// it would end the process.
pub(crate) struct Kept<T>(Option<T>);

impl<T> Kept<T> {
    pub(crate) fn take(mut self) -> T {
        self.0.take().expect("a value is taken once")
    }
}

impl<T> Drop for Kept<T> {
    fn drop(&mut self) {
        if let Some(value) = self.0.take()
            && let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(value)))
        {
            drop(Unread::new(payload));
        }
    }
}

/// A task's panic on its way to a reader; if it is dropped unread, the exception handler gets it.
pub(crate) struct Unread {
    payload: Option<Box<dyn Any + Send>>,
    ev: Option<EventLoop>,
    handler: Option<HandlerSlot>,
    context: Option<Box<ErrorContext>>,
}

impl Unread {
    fn new(payload: Box<dyn Any + Send>) -> Box<Self> {
        let ev = context::with_current(|ev| ev.cloned());
        let context = ev.as_ref().map(|ev| {
            let message = "Task exception was never retrieved";
            let mut context = Box::new(ErrorContext::new(ev, message, panic_text(&*payload)));
            if let Some(meta) = current_task() {
                context.task = Some(meta.id);
                context.created_at = Some(meta.site);
                return context;
            }
            context::with_tokio_task(|task| {
                if let Some(task) = task {
                    task.describe(&mut context);
                }
            });
            context
        });
        Box::new(Self {
            payload: Some(payload),
            handler: ev.as_ref().and_then(EventLoop::handler_slot),
            ev,
            context,
        })
    }

    pub(crate) fn read(mut self) -> TaskError {
        match self.payload.take() {
            Some(payload) => TaskError::panicked(payload),
            None => TaskError::aborted(),
        }
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        if let (Some(_), Some(ev), Some(context)) =
            (self.payload.take(), self.ev.take(), self.context.take())
        {
            ev.report_to(self.handler.take(), &context);
        }
    }
}

pin_project! {
    /// The future of a task, its panic turned into an outcome.
    ///
    /// The future is dropped here too, where its destructor's panic can be caught: below, in the
    /// executor's hands, it would end the process.
    pub(crate) struct Caught<F> {
        #[pin]
        future: Option<F>,
    }

    impl<F> PinnedDrop for Caught<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut future = this.project().future;
            if future.is_some()
                && let Err(payload) = catch_unwind(AssertUnwindSafe(|| future.set(None)))
            {
                drop(Unread::new(payload));
            }
        }
    }
}

impl<F> Caught<F> {
    pub(crate) fn new(future: F) -> Self {
        Self {
            future: Some(future),
        }
    }
}

impl<F: Future> Future for Caught<F> {
    type Output = Output<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut slot = self.project().future;
        // The future is dropped within the same net, before anybody sees the outcome.
        let polled = catch_unwind(AssertUnwindSafe(|| {
            let future = slot
                .as_mut()
                .as_pin_mut()
                .expect("a task is not polled after its end");
            let polled = future.poll(cx);
            if polled.is_ready() {
                slot.set(None);
            }
            polled
        }));
        let outcome = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(value)) => Ok(Kept(Some(value))),
            Err(payload) => Err(Unread::new(payload)),
        };
        context::mark_finished();
        Poll::Ready(outcome)
    }
}

/// A request to finish, and who waits for it.
#[derive(Debug, Default)]
#[doc(hidden)]
pub struct Cancellation {
    state: Mutex<CancelState>,
}

#[derive(Debug, Default)]
struct CancelState {
    requested: bool,
    /// Made by the first who waits: few tasks ever do.
    waiters: Option<Arc<Waiters>>,
}

/// The place of a future among those who wait for a request, given back when dropped.
#[derive(Debug, Default)]
#[doc(hidden)]
pub struct CancelPlace(Option<Place>);

impl Cancellation {
    /// Makes the request and gives back who is to be woken.
    pub fn request(&self) -> Vec<Waker> {
        let waiters = {
            let mut state = self.state();
            state.requested = true;
            state.waiters.take()
        };
        waiters.map_or_else(Vec::new, |waiters| waiters.take().collect())
    }

    /// Ready once requested; `waker` is woken then.
    pub fn poll(&self, place: &mut CancelPlace, waker: &Waker) -> Poll<()> {
        let waiters = {
            let mut state = self.state();
            if state.requested {
                return Poll::Ready(());
            }
            state.waiters.get_or_insert_default().clone()
        };
        place.among(&waiters).wait(waker);
        // The request may have come before the waker was there.
        if self.state().requested {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    fn state(&self) -> MutexGuard<'_, CancelState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CancelPlace {
    /// A future may move to another task between its polls; it waits where it was polled last.
    fn among(&mut self, waiters: &Arc<Waiters>) -> &Place {
        if self
            .0
            .as_ref()
            .is_some_and(|place| !place.is_among(waiters))
        {
            self.0 = None;
        }
        self.0.get_or_insert_with(|| Place::new(waiters))
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_keeps_only_those_who_still_wait() {
        let cancellation = Cancellation::default();
        let mut stays = CancelPlace::default();
        for _ in 0..100 {
            // Each of these has a waker of its own, as the futures of a set have.
            let waker = Waker::from(Arc::<Waiters>::default());
            let mut goes = CancelPlace::default();
            assert!(cancellation.poll(&mut stays, &waker).is_pending());
            assert!(cancellation.poll(&mut goes, &waker).is_pending());
        }
        assert_eq!(cancellation.request().len(), 1);
        assert!(cancellation.poll(&mut stays, Waker::noop()).is_ready());
    }

    #[test]
    fn who_waits_elsewhere_has_left_its_first_place() {
        let (first, second) = (Cancellation::default(), Cancellation::default());
        let mut moves = CancelPlace::default();
        for cancellation in [&first, &second] {
            assert!(cancellation.poll(&mut moves, Waker::noop()).is_pending());
        }
        assert_eq!((first.request().len(), second.request().len()), (0, 1));
    }
}
