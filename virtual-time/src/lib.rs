//! Virtual clocks and timer queues.

mod instant;

pub use instant::Instant;
