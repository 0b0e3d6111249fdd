//! What a read of the clock costs: in a world, outside of one in a program that could have them,
//! and by libc alone.

use std::hint::black_box;
use std::time::Instant;

use crate::work::cpu::time_of;

const READS: u32 = 20_000_000;

/// Nanoseconds a read, on this thread as it is.
#[must_use]
pub fn nanoseconds_a_read() -> f64 {
    #[expect(clippy::disallowed_methods, reason = "what is measured")]
    let read = || {
        for _ in 0..READS {
            black_box(Instant::now());
        }
    };
    time_of(read).as_nanos() as f64 / f64::from(READS)
}

/// The same, on the thread of a world.
#[cfg(feature = "ours")]
pub(super) fn nanoseconds_a_read_in_a_world() -> f64 {
    let config = sim::Config::new();
    let run = sim::run_once(&config, 0, |_| async { nanoseconds_a_read() });
    run.value.expect("nothing ends the run")
}
