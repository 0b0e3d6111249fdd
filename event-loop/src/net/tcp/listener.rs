//! TCP listeners.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll, Waker};

use socket2::SockRef;

use super::options::Options;
use crate::handle::Inner;
use crate::net::address::no_address;
use crate::net::listening::{Accepts, Listening};
use crate::net::readiness::Remembered;
use crate::net::world::WorldSocket;
use crate::net::{
    Repr, TcpSocket, TcpStream, ToSocketAddrs, in_our_words, not_in_a_world, open_loop,
};
use crate::{EventLoop, coop};

/// What the operating system would use for an application that does not say, as tokio does.
const BACKLOG: u32 = 1024;

/// A socket that accepts connections; closed when dropped, and when its loop is
/// [shut down](crate::EventLoop::shutdown).
pub struct TcpListener {
    listening: Listening<Socket>,
}

type Socket = Repr<tokio::net::TcpListener, WorldSocket>;

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
        let ev = open_loop()?;
        match &ev.shared.inner {
            Inner::Tokio(tokio) => {
                let listener = tokio.within(|| tokio::net::TcpListener::from_std(listener))?;
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
    pub fn into_std(self) -> io::Result<std::net::TcpListener> {
        match self.listening.into_socket()? {
            Repr::Tokio(listener) => listener.into_std(),
            Repr::World(_) => Err(not_in_a_world("the standard library's listener")),
        }
    }

    /// The next connection and where it comes from. Any number of tasks may wait for one at the
    /// same listener; cancellation loses none.
    ///
    /// # Errors
    /// Those of `accept(2)`, and [`ShuttingDown`](crate::ShuttingDown) once the loop is being shut
    /// down, also if it was waited for by then.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        self.listening.accept().await
    }

    /// [`accept`](Self::accept) for hand-written futures. Of several that poll, only the last is
    /// woken.
    ///
    /// # Errors
    /// As of `accept`.
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        self.listening.poll_accept(cx)
    }

    /// The address it is bound to.
    ///
    /// # Errors
    /// Those of `getsockname(2)`.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listening.ask(|socket| match socket {
            Repr::Tokio(listener) => listener.local_addr(),
            Repr::World(socket) => socket.local_addr(),
        })
    }

    /// How many routers a segment of its connections may pass (`IP_TTL`).
    ///
    /// # Errors
    /// Those of `getsockopt(2)`.
    pub fn ttl(&self) -> io::Result<u32> {
        self.with_options(|options| options.ttl())
    }

    /// Sets how many routers a segment of its connections may pass; a world has none.
    ///
    /// # Errors
    /// Those of `setsockopt(2)`: `InvalidInput` outside of 1 to 255.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.with_options(|options| options.set_ttl(ttl))
    }

    /// A listener of this loop.
    pub(super) fn new(ev: &EventLoop, socket: Socket) -> io::Result<Self> {
        let listening = Listening::new(ev, socket)?;
        Ok(Self { listening })
    }

    fn with_options<T>(&self, call: impl FnOnce(Options<'_>) -> io::Result<T>) -> io::Result<T> {
        self.listening.ask(|socket| {
            call(match socket {
                Repr::Tokio(listener) => Repr::Tokio(SockRef::from(listener)),
                Repr::World(socket) => Repr::World(socket),
            })
        })
    }
}

impl Accepts for Socket {
    type Accepted = (TcpStream, SocketAddr);

    fn poll_accept(&self, cx: &mut Context<'_>, waker: &Waker) -> Poll<io::Result<Self::Accepted>> {
        match self {
            Repr::Tokio(listener) => listener
                .poll_accept(&mut Context::from_waker(waker))
                .map_ok(|(stream, peer)| (TcpStream::on_tokio(stream), peer))
                .map_err(in_our_words),
            Repr::World(WorldSocket { backend, key, .. }) => {
                let polled = coop::poll_leaf(cx, |_| backend.poll_accept(*key, waker));
                polled.map_ok(|(key, peer)| {
                    let socket = WorldSocket::new(backend.clone(), key, Remembered::accepted());
                    (TcpStream::in_world(socket), peer)
                })
            }
        }
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
