//! A broker of messages: clients subscribe to topics and publish to them, a line each.

pub(crate) mod serve;
pub(crate) mod session;
pub(crate) mod topics;
pub(crate) mod wire;
