//! What a world's TCP sockets can do.

use std::io;
use std::net::SocketAddr;
use std::task::{Poll, Waker};
use std::time::Duration;

use super::SocketKey;

/// The calls of TCP sockets.
pub trait Tcp {
    /// A socket bound to `addr` and listening.
    fn tcp_listen(&self, addr: SocketAddr, backlog: u32) -> io::Result<SocketKey>;
    /// A socket on its way to `addr`.
    fn tcp_connect(&self, addr: SocketAddr) -> io::Result<SocketKey>;
    /// Whether the connection stands.
    fn poll_connected(&self, socket: SocketKey, waker: &Waker) -> Poll<io::Result<()>>;
    /// The next connection.
    fn poll_accept(
        &self,
        socket: SocketKey,
        waker: &Waker,
    ) -> Poll<io::Result<(SocketKey, SocketAddr)>>;
    /// Nagle's algorithm, off or on.
    fn set_nodelay(&self, socket: SocketKey, nodelay: bool) -> io::Result<()>;
    /// Whether Nagle's algorithm is off.
    fn nodelay(&self, socket: SocketKey) -> io::Result<bool>;
    /// How close treats what was not sent: zero resets.
    fn set_linger(&self, socket: SocketKey, linger: Option<Duration>) -> io::Result<()>;
}
