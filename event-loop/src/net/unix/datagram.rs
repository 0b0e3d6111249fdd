//! Unix datagram sockets.

use std::fmt;
use std::io;
use std::net::Shutdown;
use std::path::Path;
use std::task::{Context, Poll};

use bytes::BufMut;
use tokio::io::ReadBuf;

use super::SocketAddr;
use super::names::pathname;
use crate::backend::UnixKind;
use crate::handle::Inner;
use crate::io::{Interest, Ready};
use crate::net::readiness::Remembered;
use crate::net::world::WorldSocket;
use crate::net::{Repr, in_our_words, not_in_a_world, open_loop};

/// What a receive into a buffer of unknown size takes at most: no datagram is larger.
const LARGEST: usize = 256 * 1024;

/// A Unix socket for datagrams, none of which is lost; closed when dropped.
///
/// ```
/// use event_loop::net::UnixDatagram;
/// use event_loop::{production, LoopConfig};
///
/// let ev = production::current_thread(LoopConfig::default()).unwrap();
/// ev.run_borrowed(async {
///     let (one, other) = UnixDatagram::pair()?;
///     one.send(b"first").await?;
///     one.send(b"second").await?;
///     let mut buffer = [0; 3];
///     assert_eq!(other.recv(&mut buffer).await?, 3);
///     assert_eq!(&buffer, b"fir"); // The rest of a datagram that does not fit is lost.
///     assert_eq!(other.recv(&mut buffer).await?, 3);
///     assert_eq!(&buffer, b"sec");
///     std::io::Result::Ok(())
/// }).unwrap().unwrap();
/// # ev.close().unwrap();
/// ```
pub struct UnixDatagram {
    repr: Repr<tokio::net::UnixDatagram, WorldSocket>,
}

unix_addresses!(UnixDatagram);
readiness!(UnixDatagram);

impl UnixDatagram {
    /// A socket bound to a path; as with tokio only streams take abstract names.
    ///
    /// # Errors
    /// Those of `bind(2)`: `AddrInUse` also if the path was left by somebody who is gone.
    ///
    /// # Panics
    /// If this thread has no current loop.
    pub fn bind(path: impl AsRef<Path>) -> io::Result<Self> {
        let repr = match &open_loop()?.shared.inner {
            Inner::Tokio(tokio) => {
                Repr::Tokio(tokio.within(|| tokio::net::UnixDatagram::bind(path))?)
            }
            Inner::Other(backend) => {
                let addr = pathname(path.as_ref())?;
                let socket = WorldSocket::unix(backend, UnixKind::Datagram, Remembered::bound())?;
                backend.unix_bind(socket.key, &addr)?;
                Repr::World(socket)
            }
        };
        Ok(Self { repr })
    }

    /// A socket without an address.
    ///
    /// # Errors
    /// Those of `socket(2)`.
    ///
    /// # Panics
    /// If this thread has no current loop.
    pub fn unbound() -> io::Result<Self> {
        let repr = match &open_loop()?.shared.inner {
            Inner::Tokio(tokio) => Repr::Tokio(tokio.within(tokio::net::UnixDatagram::unbound)?),
            Inner::Other(backend) => Repr::World(WorldSocket::unix(
                backend,
                UnixKind::Datagram,
                Remembered::bound(),
            )?),
        };
        Ok(Self { repr })
    }

    /// Two sockets, connected to each other.
    ///
    /// # Errors
    /// Those of `socketpair(2)`.
    ///
    /// # Panics
    /// If this thread has no current loop.
    pub fn pair() -> io::Result<(Self, Self)> {
        let (one, other) = match &open_loop()?.shared.inner {
            Inner::Tokio(tokio) => {
                let (one, other) = tokio.within(tokio::net::UnixDatagram::pair)?;
                (Repr::Tokio(one), Repr::Tokio(other))
            }
            Inner::Other(backend) => {
                let [one, other] = WorldSocket::unix_pair(backend, UnixKind::Datagram)?;
                (Repr::World(one), Repr::World(other))
            }
        };
        Ok((Self { repr: one }, Self { repr: other }))
    }

