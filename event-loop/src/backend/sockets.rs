//! What sockets of more than one kind can do.

use std::io;
use std::net::{Shutdown, SocketAddr};
use std::task::{Poll, Waker};

use super::SocketKey;

/// The calls of sockets whatever their kind: of any that is open, of those with an IP address, and
/// of streams.
pub trait Sockets {
    /// Gives the socket back.
    fn close_socket(&self, socket: SocketKey);
    /// The socket's own address.
    fn local_addr(&self, socket: SocketKey) -> io::Result<SocketAddr>;
    /// The address of the other end.
    fn peer_addr(&self, socket: SocketKey) -> io::Result<SocketAddr>;
    /// Reads; 0 is the end of the stream.
    fn poll_read(
        &self,
        socket: SocketKey,
        into: &mut [u8],
        waker: &Waker,
    ) -> Poll<io::Result<usize>>;
    /// Writes; at least one byte unless `from` is empty.
    fn poll_write(&self, socket: SocketKey, from: &[u8], waker: &Waker) -> Poll<io::Result<usize>>;
    /// Closes one direction or both.
    fn shutdown(&self, socket: SocketKey, how: Shutdown) -> io::Result<()>;
}
