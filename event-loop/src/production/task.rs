//! A task on tokio: spawned generically, with a small record for its name and cancellation.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::runtime::Handle;
use tokio::task::{self, JoinHandle};

use crate::context::swap_tokio_task;
use crate::handle::Inner;
use crate::production::process_now;
use crate::task::{Cancellation, Output};
use crate::{ErrorContext, EventLoop, SlowCallback, TaskError, TaskId, TaskInfo};

/// What tokio does not keep for us.
pub(crate) struct TokioTask {
    ev: EventLoop,
    id: TaskId,
    name: Option<Box<str>>,
    site: &'static Location<'static>,
    cancellation: Cancellation,
    /// Absent for local tasks, which their own executor aborts.
    abort: OnceLock<task::AbortHandle>,
}

impl TokioTask {
    pub(crate) fn new(
        ev: EventLoop,
        id: TaskId,
        name: Option<&str>,
        site: &'static Location<'static>,
    ) -> Self {
        Self {
            ev,
            id,
            name: name.map(Into::into),
            site,
            cancellation: Cancellation::default(),
            abort: OnceLock::new(),
        }
    }

    pub(crate) fn event_loop(&self) -> &EventLoop {
        &self.ev
    }

    pub(crate) fn id(&self) -> TaskId {
        self.id
    }

    pub(crate) fn info(&self) -> TaskInfo {
        TaskInfo::new(self.id, self.name.as_deref(), self.site)
    }

    #[cold]
    fn tell_if_slow(&self, slow: Duration, took: Duration) {
        if took >= slow {
            let name = self.name.as_deref().map(str::to_owned);
            let report = SlowCallback::of_task(self.id, name, self.site, took);
            self.ev.report_slow(&report);
        }
    }

    /// Where it was spawned.
    pub(crate) fn site(&self) -> &'static Location<'static> {
        self.site
    }

    pub(crate) fn cancellation(&self) -> &Cancellation {
        &self.cancellation
    }

    pub(crate) fn request_cancel(&self) {
        self.cancellation
            .request()
            .into_iter()
            .for_each(Waker::wake);
    }

    /// At its next turn it is dropped.
    pub(crate) fn abort(&self) {
        match (self.abort.get(), &self.ev.shared.inner) {
            (Some(abort), _) => abort.abort(),
            (None, Inner::Tokio(tokio)) => tokio.locals().abort(self.id.serial()),
            (None, Inner::Other(_)) => {}
        }
    }

    /// The task is over, its future dropped.
    fn end(&self) {
        if let Inner::Tokio(tokio) = &self.ev.shared.inner {
            tokio.forget(self);
        }
        self.ev.shared.shutdown.note_end(self.id);
    }

    pub(crate) fn describe(&self, context: &mut ErrorContext) {
        context.task = Some(self.id);
        context.task_name = self.name.as_deref().map(Into::into);
        context.created_at = Some(self.site);
    }
}

/// A started task; dropping it detaches.
pub(crate) struct TokioTaskHandle<T> {
    join: JoinHandle<Left<Output<T>>>,
    task: Arc<TokioTask>,
}

impl<T> TokioTaskHandle<T> {
    pub(crate) fn spawn<F>(handle: &Handle, task: Arc<TokioTask>, future: F) -> Self
    where
        F: Future<Output = Output<T>> + Send + 'static,
        T: Send + 'static,
    {
        let join = handle.spawn(InTask::new(task.clone(), future));
        task.abort.get_or_init(|| join.abort_handle());
        Self { join, task }
    }

    pub(crate) fn abort_handle(&self) -> TokioAbortHandle {
        TokioAbortHandle {
            abort: self.join.abort_handle(),
            task: self.task.clone(),
        }
    }

    pub(crate) fn request_cancel(&self) {
        self.task.request_cancel();
    }

    pub(crate) fn abort(&self) {
        self.join.abort();
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.join.is_finished()
    }

    pub(crate) fn id(&self) -> TaskId {
        self.task.id
    }
}

impl<T> Future for TokioTaskHandle<T> {
    type Output = Result<T, TaskError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let id = self.task.id;
        Pin::new(&mut self.join)
            .poll(cx)
            .map(|joined| match joined {
                Ok(left) => left.take().read(id),
                Err(error) if error.is_panic() => Err(TaskError::panicked(id, error.into_panic())),
                Err(_) => Err(TaskError::aborted(id)),
            })
    }
}

/// Ends a started task; dropping it does nothing.
#[derive(Clone)]
pub(crate) struct TokioAbortHandle {
    abort: task::AbortHandle,
    task: Arc<TokioTask>,
}

impl TokioAbortHandle {
    pub(crate) fn request_cancel(&self) {
        self.task.request_cancel();
    }

    pub(crate) fn abort(&self) {
        self.abort.abort();
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.abort.is_finished()
    }

    pub(crate) fn id(&self) -> TaskId {
        self.task.id
    }
}

pin_project! {
    /// A future polled, and dropped, as the current task.
    pub(crate) struct InTask<F> {
        task: Option<Arc<TokioTask>>,
        #[pin]
        future: Option<F>,
    }

    impl<F> PinnedDrop for InTask<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let mut entered = false;
            swap_tokio_task(this.task, &mut entered);
            this.future.set(None);
            swap_tokio_task(this.task, &mut entered);
            if let Some(task) = this.task {
                task.end();
            }
        }
    }
}

impl<F> InTask<F> {
    pub(crate) fn new(task: Arc<TokioTask>, future: F) -> Self {
        Self {
            task: Some(task),
            future: Some(future),
        }
    }
}

impl<F: Future> Future for InTask<F> {
    type Output = Left<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(future) = this.future.as_mut().as_pin_mut() else {
            return Poll::Pending;
        };
        let ev = this.task.as_ref().map(|task| task.event_loop());
        if ev.is_some_and(EventLoop::closed_flag) {
            // Tokio is about to drop it, and nothing of it runs any more but its destructors.
            return Poll::Pending;
        }
        let watched = ev.and_then(EventLoop::slow_after);
        let watched = watched.map(|slow| (slow, process_now()));
        let mut entered = false;
        swap_tokio_task(this.task, &mut entered);
        let polled = future.poll(cx);
        if polled.is_ready() {
            this.future.set(None);
        }
        swap_tokio_task(this.task, &mut entered);
        if let (Some((slow, began)), Some(task)) = (watched, &*this.task) {
            task.tell_if_slow(slow, process_now() - began);
        }
        // Moving what is pending would wait for the memory it was just written to.
        let Poll::Ready(output) = polled else {
            return Poll::Pending;
        };
        let task = this.task.take();
        task.iter().for_each(|task| task.end());
        Poll::Ready(Left {
            output: Some(output),
            task,
        })
    }
}

/// What a task leaves behind. Nobody may ever take it: then it is dropped as the current task,
/// wherever its last owner, tokio's worker or a handle, happens to be.
pub(crate) struct Left<O> {
    output: Option<O>,
    task: Option<Arc<TokioTask>>,
}

impl<O> Left<O> {
    pub(crate) fn take(mut self) -> O {
        self.output.take().expect("an outcome is taken once")
    }
}

impl<O> Drop for Left<O> {
    fn drop(&mut self) {
        if let Some(output) = self.output.take() {
            let mut entered = false;
            swap_tokio_task(&mut self.task, &mut entered);
            drop(output);
            swap_tokio_task(&mut self.task, &mut entered);
        }
    }
}