    /// A socket of the standard library's, which must be non-blocking, on the current loop.
    ///
    /// # Errors
    /// Those of the operating system, and `Unsupported` in a world, which does not know it.
    ///
    /// # Panics
    /// If this thread has no current loop.
    pub fn from_std(socket: std::os::unix::net::UnixDatagram) -> io::Result<Self> {
        match &open_loop()?.shared.inner {
            Inner::Tokio(tokio) => {
                let socket = tokio.within(|| tokio::net::UnixDatagram::from_std(socket))?;
                let repr = Repr::Tokio(socket);
                Ok(Self { repr })
            }
            Inner::Other(_) => Err(not_in_a_world("a socket of the standard library's")),
        }
    }

    /// The standard library's socket of it, which stays non-blocking.
    ///
    /// # Errors
    /// Those of the operating system, and `Unsupported` in a world, which has none.
    pub fn into_std(self) -> io::Result<std::os::unix::net::UnixDatagram> {
        match self.repr {
            Repr::Tokio(socket) => socket.into_std(),
            Repr::World(_) => Err(not_in_a_world("the standard library's socket")),
        }
    }

    /// Sends to this path from now on, and lets nobody else send to this socket.
    ///
    /// # Errors
    /// Those of `connect(2)`.
    pub fn connect(&self, path: impl AsRef<Path>) -> io::Result<()> {
        match &self.repr {
            Repr::Tokio(socket) => socket.connect(path),
            Repr::World(socket) => {
                let addr = pathname(path.as_ref())?;
                socket.backend.unix_connect(socket.key, &addr)
            }
        }
    }

    /// Sends a datagram to whom it is connected to, and waits while there is no room. Any number
    /// of tasks may wait; cancellation sends nothing.
    ///
    /// # Errors
    /// Those of `send(2)`.
    pub async fn send(&self, from: &[u8]) -> io::Result<usize> {
        match &self.repr {
            Repr::Tokio(socket) => socket.send(from).await.map_err(in_our_words),
            Repr::World(socket) => socket.unix_send(from, None).await,
        }
    }

    /// Sends a datagram to a path, and waits while there is no room.
    ///
    /// As on Linux, one that is not connected to the path and finds the queue of its socket full is
    /// told of room only when a datagram of its own is received.
    ///
    /// # Errors
    /// Those of `sendto(2)`.
    pub async fn send_to(&self, from: &[u8], to: impl AsRef<Path>) -> io::Result<usize> {
        match &self.repr {
            Repr::Tokio(socket) => socket.send_to(from, to).await.map_err(in_our_words),
            Repr::World(socket) => socket.unix_send(from, Some(&pathname(to.as_ref())?)).await,
        }
    }

    /// [`send`](Self::send) without waiting.
    ///
    /// # Errors
    /// `WouldBlock` if there is no room, else those of `send(2)`.
    pub fn try_send(&self, from: &[u8]) -> io::Result<usize> {
        match &self.repr {
            Repr::Tokio(socket) => socket.try_send(from),
            Repr::World(socket) => socket.unix_try_send(from, None),
        }
    }

    /// [`send_to`](Self::send_to) without waiting.
    ///
    /// # Errors
    /// `WouldBlock` if there is no room, else those of `sendto(2)`.
    pub fn try_send_to(&self, from: &[u8], to: impl AsRef<Path>) -> io::Result<usize> {
        match &self.repr {
            Repr::Tokio(socket) => socket.try_send_to(from, to),
            Repr::World(socket) => socket.unix_try_send(from, Some(&pathname(to.as_ref())?)),
        }
    }

    /// [`send`](Self::send) for hand-written futures, of which the last alone is woken.
    ///
    /// # Errors
    /// Those of `send(2)`.
    pub fn poll_send(&self, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        match &self.repr {
            Repr::Tokio(socket) => socket.poll_send(cx, from).map_err(in_our_words),
            Repr::World(socket) => socket.unix_poll_send(cx, from, None),
        }
    }

