//! Errors nobody awaits: what they carry, and where they go.

use std::fmt;
use std::panic::Location;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::time::Instant;
use crate::{EventLoop, TaskId};

/// What an exception handler is told.
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
    /// Where the task was spawned, or the callback scheduled.
    pub created_at: Option<&'static Location<'static>>,
    /// The loop's time when it was reported.
    pub at: Instant,
}

impl ErrorContext {
    pub(crate) fn new(ev: &EventLoop, message: &str, error: String) -> Self {
        Self {
            message: message.to_owned(),
            error,
            task: None,
            task_name: None,
            created_at: None,
            at: ev.now(),
        }
    }
}

impl fmt::Display for ErrorContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.message, self.error)?;
        match (&self.task_name, self.task) {
            (Some(name), _) => write!(f, "; task \"{name}\"")?,
            (None, Some(id)) => write!(f, "; task {id}")?,
            (None, None) => {}
        }
        match self.created_at {
            Some(site) => write!(f, " (created at {site})"),
            None => Ok(()),
        }
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

/// The text of a panic's payload.
pub(crate) fn panic_text(payload: &(dyn std::any::Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "a panic whose payload is not text".to_owned()
    }
}
