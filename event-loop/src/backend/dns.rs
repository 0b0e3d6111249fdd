//! How a world looks names up.

use std::io;
use std::net::IpAddr;
use std::task::{Poll, Waker};

use super::SocketKey;

/// The calls of a resolver.
pub trait Dns {
    /// Looks up the addresses of a host's name.
    fn lookup(&self, name: &str) -> io::Result<Lookup>;
    /// The answer to a look-up of `name` that is under way.
    fn poll_lookup(
        &self,
        socket: SocketKey,
        name: &str,
        waker: &Waker,
    ) -> Poll<io::Result<Vec<IpAddr>>>;
}

/// What a look-up came to so far.
#[derive(Debug)]
pub enum Lookup {
    /// The answer was there at once.
    Found(Vec<IpAddr>),
    /// It is under way, until this socket is closed.
    Asked(SocketKey),
}
