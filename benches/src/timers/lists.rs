//! The kept wheel's slots as intrusive lists, as timer wheels usually have them: nothing of a
//! cancelled timer stays, but moving a timer costs a cache miss once there are many. It gives no
//! memory back, and does not take a deadline before the last one popped.

use super::{Queue, Value};

const NIL: u32 = u32::MAX;
const BITS: u32 = 6;
const SLOTS: usize = 1 << BITS;
const LEVELS: usize = u64::BITS.div_ceil(BITS) as usize;

struct Entry<T> {
    deadline: u64,
    prev: u32,
    /// The next of the circular list; in a vacant entry, the next vacant one.
    next: u32,
    generation: u32,
    value: Option<T>,
}

/// Circular lists of entries, threaded through one slab.
pub(super) struct Lists<T> {
    entries: Vec<Entry<T>>,
    vacant: u32,
    base: u64,
    levels: u32,
    occupied: [u64; LEVELS],
    /// Slots whose head may not be their earliest, having lost that one.
    unsettled: [u64; LEVELS],
    heads: [[u32; SLOTS]; LEVELS],
}

#[derive(Clone, Copy)]
pub(super) struct Key {
    index: u32,
    generation: u32,
}

impl<T> Default for Lists<T> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            vacant: NIL,
            base: 0,
            levels: 0,
            occupied: [0; LEVELS],
            unsettled: [0; LEVELS],
            heads: [[NIL; SLOTS]; LEVELS],
        }
    }
}

impl Queue for Lists<Value> {
    type Key = Key;

    fn insert(&mut self, deadline: u64, value: Value) -> Key {
        let vacant = self.vacant;
        let (index, generation) = if vacant == NIL {
            let index = self.entries.len() as u32;
            let value = Some(value);
            self.entries.push(Entry {
                deadline,
                prev: index,
                next: index,
                generation: 0,
                value,
            });
            (index, 0)
        } else {
            let entry = &mut self.entries[vacant as usize];
            self.vacant = entry.next;
            entry.deadline = deadline;
            entry.value = Some(value);
            (vacant, entry.generation)
        };
        self.link(index, deadline);
        Key { index, generation }
    }

    fn cancel(&mut self, key: Key) -> Option<Value> {
        let entry = self.entries.get(key.index as usize)?;
        if entry.generation != key.generation {
            return None;
        }
        self.remove(key.index)
    }

    fn next_deadline(&mut self) -> Option<u64> {
        let (level, slot) = self.first()?;
        if self.unsettled[level] & 1 << slot != 0 {
            self.settle(level, slot);
        }
        Some(self.entries[self.heads[level][slot] as usize].deadline)
    }

    fn pop(&mut self) -> Option<(u64, Value)> {
        let deadline = self.next_deadline()?;
        let (level, slot) = self.first()?;
        self.base = deadline;
        if level > 0 {
            self.spread(level, slot);
        }
        let (level, slot) = self.first()?;
        self.remove(self.heads[level][slot])
            .map(|value| (deadline, value))
    }
}

impl<T> Lists<T> {
    fn first(&self) -> Option<(usize, usize)> {
        if self.levels == 0 {
            return None;
        }
        let level = self.levels.trailing_zeros() as usize;
        Some((level, self.occupied[level].trailing_zeros() as usize))
    }

    /// Puts an entry in its slot: at the front if it is the earliest there, or else at the back.
    fn link(&mut self, index: u32, deadline: u64) {
        let (level, slot) = place_of(self.base, deadline);
        let head = self.heads[level][slot];
        if self.occupied[level] & 1 << slot == 0 {
            self.occupied[level] |= 1 << slot;
            self.levels |= 1 << level;
            self.heads[level][slot] = index;
            let entry = &mut self.entries[index as usize];
            (entry.prev, entry.next) = (index, index);
            return;
        }
        self.link_before(head, index);
        if deadline < self.entries[head as usize].deadline && self.unsettled[level] & 1 << slot == 0
        {
            self.heads[level][slot] = index;
        }
    }

    fn link_before(&mut self, head: u32, index: u32) {
        let tail = std::mem::replace(&mut self.entries[head as usize].prev, index);
        self.entries[tail as usize].next = index;
        let entry = &mut self.entries[index as usize];
        (entry.prev, entry.next) = (tail, head);
    }

    fn remove(&mut self, index: u32) -> Option<T> {
        let entry = &mut self.entries[index as usize];
        entry.generation = entry.generation.wrapping_add(1);
        let value = entry.value.take();
        let (deadline, prev) = (entry.deadline, entry.prev);
        let next = std::mem::replace(&mut entry.next, self.vacant);
        self.vacant = index;
        let (level, slot) = place_of(self.base, deadline);
        if next == index {
            self.forget(level, slot);
            return value;
        }
        self.entries[prev as usize].next = next;
        self.entries[next as usize].prev = prev;
        if self.heads[level][slot] == index {
            self.heads[level][slot] = next;
            if level > 0 {
                self.unsettled[level] |= 1 << slot;
            }
        }
        value
    }

    fn forget(&mut self, level: usize, slot: usize) {
        self.unsettled[level] &= !(1 << slot);
        self.occupied[level] &= !(1 << slot);
        if self.occupied[level] == 0 {
            self.levels &= !(1 << level);
        }
    }

    /// Brings the earliest entry of a slot to its front.
    fn settle(&mut self, level: usize, slot: usize) {
        let head = self.heads[level][slot];
        let (mut first, mut index) = (head, head);
        loop {
            let entry = &self.entries[index as usize];
            if entry.deadline < self.entries[first as usize].deadline {
                first = index;
            }
            index = entry.next;
            if index == head {
                break;
            }
        }
        if first != head {
            let (prev, next) = (
                self.entries[first as usize].prev,
                self.entries[first as usize].next,
            );
            self.entries[prev as usize].next = next;
            self.entries[next as usize].prev = prev;
            self.link_before(head, first);
            self.heads[level][slot] = first;
        }
        self.unsettled[level] &= !(1 << slot);
    }

    /// Moves the entries of the first slot to where they belong under a new base.
    fn spread(&mut self, level: usize, slot: usize) {
        self.forget(level, slot);
        let head = self.heads[level][slot];
        let mut index = head;
        loop {
            let Entry { deadline, next, .. } = self.entries[index as usize];
            self.link(index, deadline);
            if next == head {
                return;
            }
            index = next;
        }
    }
}

const fn place_of(base: u64, deadline: u64) -> (usize, usize) {
    let level = (u64::BITS - 1 - ((base ^ deadline) | 1).leading_zeros()) / BITS;
    (
        level as usize,
        (deadline >> (level * BITS)) as usize % SLOTS,
    )
}
