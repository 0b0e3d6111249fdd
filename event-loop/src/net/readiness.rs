//! What tokio would remember of a socket's readiness.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::io::{Interest, Ready};

/// What a socket was found ready for, until something showed that it no longer is.
///
/// Tokio asks the kernel for edges and remembers them: `readable` is true after the last byte was
/// read, until a read has found nothing or has not filled its buffer. Only what remembers in the
/// same way shows a program that takes readiness for a promise.
pub(super) struct Remembered {
    readable: AtomicBool,
    writable: AtomicBool,
}

impl Remembered {
    /// Of a connection that was accepted: tokio takes for granted that it has bytes.
    pub(super) const fn accepted() -> Self {
        Self::new(true, true)
    }

    /// Of a connection that was made: it stands because it was found writable.
    pub(super) const fn connected() -> Self {
        Self::new(false, true)
    }

    /// Of a socket that was bound: nothing is known yet.
    pub(super) const fn bound() -> Self {
        Self::new(false, false)
    }

    const fn new(readable: bool, writable: bool) -> Self {
        Self {
            readable: AtomicBool::new(readable),
            writable: AtomicBool::new(writable),
        }
    }

    pub(super) fn among(&self, interest: Interest) -> Ready {
        let mut ready = Ready::EMPTY;
        if interest.is_readable() && self.readable.load(Ordering::Relaxed) {
            ready |= Ready::READABLE;
        }
        if interest.is_writable() && self.writable.load(Ordering::Relaxed) {
            ready |= Ready::WRITABLE;
        }
        ready
    }

    /// It was seen to be ready.
    pub(super) fn add(&self, ready: Ready) {
        if ready.is_readable() {
            self.set_readable(true);
        }
        if ready.is_writable() {
            self.set_writable(true);
        }
    }

    pub(super) fn set_readable(&self, readable: bool) {
        self.readable.store(readable, Ordering::Relaxed);
    }

    pub(super) fn set_writable(&self, writable: bool) {
        self.writable.store(writable, Ordering::Relaxed);
    }
}

/// Whether a call that moved `n` of `len` bytes has shown that there are no more to move.
pub(super) fn exhausts(n: usize, len: usize) -> bool {
    0 < n && n < len
}
