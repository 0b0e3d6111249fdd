//! Unix streams.

use std::fmt;
use std::future::poll_fn;
use std::io::{self, IoSlice, IoSliceMut};
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::BufMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::halves::{self, OwnedReadHalf, OwnedWriteHalf, ReadHalf, WriteHalf};
use super::names::address;
use super::{SocketAddr, UCred};
use crate::backend::UnixKind;
use crate::coop;
use crate::handle::Inner;
use crate::io::{Interest, Ready};
use crate::net::readiness::Remembered;
use crate::net::world::WorldSocket;
use crate::net::{Repr, in_our_words, not_in_a_world, open_loop};

/// A connection between two processes of one host: tokio's and futures' `AsyncRead` and
/// `AsyncWrite`; closed when dropped.
///
/// ```
/// use event_loop::net::UnixStream;
/// use event_loop::{production, LoopConfig};
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// let ev = production::current_thread(LoopConfig::default()).unwrap();
/// ev.run_borrowed(async {
///     let (mut one, mut other) = UnixStream::pair()?;
///     one.write_all(b"hello").await?;
///     drop(one);
///     let mut text = String::new();
///     other.read_to_string(&mut text).await?;
///     assert_eq!(text, "hello");
///     std::io::Result::Ok(())
/// }).unwrap().unwrap();
/// # ev.close().unwrap();
/// ```
pub struct UnixStream {
    repr: Repr<tokio::net::UnixStream, WorldSocket>,
}

unix_addresses!(UnixStream);
readiness!(UnixStream);
reading!(UnixStream);
writing!(UnixStream);

impl UnixStream {
    /// Connects to a path. On Linux one that begins with a zero byte is an abstract name.
    ///
    /// It need not be accepted before bytes can be written. As on Linux, where the listener's
    /// backlog is full this does not wait, and fails with `WouldBlock`.
    ///
    /// # Errors
    /// Those of `connect(2)`: `NotFound` if there is no such path, `ConnectionRefused` if nobody
    /// listens there.
    ///
    /// # Panics
    /// If this thread has no current loop.
    pub async fn connect(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::connect_addr(&address(path.as_ref())?).await
    }

    /// The same for an address.
    ///
    /// # Errors
    /// Those of `connect(2)`.
    ///
    /// # Panics
    /// If this thread has no current loop.
    pub async fn connect_addr(addr: &SocketAddr) -> io::Result<Self> {
        match &open_loop()?.shared.inner {
            Inner::Tokio(_) => {
                let stream = tokio::net::UnixStream::connect_addr(addr).await;
                stream.map(Self::on_tokio).map_err(in_our_words)
            }
            Inner::Other(backend) => {
                let socket = WorldSocket::unix(backend, UnixKind::Stream, Remembered::connected())?;
                backend.unix_connect(socket.key, addr)?;
                poll_fn(|cx| coop::poll_leaf(cx, |_| Poll::Ready(()))).await;
                Ok(Self::in_world(socket))
            }
        }
    }

    /// Two streams, connected to each other.
    ///
    /// # Errors
    /// Those of `socketpair(2)`.
    ///
    /// # Panics
    /// If this thread has no current loop.
    pub fn pair() -> io::Result<(Self, Self)> {
        match &open_loop()?.shared.inner {
            Inner::Tokio(tokio) => {
                let (one, other) = tokio.within(tokio::net::UnixStream::pair)?;
                Ok((Self::on_tokio(one), Self::on_tokio(other)))
            }
            Inner::Other(backend) => {
                let [one, other] = WorldSocket::unix_pair(backend, UnixKind::Stream)?;
                Ok((Self::in_world(one), Self::in_world(other)))
            }
        }
    }

    /// A stream of the standard library's, which must be non-blocking, on the current loop.
    ///
    /// # Errors
    /// Those of the operating system, and `Unsupported` in a world, which does not know it.
    ///
    /// # Panics
    /// If this thread has no current loop.
    pub fn from_std(stream: std::os::unix::net::UnixStream) -> io::Result<Self> {
        match &open_loop()?.shared.inner {
            Inner::Tokio(tokio) => tokio
                .within(|| tokio::net::UnixStream::from_std(stream))
                .map(Self::on_tokio),
            Inner::Other(_) => Err(not_in_a_world("a stream of the standard library's")),
        }
    }

    /// The standard library's stream of it, which stays non-blocking.
    ///
    /// # Errors
    /// Those of the operating system, and `Unsupported` in a world, which has none.
    pub fn into_std(self) -> io::Result<std::os::unix::net::UnixStream> {
        match self.repr {
            Repr::Tokio(stream) => stream.into_std(),
            Repr::World(_) => Err(not_in_a_world("the standard library's stream")),
        }
    }

    /// Who was at the other end when it connected, or began to listen.
    ///
    /// # Errors
    /// Those of `getsockopt(2)`.
    pub fn peer_cred(&self) -> io::Result<UCred> {
        match &self.repr {
            Repr::Tokio(stream) => stream.peer_cred().map(UCred::from),
            Repr::World(socket) => socket.unix_peer_cred(),
        }
    }

    /// [`readable`](Self::readable) for hand-written futures. It and reads know one waker, the
    /// last's.
    ///
    /// # Errors
    /// That the loop is closed.
    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &self.repr {
            Repr::Tokio(stream) => stream.poll_read_ready(cx).map_err(in_our_words),
            Repr::World(socket) => socket.poll_read_ready(cx),
        }
    }

    /// [`writable`](Self::writable) for hand-written futures. It and writes know one waker, the
    /// last's.
    ///
    /// # Errors
    /// That the loop is closed.
    pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &self.repr {
            Repr::Tokio(stream) => stream.poll_write_ready(cx).map_err(in_our_words),
            Repr::World(socket) => socket.poll_write_ready(cx),
        }
    }

    /// Takes the error that waits on the socket (`SO_ERROR`).
    ///
    /// # Errors
    /// Those of `getsockopt(2)`.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        match &self.repr {
            Repr::Tokio(stream) => stream.take_error(),
            Repr::World(socket) => socket.take_error(),
        }
    }

    /// Splits it in two halves that borrow it, so that one task can read and write at a time.
    pub fn split(&mut self) -> (ReadHalf<'_>, WriteHalf<'_>) {
        halves::split(&mut self.repr)
    }

    /// Splits it in two halves, each to be used by a task of its own. Dropping the half that
    /// writes ends this end's side of the stream.
    #[must_use]
    pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        halves::into_split(self.repr)
    }

    pub(super) fn on_tokio(stream: tokio::net::UnixStream) -> Self {
        Self {
            repr: Repr::Tokio(stream),
        }
    }

    pub(super) fn in_world(socket: WorldSocket) -> Self {
        Self {
            repr: Repr::World(socket),
        }
    }

    fn poll_shut_down(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.repr {
            Repr::Tokio(stream) => Pin::new(stream).poll_shutdown(cx),
            Repr::World(socket) => Poll::Ready(socket.shut_down()),
        }
    }
}

impl TryFrom<std::os::unix::net::UnixStream> for UnixStream {
    type Error = io::Error;

    /// [`from_std`](Self::from_std).
    fn try_from(stream: std::os::unix::net::UnixStream) -> io::Result<Self> {
        Self::from_std(stream)
    }
}

impl fmt::Debug for UnixStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (here, there) = (self.local_addr(), self.peer_addr());
        write!(f, "UnixStream({here:?} to {there:?})")
    }
}
