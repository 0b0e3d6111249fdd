//! Pending timers in (deadline, registration) order.
//!
//! A wheel, as in hashed hierarchical wheels, whose base is always an exact deadline, as in a
//! radix heap: the earliest slot is spread over finer ones relative to the earliest deadline in
//! it, so that levels are skipped where timers are sparse, and nothing ever ticks.
//!
//! Measured by `cargo run --release -p benches -- timers`, in nanoseconds per operation:
//!
//! | workload                                 |  timers | kept | lists | radix heap | 4-ary heap |
//! |------------------------------------------|--------:|-----:|------:|-----------:|-----------:|
//! | pop the first, insert one 1 ms to 1 s on |     100 |   44 |    37 |         90 |         51 |
//! |                                          | 100,000 |   74 |    59 |        123 |        133 |
//! |                                          |  10^7   |   96 |   497 |        194 |        774 |
//! | the same in whole milliseconds           | 100,000 |   44 |    42 |         30 |        149 |
//! | insert a far one and cancel it           | 100,000 |   15 |     5 |          6 |         10 |
//!
//! The rivals neither give memory back nor take a deadline that has passed. Giving it back by
//! pages is most of what `kept` loses to `lists`, the same wheel with its timers in linked lists,
//! while those are few; when they are many, every step along a list is a cache miss, and buckets
//! that lie in one piece win by more than they lost: they tell early which values come out soon,
//! so that these are read ahead, and their cache misses overlap. In a whole run, whose tasks push
//! timers out of the cache, that shows with 100,000 timers already. The radix heap does better
//! with ties, in its fewer, larger buckets, but it moves a timer up to 64 times where the wheel
//! moves it 11 times. The heap's cost grows with the queue. Digits of one to four bits instead of
//! six were no faster.

mod bucket;
mod slab;
mod wheel;

use std::collections::BTreeMap;
use std::fmt;
use std::num::{NonZeroU32, NonZeroU64};

use self::bucket::{Bucket, Item};
use self::slab::Slab;
use self::wheel::{Place, Wheel};
use crate::Instant;

/// A queue of timers that come out in (deadline, registration) order.
///
/// Inserting and cancelling take constant amortised time, and equal deadlines always come out in
/// the order in which they were inserted. A new queue owns no heap memory. Cancelling drops the
/// value and frees its place at once; sixteen bytes may stay until as many timers of similar
/// deadline are cancelled as are pending.
///
/// ```
/// use virtual_time::{Instant, Timers};
///
/// let mut timers = Timers::new();
/// let noon = Instant::from_nanos(12);
/// timers.insert(noon, "lunch");
/// let nap = timers.insert(noon, "nap");
/// timers.insert(Instant::from_nanos(8), "breakfast");
///
/// assert_eq!(timers.next_deadline(), Some(Instant::from_nanos(8)));
/// assert_eq!(timers.cancel(nap), Some("nap"));
/// let (_, at, what) = timers.pop_due(noon).unwrap();
/// assert_eq!((at, what), (Instant::from_nanos(8), "breakfast"));
/// assert_eq!(timers.pop_due(noon).unwrap().2, "lunch");
/// assert!(timers.is_empty());
/// ```
pub struct Timers<T> {
    slab: Slab<T>,
    /// Every pending deadline from `base` on.
    wheel: Option<Box<Wheel>>,
    /// Every pending deadline before `base`, each with its timers.
    early: BTreeMap<u64, Bucket>,
    /// What the wheel counts from: the last deadline taken out of it, or later, when a crowded
    /// slot had to be spread before its time came.
    base: u64,
}

/// A pending timer of one [`Timers`]; of no use with another.
///
/// A key whose timer fired or was cancelled names nothing, for the next 2^32 insertions at least.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TimerKey {
    index: u32,
    generation: NonZeroU32,
}

