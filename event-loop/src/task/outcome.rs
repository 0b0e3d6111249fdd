//! What a task leaves behind, with every panic of the user's code turned into it.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::TaskError;
use crate::backend::current_task;
use crate::exception::{HandlerSlot, panic_text};
use crate::{ErrorContext, EventLoop, context};

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
