//! What a world's Unix sockets can do.

#[cfg(unix)]
use std::io;
#[cfg(unix)]
use std::path::Path;
#[cfg(unix)]
use std::task::{Poll, Waker};

#[cfg(unix)]
use tokio::net::unix::SocketAddr;

#[cfg(unix)]
use super::{Slot, SocketKey};
#[cfg(unix)]
use crate::net::unix::UCred;

/// The calls of Unix sockets. Streams are read, written and shut by those of all streams.
#[cfg(unix)]
pub trait Unix {
    /// A new socket.
    fn unix_socket(&self, kind: UnixKind) -> io::Result<SocketKey>;
    /// Two that are connected to each other.
    fn unix_pair(&self, kind: UnixKind) -> io::Result<[SocketKey; 2]>;
    /// Names a socket.
    fn unix_bind(&self, socket: SocketKey, addr: &SocketAddr) -> io::Result<()>;
    /// Lets a socket take connections.
    fn unix_listen(&self, socket: SocketKey, backlog: u32) -> io::Result<()>;
    /// Connects a socket, at once.
    fn unix_connect(&self, socket: SocketKey, addr: &SocketAddr) -> io::Result<()>;
    /// The next connection.
    fn unix_poll_accept(
        &self,
        socket: SocketKey,
        waker: &Waker,
    ) -> Poll<io::Result<(SocketKey, SocketAddr)>>;
    /// Sends a datagram, or says `WouldBlock`: then the waker, if there is one, is woken at the
    /// next change.
    fn unix_send(
        &self,
        socket: SocketKey,
        from: &[u8],
        to: Option<&SocketAddr>,
        wait: Option<(Slot, &Waker)>,
    ) -> io::Result<usize>;
    /// Takes a datagram, or says `WouldBlock` in the same way.
    fn unix_receive(
        &self,
        socket: SocketKey,
        into: &mut [u8],
        wait: Option<(Slot, &Waker)>,
    ) -> io::Result<(usize, SocketAddr)>;
    /// What the socket is bound to.
    fn unix_local_addr(&self, socket: SocketKey) -> io::Result<SocketAddr>;
    /// What the other end is bound to.
    fn unix_peer_addr(&self, socket: SocketKey) -> io::Result<SocketAddr>;
    /// Who is at the other end.
    fn unix_peer_cred(&self, socket: SocketKey) -> io::Result<UCred>;
    /// Removes the path of a socket.
    fn unix_unlink(&self, path: &Path) -> io::Result<()>;
}

/// Other systems have none.
#[cfg(not(unix))]
pub trait Unix {}

#[cfg(not(unix))]
impl<T> Unix for T {}

/// What goes over a Unix socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnixKind {
    /// Bytes, in a connection.
    Stream,
    /// Datagrams.
    Datagram,
}
