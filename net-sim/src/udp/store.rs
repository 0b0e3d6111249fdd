//! Datagrams in a row: their heads, their sizes and their bytes in a queue each.

use std::collections::VecDeque;
use std::io::IoSlice;

/// What an empty ring may keep of its memory for the next datagrams.
const KEPT: usize = 4 << 20;

/// Datagrams, oldest first. A row that never held one has allocated nothing, and one that holds
/// some allocates only to grow. Heads that are the same one after the other are kept once: those of
/// a burst are, and what is kept for each of very many is read from memory again.
#[derive(Debug)]
pub(super) struct Row<H> {
    /// Each with the number of datagrams that have it.
    heads: VecDeque<(H, usize)>,
    sizes: VecDeque<u32>,
    bytes: VecDeque<u8>,
}

impl<H> Default for Row<H> {
    fn default() -> Self {
        Self {
            heads: VecDeque::new(),
            sizes: VecDeque::new(),
            bytes: VecDeque::new(),
        }
    }
}

impl<H: Copy + PartialEq> Row<H> {
    /// Puts one at the end; its payload is `parts`, one after the other.
    pub(super) fn push(&mut self, head: H, parts: &[IoSlice<'_>]) {
        let mut len = 0;
        for part in parts {
            self.bytes.extend(&**part);
            len += part.len();
        }
        self.sizes.push_back(len as u32);
        match self.heads.back_mut() {
            Some((last, count)) if *last == head => *count += 1,
            _ => self.heads.push_back((head, 1)),
        }
    }

    pub(super) fn first(&self) -> Option<&H> {
        self.heads.front().map(|(head, _)| head)
    }

    pub(super) fn last(&self) -> Option<&H> {
        self.heads.back().map(|(head, _)| head)
    }

    /// The size of the first payload.
    pub(super) fn first_len(&self) -> Option<usize> {
        self.sizes.front().map(|&len| len as usize)
    }

    /// The first payload, in the two pieces it may lie in.
    pub(super) fn payload(&self) -> (&[u8], &[u8]) {
        let len = self.first_len().unwrap_or(0);
        let (front, back) = self.bytes.as_slices();
        let in_front = len.min(front.len());
        (&front[..in_front], &back[..len - in_front])
    }

    /// Copies as much of the first payload as `buf` has room for, and says how much.
    pub(super) fn copy_to(&self, buf: &mut [u8]) -> usize {
        let (front, back) = self.payload();
        let n = buf.len().min(front.len() + back.len());
        let in_front = n.min(front.len());
        buf[..in_front].copy_from_slice(&front[..in_front]);
        buf[in_front..n].copy_from_slice(&back[..n - in_front]);
        n
    }

    /// Takes the first away, and returns its head and size.
    pub(super) fn pop(&mut self) -> Option<(H, usize)> {
        let len = self.sizes.pop_front()? as usize;
        let (head, count) = self.heads.front_mut()?;
        let head = *head;
        *count -= 1;
        if *count == 0 {
            self.heads.pop_front();
        }
        self.bytes.drain(..len);
        if self.sizes.is_empty() && self.bytes.capacity() > KEPT {
            *self = Self::default();
        }
        Some((head, len))
    }

    pub(super) fn len(&self) -> usize {
        self.sizes.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sizes.is_empty()
    }

    /// Bytes of all payloads together.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_come_out_whole_and_in_order_wherever_they_lie_in_the_ring() {
        let mut row = Row::default();
        let payload = |i: usize| -> Vec<u8> { (0..i * 7 % 60).map(|b| (i + b) as u8).collect() };
        let (mut pushed, mut popped) = (0, 0);
        for round in 0..200 {
            for _ in 0..round % 5 {
                let bytes = payload(pushed);
                let (a, b) = bytes.split_at(bytes.len() / 3);
                // Some heads are the same.
                row.push(pushed / 3, &[IoSlice::new(a), IoSlice::new(b)]);
                pushed += 1;
            }
            for _ in 0..(round + 2) % 5 {
                let mut buf = [0; 64];
                let n = row.copy_to(&mut buf);
                let Some((head, len)) = row.pop() else {
                    assert_eq!(popped, pushed);
                    break;
                };
                assert_eq!((head, len), (popped / 3, n));
                assert_eq!(buf[..n], payload(popped));
                popped += 1;
            }
        }
        assert!(popped > 300);
    }

    #[test]
    fn an_empty_row_gives_back_the_memory_of_a_burst() {
        let mut row = Row::default();
        let payload = [0; 1_000];
        for head in 0..KEPT / payload.len() + 1 {
            row.push(head, &[IoSlice::new(&payload)]);
        }
        while row.pop().is_some() {}
        assert_eq!(row.bytes.capacity(), 0);
    }
}
