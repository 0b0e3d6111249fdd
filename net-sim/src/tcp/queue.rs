//! A queue that is at home with one entry.

use std::collections::VecDeque;

/// A queue whose first entry lies in the queue itself.
///
/// Most pipes have one segment and one acknowledgement under way at a time. With many
/// connections each buffer elsewhere is a cache miss for either; this saves both, and their
/// allocation.
#[derive(Debug)]
pub(super) struct Queue<T> {
    /// Empty only if `rest` is.
    first: Option<T>,
    rest: VecDeque<T>,
}

impl<T> Queue<T> {
    pub(super) const fn new() -> Self {
        Self {
            first: None,
            rest: VecDeque::new(),
        }
    }

    pub(super) fn push(&mut self, entry: T) {
        if self.first.is_none() {
            self.first = Some(entry);
        } else {
            self.rest.push_back(entry);
        }
    }

    /// Puts an entry before all others.
    pub(super) fn push_front(&mut self, entry: T) {
        if let Some(second) = self.first.replace(entry) {
            self.rest.push_front(second);
        }
    }

    pub(super) fn pop(&mut self) -> Option<T> {
        // What is not there need not be asked for in a cold line.
        let next = if self.rest.is_empty() {
            None
        } else {
            self.rest.pop_front()
        };
        std::mem::replace(&mut self.first, next)
    }

    pub(super) fn last_mut(&mut self) -> Option<&mut T> {
        if self.rest.is_empty() {
            self.first.as_mut()
        } else {
            self.rest.back_mut()
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.first.iter().chain(&self.rest)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.first.iter_mut().chain(&mut self.rest)
    }

    pub(super) fn last(&self) -> Option<&T> {
        self.rest.back().or(self.first.as_ref())
    }

    pub(super) const fn first(&self) -> Option<&T> {
        self.first.as_ref()
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.first.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::Queue;

    #[test]
    fn entries_come_out_in_the_order_they_went_in() {
        let mut queue = Queue::new();
        let mut expected = 0;
        let mut next = 0;
        for round in 1..20 {
            for _ in 0..round % 4 {
                queue.push(next);
                assert_eq!(queue.last_mut(), Some(&mut next));
                next += 1;
            }
            for _ in 0..round % 3 {
                let first = queue.first().copied();
                let popped = queue.pop();
                assert_eq!(first, popped);
                assert_eq!(popped.is_none(), expected == next);
                if popped.is_some() {
                    assert_eq!(popped, Some(expected));
                    expected += 1;
                }
            }
            assert_eq!(queue.is_empty(), expected == next);
            assert!(queue.iter().copied().eq(expected..next));
            assert_eq!(queue.last().copied(), (expected < next).then_some(next - 1));
            if expected > 0 {
                expected -= 1;
                queue.push_front(expected);
            }
        }
    }
}
