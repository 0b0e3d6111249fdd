//! The behaviours of the original, on tokio.

use ::tokio as rt;

use super::tokio as service;

#[path = "behaviour.rs"]
pub(super) mod behaviour;
#[path = "client.rs"]
mod client;
