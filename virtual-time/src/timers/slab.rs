//! Where the values of pending timers live: pages of entries, given back when they empty.

use std::num::NonZeroU32;

use super::TimerKey;

/// Entries a page holds: 16 kB of them when the value is a `Waker`. Storage grows by a page and
/// not by doubling, so the slack is a page and growing copies nothing.
const PAGE: usize = 512;
const SHIFT: u32 = PAGE.trailing_zeros();
/// The end of a list of vacant entries or of pages.
const NIL: u32 = u32::MAX;

/// One pending timer, or a vacant place; aligned so that with a `Waker` it is in one cache line.
#[repr(align(32))]
struct Entry<T> {
    deadline: u64,
    /// In a vacant entry, the page's next vacant one.
    next: u32,
    /// `None` marks a vacant entry, so that no key fits it.
    generation: Option<NonZeroU32>,
    value: Option<T>,
}

/// A run of [`PAGE`] entries. Without storage it is *absent*: only its place in the table stays.
struct Page<T> {
    entries: Vec<Entry<T>>,
    vacant: u32,
    live: u32,
    /// Neighbours in the list of pages with room, or in that of absent pages.
    prev: u32,
    next: u32,
}

pub(super) struct Slab<T> {
    pages: Vec<Page<T>>,
    /// First page that has storage and room.
    roomy: u32,
    /// First page without storage.
    absent: u32,
    /// The one page kept although nothing is in it, against thrashing.
    spare: u32,
    len: usize,
    /// One counter for all entries, so that a page may be freed and come back without its
    /// entries' generations being remembered.
    generation: u32,
}

impl<T> Slab<T> {
    pub(super) const fn new() -> Self {
        Self {
            pages: Vec::new(),
            roomy: NIL,
            absent: NIL,
            spare: NIL,
            len: 0,
            generation: 0,
        }
    }

    /// An empty slab that issues none of the keys of one that had come to `generation`.
    pub(super) const fn new_after(generation: u32) -> Self {
        let mut slab = Self::new();
        slab.generation = generation;
        slab
    }

    /// The generation issued last.
    pub(super) const fn generation(&self) -> u32 {
        self.generation
    }

    /// Stores a timer.
    #[inline]
    pub(super) fn insert(&mut self, deadline: u64, value: T) -> TimerKey {
        if self.roomy == NIL {
            self.add_page();
        }
        self.generation = self.generation.wrapping_add(1);
        let generation = NonZeroU32::new(self.generation).unwrap_or(NonZeroU32::MIN);
        self.generation = generation.get();
        let number = self.roomy;
        let page = &mut self.pages[number as usize];
        let fresh = page.vacant == NIL;
        let offset = if fresh {
            page.entries.len() as u32
        } else {
            page.vacant
        };
        let index = (number << SHIFT) | offset;
        let entry = Entry {
            deadline,
            next: NIL,
            generation: Some(generation),
            value: Some(value),
        };
        if fresh {
            page.entries.push(entry);
        } else {
            let place = &mut page.entries[offset as usize];
            page.vacant = place.next;
            *place = entry;
        }
        if page.live == 0 {
            self.spare = NIL;
        }
        page.live += 1;
        self.len += 1;
        if page.live as usize == PAGE {
            self.unlink_page(number);
        }
        TimerKey { index, generation }
    }

    /// Takes a timer out, with its deadline; `None` if the key names nothing any more.
    #[inline]
    pub(super) fn remove(&mut self, key: TimerKey) -> Option<(u64, T)> {
        let number = key.index >> SHIFT;
        let page = self.pages.get_mut(number as usize)?;
        let entry = page.entries.get_mut(key.index as usize % PAGE)?;
        if entry.generation != Some(key.generation) {
            return None;
        }
        entry.generation = None;
        let deadline = entry.deadline;
        let value = entry.value.take()?;
        entry.next = page.vacant;
        page.vacant = key.index % PAGE as u32;
        let was_full = page.live as usize == PAGE;
        page.live -= 1;
        let is_empty = page.live == 0;
        self.len -= 1;
        if was_full {
            self.link_page(number);
        }
        if is_empty {
            self.page_emptied(number);
        }
        Some((deadline, value))
    }

    pub(super) fn value_mut(&mut self, key: TimerKey) -> Option<&mut T> {
        let page = self.pages.get_mut((key.index >> SHIFT) as usize)?;
        let entry = page.entries.get_mut(key.index as usize % PAGE)?;
        if entry.generation == Some(key.generation) {
            entry.value.as_mut()
        } else {
            None
        }
    }