    /// [`send_to`](Self::send_to) for hand-written futures, of which the last alone is woken.
    ///
    /// # Errors
    /// Those of `sendto(2)`.
    pub fn poll_send_to(
        &self,
        cx: &mut Context<'_>,
        from: &[u8],
        to: impl AsRef<Path>,
    ) -> Poll<io::Result<usize>> {
        match &self.repr {
            Repr::Tokio(socket) => socket.poll_send_to(cx, from, to).map_err(in_our_words),
            Repr::World(socket) => socket.unix_poll_send(cx, from, Some(&pathname(to.as_ref())?)),
        }
    }

    /// Waits for a datagram; what does not fit is lost. Any number of tasks may wait, and
    /// cancellation takes none.
    ///
    /// # Errors
    /// Those of `recv(2)`.
    pub async fn recv(&self, into: &mut [u8]) -> io::Result<usize> {
        match &self.repr {
            Repr::Tokio(socket) => socket.recv(into).await.map_err(in_our_words),
            Repr::World(socket) => Ok(socket.unix_receive(into).await?.0),
        }
    }

    /// [`recv`](Self::recv), and what the sender is bound to.
    ///
    /// # Errors
    /// Those of `recvfrom(2)`.
    pub async fn recv_from(&self, into: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        match &self.repr {
            Repr::Tokio(socket) => socket.recv_from(into).await.map_err(in_our_words),
            Repr::World(socket) => socket.unix_receive(into).await,
        }
    }

    /// [`recv`](Self::recv) into a buffer that grows or goes on by what was received.
    ///
    /// # Errors
    /// Those of `recv(2)`.
    pub async fn recv_buf<B: BufMut>(&self, into: &mut B) -> io::Result<usize> {
        match &self.repr {
            Repr::Tokio(socket) => socket.recv_buf(into).await.map_err(in_our_words),
            Repr::World(socket) => {
                let mut bytes = room_of(into);
                let (n, _) = socket.unix_receive(&mut bytes).await?;
                into.put_slice(&bytes[..n]);
                Ok(n)
            }
        }
    }

    /// [`recv_from`](Self::recv_from) into a buffer that grows or goes on by what was received.
    ///
    /// # Errors
    /// Those of `recvfrom(2)`.
    pub async fn recv_buf_from<B: BufMut>(&self, into: &mut B) -> io::Result<(usize, SocketAddr)> {
        match &self.repr {
            Repr::Tokio(socket) => socket.recv_buf_from(into).await.map_err(in_our_words),
            Repr::World(socket) => {
                let mut bytes = room_of(into);
                let (n, from) = socket.unix_receive(&mut bytes).await?;
                into.put_slice(&bytes[..n]);
                Ok((n, from))
            }
        }
    }

    /// [`recv`](Self::recv) without waiting.
    ///
    /// # Errors
    /// `WouldBlock` if there is none, else those of `recv(2)`.
    pub fn try_recv(&self, into: &mut [u8]) -> io::Result<usize> {
        match &self.repr {
            Repr::Tokio(socket) => socket.try_recv(into),
            Repr::World(socket) => Ok(socket.unix_try_receive(into)?.0),
        }
    }

    /// [`recv_from`](Self::recv_from) without waiting.
    ///
    /// # Errors
    /// `WouldBlock` if there is none, else those of `recvfrom(2)`.
    pub fn try_recv_from(&self, into: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        match &self.repr {
            Repr::Tokio(socket) => socket.try_recv_from(into),
            Repr::World(socket) => socket.unix_try_receive(into),
        }
    }

    /// [`try_recv`](Self::try_recv) into a buffer that grows or goes on by what was received.
    ///
    /// # Errors
    /// Those of `try_recv`.
    pub fn try_recv_buf<B: BufMut>(&self, into: &mut B) -> io::Result<usize> {
        match &self.repr {
            Repr::Tokio(socket) => socket.try_recv_buf(into),
            Repr::World(_) => self.try_recv_buf_from(into).map(|(n, _)| n),
        }
    }

