//! The table of live tasks: who they are, and the waker that brings each of them back.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::panic::Location;
use std::ptr;
use std::sync::Arc;
use std::task::Waker;

use event_loop::TaskId;
use event_loop::task::Cancellation;
use slab::Slab;

/// The tasks of a world.
#[derive(Debug, Default)]
pub(crate) struct TaskTable {
    records: Slab<Record>,
    origins: Origins,
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
    /// The task's serial, and below it the number of its origin: a task's place in the table need
    /// not be written in it. Never zero, which saves the table a word.
    serial_and_origin: NonZeroU64,
    /// Absent until the task is built, and for the future a world is driven for.
    waker: Option<Waker>,
    /// What few tasks have, out of the way.
    extras: Option<Box<Extras>>,
}

/// What few tasks have: a name, and how they were asked to end.
#[derive(Debug, Default)]
pub(crate) struct Extras {
    name: Option<Box<str>>,
    cancellation: Option<Arc<Cancellation>>,
    aborted: bool,
}

/// Where a task comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pub(crate) site: &'static Location<'static>,
    pub(crate) host: u32,
}

/// A live task, for whoever asks who there is.
#[derive(Debug)]
pub(crate) struct Live<'a> {
    pub(crate) id: TaskId,
    pub(crate) origin: Origin,
    pub(crate) name: Option<&'a str>,
    pub(crate) waker: Option<&'a Waker>,
}

/// The distinct origins of a world's tasks, numbered as they come: a program has few, so a task
/// needs a number only.
#[derive(Debug, Default)]
struct Origins {
    list: Vec<Origin>,
    /// By the address of the site. It is looked up and never listed, so addresses decide nothing.
    numbers: BTreeMap<(usize, u32), u32>,
    last: u32,
}

const ORIGIN_BITS: u32 = 24;

impl TaskTable {
    /// A new identity.
    pub(crate) fn admit(&mut self, origin: Origin, name: Option<&str>) -> TaskId {
        self.made += 1;
        if self.records.len() == self.records.capacity() {
            // Not doubled: with a hundred thousand tasks the slack would show.
            self.records.reserve_exact((self.records.len() / 4).max(4));
        }
        let origin = self.origins.number(origin);
        let entry = self.records.vacant_entry();
        let slot = u32::try_from(entry.key()).expect("the table of tasks fits u32");
        let id = TaskId::new(self.made, slot);
        entry.insert(Record {
            serial_and_origin: NonZeroU64::new(self.made << ORIGIN_BITS | u64::from(origin))
                .expect("serials are counted from 1"),
            waker: None,
            extras: name.map(Extras::named),
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
        let extras = record.extras.get_or_insert_default();
        if !std::mem::replace(&mut extras.aborted, true) {
            self.aborted += 1;
        }
        Some(waker)
    }

    pub(crate) fn is_aborted(&self, id: TaskId) -> bool {
        self.aborted > 0
            && self
                .records
                .get(id.slot() as usize)
                .is_some_and(|record| record.serial() == id.serial() && record.is_aborted())
    }

    /// The task's request to finish, made on first use.
    pub(crate) fn cancellation(&mut self, id: TaskId) -> Option<Arc<Cancellation>> {
        let record = self.record(id)?;
        let extras = record.extras.get_or_insert_default();
        Some(extras.cancellation.get_or_insert_default().clone())
    }

    /// The live tasks of these hosts and serials with their wakers, in creation order.
    pub(crate) fn in_creation_order(
        &self,
        meant: impl Fn(u32, u64) -> bool,
    ) -> Vec<(TaskId, Option<Waker>)> {
        if self.records.is_empty() {
            return Vec::new();
        }
        let mut tasks: Vec<_> = self
            .records
            .iter()
            .filter(|(_, r)| meant(self.origins.of(r).host, r.serial()))
            .map(|(slot, r)| (r.id(slot), r.waker.clone()))
            .collect();
        tasks.sort_unstable_by_key(|(id, _)| id.serial());
        tasks
    }

    /// The serial of the last task that was made.
    pub(crate) fn made(&self) -> u64 {
        self.made
    }

    pub(crate) fn contains(&self, id: TaskId) -> bool {
        let record = self.records.get(id.slot() as usize);
        record.is_some_and(|record| record.serial() == id.serial())
    }

    /// Every live task, in creation order.
    pub(crate) fn live(&self) -> Vec<Live<'_>> {
        let records = self.records.iter();
        let mut live: Vec<_> = records
            .map(|(slot, record)| Live {
                id: record.id(slot),
                origin: self.origins.of(record),
                name: record.name(),
                waker: record.waker.as_ref(),
            })
            .collect();
        live.sort_unstable_by_key(|task| task.id.serial());
        live
    }

    /// The task's name, if it is live and has one.
    pub(crate) fn name(&self, id: TaskId) -> Option<&str> {
        let record = self.records.get(id.slot() as usize);
        record
            .filter(|record| record.serial() == id.serial())?
            .name()
    }

    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    fn record(&mut self, id: TaskId) -> Option<&mut Record> {
        self.records
            .get_mut(id.slot() as usize)
            .filter(|record| record.serial() == id.serial())
    }
}

impl Record {
    fn serial(&self) -> u64 {
        self.serial_and_origin.get() >> ORIGIN_BITS
    }

