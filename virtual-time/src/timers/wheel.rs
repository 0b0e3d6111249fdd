//! The wheel: eleven levels of 64 slots, found by the highest digit in which a deadline differs
//! from the base.

use super::TimerKey;
use super::bucket::{Bucket, Item};
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

/// Timers by slot. All timers of a level-0 slot share one deadline; a slot of level *n* spans
/// 64^*n* nanoseconds. Timers of equal deadline are always in the same slot, in registration
/// order, because where a timer belongs depends on `base` and its deadline alone, and moving
/// `base` moves every timer whose place changes.
pub(super) struct Wheel {
    /// Bit *n*: level *n* has a timer.
    levels: u32,
    occupied: [u64; LEVELS],
    /// Which bucket an occupied slot has. Most slots are empty most of the time, and setting up
    /// 704 buckets would cost more than a short run.
    numbers: [[u16; SLOTS]; LEVELS],
    buckets: Vec<Bucket>,
    /// Buckets no slot has.
    free: Vec<u16>,
}

impl Place {
    /// Where a deadline belongs; `base` is not after it.
    #[inline]
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
            numbers: [[0; SLOTS]; LEVELS],
            buckets: Vec::new(),
            free: Vec::new(),
        })
    }

    #[inline]
    pub(super) fn insert(&mut self, base: u64, item: Item) {
        let place = Place::of(base, item.deadline);
        if self.occupied[place.level] & place.bit() == 0 {
            self.occupy(place);
        }
        self.bucket(place).push(item);
    }

    /// Forgets a timer that has just left the slab.
    #[inline]
    pub(super) fn cancel<T>(&mut self, base: u64, item: Item, slab: &Slab<T>) {
        let place = Place::of(base, item.deadline);
        let bucket = self.bucket(place);
        bucket.cancel(item, slab);
        if bucket.is_empty() {
            self.release(place);
        }
    }

    /// The first timer of the first slot, whose timers share one deadline.
    #[inline]
    pub(super) fn pop<T>(&mut self, slab: &Slab<T>) -> Option<TimerKey> {
        let place = self.first()?;
        let bucket = self.bucket(place);
        let key = bucket.pop(slab);
        if bucket.is_empty() {
            self.release(place);
        }
        key
    }

    /// Gives the keys of the first slot, whose timers share one deadline, those of cancelled
    /// timers included.
    pub(super) fn take_first(&mut self, take: impl FnMut(TimerKey)) {
        if let Some(place) = self.first() {
            self.bucket(place).keys().for_each(take);
            self.release(place);
        }
    }

    /// Moves the timers of the first slot to where they belong now that `base` is the earliest
    /// of their deadlines. All levels below are empty, so nothing is overtaken.
    ///
    /// A timer alone in its slot stays: the caller is about to take it.
    #[inline]
    pub(super) fn spread<T>(&mut self, place: Place, base: u64, slab: &Slab<T>) {
        if place.level > 0 && !self.bucket(place).is_single() {
            self.spread_level(place, base, slab);
        }
    }

    /// The slot with the earliest timers.
    #[inline]
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

    /// The bucket of an occupied slot.
    #[inline]
    pub(super) fn bucket(&mut self, place: Place) -> &mut Bucket {
        &mut self.buckets[usize::from(self.numbers[place.level][place.slot])]
    }

    fn spread_level<T>(&mut self, place: Place, base: u64, slab: &Slab<T>) {
        let number = self.vacate(place);
        let bucket = &self.buckets[usize::from(number)];
        if bucket.is_near() {
            bucket.read_ahead(slab);
        }
        let check = bucket.has_cancelled();
        let mut position = bucket.popped();
        while let Some(item) = self.buckets[usize::from(number)].item(position) {
            if !check || slab.contains(item.key) {
                self.insert(base, item);
            }
            position += 1;
        }
        self.buckets[usize::from(number)].reset();
        self.free.push(number);
    }

    #[inline]
    fn occupy(&mut self, place: Place) {
        let number = self.free.pop().unwrap_or_else(|| {
            self.buckets.push(Bucket::default());
            (self.buckets.len() - 1) as u16
        });
        self.numbers[place.level][place.slot] = number;
        self.occupied[place.level] |= place.bit();
        self.levels |= 1 << place.level;
    }

    #[inline]
    fn release(&mut self, place: Place) {
        let number = self.vacate(place);
        self.buckets[usize::from(number)].reset();
        self.free.push(number);
    }

    /// Marks a slot as empty and returns the bucket it had.
    #[inline]
    fn vacate(&mut self, place: Place) -> u16 {
        self.occupied[place.level] &= !place.bit();
        if self.occupied[place.level] == 0 {
            self.levels &= !(1 << place.level);
        }
        self.numbers[place.level][place.slot]
    }
}
