//! Why a task has no result.

use std::any::Any;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use super::TaskId;
use crate::exception::panic_text;
use crate::{BlockingError, JobId};

/// Why a task has no result.
pub struct TaskError {
    id: Option<TaskId>,
    reason: Reason,
}

enum Reason {
    Aborted,
    LoopClosed,
    Refused(BlockingError),
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

    pub(crate) fn job_aborted(id: JobId) -> Self {
        Self {
            id: Some(TaskId::of_job(id)),
            reason: Reason::Aborted,
        }
    }

    pub(crate) fn job_refused(why: BlockingError) -> Self {
        Self {
            id: None,
            reason: Reason::Refused(why),
        }
    }

    pub(crate) fn loop_closed() -> Self {
        Self {
            id: None,
            reason: Reason::LoopClosed,
        }
    }

    pub(crate) fn panicked(id: TaskId, payload: Box<dyn Any + Send>) -> Self {
        Self::of_panic(id, payload)
    }

    pub(crate) fn job_panicked(id: JobId, payload: Box<dyn Any + Send>) -> Self {
        Self::of_panic(TaskId::of_job(id), payload)
    }

    fn of_panic(id: TaskId, payload: Box<dyn Any + Send>) -> Self {
        let text = panic_text(&*payload);
        Self {
            id: Some(id),
            reason: Reason::Panicked {
                text,
                payload: Mutex::new(payload),
            },
        }
    }

    /// The task's identity; `None` if it never started, for the loop was closed or the blocking job
    /// refused.
    #[must_use]
    pub fn id(&self) -> Option<TaskId> {
        self.id
    }

    /// Why a blocking job was not taken, if that is it.
    #[must_use]
    pub fn refusal(&self) -> Option<&BlockingError> {
        match &self.reason {
            Reason::Refused(why) => Some(why),
            _ => None,
        }
    }

    /// The task was aborted, or dropped with its loop; of a blocking job the same before it began.
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
        matches!(
            self.reason,
            Reason::LoopClosed | Reason::Refused(BlockingError::Closed)
        )
    }

    /// The task did not panic: it was aborted, or the loop was closed before it could start.
    /// Tokio's word for both.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        !self.is_panic()
    }

    fn what(&self) -> &'static str {
        match self.id.is_some_and(TaskId::is_job) {
            true => "job",
            false => "task",
        }
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
            Reason::Aborted => write!(f, "the {} was aborted", self.what()),
            Reason::LoopClosed => f.write_str("the task never started: Event loop is closed"),
            Reason::Refused(why) => why.fmt(f),
            Reason::Panicked { text, .. } => write!(f, "the {} panicked: {text}", self.what()),
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
