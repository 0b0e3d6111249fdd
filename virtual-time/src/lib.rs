//! Virtual clocks and timer queues: nanoseconds in 64 bits, no I/O, no randomness, no dependencies.
//!
//! A world has one [`Clock`], whose [`Instant`]s everything in it counts in; each host reads it
//! through its own [`HostClock`]. [`Timers`] holds what is to happen later.
//!
//! ```
//! use std::time::Duration;
//! use virtual_time::{Clock, HostClock, Timers};
//!
//! let mut clock = Clock::new();
//! let mut timers = Timers::new();
//! // A host whose clock loses one second in a thousand sleeps for 999 of its seconds.
//! let host = HostClock::ideal().with_drift_ppm(-1_000);
//! let deadline = host.monotonic(clock.now()) + Duration::from_secs(999);
//! timers.insert(host.world_deadline(deadline), "wake the sleeper");
//!
//! while let Some(next) = timers.next_deadline() {
//!     clock.advance_to(next);
//!     while let Some((_, _, what)) = timers.pop_due(clock.now()) {
//!         assert_eq!(what, "wake the sleeper");
//!     }
//! }
//! assert_eq!(clock.now().to_string(), "1000.000000000");
//! assert_eq!(host.monotonic(clock.now()), deadline);
//! ```

mod clock;
mod host_clock;
mod instant;
mod timers;

pub use clock::Clock;
pub use host_clock::{HostClock, WallStep};
pub use instant::Instant;
pub use timers::{TimerKey, Timers};
