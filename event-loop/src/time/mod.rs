//! The loop's time, in tokio's shapes: an instant, sleeping, intervals, and a limit on how long
//! something may take.

pub mod error;
mod home;
mod instant;
mod interval;
mod sleep;
mod timeout;

pub(crate) use home::refuse as refuse_sleep;
pub use std::time::Duration;

pub use error::Elapsed;
pub use instant::Instant;
pub use interval::{
    Interval, MissedTickBehavior, interval, interval_at, try_interval, try_interval_at,
};
pub use sleep::{Sleep, sleep, sleep_until, try_sleep, try_sleep_until};
pub use timeout::{Timeout, timeout, timeout_at, try_timeout, try_timeout_at};
