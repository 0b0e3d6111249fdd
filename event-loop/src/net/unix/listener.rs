//! Unix listeners.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::names::address;
use super::{SocketAddr, UnixStream};
use crate::backend::UnixKind;
use crate::coop;
use crate::handle::Inner;
use crate::net::readiness::Remembered;
use crate::net::world::WorldSocket;
use crate::net::{Repr, in_our_words, not_in_a_world, open_loop};
use crate::waiters::{Place, Waiters};

/// What tokio asks for: as many as the system allows.
const BACKLOG: u32 = u32::MAX;

/// A Unix socket that accepts connections; closed when dropped. The path it is bound to stays
/// until it is [unlinked](super::unlink).
pub struct UnixListener {
    repr: Repr<tokio::net::UnixListener, WorldListener>,
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
        let repr = match &open_loop()?.shared.inner {
            Inner::Tokio(tokio) => {
                Repr::Tokio(tokio.within(|| tokio::net::UnixListener::bind_addr(addr))?)
            }
            Inner::Other(backend) => {
                let socket = WorldSocket::unix(backend, UnixKind::Stream, Remembered::bound())?;
                backend.unix_bind(socket.key, addr)?;
                backend.unix_listen(socket.key, BACKLOG)?;
                Repr::World(WorldListener::new(socket))
            }
        };
        Ok(Self { repr })
    }

    /// A listener of the standard library's, which must be non-blocking, on the current loop.
    ///
    /// # Errors
    /// Those of the operating system, and `Unsupported` in a world, which does not know it.
    ///
    /// # Panics
    /// If this thread has no current loop.
    pub fn from_std(listener: std::os::unix::net::UnixListener) -> io::Result<Self> {
        match &open_loop()?.shared.inner {
            Inner::Tokio(tokio) => {
                let listener = tokio.within(|| tokio::net::UnixListener::from_std(listener))?;
                let repr = Repr::Tokio(listener);
                Ok(Self { repr })
            }
            Inner::Other(_) => Err(not_in_a_world("a listener of the standard library's")),
        }
    }

    /// The standard library's listener of it, which stays non-blocking.
    ///
    /// # Errors
    /// Those of the operating system, and `Unsupported` in a world, which has none.
    pub fn into_std(self) -> io::Result<std::os::unix::net::UnixListener> {
        match self.repr {
            Repr::Tokio(listener) => listener.into_std(),
            Repr::World(_) => Err(not_in_a_world("the standard library's listener")),
        }
    }

    /// The next connection and what its other end is bound to, which is mostly nothing. Any number
    /// of tasks may wait for one at the same listener; cancellation loses none.
    ///
    /// # Errors
    /// Those of `accept(2)`.
    pub async fn accept(&self) -> io::Result<(UnixStream, SocketAddr)> {
        match &self.repr {
            Repr::Tokio(listener) => {
                let (stream, peer) = listener.accept().await.map_err(in_our_words)?;
                Ok((UnixStream::on_tokio(stream), peer))
            }
            Repr::World(listener) => {
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
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(UnixStream, SocketAddr)>> {
        match &self.repr {
            Repr::Tokio(listener) => listener
                .poll_accept(cx)
                .map_ok(|(stream, peer)| (UnixStream::on_tokio(stream), peer))
                .map_err(in_our_words),
            Repr::World(listener) => listener.poll_accept(&listener.last, cx),
        }
    }

    /// What it is bound to.
    ///
    /// # Errors
    /// Those of `getsockname(2)`.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.repr {
            Repr::Tokio(listener) => listener.local_addr(),
            Repr::World(listener) => listener.socket.unix_local_addr(),
        }
    }

    /// Takes the error that waits on the socket (`SO_ERROR`).
    ///
    /// # Errors
    /// Those of `getsockopt(2)`.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        match &self.repr {
            Repr::Tokio(listener) => listener.take_error(),
            Repr::World(listener) => listener.socket.take_error(),
        }
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
    ) -> Poll<io::Result<(UnixStream, SocketAddr)>> {
        let WorldSocket { backend, key, .. } = &self.socket;
        let polled = coop::poll_leaf(cx, |cx| {
            let polled = backend.unix_poll_accept(*key, &self.waker);
            if polled.is_pending() {
                place.wait(cx.waker());
            }
            polled
        });
        polled.map_ok(|(key, peer)| {
            let socket = WorldSocket::new(backend.clone(), key, Remembered::accepted());
            (UnixStream::in_world(socket), peer)
        })
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
