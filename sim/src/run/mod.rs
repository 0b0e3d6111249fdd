//! Runs: one, many, and what is said of those that fail.

pub(crate) mod once;
pub(crate) mod panics;
pub(crate) mod plan;