impl TimerKey {
    /// The key as a number, for tables that cannot name its type.
    ///
    /// ```
    /// use virtual_time::{Instant, TimerKey, Timers};
    ///
    /// let mut timers = Timers::new();
    /// let key = timers.insert(Instant::END, ());
    /// assert_eq!(TimerKey::from_bits(key.to_bits()), Some(key));
    /// ```
    #[must_use]
    pub const fn to_bits(self) -> NonZeroU64 {
        // The generation is not zero, so its half of the number never is.
        match NonZeroU64::new((self.generation.get() as u64) << 32 | self.index as u64) {
            Some(bits) => bits,
            None => unreachable!(),
        }
    }

    /// The key that [`to_bits`](Self::to_bits) made the number of, or `None` for a number it
    /// never makes.
    #[must_use]
    pub const fn from_bits(bits: NonZeroU64) -> Option<Self> {
        match NonZeroU32::new((bits.get() >> 32) as u32) {
            Some(generation) => Some(Self {
                index: bits.get() as u32,
                generation,
            }),
            None => None,
        }
    }
}

impl<T> Timers<T> {
    /// An empty queue, without heap memory until the first insertion.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            slab: Slab::new(),
            wheel: None,
            early: BTreeMap::new(),
            base: 0,
        }
    }

    /// Adds a timer. A deadline before what was already taken out is legal: it is due at once,
    /// and first in line unless an earlier one is still pending.
    ///
    /// # Panics
    ///
    /// When 2^32 timers are pending.
    pub fn insert(&mut self, deadline: Instant, value: T) -> TimerKey {
        let deadline = deadline.as_nanos();
        if deadline < self.base {
            return self.insert_early(deadline, value);
        }
        let key = self.slab.insert(deadline, value);
        let wheel = self.wheel.get_or_insert_with(Wheel::boxed);
        wheel.insert(self.base, Item { deadline, key });
        key
    }

    /// Takes a pending timer out and frees its place; `None` if it fired or was cancelled.
    pub fn cancel(&mut self, key: TimerKey) -> Option<T> {
        let (deadline, value) = self.slab.remove(key)?;
        if deadline < self.base {
            if let Some(bucket) = self.early.get_mut(&deadline) {
                bucket.cancel(Item { deadline, key }, &self.slab);
                if bucket.is_empty() {
                    self.early.remove(&deadline);
                }
            }
        } else if let Some(wheel) = &mut self.wheel {
            wheel.cancel(self.base, Item { deadline, key }, &self.slab);
        }
        Some(value)
    }

    /// The value of a pending timer, to change the waker of a sleep that was polled again.
    pub fn get_mut(&mut self, key: TimerKey) -> Option<&mut T> {
        self.slab.value_mut(key)
    }

    /// When a pending timer is due; `None` if it fired or was cancelled.
    #[must_use]
    pub fn deadline(&self, key: TimerKey) -> Option<Instant> {
        self.slab.deadline_of(key).map(Instant::from_nanos)
    }

    /// Every pending timer, in no order that means anything.
    ///
    /// ```
    /// use virtual_time::{Instant, Timers};
    ///
    /// let mut timers = Timers::new();
    /// timers.insert(Instant::from_nanos(7), "nap");
    /// assert!(timers.iter().eq([(Instant::from_nanos(7), &"nap")]));
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = (Instant, &T)> {
        let pending = self.slab.iter();
        pending.map(|(deadline, value)| (Instant::from_nanos(deadline), value))
    }

    /// The earliest pending deadline.
    ///
    /// It takes `&mut self` because after a cancellation the earliest entry may have to be
    /// searched for, and what was found is kept.
    pub fn next_deadline(&mut self) -> Option<Instant> {
        self.earliest().map(Instant::from_nanos)
    }

    /// Takes out the first timer if its deadline is not after `now`.
    pub fn pop_due(&mut self, now: Instant) -> Option<(TimerKey, Instant, T)> {
        let deadline = self.due(now)?;
        let key = if deadline < self.base {
            let mut first = self.early.first_entry()?;
            let key = first.get_mut().pop(&self.slab)?;
            if first.get().is_empty() {
                first.remove();
            }
            key
        } else {
            self.wheel.as_mut()?.pop(&self.slab)?
        };
        let (_, value) = self.slab.remove(key)?;
        Some((key, Instant::from_nanos(deadline), value))
    }

    /// Moves all timers that share the earliest deadline to the end of `into`, in registration
    /// order, if that deadline is not after `now`; returns the deadline.
    ///
    /// ```
    /// use virtual_time::{Instant, Timers};
    ///
    /// let mut timers = Timers::new();
    /// for (at, name) in [(2, "late"), (1, "first"), (1, "second")] {
    ///     timers.insert(Instant::from_nanos(at), name);
    /// }
    /// let mut tied = Vec::new();
    /// let at = timers.pop_group(Instant::END, &mut tied);
    /// assert_eq!(at, Some(Instant::from_nanos(1)));
    /// assert!(tied.iter().map(|(_, name)| *name).eq(["first", "second"]));
    /// ```
    pub fn pop_group(&mut self, now: Instant, into: &mut Vec<(TimerKey, T)>) -> Option<Instant> {
        let deadline = self.due(now)?;
        let slab = &mut self.slab;
        let take = |key| {
            if let Some((_, value)) = slab.remove(key) {
                into.push((key, value));
            }
        };
        if deadline < self.base {
            self.early.remove(&deadline)?.keys().for_each(take);
        } else {
            self.wheel.as_mut()?.take_first(take);
        }
        Some(Instant::from_nanos(deadline))
    }

    /// How many timers are pending.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.slab.len()
    }

    /// Whether no timer is pending.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.slab.len() == 0
    }

    /// Takes timers out in (deadline, registration) order, due or not. What the iterator did not
    /// reach stays pending.
    pub fn drain(&mut self) -> impl Iterator<Item = (TimerKey, Instant, T)> {
        std::iter::from_fn(|| self.pop_due(Instant::END))
    }

    /// Drops all timers in (deadline, registration) order and gives all memory back.
    ///
    /// Dropping the queue itself drops the values in no promised order.
    pub fn clear(&mut self) {
        self.drain().for_each(drop);
        let generation = self.slab.generation();
        self.slab = Slab::new_after(generation);
        self.wheel = None;
        self.base = 0;
    }

    fn earliest(&mut self) -> Option<u64> {
        if !self.early.is_empty() {
            return self.early.first_key_value().map(|(&deadline, _)| deadline);
        }
        let wheel = self.wheel.as_mut()?;
        let place = wheel.first()?;
        let bucket = wheel.bucket(place);
        if bucket.is_settled() {
            return Some(bucket.earliest());
        }
        let deadline = bucket.settle(&self.slab);
        if bucket.is_crowded() {
            // Searching the same crowd after each cancellation would be quadratic. Spreading it
            // moves `base` ahead of the clock; what is then inserted below it goes to `early`.
            self.base = deadline;
            wheel.spread(place, deadline, &self.slab);
        }
        Some(deadline)
    }

    /// [`Self::earliest`] if due by `now`; then the first slot of the wheel, if it is the
    /// wheel's, holds timers of that deadline only.
    fn due(&mut self, now: Instant) -> Option<u64> {
        let deadline = self
            .earliest()
            .filter(|&deadline| deadline <= now.as_nanos())?;
        if deadline >= self.base
            && let Some(wheel) = &mut self.wheel
        {
            let place = Place::of(self.base, deadline);
            self.base = deadline;
            wheel.spread(place, deadline, &self.slab);
        }
        Some(deadline)
    }

    /// Adds a timer that the wheel, being further on, cannot hold.
    #[cold]
    fn insert_early(&mut self, deadline: u64, value: T) -> TimerKey {
        if self.is_empty() {
            self.base = 0;
            return self.insert(Instant::from_nanos(deadline), value);
        }
        let key = self.slab.insert(deadline, value);
        self.early
            .entry(deadline)
            .or_default()
            .push(Item { deadline, key });
        key
    }
}

