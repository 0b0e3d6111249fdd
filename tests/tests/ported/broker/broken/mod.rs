//! The port, but for its sessions, which close their connections once all is written.

#[path = "../event_loop/serve.rs"]
pub(crate) mod serve;
pub(crate) mod session;
#[path = "../event_loop/topics.rs"]
pub(crate) mod topics;
#[path = "../event_loop/wire.rs"]
pub(crate) mod wire;
