//! TCP listeners.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use socket2::SockRef;

use super::options::Options;
use crate::coop;
use crate::handle::Inner;
use crate::net::address::no_address;
use crate::net::readiness::Remembered;
use crate::net::world::WorldSocket;
use crate::net::{
    Repr, TcpSocket, TcpStream, ToSocketAddrs, in_our_words, not_in_a_world, open_loop,
};
use crate::waiters::{Place, Waiters};

/// What the operating system would use for an application that does not say, as tokio does.
const BACKLOG: u32 = 1024;

/// A socket that accepts connections; closed when dropped.
pub struct TcpListener {
    repr: Repr<tokio::net::TcpListener, WorldListener>,
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
            let listening = TcpSocket::for_address(&ev, address).and_then(|socket| {
                // On Windows the option means something else: tokio leaves it alone there.
                #[cfg(not(windows))]
                socket.set_reuseaddr(true)?;
                socket.bind(address)?;
                socket.listen(BACKLOG)
            });
            match listening {
                Ok(listener) => return Ok(listener),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(no_address))
    }

    /// A listener of the standard library's, which must be non-blocking, on the current loop.
    ///
    /// # Errors
    /// Those of the operating system, and `Unsupported` in a world, which does not know it.
    ///
    /// # Panics
    /// If this thread has no current loop.
    pub fn from_std(listener: std::net::TcpListener) -> io::Result<Self> {
        match &open_loop()?.shared.inner {
            Inner::Tokio(tokio) => tokio
                .within(|| tokio::net::TcpListener::from_std(listener))
                .map(Self::on_tokio),
            Inner::Other(_) => Err(not_in_a_world("a listener of the standard library's")),
        }
    }

    /// The standard library's listener of it, which stays non-blocking.
    ///
    /// # Errors
    /// Those of the operating system, and `Unsupported` in a world, which has none.
    pub fn into_std(self) -> io::Result<std::net::TcpListener> {
        match self.repr {
            Repr::Tokio(listener) => listener.into_std(),
            Repr::World(_) => Err(not_in_a_world("the standard library's listener")),
        }
    }

    /// The next connection and where it comes from. Any number of tasks may wait for one at the
    /// same listener; cancellation loses none.
    ///
    /// # Errors
    /// Those of `accept(2)`.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        match &self.repr {
            Repr::Tokio(listener) => listener
                .accept()
                .await
                .map(|(stream, peer)| (TcpStream::on_tokio(stream), peer))
                .map_err(in_our_words),
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
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        match &self.repr {
            Repr::Tokio(listener) => listener
                .poll_accept(cx)
                .map_ok(|(stream, peer)| (TcpStream::on_tokio(stream), peer))
                .map_err(in_our_words),
            Repr::World(listener) => listener.poll_accept(&listener.last, cx),
        }
    }

    /// The address it is bound to.
    ///
    /// # Errors
    /// Those of `getsockname(2)`.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.repr {
            Repr::Tokio(listener) => listener.local_addr(),
            Repr::World(WorldListener { socket, .. }) => socket.local_addr(),
        }
    }

    /// How many routers a segment of its connections may pass (`IP_TTL`).
    ///
    /// # Errors
    /// Those of `getsockopt(2)`.
    pub fn ttl(&self) -> io::Result<u32> {
        self.options().ttl()
    }

    /// Sets how many routers a segment of its connections may pass; a world has none.
    ///
    /// # Errors
    /// Those of `setsockopt(2)`: `InvalidInput` outside of 1 to 255.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.options().set_ttl(ttl)
    }

    pub(super) fn on_tokio(listener: tokio::net::TcpListener) -> Self {
        Self {
            repr: Repr::Tokio(listener),
        }
    }

    pub(super) fn in_world(socket: WorldSocket) -> Self {
        Self {
            repr: Repr::World(WorldListener::new(socket)),
        }
    }

    fn options(&self) -> Options<'_> {
        match &self.repr {
            Repr::Tokio(listener) => Repr::Tokio(SockRef::from(listener)),
            Repr::World(listener) => Repr::World(&listener.socket),
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
    ) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        let WorldSocket { backend, key, .. } = &self.socket;
        let polled = coop::poll_leaf(cx, |cx| {
            let polled = backend.poll_accept(*key, &self.waker);
            if polled.is_pending() {
                place.wait(cx.waker());
            }
            polled
        });
        polled.map_ok(|(key, peer)| {
            let socket = WorldSocket::new(backend.clone(), key, Remembered::accepted());
            (TcpStream::in_world(socket), peer)
        })
    }
}

impl TryFrom<std::net::TcpListener> for TcpListener {
    type Error = io::Error;

    /// [`from_std`](Self::from_std).
    fn try_from(listener: std::net::TcpListener) -> io::Result<Self> {
        Self::from_std(listener)
    }
}

impl fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TcpListener({:?})", self.local_addr())
    }
}
