//! A kernel whose every answer a test can foretell, and the threads to ask it from.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(
    unreachable_pub,
    reason = "a module of several tests, not a crate of its own"
)]

pub mod turns;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use interpose::{ClockId, Kernel, enter};

/// Reads a fixed time, a different one for every clock, and counts the bytes of its entropy.
#[derive(Default)]
pub struct Foretold {
    pub seed: u8,
    pub asked: AtomicU64,
}

impl Foretold {
    pub fn seeded(seed: u8) -> Arc<Self> {
        Arc::new(Self {
            seed,
            asked: AtomicU64::new(0),
        })
    }

    pub fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }
}

pub const fn reading(clock: ClockId) -> Duration {
    match clock {
        ClockId::Realtime => Duration::new(1_000_000_000, 123_456_789),
        ClockId::Monotonic => Duration::new(100, 1),
        ClockId::Boottime => Duration::new(200, 2),
        ClockId::ProcessCpu => Duration::new(3, 3),
        ClockId::ThreadCpu => Duration::new(4, 4),
    }
}

impl Kernel for Foretold {
    fn now(&self, clock: ClockId) -> Duration {
        self.asked.fetch_add(1, Ordering::Relaxed);
        reading(clock)
    }

    fn fill_random(&self, buf: &mut [u8]) {
        self.asked.fetch_add(1, Ordering::Relaxed);
        for (at, byte) in buf.iter_mut().enumerate() {
            *byte = self.seed.wrapping_mul(31).wrapping_add(at as u8);
        }
    }
}

/// Runs `body` inside a world on a thread that has cached nothing yet.
pub fn in_fresh_world<R: Send>(seed: u8, body: impl FnOnce() -> R + Send) -> R {
    on_fresh_thread(|| {
        let _world = enter(Foretold::seeded(seed));
        body()
    })
}

pub fn on_fresh_thread<R: Send>(body: impl FnOnce() -> R + Send) -> R {
    thread::scope(|scope| scope.spawn(body).join().unwrap())
}

/// `errno` as the last libc call left it.
pub fn errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap()
}
