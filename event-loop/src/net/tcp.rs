//! TCP listeners and streams.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::ToSocketAddrs;
use crate::backend::{Backend, SocketKey};
use crate::context::expect_current;
use crate::handle::Inner;
use crate::waiters::{Place, Waiters};
use crate::{Closed, EventLoop, coop};

/// What the operating system would use for an application that does not say, as tokio does.
const BACKLOG: u32 = 1024;

/// A socket that accepts connections; closed when dropped.
pub struct TcpListener {
    repr: ListenerRepr,
}

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

enum ListenerRepr {
    Tokio(tokio::net::TcpListener),
    World(WorldListener),
}

enum StreamRepr {
    Tokio(tokio::net::TcpStream),
    World(WorldSocket),
}

/// A listener of a world, whose socket has one waker for all who accept from it.
struct WorldListener {
    socket: WorldSocket,
    acceptors: Arc<Waiters>,
    /// Wakes the acceptors.
    waker: Waker,
    /// The place of `poll_accept`, whose last caller alone is woken.
    last: Place,
}

/// A socket of a world; given back when dropped.
struct WorldSocket {
    backend: Arc<dyn Backend>,
    key: SocketKey,
}

impl Drop for WorldSocket {
    fn drop(&mut self) {
        self.backend.close_socket(self.key);
    }
}

impl WorldListener {
    fn new(socket: WorldSocket) -> Self {
        let acceptors = Arc::<Waiters>::default();
        Self {
            socket,
            waker: acceptors.clone().into(),
            last: Place::new(&acceptors),
            acceptors,
        }
    }

    /// Everybody is woken by a connection and asks again, so that one who is gone by then takes
    /// it from nobody.
    fn poll_accept(
        &self,
        place: &Place,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        let WorldSocket { backend, key } = &self.socket;
        let polled = coop::poll_leaf(cx, |cx| {
            let polled = backend.poll_accept(*key, &self.waker);
            if polled.is_pending() {
                place.wait(cx.waker());
            }
            polled
        });
        polled.map_ok(|(key, peer)| {
            let socket = WorldSocket {
                backend: backend.clone(),
                key,
            };
            (TcpStream::in_world(socket), peer)
        })
    }
}

impl TcpListener {
    /// Binds and listens, with `SO_REUSEADDR` as tokio sets it. Port 0 picks a free one.
    ///
    /// # Errors
    /// Those of `bind(2)` and `listen(2)`, and of the look-up of a name.
    ///
    /// # Panics
    /// If this thread has no current loop.
    pub async fn bind(address: impl ToSocketAddrs) -> io::Result<Self> {
        let ev = open_loop()?;
        let mut last = None;
        for address in address.to_target()?.resolve(&ev).await? {
            let bound = match &ev.shared.inner {
                Inner::Tokio(tokio) => tokio
                    .within(|| listen_on_tokio(address))
                    .map(ListenerRepr::Tokio),
                Inner::Other(backend) => backend.tcp_listen(address, BACKLOG).map(|key| {
                    ListenerRepr::World(WorldListener::new(WorldSocket {
                        backend: backend.clone(),
                        key,
                    }))
                }),
            };
            match bound {
                Ok(repr) => return Ok(Self { repr }),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| io::ErrorKind::InvalidInput.into()))
    }

    /// The next connection and where it comes from. Any number of tasks may wait for one at the
    /// same listener; cancellation loses none.
    ///
    /// # Errors
    /// Those of `accept(2)`.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        match &self.repr {
            ListenerRepr::Tokio(listener) => listener
                .accept()
                .await
                .map(|(stream, peer)| (TcpStream::on_tokio(stream), peer)),
            ListenerRepr::World(listener) => {
                let place = Place::new(&listener.acceptors);
                poll_fn(|cx| listener.poll_accept(&place, cx)).await
            }
        }
    }

    /// [`accept`](Self::accept) for hand-written futures. Of several that poll, only the last is
    /// woken.
    ///
    /// # Errors
    /// Those of `accept(2)`.
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        match &self.repr {
            ListenerRepr::Tokio(listener) => listener
                .poll_accept(cx)
                .map_ok(|(stream, peer)| (TcpStream::on_tokio(stream), peer)),
            ListenerRepr::World(listener) => listener.poll_accept(&listener.last, cx),
        }
    }

    /// The address it is bound to.
    ///
    /// # Errors
    /// Those of `getsockname(2)`.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.repr {
            ListenerRepr::Tokio(listener) => listener.local_addr(),
            ListenerRepr::World(WorldListener { socket, .. }) => {
                socket.backend.local_addr(socket.key)
            }
        }
    }
}

/// The current loop. Tokio itself would still make sockets while it drops the tasks.
fn open_loop() -> io::Result<EventLoop> {
    let ev = expect_current();
    if ev.closed_flag() {
        return Err(io::Error::other(Closed));
    }
    Ok(ev)
}

fn listen_on_tokio(address: SocketAddr) -> io::Result<tokio::net::TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => tokio::net::TcpSocket::new_v4()?,
        SocketAddr::V6(_) => tokio::net::TcpSocket::new_v6()?,
    };
    // On Windows the option means something else: tokio leaves it alone there, and so do we.
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

impl TcpStream {
    fn on_tokio(stream: tokio::net::TcpStream) -> Self {
        Self {
            repr: StreamRepr::Tokio(stream),
        }
    }

    fn in_world(socket: WorldSocket) -> Self {
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
                    let socket = connect_in_world(backend, address).await;
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
            StreamRepr::World(socket) => socket.backend.local_addr(socket.key),
        }
    }

    /// The other end's address.
    ///
    /// # Errors
    /// Those of `getpeername(2)`.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        match &self.repr {
            StreamRepr::Tokio(stream) => stream.peer_addr(),
            StreamRepr::World(socket) => socket.backend.peer_addr(socket.key),
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
            }
            StreamRepr::World(socket) => coop::poll_leaf(cx, |cx| {
                socket.backend.poll_read(socket.key, into, cx.waker())
            }),
        }
    }

    fn poll_shut_down(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.repr {
            StreamRepr::Tokio(stream) => Pin::new(stream).poll_shutdown(cx),
            StreamRepr::World(socket) => {
                Poll::Ready(socket.backend.shutdown(socket.key, Shutdown::Write))
            }
        }
    }

    fn poll_write_bytes(&mut self, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.repr {
            StreamRepr::Tokio(stream) => Pin::new(stream).poll_write(cx, from),
            StreamRepr::World(socket) => coop::poll_leaf(cx, |cx| {
                socket.backend.poll_write(socket.key, from, cx.waker())
            }),
        }
    }
}

async fn connect_in_world(
    backend: &Arc<dyn Backend>,
    address: SocketAddr,
) -> io::Result<WorldSocket> {
    let key = backend.tcp_connect(address)?;
    // Owned from here on: a connect that is cancelled gives its socket back.
    let socket = WorldSocket {
        backend: backend.clone(),
        key,
    };
    let connected = |cx: &mut Context<'_>| {
        coop::poll_leaf(cx, |cx| socket.backend.poll_connected(key, cx.waker()))
    };
    poll_fn(connected).await?;
    Ok(socket)
}

impl AsyncRead for TcpStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let StreamRepr::Tokio(stream) = &mut self.repr {
            return Pin::new(stream).poll_read(cx, into);
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

impl fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TcpListener({:?})", self.local_addr())
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
