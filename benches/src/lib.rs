//! Our loop and its peers, side by side: the rows of the table, their work and how it is measured.
//!
//! A library, because two binaries share it: one that measures time, and one whose allocator
//! counts, which would cost the first some of its time.

pub mod contender;
pub mod measure;
pub mod peers;
pub mod report;
pub mod rows;
pub mod work;
