//! TCP streams.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BufMut;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::borrowed::{self, ReadHalf, WriteHalf};
use super::options::Options;
use super::owned::{self, OwnedReadHalf, OwnedWriteHalf};
use crate::handle::Inner;
use crate::io::{Interest, Ready};
use crate::net::address::no_address;
use crate::net::world::WorldSocket;
use crate::net::{
    Repr, TcpKeepalive, TcpSocket, ToSocketAddrs, in_our_words, not_in_a_world, open_loop,
};

/// A connection: tokio's and futures' `AsyncRead` and `AsyncWrite`; closed when dropped.
///
/// ```
/// use event_loop::net::{TcpListener, TcpStream};
/// use event_loop::{production, LoopConfig};
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// let ev = production::current_thread(LoopConfig::default()).unwrap();
/// ev.run_borrowed(async {
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     let address = listener.local_addr()?;
///     let client = event_loop::spawn(async move {
///         let mut stream = TcpStream::connect(address).await?;
///         stream.write_all(b"hello").await?;
///         stream.shutdown().await
///     });
///     let (mut stream, _peer) = listener.accept().await?;
///     let mut text = String::new();
///     stream.read_to_string(&mut text).await?;
///     assert_eq!(text, "hello");
///     client.await.unwrap()
/// }).unwrap().unwrap();
/// # ev.close().unwrap();
/// ```
pub struct TcpStream {
    repr: Repr<tokio::net::TcpStream, WorldSocket>,
}

addresses!(TcpStream);
readiness!(TcpStream);
reading!(TcpStream);
writing!(TcpStream);

impl TcpStream {
    /// Connects to the first of the name's addresses that answers. Cancellation gives the socket
    /// back; [`TcpSocket`] connects one with options of its own.
    ///
    /// # Errors
    /// Those of `connect(2)`, the last address's, and of the look-up of a name.
    ///
    /// # Panics
    /// If this thread has no current loop.
    pub async fn connect(address: impl ToSocketAddrs) -> io::Result<Self> {
        let ev = open_loop()?;
        let mut last = None;
        for address in address.to_target()?.resolve(&ev).await? {
            let connected = match &ev.shared.inner {
                Inner::Tokio(_) => tokio::net::TcpStream::connect(address)
                    .await
                    .map(Self::on_tokio),
                Inner::Other(_) => {
                    let socket = TcpSocket::for_address(&ev, address)?;
                    socket.connect(address).await
                }
            };
            match connected {
                Ok(stream) => return Ok(stream),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(no_address))
    }

    /// A stream of the standard library's, which must be non-blocking, on the current loop.
    ///
    /// # Errors
    /// Those of the operating system, and `Unsupported` in a world, which does not know it.
    ///
    /// # Panics
    /// If this thread has no current loop.
    pub fn from_std(stream: std::net::TcpStream) -> io::Result<Self> {
        match &open_loop()?.shared.inner {
            Inner::Tokio(tokio) => tokio
                .within(|| tokio::net::TcpStream::from_std(stream))
                .map(Self::on_tokio),
            Inner::Other(_) => Err(not_in_a_world("a stream of the standard library's")),
        }
    }

    /// The standard library's stream of it, which stays non-blocking.
    ///
    /// # Errors
    /// Those of the operating system, and `Unsupported` in a world, which has none.
    pub fn into_std(self) -> io::Result<std::net::TcpStream> {
        match self.repr {
            Repr::Tokio(stream) => stream.into_std(),
            Repr::World(_) => Err(not_in_a_world("the standard library's stream")),
        }
    }

    /// Copies what has come, and leaves it to be read. Any number of tasks may wait, and
    /// cancellation loses nothing.
    ///
    /// # Errors
    /// Those of `recv(2)`.
    pub async fn peek(&self, into: &mut [u8]) -> io::Result<usize> {
        match &self.repr {
            Repr::Tokio(stream) => stream.peek(into).await.map_err(in_our_words),
            Repr::World(socket) => socket.peek(into).await,
        }
    }

    /// [`peek`](Self::peek) for hand-written futures. It, `poll_read_ready` and reads know one
    /// waker, the last's.
    ///
    /// # Errors
    /// Those of `recv(2)`.
    pub fn poll_peek(
        &self,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<usize>> {
        match &self.repr {
            Repr::Tokio(stream) => stream.poll_peek(cx, into).map_err(in_our_words),
            Repr::World(socket) => socket.poll_peek(cx, into),
        }
    }

    /// [`readable`](Self::readable) for hand-written futures. It, `poll_peek` and reads know one
    /// waker, the last's.
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

    /// Turns Nagle's algorithm off (`true`) or on.
    ///
    /// # Errors
    /// Those of `setsockopt(2)`.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.options().set_nodelay(nodelay)
    }

    /// Whether Nagle's algorithm is off.
    ///
    /// # Errors
    /// Those of `getsockopt(2)`.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.options().nodelay()
    }

