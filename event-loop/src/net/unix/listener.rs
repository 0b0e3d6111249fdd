//! Unix listeners.

use std::fmt;
use std::io;
use std::path::Path;
use std::task::{Context, Poll, Waker};

use super::names::address;
use super::{SocketAddr, UnixStream};
use crate::backend::UnixKind;
use crate::handle::Inner;
use crate::net::listening::{Accepts, Listening};
use crate::net::readiness::Remembered;
use crate::net::world::WorldSocket;
use crate::net::{Repr, in_our_words, not_in_a_world, open_loop};
use crate::{EventLoop, coop};

/// What tokio asks for: as many as the system allows.
const BACKLOG: u32 = u32::MAX;

/// A Unix socket that accepts connections; closed when dropped, and when its loop is
/// [shut down](crate::EventLoop::shutdown). The path it is bound to stays until it is
/// [unlinked](super::unlink).
pub struct UnixListener {
    listening: Listening<Socket>,
}

type Socket = Repr<tokio::net::UnixListener, WorldSocket>;

impl UnixListener {
    /// Binds to a path and listens. On Linux a path that begins with a zero byte is an abstract
    /// name.
    ///
    /// # Errors
    /// Those of `bind(2)`: `AddrInUse` also if the path was left by somebody who is gone.
    /// `InvalidInput` if it is longer than an address may be.
    ///
    /// # Panics
    /// If this thread has no current loop.
    pub fn bind(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::bind_addr(&address(path.as_ref())?)
    }

    /// The same for an address.
    ///
    /// # Errors
    /// Those of `bind(2)` and `listen(2)`.
    ///
    /// # Panics
    /// If this thread has no current loop.
    pub fn bind_addr(addr: &SocketAddr) -> io::Result<Self> {
        let ev = open_loop()?;
        let socket = match &ev.shared.inner {
            Inner::Tokio(tokio) => {
                Repr::Tokio(tokio.within(|| tokio::net::UnixListener::bind_addr(addr))?)
            }
            Inner::Other(backend) => {
                let socket = WorldSocket::unix(backend, UnixKind::Stream, Remembered::bound())?;
                backend.unix_bind(socket.key, addr)?;
                backend.unix_listen(socket.key, BACKLOG)?;
                Repr::World(socket)
            }
        };
        Self::new(&ev, socket)
    }

    /// A listener of the standard library's, which must be non-blocking, on the current loop.
    ///
    /// # Errors
    /// Those of the operating system, and `Unsupported` in a world, which does not know it.
    ///
    /// # Panics
    /// If this thread has no current loop.
    pub fn from_std(listener: std::os::unix::net::UnixListener) -> io::Result<Self> {
        let ev = open_loop()?;
        match &ev.shared.inner {
            Inner::Tokio(tokio) => {
                let listener = tokio.within(|| tokio::net::UnixListener::from_std(listener))?;
                Self::new(&ev, Repr::Tokio(listener))
            }
            Inner::Other(_) => Err(not_in_a_world("a listener of the standard library's")),
        }
    }

    /// The standard library's listener of it, which stays non-blocking. The loop has nothing to do
    /// with it any more: its shutdown does not close it.
    ///
    /// # Errors
    /// Those of the operating system, `Unsupported` in a world, which has none, and
    /// [`ShuttingDown`](crate::ShuttingDown) if the loop has closed it.
    pub fn into_std(self) -> io::Result<std::os::unix::net::UnixListener> {
        match self.listening.into_socket()? {
            Repr::Tokio(listener) => listener.into_std(),
            Repr::World(_) => Err(not_in_a_world("the standard library's listener")),
        }
    }

    /// The next connection and what its other end is bound to, which is mostly nothing. Any number
    /// of tasks may wait for one at the same listener; cancellation loses none.
    ///
    /// # Errors
    /// Those of `accept(2)`, and [`ShuttingDown`](crate::ShuttingDown) once the loop is being shut
    /// down, also if it was waited for by then.
    pub async fn accept(&self) -> io::Result<(UnixStream, SocketAddr)> {
        self.listening.accept().await
    }

    /// [`accept`](Self::accept) for hand-written futures. Of several that poll, only the last is
    /// woken.
    ///
    /// # Errors
    /// As of `accept`.
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(UnixStream, SocketAddr)>> {
        self.listening.poll_accept(cx)
    }

    /// What it is bound to.
    ///
    /// # Errors
    /// Those of `getsockname(2)`.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listening.ask(|socket| match socket {
            Repr::Tokio(listener) => listener.local_addr(),
            Repr::World(socket) => socket.unix_local_addr(),
        })
    }

    /// Takes the error that waits on the socket (`SO_ERROR`).
    ///
    /// # Errors
    /// Those of `getsockopt(2)`.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.listening.ask(|socket| match socket {
            Repr::Tokio(listener) => listener.take_error(),
            Repr::World(socket) => socket.take_error(),
        })
    }

    /// A listener of this loop.
    fn new(ev: &EventLoop, socket: Socket) -> io::Result<Self> {
        let listening = Listening::new(ev, socket)?;
        Ok(Self { listening })
    }
}

impl Accepts for Socket {
    type Accepted = (UnixStream, SocketAddr);

    fn poll_accept(&self, cx: &mut Context<'_>, waker: &Waker) -> Poll<io::Result<Self::Accepted>> {
        match self {
            Repr::Tokio(listener) => listener
                .poll_accept(&mut Context::from_waker(waker))
                .map_ok(|(stream, peer)| (UnixStream::on_tokio(stream), peer))
                .map_err(in_our_words),
            Repr::World(WorldSocket { backend, key, .. }) => {
                let polled = coop::poll_leaf(cx, |_| backend.unix_poll_accept(*key, waker));
                polled.map_ok(|(key, peer)| {
                    let socket = WorldSocket::new(backend.clone(), key, Remembered::accepted());
                    (UnixStream::in_world(socket), peer)
                })
            }
        }
    }
}

impl TryFrom<std::os::unix::net::UnixListener> for UnixListener {
    type Error = io::Error;

    /// [`from_std`](Self::from_std).
    fn try_from(listener: std::os::unix::net::UnixListener) -> io::Result<Self> {
        Self::from_std(listener)
    }
}

impl fmt::Debug for UnixListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UnixListener({:?})", self.local_addr())
    }
}
