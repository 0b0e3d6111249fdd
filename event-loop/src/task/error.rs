//! Why a task has no result.

use std::any::Any;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use super::TaskId;
use crate::exception::panic_text;

/// Why a task has no result.
pub struct TaskError {
    id: Option<TaskId>,
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
    pub(crate) fn aborted(id: TaskId) -> Self {
        Self {
            id: Some(id),
            reason: Reason::Aborted,
        }
    }

    pub(crate) fn loop_closed() -> Self {
        Self {
            id: None,
            reason: Reason::LoopClosed,
        }
    }

    pub(crate) fn panicked(id: TaskId, payload: Box<dyn Any + Send>) -> Self {
        let text = panic_text(&*payload);
        Self {
            id: Some(id),
            reason: Reason::Panicked {
                text,
                payload: Mutex::new(payload),
            },
        }
    }

    /// The task's identity; `None` if the loop was closed and it never started.
    #[must_use]
    pub fn id(&self) -> Option<TaskId> {
        self.id
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

    /// The task did not panic: it was aborted, or the loop was closed before it could start.
    /// Tokio's word for both.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        !self.is_panic()
    }

    /// The panic's payload, for [`std::panic::resume_unwind`].
    ///
    /// # Panics
    /// If the task did not panic.
    #[must_use]
    #[track_caller]
    pub fn into_panic(self) -> Box<dyn Any + Send> {
        match self.try_into_panic() {
            Ok(payload) => payload,
            Err(error) => panic!("into_panic() of a task that did not panic: {error}"),
        }
    }

    /// The panic's payload, for [`std::panic::resume_unwind`].
    ///
    /// # Errors
    /// The error itself if it was no panic.
    pub fn try_into_panic(self) -> Result<Box<dyn Any + Send>, Self> {
        match self.reason {
            Reason::Panicked { payload, .. } => {
                Ok(payload.into_inner().unwrap_or_else(PoisonError::into_inner))
            }
            reason => Err(Self { reason, ..self }),
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
        match self.id {
            Some(id) => write!(f, "TaskError({id}: {self})"),
            None => write!(f, "TaskError({self})"),
        }
    }
}

impl std::error::Error for TaskError {}