    /// [`try_recv_from`](Self::try_recv_from) into a buffer that grows or goes on by what was
    /// received.
    ///
    /// # Errors
    /// Those of `try_recv_from`.
    pub fn try_recv_buf_from<B: BufMut>(&self, into: &mut B) -> io::Result<(usize, SocketAddr)> {
        match &self.repr {
            Repr::Tokio(socket) => socket.try_recv_buf_from(into),
            Repr::World(socket) => {
                let mut bytes = room_of(into);
                let (n, from) = socket.unix_try_receive(&mut bytes)?;
                into.put_slice(&bytes[..n]);
                Ok((n, from))
            }
        }
    }

    /// [`recv`](Self::recv) for hand-written futures, of which the last alone is woken.
    ///
    /// # Errors
    /// Those of `recv(2)`.
    pub fn poll_recv(&self, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &self.repr {
            Repr::Tokio(socket) => socket.poll_recv(cx, into).map_err(in_our_words),
            Repr::World(_) => self.poll_recv_from(cx, into).map_ok(drop),
        }
    }

    /// [`recv_from`](Self::recv_from) for hand-written futures, of which the last alone is woken.
    ///
    /// # Errors
    /// Those of `recvfrom(2)`.
    pub fn poll_recv_from(
        &self,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<SocketAddr>> {
        match &self.repr {
            Repr::Tokio(socket) => socket.poll_recv_from(cx, into).map_err(in_our_words),
            Repr::World(socket) => {
                let received = socket.unix_poll_receive(cx, into.initialize_unfilled());
                received.map_ok(|(n, from)| {
                    into.advance(n);
                    from
                })
            }
        }
    }

    /// Waits until there is a datagram, for [`try_recv`](Self::try_recv). Any number of tasks may
    /// wait.
    ///
    /// # Errors
    /// That the loop is closed.
    pub async fn readable(&self) -> io::Result<()> {
        self.ready(Interest::READABLE).await.map(drop)
    }

    /// Waits until there is room, for [`try_send`](Self::try_send). Any number of tasks may wait.
    ///
    /// # Errors
    /// That the loop is closed.
    pub async fn writable(&self) -> io::Result<()> {
        self.ready(Interest::WRITABLE).await.map(drop)
    }

    /// [`readable`](Self::readable) for hand-written futures, of which the last alone is woken.
    ///
    /// # Errors
    /// That the loop is closed.
    pub fn poll_recv_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &self.repr {
            Repr::Tokio(socket) => socket.poll_recv_ready(cx).map_err(in_our_words),
            Repr::World(socket) => socket.poll_read_ready(cx),
        }
    }

    /// [`writable`](Self::writable) for hand-written futures, of which the last alone is woken.
    ///
    /// # Errors
    /// That the loop is closed.
    pub fn poll_send_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &self.repr {
            Repr::Tokio(socket) => socket.poll_send_ready(cx).map_err(in_our_words),
            Repr::World(socket) => socket.poll_write_ready(cx),
        }
    }

    /// Ends one direction, or both.
    ///
    /// # Errors
    /// Those of `shutdown(2)`.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        match &self.repr {
            Repr::Tokio(socket) => socket.shutdown(how),
            Repr::World(socket) => socket.backend.shutdown(socket.key, how),
        }
    }

    /// Takes the error that waits on the socket (`SO_ERROR`).
    ///
    /// # Errors
    /// Those of `getsockopt(2)`.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        match &self.repr {
            Repr::Tokio(socket) => socket.take_error(),
            Repr::World(socket) => socket.take_error(),
        }
    }
}

/// As many zeroes as one datagram has room for in `into`.
fn room_of(into: &mut impl BufMut) -> Vec<u8> {
    vec![0; into.chunk_mut().len().min(LARGEST)]
}

impl TryFrom<std::os::unix::net::UnixDatagram> for UnixDatagram {
    type Error = io::Error;

    /// [`from_std`](Self::from_std).
    fn try_from(socket: std::os::unix::net::UnixDatagram) -> io::Result<Self> {
        Self::from_std(socket)
    }
}

impl fmt::Debug for UnixDatagram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UnixDatagram({:?})", self.local_addr())
    }
}
