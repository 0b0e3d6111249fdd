//! Runs: one, many, and what is said of those that fail.

mod artifacts;
mod blocked;
pub(crate) mod campaign;
pub(crate) mod case;
mod child;
mod faults;
pub(crate) mod frames;
mod guard;
mod judge;
pub(crate) mod once;
pub(crate) mod outcome;
pub(crate) mod owned;
pub(crate) mod panics;
pub(crate) mod plan;
mod play;
mod record;
mod report;
mod settings;
pub(crate) mod sweep;
mod watchdog;
