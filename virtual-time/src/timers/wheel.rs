//! The wheel: eleven levels of 64 slots, found by the highest digit in which a deadline differs
//! from the base.

use super::SEARCHED;
use super::slab::Slab;

const BITS: u32 = 6;
const SLOTS: usize = 1 << BITS;
const LEVELS: usize = u64::BITS.div_ceil(BITS) as usize;

/// A slot of the wheel.
#[derive(Clone, Copy)]
pub(super) struct Place {
    level: usize,
    slot: usize,
}

/// Lists of entries by slot. All entries of a level-0 slot share one deadline; a slot of level
/// *n* spans 64^*n* nanoseconds. Entries of equal deadline are always in the same slot, in
/// registration order, because where an entry belongs depends on `base` and its deadline alone
/// and moving `base` moves every entry whose place changes.
pub(super) struct Wheel {
    /// Bit *n*: level *n* has an entry.
    levels: u32,
    occupied: [u64; LEVELS],
    /// Slots whose head may not be the earliest of the slot, having lost that one.
    unsettled: [u64; LEVELS],
    heads: [[u32; SLOTS]; LEVELS],
}

impl Place {
    /// Where a deadline belongs; `base` is not after it.
    pub(super) const fn of(base: u64, deadline: u64) -> Self {
        let level = (u64::BITS - 1 - ((base ^ deadline) | 1).leading_zeros()) / BITS;
        let slot = (deadline >> (level * BITS)) as usize % SLOTS;
        Self {
            level: level as usize,
            slot,
        }
    }

    const fn bit(self) -> u64 {
        1 << self.slot
    }
}

impl Wheel {
    pub(super) fn boxed() -> Box<Self> {
        Box::new(Self {
            levels: 0,
            occupied: [0; LEVELS],
            unsettled: [0; LEVELS],
            heads: [[0; SLOTS]; LEVELS],
        })
    }

    /// Adds an entry that is a list of itself alone.
    pub(super) fn link<T>(&mut self, slab: &mut Slab<T>, base: u64, index: u32, deadline: u64) {
        let place = Place::of(base, deadline);
        let head = &mut self.heads[place.level][place.slot];
        if self.occupied[place.level] & place.bit() == 0 {
            self.occupied[place.level] |= place.bit();
            self.levels |= 1 << place.level;
            *head = index;
        } else if slab.link_before(*head, index) > deadline
            && self.unsettled[place.level] & place.bit() == 0
        {
            // Earlier than all others, so the order of equal deadlines does not suffer.
            *head = index;
        }
    }

    /// Takes an entry out of its slot.
    pub(super) fn unlink<T>(&mut self, slab: &mut Slab<T>, place: Place, index: u32) {
        match slab.unlink(index) {
            None => self.forget(place),
            Some(next) => {
                let head = &mut self.heads[place.level][place.slot];
                if *head == index {
                    *head = next;
                    if place.level > 0 {
                        self.unsettled[place.level] |= place.bit();
                    }
                }
            }
        }
    }

    /// Marks a slot as empty.
    pub(super) fn forget(&mut self, place: Place) {
        self.unsettled[place.level] &= !place.bit();
        self.occupied[place.level] &= !place.bit();
        if self.occupied[place.level] == 0 {
            self.levels &= !(1 << place.level);
        }
    }

    /// The slot with the earliest entries.
    pub(super) fn first(&self) -> Option<Place> {
        if self.levels == 0 {
            return None;
        }
        let level = self.levels.trailing_zeros() as usize;
        Some(Place {
            level,
            slot: self.occupied[level].trailing_zeros() as usize,
        })
    }

    pub(super) fn head(&self, place: Place) -> u32 {
        self.heads[place.level][place.slot]
    }

    /// Brings a slot's earliest entry to its head; or, if the slot is crowded, leaves it as it
    /// is and returns the earliest deadline.
    pub(super) fn settle<T>(&mut self, slab: &mut Slab<T>, place: Place) -> Option<u64> {
        if self.unsettled[place.level] & place.bit() == 0 {
            return None;
        }
        let head = self.head(place);
        let (mut first, mut earliest) = (head, slab.deadline(head));
        let mut count = 1;
        let mut index = slab.next(head);
        while index != head {
            let deadline = slab.deadline(index);
            if deadline < earliest {
                (first, earliest) = (index, deadline);
            }
            count += 1;
            index = slab.next(index);
        }
        if count > SEARCHED {
            return Some(earliest);
        }
        if first != head {
            slab.unlink(first);
            slab.link_before(head, first);
            self.heads[place.level][place.slot] = first;
        }
        self.unsettled[place.level] &= !place.bit();
        None
    }

    /// Moves the entries of the first slot to where they belong now that `base` is one of their
    /// deadlines. All levels below are empty, so nothing is overtaken.
    pub(super) fn spread<T>(&mut self, slab: &mut Slab<T>, place: Place, base: u64) {
        if place.level == 0 {
            return;
        }
        self.forget(place);
        let head = self.head(place);
        let mut index = head;
        loop {
            let next = slab.next(index);
            slab.isolate(index);
            self.link(slab, base, index, slab.deadline(index));
            if next == head {
                return;
            }
            index = next;
        }
    }
}
