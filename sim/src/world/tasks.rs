//! The table of live tasks: who they are, and the waker that brings each of them back.

use std::sync::Arc;
use std::task::Waker;

use event_loop::TaskId;
use event_loop::task::Cancellation;
use slab::Slab;

/// The tasks of a world.
#[derive(Debug, Default)]
pub(crate) struct TaskTable {
    records: Slab<Record>,
    /// How many tasks there ever were.
    made: u64,
    /// How many live ones are to be dropped at their next turn; while there are none, nobody has
    /// to look.
    aborted: usize,
    /// Below this many, memory is worth giving back.
    shrink_at: usize,
}

/// What a task leaves in the table.
#[derive(Debug)]
pub(crate) struct Record {
    id: TaskId,
    /// Absent until the task is built, and for the future a world is driven for.
    waker: Option<Waker>,
    /// What few tasks have, out of the way.
    endings: Option<Box<Endings>>,
}

/// How a task was asked to end.
#[derive(Debug, Default)]
pub(crate) struct Endings {
    cancellation: Option<Arc<Cancellation>>,
    aborted: bool,
}

impl TaskTable {
    /// A new identity.
    pub(crate) fn admit(&mut self) -> TaskId {
        self.made += 1;
        if self.records.len() == self.records.capacity() {
            // Not doubled: with a hundred thousand tasks the slack would show.
            self.records.reserve_exact((self.records.len() / 4).max(4));
        }
        let entry = self.records.vacant_entry();
        let slot = u32::try_from(entry.key()).expect("the table of tasks fits u32");
        let id = TaskId::new(self.made, slot);
        entry.insert(Record {
            id,
            waker: None,
            endings: None,
        });
        self.shrink_at = self.shrink_at.max(self.records.len() / 8);
        id
    }

    /// Takes the waker of a task that was just built; leaves it if there is no such task.
    pub(crate) fn set_waker(&mut self, id: TaskId, waker: &mut Option<Waker>) {
        if let Some(record) = self.record(id) {
            record.waker = waker.take();
        }
    }

    /// The task is over; what it leaves is dropped by the caller.
    pub(crate) fn remove(&mut self, id: TaskId) -> Option<Record> {
        self.record(id)?;
        let record = self.records.remove(id.slot() as usize);
        if record.is_aborted() {
            self.aborted -= 1;
        }
        if self.records.len() < self.shrink_at && self.records.capacity() > 4_096 {
            self.shrink_at = self.records.len() / 8;
            self.records.shrink_to_fit();
        }
        Some(record)
    }

    /// Marks the task to be dropped at its next turn, and gives the waker that brings it.
    pub(crate) fn abort(&mut self, id: TaskId) -> Option<Waker> {
        let record = self.record(id)?;
        let waker = record.waker.clone()?;
        let endings = record.endings.get_or_insert_default();
        if !std::mem::replace(&mut endings.aborted, true) {
            self.aborted += 1;
        }
        Some(waker)
    }

    pub(crate) fn is_aborted(&self, id: TaskId) -> bool {
        self.aborted > 0
            && self
                .records
                .get(id.slot() as usize)
                .is_some_and(|record| record.id == id && record.is_aborted())
    }

    /// The task's request to finish, made on first use.
    pub(crate) fn cancellation(&mut self, id: TaskId) -> Option<Arc<Cancellation>> {
        let record = self.record(id)?;
        let endings = record.endings.get_or_insert_default();
        Some(endings.cancellation.get_or_insert_default().clone())
    }

    /// Every live task with its waker, in creation order.
    pub(crate) fn in_creation_order(&self) -> Vec<(TaskId, Option<Waker>)> {
        if self.records.is_empty() {
            return Vec::new();
        }
        let mut tasks: Vec<_> = self
            .records
            .iter()
            .map(|(_, r)| (r.id, r.waker.clone()))
            .collect();
        tasks.sort_unstable_by_key(|(id, _)| id.serial());
        tasks
    }

    pub(crate) fn contains(&self, id: TaskId) -> bool {
        let record = self.records.get(id.slot() as usize);
        record.is_some_and(|record| record.id == id)
    }

    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    fn record(&mut self, id: TaskId) -> Option<&mut Record> {
        self.records
            .get_mut(id.slot() as usize)
            .filter(|record| record.id == id)
    }
}

impl Record {
    pub(crate) fn into_endings(self) -> Option<Box<Endings>> {
        self.endings
    }

    fn is_aborted(&self) -> bool {
        self.endings.as_ref().is_some_and(|endings| endings.aborted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_live_task_takes_thirty_two_bytes() {
        assert_eq!(size_of::<Option<Record>>(), 32);
    }

    #[test]
    fn an_id_whose_slot_was_taken_over_names_nobody() {
        let mut table = TaskTable::default();
        let first = table.admit();
        assert!(table.remove(first).is_some());
        let second = table.admit();
        assert_eq!(first.slot(), second.slot());
        assert!(table.cancellation(first).is_none());
        assert!(table.remove(first).is_none());
        assert_eq!(table.len(), 1);
    }

    #[test]
    fn the_memory_of_a_burst_goes_back() {
        let mut table = TaskTable::default();
        let keeper = table.admit();
        let burst: Vec<_> = (0..100_000).map(|_| table.admit()).collect();
        for id in burst {
            table.remove(id);
        }
        assert!(
            table.records.capacity() <= 16_384,
            "{}",
            table.records.capacity()
        );
        assert!(table.cancellation(keeper).is_some());
    }
}
