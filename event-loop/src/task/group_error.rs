//! How a group of tasks fails.

use std::any::Any;
use std::error::Error;
use std::fmt;

use super::{TaskError, TaskId};

type Failure = Box<dyn Error + Send + Sync>;

/// The tasks of a group that failed, in the order in which they did.
pub struct TaskGroupError {
    failures: Vec<MemberError>,
}

impl TaskGroupError {
    pub(super) fn new(failures: Vec<MemberError>) -> Self {
        Self { failures }
    }

    /// The failures, in the order in which they happened; there is at least one.
    #[must_use]
    pub fn failures(&self) -> &[MemberError] {
        &self.failures
    }

    /// The failures, in the order in which they happened; there is at least one.
    #[must_use]
    pub fn into_failures(self) -> Vec<MemberError> {
        self.failures
    }
}

impl fmt::Display for TaskGroupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (n, s) = (
            self.failures.len(),
            if self.failures.len() == 1 { "" } else { "s" },
        );
        write!(f, "unhandled errors in a TaskGroup ({n} sub-exception{s})")?;
        for (i, failure) in self.failures.iter().enumerate() {
            write!(f, "{}{failure}", if i == 0 { ": " } else { "; " })?;
        }
        Ok(())
    }
}

impl fmt::Debug for TaskGroupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskGroupError({self})")
    }
}

impl Error for TaskGroupError {}

/// The failure of one task of a group.
pub struct MemberError {
    id: Option<TaskId>,
    cause: Cause,
}

enum Cause {
    Failed(Failure),
    Lost(TaskError),
}

impl MemberError {
    pub(super) fn failed(id: Option<TaskId>, failure: Failure) -> Self {
        let cause = Cause::Failed(failure);
        Self { id, cause }
    }

    pub(super) fn lost(error: TaskError) -> Self {
        Self {
            id: error.id(),
            cause: Cause::Lost(error),
        }
    }

    /// The task's identity; `None` if the loop was closed and it never started.
    #[must_use]
    pub fn id(&self) -> Option<TaskId> {
        self.id
    }

    /// The task panicked.
    #[must_use]
    pub fn is_panic(&self) -> bool {
        matches!(&self.cause, Cause::Lost(error) if error.is_panic())
    }

    /// The error the task returned; a [`TaskError`] if it panicked, or if it was the body and was
    /// dropped with its loop.
    #[must_use]
    pub fn error(&self) -> &(dyn Error + Send + Sync + 'static) {
        match &self.cause {
            Cause::Failed(failure) => &**failure,
            Cause::Lost(error) => error,
        }
    }

    /// The error as [`error`](Self::error) shows it, to be kept or downcast.
    #[must_use]
    pub fn into_error(self) -> Failure {
        match self.cause {
            Cause::Failed(failure) => failure,
            Cause::Lost(error) => error.into(),
        }
    }

    /// The panic's payload, for [`std::panic::resume_unwind`].
    ///
    /// # Errors
    /// The error itself if it was no panic.
    pub fn try_into_panic(self) -> Result<Box<dyn Any + Send>, Self> {
        match self.cause {
            Cause::Lost(error) => error.try_into_panic().map_err(Self::lost),
            cause @ Cause::Failed(_) => Err(Self { cause, ..self }),
        }
    }
}

impl fmt::Display for MemberError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.id {
            Some(id) => write!(f, "task {id}: {}", self.error()),
            None => write!(f, "{}", self.error()),
        }
    }
}

impl fmt::Debug for MemberError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemberError({self})")
    }
}

impl Error for MemberError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error().source()
    }
}

/// A group that starts no more tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GroupEnded {
    /// A task of the group has failed, or the task that awaits it was asked to finish.
    ShuttingDown,
    /// All its tasks have ended, or nobody awaits it any more.
    Finished,
    /// Its loop is closed.
    LoopClosed,
}

impl fmt::Display for GroupEnded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ShuttingDown => {
                "TaskGroup is shutting down: a task of it has failed or it was asked to finish; \
                 start the task outside the group if it has to run all the same"
            }
            Self::Finished => {
                "TaskGroup is finished: start the task before the last of its tasks ends"
            }
            Self::LoopClosed => "Event loop is closed",
        })
    }
}

impl Error for GroupEnded {}
