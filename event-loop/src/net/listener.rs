//! TCP listeners.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::world::WorldSocket;
use super::{TcpStream, ToSocketAddrs, in_our_words, open_loop};
use crate::coop;
use crate::handle::Inner;
use crate::waiters::{Place, Waiters};

/// What the operating system would use for an application that does not say, as tokio does.
const BACKLOG: u32 = 1024;

/// A socket that accepts connections; closed when dropped.
pub struct TcpListener {
    repr: ListenerRepr,
}

enum ListenerRepr {
    Tokio(tokio::net::TcpListener),
    World(WorldListener),
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
                .map(|(stream, peer)| (TcpStream::on_tokio(stream), peer))
                .map_err(in_our_words),
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
                .map_ok(|(stream, peer)| (TcpStream::on_tokio(stream), peer))
                .map_err(in_our_words),
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
            ListenerRepr::World(WorldListener { socket, .. }) => socket.local_addr(),
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

impl fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TcpListener({:?})", self.local_addr())
    }
}
