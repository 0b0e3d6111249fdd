//! What sockets of more than one kind can do.

use std::io::{self, IoSlice};
use std::net::{Shutdown, SocketAddr};
use std::task::{Poll, Waker};

use super::SocketKey;
use crate::io::{Interest, Ready};

/// The calls of sockets whatever their kind: of any that is open, of those with an IP address, and
/// of streams.
pub trait Sockets {
    /// Gives the socket back.
    fn close_socket(&self, socket: SocketKey);
    /// The socket's own address.
    fn local_addr(&self, socket: SocketKey) -> io::Result<SocketAddr>;
    /// The address of the other end.
    fn peer_addr(&self, socket: SocketKey) -> io::Result<SocketAddr>;
    /// Takes the error that waits on the socket.
    fn take_error(&self, socket: SocketKey) -> io::Result<Option<io::Error>>;
    /// What the socket can do of `interest`. While that is nothing, and there is a waker, it is
    /// woken once it may be something.
    fn readiness(
        &self,
        socket: SocketKey,
        interest: Interest,
        wait: Option<(Slot, &Waker)>,
    ) -> io::Result<Ready>;
    /// Reads; 0 is the end of the stream.
    fn poll_read(
        &self,
        socket: SocketKey,
        into: &mut [u8],
        waker: &Waker,
    ) -> Poll<io::Result<usize>>;
    /// Writes; at least one byte unless `from` is empty.
    fn poll_write(&self, socket: SocketKey, from: &[u8], waker: &Waker) -> Poll<io::Result<usize>>;
    /// Writes from several buffers, as if they were one.
    fn poll_write_vectored(
        &self,
        socket: SocketKey,
        from: &[IoSlice<'_>],
        waker: &Waker,
    ) -> Poll<io::Result<usize>>;
    /// Reads what is there, or says `WouldBlock`.
    fn try_read(&self, socket: SocketKey, into: &mut [u8]) -> io::Result<usize>;
    /// Writes what fits, or says `WouldBlock`.
    fn try_write(&self, socket: SocketKey, from: &[IoSlice<'_>]) -> io::Result<usize>;
    /// Copies what is there and leaves it to be read, or says `WouldBlock`.
    fn try_peek(&self, socket: SocketKey, into: &mut [u8]) -> io::Result<usize>;
    /// Closes one direction or both.
    fn shutdown(&self, socket: SocketKey, how: Shutdown) -> io::Result<()>;
}

/// Which of a socket's wakers is meant; each keeps the last that it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// That of the task that reads or accepts.
    Read,
    /// That of the task that writes or connects.
    Write,
    /// That of all others who wait for the socket, woken at each change.
    Watch,
}