    /// Sets how long a close waits for what was not sent, in whole seconds; less than one resets
    /// the connection and throws it away.
    ///
    /// In production a close that waits blocks its thread: shut the stream down and read to its end
    /// instead. In a world a close never waits.
    ///
    /// # Errors
    /// Those of `setsockopt(2)`.
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        self.options().set_linger(linger)
    }

    /// From here on closing resets the connection and throws away what was not sent.
    ///
    /// # Errors
    /// Those of `setsockopt(2)`.
    pub fn set_zero_linger(&self) -> io::Result<()> {
        self.set_linger(Some(Duration::ZERO))
    }

    /// How long a close waits for what was not sent.
    ///
    /// # Errors
    /// Those of `getsockopt(2)`.
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        self.options().linger()
    }

    /// Has a silent peer asked for a sign of life, at these times (`SO_KEEPALIVE` and its kin).
    ///
    /// # Errors
    /// Those of `setsockopt(2)`: `InvalidInput` for less than a second, or no retry.
    pub fn set_tcp_keepalive(&self, times: &TcpKeepalive) -> io::Result<()> {
        self.options().set_tcp_keepalive(times)
    }

    /// Whether a silent peer is asked for a sign of life.
    ///
    /// # Errors
    /// Those of `getsockopt(2)`.
    pub fn keepalive(&self) -> io::Result<bool> {
        self.options().keepalive()
    }

    /// Sets how long what was sent may stay without an acknowledgement before the connection is
    /// given up, in milliseconds (`TCP_USER_TIMEOUT`).
    ///
    /// # Errors
    /// Those of `setsockopt(2)`; `Unsupported` where the operating system has none.
    pub fn set_tcp_user_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.options().set_tcp_user_timeout(timeout)
    }

    /// How long what was sent may stay without an acknowledgement; `None` is the operating
    /// system's own idea of it.
    ///
    /// # Errors
    /// Those of `getsockopt(2)`; `Unsupported` where the operating system has none.
    pub fn tcp_user_timeout(&self) -> io::Result<Option<Duration>> {
        self.options().tcp_user_timeout()
    }

    /// How many routers a segment may pass (`IP_TTL`).
    ///
    /// # Errors
    /// Those of `getsockopt(2)`.
    pub fn ttl(&self) -> io::Result<u32> {
        self.options().ttl()
    }

    /// Sets how many routers a segment may pass; a world has none.
    ///
    /// # Errors
    /// Those of `setsockopt(2)`: `InvalidInput` outside of 1 to 255.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.options().set_ttl(ttl)
    }

    /// Splits it in two halves that borrow it, so that one task can read and write at a time.
    ///
    /// ```
    /// use event_loop::net::{TcpListener, TcpStream};
    /// use event_loop::{production, LoopConfig};
    /// use tokio::io::{AsyncReadExt, AsyncWriteExt};
    ///
    /// let ev = production::current_thread(LoopConfig::default()).unwrap();
    /// ev.run_borrowed(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let mut client = TcpStream::connect(listener.local_addr()?).await?;
    ///     let (mut stream, _peer) = listener.accept().await?;
    ///     let echoing = event_loop::spawn(async move {
    ///         let (mut reader, mut writer) = stream.split();
    ///         tokio::io::copy(&mut reader, &mut writer).await
    ///     });
    ///     client.write_all(b"hello").await?;
    ///     client.shutdown().await?;
    ///     let mut text = String::new();
    ///     client.read_to_string(&mut text).await?;
    ///     assert_eq!((text.as_str(), echoing.await.unwrap()?), ("hello", 5));
    ///     std::io::Result::Ok(())
    /// }).unwrap().unwrap();
    /// # ev.close().unwrap();
    /// ```
    pub fn split(&mut self) -> (ReadHalf<'_>, WriteHalf<'_>) {
        borrowed::split(&mut self.repr)
    }

    /// Splits it in two halves, each to be used by a task of its own. Dropping the half that
    /// writes ends this end's side of the stream.
    ///
    /// ```
    /// use event_loop::net::{TcpListener, TcpStream};
    /// use event_loop::{production, LoopConfig};
    /// use tokio::io::{AsyncReadExt, AsyncWriteExt};
    ///
    /// let ev = production::current_thread(LoopConfig::default()).unwrap();
    /// ev.run_borrowed(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let client = TcpStream::connect(listener.local_addr()?).await?;
    ///     let (mut reader, mut writer) = client.into_split();
    ///     let asking = event_loop::spawn(async move { writer.write_all(b"hello").await });
    ///     let (mut stream, _peer) = listener.accept().await?;
    ///     let mut text = String::new();
    ///     stream.read_to_string(&mut text).await?;
    ///     stream.write_all(text.to_uppercase().as_bytes()).await?;
    ///     drop(stream);
    ///     text.clear();
    ///     reader.read_to_string(&mut text).await?;
    ///     assert_eq!(text, "HELLO");
    ///     asking.await.unwrap()
    /// }).unwrap().unwrap();
    /// # ev.close().unwrap();
    /// ```
    #[must_use]
    pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        owned::split(self.repr)
    }

    pub(super) fn on_tokio(stream: tokio::net::TcpStream) -> Self {
        Self {
            repr: Repr::Tokio(stream),
        }
    }

    pub(super) fn in_world(socket: WorldSocket) -> Self {
        Self {
            repr: Repr::World(socket),
        }
    }

    fn options(&self) -> Options<'_> {
        match &self.repr {
            Repr::Tokio(stream) => Repr::Tokio(SockRef::from(stream)),
            Repr::World(socket) => Repr::World(socket),
        }
    }

    fn poll_shut_down(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.repr {
            Repr::Tokio(stream) => Pin::new(stream).poll_shutdown(cx),
            Repr::World(socket) => Poll::Ready(socket.shut_down()),
        }
    }
}

impl TryFrom<std::net::TcpStream> for TcpStream {
    type Error = io::Error;

    /// [`from_std`](Self::from_std).
    fn try_from(stream: std::net::TcpStream) -> io::Result<Self> {
        Self::from_std(stream)
    }
}

impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (here, there) = (self.local_addr(), self.peer_addr());
        write!(f, "TcpStream({here:?} to {there:?})")
    }
}
