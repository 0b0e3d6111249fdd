//! The classic radix heap: one bucket for each bit in which a deadline may first differ from the
//! last one popped. Cancelled items stay in their bucket until it is mostly made of them. It
//! gives no memory back, and does not take a deadline before the last one popped.

use super::{Queue, Value};

const NIL: u32 = u32::MAX;
const BUCKETS: usize = 65;

#[derive(Clone, Copy)]
struct Item {
    deadline: u64,
    handle: u32,
    generation: u32,
}

struct Handle<T> {
    deadline: u64,
    generation: u32,
    /// The next vacant handle.
    next: u32,
    value: Option<T>,
}

struct Bucket {
    items: Vec<Item>,
    cancelled: usize,
    /// Not after the earliest deadline in here.
    earliest: u64,
    /// Whether `earliest` may have been cancelled.
    unsettled: bool,
}

/// Buckets of items, in registration order within each.
pub(super) struct RadixHeap<T> {
    buckets: Vec<Bucket>,
    /// How far bucket 0 has been popped.
    popped: usize,
    last: u64,
    handles: Vec<Handle<T>>,
    vacant: u32,
}

#[derive(Clone, Copy)]
pub(super) struct Key {
    handle: u32,
    generation: u32,
}

impl<T> Default for RadixHeap<T> {
    fn default() -> Self {
        let bucket = || Bucket {
            items: Vec::new(),
            cancelled: 0,
            earliest: u64::MAX,
            unsettled: false,
        };
        Self {
            buckets: std::iter::repeat_with(bucket).take(BUCKETS).collect(),
            popped: 0,
            last: 0,
            handles: Vec::new(),
            vacant: NIL,
        }
    }
}

impl Queue for RadixHeap<Value> {
    type Key = Key;

    fn insert(&mut self, deadline: u64, value: Value) -> Key {
        let handle = self.vacant;
        let (handle, generation) = if handle == NIL {
            self.handles.push(Handle {
                deadline,
                generation: 0,
                next: NIL,
                value: Some(value),
            });
            (self.handles.len() as u32 - 1, 0)
        } else {
            let place = &mut self.handles[handle as usize];
            self.vacant = place.next;
            place.deadline = deadline;
            place.value = Some(value);
            (handle, place.generation)
        };
        self.link(Item {
            deadline,
            handle,
            generation,
        });
        Key { handle, generation }
    }

    fn cancel(&mut self, key: Key) -> Option<Value> {
        let handle = self.handles.get(key.handle as usize)?;
        if handle.generation != key.generation {
            return None;
        }
        let deadline = handle.deadline;
        let value = self.free(key.handle);
        let number = bucket_of(self.last, deadline);
        let bucket = &mut self.buckets[number];
        bucket.unsettled |= bucket.earliest == deadline;
        if bucket
            .items
            .last()
            .is_some_and(|item| item.handle == key.handle)
        {
            bucket.items.pop();
        } else {
            bucket.cancelled += 1;
            if number > 0 && bucket.cancelled > bucket.items.len() / 2 {
                self.sweep(number);
            }
        }
        value
    }

    fn next_deadline(&mut self) -> Option<u64> {
        while let Some(item) = self.buckets[0].items.get(self.popped) {
            if self.is_pending(*item) {
                return Some(self.last);
            }
            self.popped += 1;
        }
        for number in 1..BUCKETS {
            if self.buckets[number].unsettled {
                self.sweep(number);
            }
            if !self.buckets[number].items.is_empty() {
                return Some(self.buckets[number].earliest);
            }
        }
        None
    }

    fn pop(&mut self) -> Option<(u64, Value)> {
        let deadline = self.next_deadline()?;
        if self.popped >= self.buckets[0].items.len() {
            self.advance(deadline);
        }
        let item = self.buckets[0].items[self.popped];
        self.popped += 1;
        self.free(item.handle).map(|value| (deadline, value))
    }
}

impl<T> RadixHeap<T> {
    fn link(&mut self, item: Item) {
        let bucket = &mut self.buckets[bucket_of(self.last, item.deadline)];
        bucket.items.push(item);
        bucket.earliest = bucket.earliest.min(item.deadline);
    }

    /// Empties the bucket of the earliest deadline into those before it.
    fn advance(&mut self, deadline: u64) {
        self.buckets[0].items.clear();
        self.buckets[0].cancelled = 0;
        self.popped = 0;
        let bucket = &mut self.buckets[bucket_of(self.last, deadline)];
        let items = std::mem::take(&mut bucket.items);
        let check = std::mem::take(&mut bucket.cancelled) > 0;
        bucket.earliest = u64::MAX;
        self.last = deadline;
        for item in items {
            if !check || self.is_pending(item) {
                self.link(item);
            }
        }
    }

    /// Drops the cancelled items of a bucket and finds its earliest deadline.
    fn sweep(&mut self, number: usize) {
        let bucket = &mut self.buckets[number];
        if bucket.cancelled > 0 {
            let handles = &self.handles;
            bucket
                .items
                .retain(|item| handles[item.handle as usize].generation == item.generation);
        }
        bucket.cancelled = 0;
        bucket.unsettled = false;
        bucket.earliest = bucket
            .items
            .iter()
            .map(|item| item.deadline)
            .min()
            .unwrap_or(u64::MAX);
    }

    fn is_pending(&self, item: Item) -> bool {
        self.handles[item.handle as usize].generation == item.generation
    }

    fn free(&mut self, handle: u32) -> Option<T> {
        let place = &mut self.handles[handle as usize];
        place.generation = place.generation.wrapping_add(1);
        place.next = self.vacant;
        self.vacant = handle;
        place.value.take()
    }
}

const fn bucket_of(last: u64, deadline: u64) -> usize {
    (u64::BITS - (last ^ deadline).leading_zeros()) as usize
}
