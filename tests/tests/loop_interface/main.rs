//! The loop's interface beside its running: owners, tasks under way, errors, configuration.

#[allow(dead_code, reason = "the contract needs more of it")]
#[path = "../contract/backends.rs"]
mod backends;
#[allow(dead_code, reason = "the contract needs more of it")]
#[path = "../contract/log.rs"]
mod log;

mod config;
mod foreign_sockets;
mod inspect;
mod owners;
mod runner;
mod sites;
mod slow;
mod texts;
