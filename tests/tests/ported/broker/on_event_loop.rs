//! The behaviours of the port, on the loop.

use ::event_loop as rt;

use super::event_loop as service;

#[path = "behaviour.rs"]
pub(super) mod behaviour;
#[path = "client.rs"]
mod client;
