//! Our loop and its peers, side by side: the rows of the table, their work and how it is measured;
//! the life of a service, the queues of pending timers, and the property macros.
//!
//! A library, because several binaries share it: the bench itself, which measures our loop; one
//! with the peers alone; and one whose allocator counts, which would cost the others their time.

pub mod contender;
pub mod lifecycle;
pub mod measure;
#[cfg(feature = "ours")]
pub mod ours;
pub mod peers;
#[cfg(feature = "ours")]
pub mod properties;
pub mod report;
pub mod rows;
#[cfg(feature = "ours")]
pub mod sync;
pub mod timers;
pub mod work;
