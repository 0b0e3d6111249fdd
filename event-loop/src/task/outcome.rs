//! What a task leaves behind, with every panic of the user's code turned into it.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::{TaskError, TaskId, probe};
use crate::backend::current_task;
use crate::exception::{HandlerSlot, panic_text};
use crate::{ErrorContext, EventLoop, context};

/// What a task leaves behind: its value, or a failure somebody has to read.
pub(crate) enum Output<T> {
    Value(Kept<T>),
    /// A value that is a failure itself.
    Failure(Box<Unread<Kept<T>>>),
    Panic(Box<Unread<Box<dyn Any + Send>>>),
}

impl<T> Output<T> {
    /// What is told to who awaits the task `id`.
    pub(crate) fn read(self, id: TaskId) -> Result<T, TaskError> {
        self.into_result()
            .map_err(|payload| TaskError::panicked(id, payload))
    }

    /// The value, or a panic's payload: it is read.
    pub(crate) fn into_result(self) -> Result<T, Box<dyn Any + Send>> {
        match self {
            Self::Value(value) => Ok(value.take()),
            Self::Failure(unread) => Ok(unread.read().take()),
            Self::Panic(unread) => Err(unread.read()),
        }
    }

    /// Of who is no task: a value.
    pub(crate) fn value(value: T) -> Self {
        Self::Value(Kept(Some(value)))
    }

    /// Of who is no task: a panic, and what `ev` is told if nobody reads it.
    pub(crate) fn panic_of(
        payload: Box<dyn Any + Send>,
        ev: &EventLoop,
        context: impl FnOnce(String) -> ErrorContext,
    ) -> Self {
        let text = panic_text(&*payload);
        Self::Panic(Box::new(Unread {
            payload: Some(payload),
            handler: ev.handler_slot(),
            ev: Some(ev.unowned()),
            context: Some(Box::new(context(text))),
        }))
    }

    pub(crate) fn is_panic(&self) -> bool {
        matches!(self, Self::Panic(_))
    }
}

/// Which values of a task are failures that somebody has to read.
pub(crate) trait Judge<T>: 'static {
    /// The failure's text, if it is one.
    fn failure(value: &T) -> Option<String>;
}

/// No value is a failure.
pub(crate) enum Plain {}

/// An `Err` is a failure.
pub(crate) enum Fallible {}

impl<T> Judge<T> for Plain {
    fn failure(_: &T) -> Option<String> {
        None
    }
}

impl<T, E: fmt::Display> Judge<Result<T, E>> for Fallible {
    fn failure(value: &Result<T, E>) -> Option<String> {
        value.as_ref().err().map(E::to_string)
    }
}

/// A task's value on its way to a reader.
///
/// If it is dropped unread, its destructor's panic is caught here: below, in the executor's hands,
/// it would end the process.
pub(crate) struct Kept<T>(Option<T>);

impl<T> Kept<T> {
    fn take(mut self) -> T {
        self.0.take().expect("a value is taken once")
    }
}

impl<T> Drop for Kept<T> {
    fn drop(&mut self) {
        if let Some(value) = self.0.take()
            && let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(value)))
        {
            drop(unread_panic(payload));
        }
    }
}

/// A task's failure on its way to a reader; if it is dropped unread, the exception handler gets it.
pub(crate) struct Unread<P> {
    payload: Option<P>,
    ev: Option<EventLoop>,
    handler: Option<HandlerSlot>,
    context: Option<Box<ErrorContext>>,
}

fn unread_panic(payload: Box<dyn Any + Send>) -> Box<Unread<Box<dyn Any + Send>>> {
    let text = panic_text(&*payload);
    Unread::new(payload, text)
}

impl<P> Unread<P> {
    fn new(payload: P, text: String) -> Box<Self> {
        let ev = context::with_current(|ev| ev.cloned());
        let context = ev.as_ref().map(|ev| {
            let message = "Task exception was never retrieved";
            let mut context = Box::new(ErrorContext::new(ev, message, text));
            if let Some(meta) = current_task() {
                context.task = Some(meta.id);
                context.task_name = ev.backend().and_then(|backend| backend.task_name(meta.id));
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

    fn read(mut self) -> P {
        self.payload.take().expect("a failure is read once")
    }
}

impl<P> Drop for Unread<P> {
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
    pub(crate) struct Caught<F, J> {
        #[pin]
        future: Option<F>,
        judge: PhantomData<fn() -> J>,
    }

    impl<F, J> PinnedDrop for Caught<F, J> {
        fn drop(this: Pin<&mut Self>) {
            let mut future = this.project().future;
            if future.is_some()
                && let Err(payload) = catch_unwind(AssertUnwindSafe(|| future.set(None)))
            {
                drop(unread_panic(payload));
            }
        }
    }
}

impl<F, J> Caught<F, J> {
    pub(crate) fn new(future: F) -> Self {
        Self {
            future: Some(future),
            judge: PhantomData,
        }
    }
}

impl<F: Future, J: Judge<F::Output>> Future for Caught<F, J> {
    type Output = Output<F::Output>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut slot = self.project().future;
        if context::probed(|waker| probe::is_over(slot.as_mut(), waker)) {
            return Poll::Pending;
        }
        // The future is dropped, and its value judged, within the same net, before anybody sees
        // the outcome.
        let polled = catch_unwind(AssertUnwindSafe(|| {
            let future = slot
                .as_mut()
                .as_pin_mut()
                .expect("a task is not polled after its end");
            future.poll(cx).map(|value| {
                let value = Kept(Some(value));
                slot.set(None);
                let failure = value.0.as_ref().and_then(J::failure);
                (value, failure)
            })
        }));
        let outcome = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready((value, None))) => Output::Value(value),
            Ok(Poll::Ready((value, Some(text)))) => Output::Failure(Unread::new(value, text)),
            Err(payload) => Output::Panic(unread_panic(payload)),
        };
        context::mark_finished();
        Poll::Ready(outcome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_takes_no_more_room_than_its_value_and_a_word() {
        assert_eq!(size_of::<Output<()>>(), 16);
        assert_eq!(size_of::<Output<u64>>(), 16);
        assert_eq!(size_of::<Output<[u64; 4]>>(), 40);
    }

    #[test]
    fn the_net_around_a_future_adds_no_more_than_its_presence() {
        type Future = std::future::Ready<u64>;
        assert_eq!(
            size_of::<Caught<Future, Fallible>>(),
            size_of::<Option<Future>>()
        );
    }
}
