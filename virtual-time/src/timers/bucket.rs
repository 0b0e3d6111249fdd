//! Timers of similar deadline side by side in memory, which is what makes moving them cheap.

use std::hint::black_box;

use super::TimerKey;
use super::slab::Slab;

/// Buckets with more items than this are spread over finer slots rather than searched for their
/// earliest time and again. A search reads that many times 16 bytes in sequence.
const SEARCHED: usize = 64;
/// An emptied bucket keeps room for so many items and no more.
const KEPT: usize = 32;
/// How many entries of the slab are read ahead of their removal. Read in a row, their cache
/// misses overlap; removed one by one, as time passes, each would be waited for. So few are in
/// the cache still when their time comes, and are anyway if there are no more.
const AHEAD: usize = 512;

/// A timer as a bucket knows it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) deadline: u64,
    pub(super) key: TimerKey,
}

/// Timers in registration order. Cancelled ones stay, as items whose key names nothing, until
/// they are as many as the others.
pub(super) struct Bucket {
    items: Vec<Item>,
    /// How many items from the front were popped.
    popped: usize,
    /// How many of the others were cancelled.
    cancelled: usize,
    earliest: u64,
    /// Whether `earliest` is a deadline in here: cancelling may have left it too low.
    settled: bool,
}

impl Bucket {
    #[inline]
    pub(super) fn push(&mut self, item: Item) {
        if self.items.len() == self.items.capacity() {
            self.grow();
        }
        self.items.push(item);
        self.earliest = self.earliest.min(item.deadline);
    }

    /// Forgets a timer that has just left the slab.
    #[inline]
    pub(super) fn cancel<T>(&mut self, item: Item, slab: &Slab<T>) {
        if self.items.last() == Some(&item) {
            self.items.pop();
        } else {
            self.cancelled += 1;
            if self.cancelled > self.items.len() / 2 {
                self.sweep(slab);
            }
        }
        if item.deadline == self.earliest {
            self.settled = false;
        }
    }

    /// The first timer, if all in here share one deadline; the caller takes it out of the slab.
    #[inline]
    pub(super) fn pop<T>(&mut self, slab: &Slab<T>) -> Option<TimerKey> {
        if self.popped.is_multiple_of(AHEAD) && self.items.len() > 1 {
            self.read_ahead(slab);
        }
        loop {
            let item = self.items.get(self.popped)?;
            self.popped += 1;
            if self.cancelled == 0 || slab.contains(item.key) {
                return Some(item.key);
            }
            self.cancelled -= 1;
        }
    }

    /// Makes [`Self::earliest`] true again and returns it.
    #[cold]
    pub(super) fn settle<T>(&mut self, slab: &Slab<T>) -> u64 {
        if self.cancelled > 0 {
            self.sweep(slab);
        }
        let deadlines = self.items[self.popped..].iter().map(|item| item.deadline);
        self.earliest = deadlines.min().unwrap_or(u64::MAX);
        self.settled = true;
        self.earliest
    }

    /// Empties the bucket for another use.
    #[inline]
    pub(super) fn reset(&mut self) {
        self.items.clear();
        if self.items.capacity() > KEPT {
            self.items = Vec::new();
        }
        self.popped = 0;
        self.cancelled = 0;
        self.earliest = u64::MAX;
        self.settled = true;
    }

    /// Brings the entries that are removed next into the cache.
    pub(super) fn read_ahead<T>(&self, slab: &Slab<T>) {
        if slab.len() > AHEAD {
            let next = self.keys().take(AHEAD);
            black_box(next.filter(|&key| slab.contains(key)).count());
        }
    }

    /// The keys not popped, those of cancelled timers included.
    pub(super) fn keys(&self) -> impl Iterator<Item = TimerKey> {
        self.items[self.popped..].iter().map(|item| item.key)
    }

    /// The items at and after `position`, popped and cancelled ones included.
    #[inline]
    pub(super) fn item(&self, position: usize) -> Option<Item> {
        self.items.get(position).copied()
    }

    pub(super) const fn popped(&self) -> usize {
        self.popped
    }

    pub(super) const fn has_cancelled(&self) -> bool {
        self.cancelled > 0
    }

    /// Not after the earliest deadline in here; that deadline if [`Self::is_settled`].
    pub(super) const fn earliest(&self) -> u64 {
        self.earliest
    }

    pub(super) const fn is_settled(&self) -> bool {
        self.settled
    }

    pub(super) const fn is_crowded(&self) -> bool {
        self.items.len() > SEARCHED
    }

    /// Whether its timers, spread over finer slots, all come soon.
    pub(super) const fn is_near(&self) -> bool {
        self.items.len() <= AHEAD
    }

    pub(super) const fn is_single(&self) -> bool {
        self.items.len() == self.popped + self.cancelled + 1
    }

    #[inline]
    pub(super) const fn is_empty(&self) -> bool {
        self.items.len() == self.popped + self.cancelled
    }

    /// By a half and not by doubling: with a hundred thousand timers the slack would show.
    #[cold]
    fn grow(&mut self) {
        self.items.reserve_exact((self.items.len() / 2).max(4));
    }

    /// Drops the cancelled items. Popped ones go too, having left the slab as well.
    #[cold]
    fn sweep<T>(&mut self, slab: &Slab<T>) {
        self.items.retain(|item| slab.contains(item.key));
        self.popped = 0;
        self.cancelled = 0;
        if self.items.len() < self.items.capacity() / 4 {
            self.items.shrink_to(self.items.len() * 2);
        }
    }
}

impl Default for Bucket {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            popped: 0,
            cancelled: 0,
            earliest: u64::MAX,
            settled: true,
        }
    }
}
