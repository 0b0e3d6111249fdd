//! Why a job was not taken.

use std::fmt;

use crate::{Closed, NoCurrentLoop};

/// Why a job was not taken: it never runs, and its closure was dropped where it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BlockingError {
    /// Every thread is busy and the queue is full.
    QueueFull(QueueFull),
    /// [`EventLoop::shutdown_executor`](crate::EventLoop::shutdown_executor) was called.
    ShutDown,
    /// The loop is closed.
    Closed,
    /// The operating system gave no thread; its words.
    NoThread(String),
    /// An ambient function on a thread that has no current loop.
    NoCurrentLoop(NoCurrentLoop),
}

/// How full a queue was that refused a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueFull {
    /// How many jobs the queue holds.
    pub capacity: usize,
    /// How many threads there may be, all of them busy.
    pub threads: usize,
}

impl fmt::Display for QueueFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { capacity, threads } = self;
        let plural = |n: usize| if n == 1 { "" } else { "s" };
        let (jobs, more) = (plural(*capacity), plural(*threads));
        write!(
            f,
            "The blocking queue is full: it holds {capacity} job{jobs} beside the {threads} \
             thread{more} there may be, all of them busy; ask again later, or give the loop more \
             blocking_threads or another blocking_queue"
        )
    }
}

impl std::error::Error for QueueFull {}

impl fmt::Display for BlockingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::QueueFull(full) => full.fmt(f),
            Self::ShutDown => f.write_str(
                "Executor shutdown has been called: no job is taken any more; ask before \
                 shutdown_executor",
            ),
            Self::Closed => Closed.fmt(f),
            Self::NoThread(why) => write!(
                f,
                "No thread could be made for a blocking job: {why}; lower blocking_threads, or \
                 raise the limit of the process"
            ),
            Self::NoCurrentLoop(none) => none.fmt(f),
        }
    }
}

impl std::error::Error for BlockingError {}

impl From<NoCurrentLoop> for BlockingError {
    fn from(none: NoCurrentLoop) -> Self {
        Self::NoCurrentLoop(none)
    }
}

impl From<Closed> for BlockingError {
    fn from(_: Closed) -> Self {
        Self::Closed
    }
}

impl From<QueueFull> for BlockingError {
    fn from(full: QueueFull) -> Self {
        Self::QueueFull(full)
    }
}
