//! What waits to be read, and what it costs its sender in memory.

use std::collections::VecDeque;
use std::io::IoSlice;

use super::state::Bound;
use crate::SocketId;

/// What Linux keeps before and behind the bytes of a buffer, and in its head.
const OVERHEAD: usize = 320;
const HEAD: usize = 256;
const PAGE: usize = 4_096;
/// Bytes that a stream puts into one buffer beside those in pages, and in all.
const STREAM_LINEAR: usize = PAGE - OVERHEAD;
const STREAM_CHUNK: usize = STREAM_LINEAR + 32_768;
/// Bytes of a datagram that are in no pages of their own, and most that are.
const DATAGRAM_LINEAR: usize = 4 * PAGE - OVERHEAD;
const DATAGRAM_PAGED: usize = 17 * PAGE;

/// Bytes in the order they came, in chunks that Linux would keep in one buffer each.
#[derive(Debug, Default)]
pub(super) struct Bytes {
    ring: VecDeque<u8>,
    chunks: VecDeque<Chunk>,
}

#[derive(Debug)]
struct Chunk {
    left: usize,
    charge: usize,
}

impl Bytes {
    pub(super) fn len(&self) -> usize {
        self.ring.len()
    }

    /// Takes `n` bytes of `parts` behind the first `skipped`, as one chunk.
    pub(super) fn push(
        &mut self,
        parts: &[IoSlice<'_>],
        mut skipped: usize,
        n: usize,
        charge: usize,
    ) {
        let mut left = n;
        for part in parts {
            let from = skipped.min(part.len());
            skipped -= from;
            let taken = left.min(part.len() - from);
            self.ring.extend(&part[from..from + taken]);
            left -= taken;
        }
        self.chunks.push_back(Chunk { left: n, charge });
    }

    pub(super) fn peek(&self, buf: &mut [u8]) -> usize {
        let n = buf.len().min(self.ring.len());
        let (front, back) = self.ring.as_slices();
        let first = n.min(front.len());
        buf[..first].copy_from_slice(&front[..first]);
        buf[first..n].copy_from_slice(&back[..n - first]);
        n
    }

    /// Forgets the first `n` bytes; returns what of the sender's memory that sets free.
    pub(super) fn consume(&mut self, n: usize) -> usize {
        self.ring.drain(..n);
        if self.ring.is_empty() {
            self.ring = VecDeque::new();
        }
        let (mut left, mut freed) = (n, 0);
        while let Some(chunk) = self.chunks.front_mut() {
            if chunk.left > left {
                chunk.left -= left;
                break;
            }
            left -= chunk.left;
            freed += chunk.charge;
            self.chunks.pop_front();
        }
        freed
    }
}

/// One datagram.
#[derive(Debug)]
pub(super) struct Datagram {
    pub(super) sender: SocketId,
    pub(super) from: Bound,
    pub(super) bytes: Box<[u8]>,
    pub(super) charge: usize,
}

/// The most bytes of a stream that go into one buffer.
pub(super) fn chunk_of(send_buffer: usize) -> usize {
    (send_buffer / 2).saturating_sub(64).clamp(1, STREAM_CHUNK)
}

/// The memory that a chunk of a stream takes: Linux's `truesize`.
pub(super) fn stream_charge(len: usize) -> usize {
    let paged = len.saturating_sub(STREAM_LINEAR).next_multiple_of(PAGE);
    charge(len, paged.min(len))
}

/// The memory that a datagram takes.
pub(super) fn datagram_charge(len: usize) -> usize {
    let paged = len.saturating_sub(DATAGRAM_LINEAR).min(DATAGRAM_PAGED);
    charge(len, paged.next_multiple_of(PAGE).min(len))
}

fn charge(len: usize, paged: usize) -> usize {
    let linear = (len - paged + OVERHEAD).next_power_of_two();
    linear + HEAD + paged.next_multiple_of(PAGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a kernel of Linux 6.18 was seen to count.
    #[test]
    fn buffers_cost_what_they_cost_on_linux() {
        for (len, charge) in [(1, 768), (192, 768), (193, 1_280), (1_000, 2_304)] {
            assert_eq!((stream_charge(len), datagram_charge(len)), (charge, charge));
        }
        assert_eq!(stream_charge(3_776), 4_352);
        assert_eq!(stream_charge(3_777), 4_864);
        assert_eq!(stream_charge(5_000), 6_400);
        assert_eq!(datagram_charge(4_000), 8_448);
        assert_eq!(datagram_charge(32_768), 37_120);
        assert_eq!(datagram_charge(100_000), 102_656);
    }

    #[test]
    fn memory_is_free_once_a_whole_chunk_is_read() {
        let mut bytes = Bytes::default();
        bytes.push(&[IoSlice::new(b"abc"), IoSlice::new(b"def")], 1, 4, 10);
        bytes.push(&[IoSlice::new(b"gh")], 0, 2, 20);
        let mut buf = [0; 9];
        assert_eq!(bytes.peek(&mut buf), 6);
        assert_eq!(&buf[..6], b"bcdegh");
        assert_eq!([3, 1, 1, 1].map(|n| bytes.consume(n)), [0, 10, 0, 20]);
        assert_eq!(bytes.len(), 0);
    }
}
