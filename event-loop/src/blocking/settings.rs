//! How many threads a pool may have, and what stands in line for them.

use std::fmt;

use crate::LoopError;

/// As tokio has it.
pub(crate) const DEFAULT_THREADS: usize = 512;

/// What happens to jobs that find every thread busy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum BlockingQueue {
    /// They are queued, however many they are; memory is the limit.
    #[default]
    Unbounded,
    /// So many are queued, which may be none; the next is refused with
    /// [`QueueFull`](crate::QueueFull).
    Refuse(usize),
    /// So many are queued, which may be none; the next stand in line for room, and who asked waits
    /// with them, in [`BlockingHandle::queued`](crate::BlockingHandle::queued) or for the outcome.
    Wait(usize),
}

impl fmt::Display for BlockingQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unbounded => f.write_str("unbounded queue"),
            Self::Refuse(capacity) => write!(f, "queue of {capacity} that refuses"),
            Self::Wait(capacity) => write!(f, "queue of {capacity} that lets wait"),
        }
    }
}

/// What a pool is made with.
#[derive(Clone, Debug)]
pub(crate) struct PoolSettings {
    pub(crate) threads: usize,
    pub(crate) queue: BlockingQueue,
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self {
            threads: DEFAULT_THREADS,
            queue: BlockingQueue::default(),
        }
    }
}

impl PoolSettings {
    /// What a factory asks before it makes a loop.
    pub(crate) fn check(&self) -> Result<(), LoopError> {
        match self.threads {
            0 => Err(LoopError::BadSetting {
                setting: "blocking_threads",
                given: 0,
                allowed: "1 and more: somebody has to run the jobs",
            }),
            _ => Ok(()),
        }
    }
}
