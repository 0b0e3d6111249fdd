//! Virtual clocks and timer queues.

mod instant;
mod timers;

pub use instant::Instant;
pub use timers::{TimerKey, Timers};