impl<T> Default for Timers<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for Timers<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timers")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for TimerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TimerKey({}#{})", self.index, self.generation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_queue_owns_no_heap_memory_and_a_key_is_eight_bytes() {
        let timers = Timers::<u64>::new();
        assert!(timers.wheel.is_none());
        assert_eq!(timers.slab.capacity(), 0);
        assert!(size_of::<Timers<u64>>() <= 96);
        assert_eq!(size_of::<Option<TimerKey>>(), 8);
    }

    #[test]
    fn a_pending_waker_takes_forty_eight_bytes() {
        let item = size_of::<Item>();
        assert_eq!(Slab::<std::task::Waker>::ENTRY_SIZE + item, 48);
        assert_eq!(Slab::<std::task::Waker>::ENTRY_ALIGN, 32, "in one line");
    }

    #[test]
    fn the_memory_of_a_million_timers_goes_back_as_they_fire() {
        let mut timers = Timers::new();
        for n in 0..1_000_000_u64 {
            // A permutation of 0..1_000_000, so that pages empty in no simple order.
            timers.insert(Instant::from_nanos(n * 7_919 % 1_000_000), n);
        }
        assert!(timers.slab.capacity() < 1_001_000);
        while timers.pop_due(Instant::END).is_some() {}
        assert!(timers.slab.capacity() < 1_000);
        assert!(timers.slab.table_capacity() < 16);
        timers.insert(Instant::END, 0);
        timers.clear();
        assert_eq!(timers.slab.capacity(), 0);
    }

    #[test]
    fn the_memory_of_cancelled_timers_goes_back_too() {
        let mut timers = Timers::new();
        let keys: Vec<_> = (0..100_000)
            .map(|n| timers.insert(Instant::from_nanos(n), n))
            .collect();
        let survivor = timers.insert(Instant::BEGIN, 7);
        for key in keys {
            assert!(timers.cancel(key).is_some());
        }
        assert!(timers.slab.capacity() < 2_000);
        assert_eq!(timers.cancel(survivor), Some(7));
    }

    #[test]
    fn thousands_of_one_deadline_come_out_in_order_without_the_cancelled() {
        let mut timers = Timers::new();
        let noon = Instant::from_nanos(12);
        let keys: Vec<_> = (0..5_000).map(|n| timers.insert(noon, n)).collect();
        for key in keys.iter().step_by(3) {
            timers.cancel(*key);
        }
        let values = timers.drain().map(|(_, _, value)| value);
        assert!(values.eq((0..5_000).filter(|n| n % 3 != 0)));
    }

    #[test]
    fn a_crowded_slot_is_spread_once_and_not_searched_again_and_again() {
        let mut timers = Timers::new();
        let hour = 3_600_000_000_000;
        let keys: Vec<_> = (0..1_000)
            .map(|n| timers.insert(Instant::from_nanos(hour + n * 7_919 % 1_000), n))
            .collect();
        assert_eq!(timers.next_deadline(), Some(Instant::from_nanos(hour)));
        timers.cancel(keys[0]);
        assert_eq!(timers.next_deadline(), Some(Instant::from_nanos(hour + 1)));
        assert_eq!(timers.base, hour + 1, "spread ahead of its time");
        // What comes nearer than that is still served first, equal deadlines in order.
        timers.insert(Instant::from_nanos(5), 1_005);
        timers.insert(Instant::from_nanos(3), 1_003);
        timers.insert(Instant::from_nanos(5), 1_006);
        let values: Vec<_> = timers.drain().map(|(_, _, value)| value).take(3).collect();
        assert_eq!(values, [1_003, 1_005, 1_006]);
        assert_eq!(timers.len(), 999);
    }

    #[test]
    fn keys_of_before_a_clear_name_nothing_after_it() {
        let mut timers = Timers::new();
        let old = timers.insert(Instant::END, 'a');
        timers.clear();
        let new = timers.insert(Instant::END, 'b');
        assert_ne!(old, new);
        assert_eq!(timers.cancel(old), None);
        assert_eq!(timers.deadline(new), Some(Instant::END));
    }
}