    fn id(&self, slot: usize) -> TaskId {
        // It was checked when the task was admitted.
        TaskId::new(self.serial(), slot as u32)
    }

    fn name(&self) -> Option<&str> {
        self.extras.as_ref()?.name.as_deref()
    }

    pub(crate) fn into_extras(self) -> Option<Box<Extras>> {
        self.extras
    }

    fn is_aborted(&self) -> bool {
        self.extras.as_ref().is_some_and(|extras| extras.aborted)
    }
}

impl Extras {
    fn named(name: &str) -> Box<Self> {
        Box::new(Self {
            name: Some(name.into()),
            ..Self::default()
        })
    }
}

impl Origins {
    #[inline]
    fn number(&mut self, origin: Origin) -> u32 {
        // Tasks come in bursts from one place.
        let last = self.list.get(self.last as usize);
        if last.is_none_or(|last| !ptr::eq(last.site, origin.site) || last.host != origin.host) {
            self.last = self.look_up(origin);
        }
        self.last
    }

    fn look_up(&mut self, origin: Origin) -> u32 {
        let key = (ptr::from_ref(origin.site).addr(), origin.host);
        let list = &mut self.list;
        *self.numbers.entry(key).or_insert_with(|| {
            let number = list.len() as u32;
            assert!(
                number >> ORIGIN_BITS == 0,
                "more than 16,777,216 places and hosts that spawn tasks"
            );
            list.push(origin);
            number
        })
    }

    fn of(&self, record: &Record) -> Origin {
        let number = record.serial_and_origin.get() & ((1 << ORIGIN_BITS) - 1);
        self.list[number as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here() -> Origin {
        let site = Location::caller();
        Origin { site, host: 0 }
    }

    #[test]
    fn a_live_task_takes_thirty_two_bytes() {
        assert_eq!(size_of::<Option<Record>>(), 32);
    }

    #[test]
    fn an_id_whose_slot_was_taken_over_names_nobody() {
        let mut table = TaskTable::default();
        let first = table.admit(here(), None);
        assert!(table.remove(first).is_some());
        let second = table.admit(here(), None);
        assert_eq!(first.slot(), second.slot());
        assert!(table.cancellation(first).is_none());
        assert!(table.remove(first).is_none());
        assert_eq!(table.len(), 1);
    }

    #[test]
    fn who_is_live_is_told_in_creation_order() {
        let mut table = TaskTable::default();
        let first = table.admit(here(), None);
        table.admit(Origin { host: 7, ..here() }, Some("seven"));
        table.remove(first);
        let reused = table.admit(here(), Some("late"));
        assert_eq!(reused.slot(), first.slot());
        let live: Vec<_> = table
            .live()
            .iter()
            .map(|t| (t.name, t.origin.host))
            .collect();
        assert_eq!(live, [(Some("seven"), 7), (Some("late"), 0)]);
        assert_eq!(table.name(first), None);
        assert_eq!(table.name(reused), Some("late"));
    }

    #[test]
    fn the_memory_of_a_burst_goes_back() {
        let mut table = TaskTable::default();
        let keeper = table.admit(here(), None);
        let burst: Vec<_> = (0..100_000).map(|_| table.admit(here(), None)).collect();
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
