//! TCP streams.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::tcp::{self, OwnedReadHalf, OwnedWriteHalf};
use super::world::WorldSocket;
use super::{ToSocketAddrs, in_our_words, open_loop};
use crate::handle::Inner;

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
    repr: StreamRepr,
}

enum StreamRepr {
    Tokio(tokio::net::TcpStream),
    World(WorldSocket),
}

impl TcpStream {
    pub(super) fn on_tokio(stream: tokio::net::TcpStream) -> Self {
        Self {
            repr: StreamRepr::Tokio(stream),
        }
    }

    pub(super) fn in_world(socket: WorldSocket) -> Self {
        Self {
            repr: StreamRepr::World(socket),
        }
    }

    /// Connects to the first of the name's addresses that answers.
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
                Inner::Other(backend) => {
                    let socket = WorldSocket::connect(backend, address).await;
                    socket.map(Self::in_world)
                }
            };
            match connected {
                Ok(stream) => return Ok(stream),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| io::ErrorKind::InvalidInput.into()))
    }

    /// This end's address.
    ///
    /// # Errors
    /// Those of `getsockname(2)`.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.repr {
            StreamRepr::Tokio(stream) => stream.local_addr(),
            StreamRepr::World(socket) => socket.local_addr(),
        }
    }

    /// The other end's address.
    ///
    /// # Errors
    /// Those of `getpeername(2)`.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        match &self.repr {
            StreamRepr::Tokio(stream) => stream.peer_addr(),
            StreamRepr::World(socket) => socket.peer_addr(),
        }
    }

    /// Turns Nagle's algorithm off (`true`) or on.
    ///
    /// # Errors
    /// Those of `setsockopt(2)`.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        match &self.repr {
            StreamRepr::Tokio(stream) => stream.set_nodelay(nodelay),
            StreamRepr::World(socket) => socket.backend.set_nodelay(socket.key, nodelay),
        }
    }

    /// Whether Nagle's algorithm is off.
    ///
    /// # Errors
    /// Those of `getsockopt(2)`.
    pub fn nodelay(&self) -> io::Result<bool> {
        match &self.repr {
            StreamRepr::Tokio(stream) => stream.nodelay(),
            StreamRepr::World(socket) => socket.backend.nodelay(socket.key),
        }
    }

    /// From here on closing resets the connection and throws away what was not sent.
    ///
    /// # Errors
    /// Those of `setsockopt(2)`.
    pub fn set_zero_linger(&self) -> io::Result<()> {
        match &self.repr {
            StreamRepr::Tokio(stream) => stream.set_zero_linger(),
            StreamRepr::World(socket) => {
                let linger = Some(Duration::ZERO);
                socket.backend.set_linger(socket.key, linger)
            }
        }
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
        match self.repr {
            StreamRepr::Tokio(stream) => tcp::split_on_tokio(stream),
            StreamRepr::World(socket) => tcp::split_in_world(socket),
        }
    }

    fn poll_read_bytes(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.repr {
            StreamRepr::Tokio(stream) => {
                let mut buffer = ReadBuf::new(into);
                Pin::new(stream)
                    .poll_read(cx, &mut buffer)
                    .map_ok(|()| buffer.filled().len())
                    .map_err(in_our_words)
            }
            StreamRepr::World(socket) => socket.poll_read(cx, into),
        }
    }

    fn poll_shut_down(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.repr {
            StreamRepr::Tokio(stream) => Pin::new(stream).poll_shutdown(cx),
            StreamRepr::World(socket) => Poll::Ready(socket.shut_down()),
        }
    }

    fn poll_write_bytes(&mut self, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.repr {
            StreamRepr::Tokio(stream) => {
                Pin::new(stream).poll_write(cx, from).map_err(in_our_words)
            }
            StreamRepr::World(socket) => socket.poll_write(cx, from),
        }
    }
}

impl AsyncRead for TcpStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let StreamRepr::Tokio(stream) = &mut self.repr {
            return Pin::new(stream).poll_read(cx, into).map_err(in_our_words);
        }
        self.poll_read_bytes(cx, into.initialize_unfilled())
            .map_ok(|read| into.advance(read))
    }
}

impl AsyncWrite for TcpStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_bytes(cx, from)
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_shut_down(cx)
    }
}

impl futures_io::AsyncRead for TcpStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_read_bytes(cx, into)
    }
}

impl futures_io::AsyncWrite for TcpStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_bytes(cx, from)
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_shut_down(cx)
    }
}

impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "TcpStream({:?} to {:?})",
            self.local_addr(),
            self.peer_addr()
        )
    }
}
