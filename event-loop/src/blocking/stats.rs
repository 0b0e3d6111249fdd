//! What a pool has done and has to do.

use std::time::Duration;

use super::PoolSettings;

/// What a pool of threads has done and has to do, at the moment it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BlockingStats {
    /// How many threads there may be.
    pub threads: usize,
    /// How many threads there are: those that have a job, and those that are idle.
    pub workers: usize,
    /// How many of them have nothing to do.
    pub idle: usize,
    /// How many jobs have begun and not ended.
    pub running: usize,
    /// How many jobs have not begun: those in the queue, and those whose thread is about to begin.
    pub queued: usize,
    /// How many jobs stand in line for room in the queue, where
    /// [`BlockingQueue::Wait`](crate::BlockingQueue::Wait) has them do so.
    pub waiting: usize,
    /// How many jobs have ended, in whichever way.
    pub done: u64,
    /// How many of these by a panic.
    pub panicked: u64,
    /// How many jobs never began: aborted, or given up by a shutdown or with the loop.
    pub aborted: u64,
    /// How many jobs were refused.
    pub refused: u64,
    /// How many jobs were queued at once, at most.
    pub most_queued: usize,
    /// How long a job that has begun had waited for it, at most.
    pub longest_wait: Duration,
}

impl BlockingStats {
    /// Of a pool that has had no job yet.
    pub(super) fn unused(settings: &PoolSettings) -> Self {
        Self {
            threads: settings.threads,
            workers: 0,
            idle: 0,
            running: 0,
            queued: 0,
            waiting: 0,
            done: 0,
            panicked: 0,
            aborted: 0,
            refused: 0,
            most_queued: 0,
            longest_wait: Duration::ZERO,
        }
    }

    /// What only who has the threads knows.
    pub(super) fn with_idle(self, idle: usize) -> Self {
        // A thread that has ended its job may be counted on both sides for a moment.
        let workers = (self.workers + idle).min(self.threads);
        Self {
            workers,
            idle,
            ..self
        }
    }
}
