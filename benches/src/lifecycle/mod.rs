//! The life of a service: a TERM at every event of it, what a read of the clock costs it, and its
//! restarts. Every figure from a fresh child process,
//! and the median of them.

pub mod clock;
#[cfg(feature = "ours")]
mod job;
#[cfg(feature = "ours")]
mod report;
#[cfg(feature = "ours")]
mod restart;
#[cfg(feature = "ours")]
mod sweep;

#[cfg(feature = "ours")]
pub use report::{answer, run};