    pub(super) fn deadline_of(&self, key: TimerKey) -> Option<u64> {
        self.find(key).map(|entry| entry.deadline)
    }

    /// Every timer with its deadline, in the order of their places.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        let entries = self.pages.iter().flat_map(|page| &page.entries);
        entries.filter_map(|entry| Some((entry.deadline, entry.value.as_ref()?)))
    }

    #[inline]
    pub(super) fn contains(&self, key: TimerKey) -> bool {
        self.find(key).is_some()
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    #[inline]
    fn find(&self, key: TimerKey) -> Option<&Entry<T>> {
        let page = self.pages.get((key.index >> SHIFT) as usize)?;
        let entry = page.entries.get(key.index as usize % PAGE)?;
        (entry.generation == Some(key.generation)).then_some(entry)
    }

    #[cold]
    fn add_page(&mut self) {
        let number = if self.absent == NIL {
            let number = self.pages.len() as u32;
            assert!(number < NIL >> SHIFT, "fewer than 2^32 pending timers");
            // The first page grows as a vector does, so that a queue of three timers is small.
            let room = if number == 0 { 0 } else { PAGE };
            let entries = Vec::with_capacity(room);
            self.pages.push(Page {
                entries,
                vacant: NIL,
                live: 0,
                prev: NIL,
                next: NIL,
            });
            number
        } else {
            let number = self.absent;
            let page = &mut self.pages[number as usize];
            page.entries = Vec::with_capacity(PAGE);
            self.absent = page.next;
            if self.absent != NIL {
                self.pages[self.absent as usize].prev = NIL;
            }
            number
        };
        self.spare = number;
        self.link_page(number);
    }

    /// Keeps an empty page as the spare one; if there is one already, gives the storage of the
    /// later of the two back, so that the table can shrink.
    #[inline]
    fn page_emptied(&mut self, number: u32) {
        if self.spare == NIL {
            self.spare = number;
        } else {
            let later = self.spare.max(number);
            self.spare = self.spare.min(number);
            self.free_page(later);
        }
    }

    #[cold]
    fn free_page(&mut self, number: u32) {
        self.unlink_page(number);
        let absent = self.absent;
        let page = &mut self.pages[number as usize];
        page.entries = Vec::new();
        page.vacant = NIL;
        page.next = absent;
        page.prev = NIL;
        if absent != NIL {
            self.pages[absent as usize].prev = number;
        }
        self.absent = number;
        self.trim_table();
    }

    /// Forgets absent pages at the end of the table.
    fn trim_table(&mut self) {
        while let Some(last) = self.pages.last() {
            if last.live > 0 || last.entries.capacity() > 0 {
                break;
            }
            let (prev, next) = (last.prev, last.next);
            if prev == NIL {
                self.absent = next;
            } else {
                self.pages[prev as usize].next = next;
            }
            if next != NIL {
                self.pages[next as usize].prev = prev;
            }
            self.pages.pop();
        }
        if self.pages.len() < self.pages.capacity() / 4 {
            self.pages.shrink_to(self.pages.len() * 2);
        }
    }

    /// Puts a page in front of those with room.
    fn link_page(&mut self, number: u32) {
        let next = std::mem::replace(&mut self.roomy, number);
        let page = &mut self.pages[number as usize];
        page.prev = NIL;
        page.next = next;
        if next != NIL {
            self.pages[next as usize].prev = number;
        }
    }

    fn unlink_page(&mut self, number: u32) {
        let page = &self.pages[number as usize];
        let (prev, next) = (page.prev, page.next);
        if prev == NIL {
            self.roomy = next;
        } else {
            self.pages[prev as usize].next = next;
        }
        if next != NIL {
            self.pages[next as usize].prev = prev;
        }
    }
}

#[cfg(test)]
impl<T> Slab<T> {
    pub(super) const ENTRY_SIZE: usize = size_of::<Entry<T>>();
    pub(super) const ENTRY_ALIGN: usize = align_of::<Entry<T>>();

    /// Entries there is storage for.
    pub(super) fn capacity(&self) -> usize {
        self.pages.iter().map(|page| page.entries.capacity()).sum()
    }

    /// Pages there is room for in the table.
    pub(super) fn table_capacity(&self) -> usize {
        self.pages.capacity()
    }
}
