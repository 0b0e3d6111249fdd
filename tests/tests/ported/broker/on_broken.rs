//! The behaviours of the port with a bug.

use ::event_loop as rt;

use super::broken as service;

#[allow(dead_code, reason = "it is one of them that finds the bug")]
#[path = "behaviour.rs"]
pub(super) mod behaviour;
#[path = "client.rs"]
mod client;
