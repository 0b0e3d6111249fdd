//! Errors nobody awaits: what they carry, and where they go.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::time::Instant;
use crate::{EventLoop, JobId, TaskId};

/// What an exception handler is told; `Display` prints it, with a line each for who and where.
///
/// ```
/// # use event_loop::{production, ErrorContext, EventLoop, LoopConfig};
/// # let ev = production::current_thread(LoopConfig::default()).unwrap();
/// let (tell, told) = std::sync::mpsc::sync_channel(1);
/// ev.set_exception_handler(Some(move |_: &EventLoop, context: &ErrorContext| {
///     tell.send(context.clone()).unwrap();
/// }));
/// ev.call_soon(|| panic!("boom")).unwrap();
/// ev.stop();
/// ev.run_forever().unwrap();
/// let context = told.recv().unwrap();
/// assert_eq!((&*context.message, &*context.error), ("Exception in callback", "boom"));
/// assert!(context.callback.is_some() && context.task.is_none());
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ErrorContext {
    /// What happened, in asyncio's words where it has them.
    pub message: String,
    /// The text of the panic or error itself.
    pub error: String,
    /// The task it happened in, if it was one.
    pub task: Option<TaskId>,
    /// The task's name, if it has one.
    pub task_name: Option<String>,
    /// The callback it happened in, if it was one.
    pub callback: Option<CallbackInfo>,
    /// The blocking job it happened in, if it was one.
    pub job: Option<JobId>,
    /// The job's name, if it has one.
    pub job_name: Option<String>,
    /// Where the task was spawned, the callback scheduled, or the job asked for.
    pub created_at: Option<&'static Location<'static>>,
    /// The loop it happened on; in simulation its host.
    pub loop_name: String,
    /// The loop's time when it happened.
    pub at: Instant,
}

/// A scheduled callback, as errors show it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallbackInfo {
    /// The call that scheduled it.
    pub scheduled_at: &'static Location<'static>,
    /// Its deadline, if it has one.
    pub deadline: Option<Instant>,
}

impl ErrorContext {
    pub(crate) fn new(ev: &EventLoop, message: &str, error: String) -> Self {
        Self {
            message: message.to_owned(),
            error,
            task: None,
            task_name: None,
            callback: None,
            job: None,
            job_name: None,
            created_at: None,
            loop_name: ev.name(),
            at: ev.now(),
        }
    }

    pub(crate) fn in_callback(
        mut self,
        scheduled_at: &'static Location<'static>,
        deadline: Option<Instant>,
    ) -> Self {
        self.created_at = Some(scheduled_at);
        self.callback = Some(CallbackInfo {
            scheduled_at,
            deadline,
        });
        self
    }
}

impl fmt::Display for ErrorContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.message, self.error)?;
        match (self.task, &self.callback, self.created_at) {
            (Some(id), ..) => {
                write!(f, "\n  in task {id}")?;
                if let Some(name) = &self.task_name {
                    write!(f, " \"{name}\"")?;
                }
                if let Some(site) = self.created_at {
                    write!(f, ", spawned at {site}")?;
                }
            }
            (None, Some(callback), _) => {
                write!(
                    f,
                    "\n  in a callback scheduled at {}",
                    callback.scheduled_at
                )?;
                if let Some(deadline) = callback.deadline {
                    write!(f, ", due at {deadline:?}")?;
                }
            }
            (None, None, site) => match (self.job, site) {
                (Some(job), site) => {
                    write!(f, "\n  in job {job}")?;
                    if let Some(name) = &self.job_name {
                        write!(f, " \"{name}\"")?;
                    }
                    if let Some(site) = site {
                        write!(f, ", asked for at {site}")?;
                    }
                }
                (None, Some(site)) => write!(f, "\n  created at {site}")?,
                (None, None) => {}
            },
        }
        write!(
            f,
            "\n  on loop \"{}\", at {:?} of its clock",
            self.loop_name, self.at
        )
    }
}

pub(crate) type Handler = Arc<dyn Fn(&EventLoop, &ErrorContext) + Send + Sync>;

/// Where a loop's exception handler is.
///
/// A handler may hold its loop, so the loop lets go of the slot when it closes; panics that nobody
/// has read yet keep it.
#[derive(Clone, Default)]
pub(crate) struct HandlerSlot(Arc<Mutex<Option<Handler>>>);

impl HandlerSlot {
    pub(crate) fn get(&self) -> Option<Handler> {
        self.lock().clone()
    }

    /// Puts `handler` in and gives the previous one back.
    pub(crate) fn replace(&self, handler: Option<Handler>) -> Option<Handler> {
        std::mem::replace(&mut *self.lock(), handler)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Handler>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The text of a panic that nobody else reads; its payload is dropped here.
pub(crate) fn told(payload: Box<dyn Any + Send>) -> String {
    let text = panic_text(&*payload);
    drop_quietly(payload);
    text
}

/// Drops a panic's payload, whose destructor may panic in its turn: that one is left alone.
pub(crate) fn drop_quietly(payload: Box<dyn Any + Send>) {
    if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(another);
    }
}

/// The text of a panic's payload.
pub(crate) fn panic_text(payload: &(dyn Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "a panic whose payload is not text".to_owned()
    }
}
