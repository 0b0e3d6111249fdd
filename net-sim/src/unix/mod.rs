//! Unix sockets: streams and datagrams between the sockets of one host, with names of paths or
//! abstract ones. Nothing takes time here; descriptors cannot be passed.
//!
//! The rules are those of Linux's `af_unix.c`. A byte goes from `write` straight into the inbox of
//! the peer, and counts as the sender's memory until it is read.

mod address;
mod connect;
mod datagram;
mod inbox;
mod names;
mod socket;
mod state;
mod stream;

pub use address::UnixAddr;
pub(crate) use names::Names;
pub use socket::{UnixCredentials, UnixKind};
pub(crate) use state::Unix;
