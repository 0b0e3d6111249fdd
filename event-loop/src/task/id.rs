//! Who a task is.

use std::fmt;
use std::num::NonZeroU64;

use crate::backend::{TaskMeta, current_task};
use crate::{JobId, context};

/// The identity of the task that is being polled.
///
/// # Panics
/// Outside a task.
#[must_use]
#[track_caller]
pub fn id() -> TaskId {
    match try_id() {
        Some(id) => id,
        None => panic!("id() was called outside a task; try_id() says so without a panic"),
    }
}

/// The identity of the task that is being polled, if there is one.
#[must_use]
pub fn try_id() -> Option<TaskId> {
    let of_world = current_task().map(|TaskMeta { id, .. }| id);
    of_world.or_else(|| context::with_tokio_task(|task| task.map(|task| task.id())))
}

/// Identifies a task within its loop, in creation order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(NonZeroU64);

/// How many bits of an id are the task's place in its backend's table; 16 million tasks at once.
const SLOT_BITS: u32 = 24;

/// Marks the ids of blocking jobs. No loop has so many tasks that their serials reach it.
const JOB: NonZeroU64 = NonZeroU64::new(1 << 63).unwrap();

impl TaskId {
    /// The id of the `serial`th task, which sits at `slot` of its backend's table.
    ///
    /// # Panics
    /// If there are more than 16,777,216 tasks at once, or `serial` is zero.
    #[doc(hidden)]
    #[must_use]
    pub const fn new(serial: u64, slot: u32) -> Self {
        assert!(slot >> SLOT_BITS == 0, "more than 16,777,216 tasks at once");
        match NonZeroU64::new(serial << SLOT_BITS | slot as u64) {
            Some(id) => Self(id),
            None => panic!("serials are counted from 1"),
        }
    }

    /// The id of a blocking job, among those of tasks.
    pub(crate) fn of_job(job: JobId) -> Self {
        Self(JOB | job.serial())
    }

    /// The number of the task in creation order, from 1; of a blocking job that among the jobs.
    #[must_use]
    pub const fn serial(self) -> u64 {
        match self.is_job() {
            true => self.0.get() & !JOB.get(),
            false => self.0.get() >> SLOT_BITS,
        }
    }

    /// Whether it is a blocking job's.
    #[must_use]
    pub const fn is_job(self) -> bool {
        self.0.get() & JOB.get() != 0
    }

    /// Its place in the backend's table.
    #[doc(hidden)]
    #[must_use]
    pub const fn slot(self) -> u32 {
        (self.0.get() & ((1 << SLOT_BITS) - 1)) as u32
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_job() {
            true => write!(f, "job {}", self.serial()),
            false => write!(f, "#{}", self.serial()),
        }
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskId({self})")
    }
}
