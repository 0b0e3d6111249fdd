//! What a network row needs of a contender: two hosts, and streams or datagrams between them.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

/// What lies between the two hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Link {
    /// No latency, or the least the contender has.
    Ideal,
    /// One millisecond.
    Millisecond,
    /// One to ten milliseconds.
    OneToTen,
    /// Whatever the contender has if nobody says anything.
    Default,
}

impl Link {
    /// What a work's name says of it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ideal => "ideal",
            Self::Millisecond => "1ms",
            Self::OneToTen => "1-10ms",
            Self::Default => "default",
        }
    }

    /// The least and the most that something is under way; `None` is the contender's default.
    pub fn latency(self) -> Option<(Duration, Duration)> {
        let ms = Duration::from_millis;
        match self {
            Self::Ideal => Some((ms(0), ms(0))),
            Self::Millisecond => Some((ms(1), ms(1))),
            Self::OneToTen => Some((ms(1), ms(10))),
            Self::Default => None,
        }
    }
}

/// A runtime with a network of hosts.
pub trait Network: 'static {
    /// Runs `server` and `client` on hosts of their own until the client is done. The server's
    /// host is there first.
    fn run_pair<S, C>(&self, link: Link, server: S, client: C)
    where
        S: Future<Output = ()> + Send + 'static,
        C: Future<Output = ()> + Send + 'static;
}

/// A network with connections.
pub trait Streams: Network {
    /// What takes connections.
    type Listener: Send + 'static;
    /// One end of a connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Listens, on the server's host.
    fn listen() -> impl Future<Output = Self::Listener> + Send;

    /// Takes the next connection.
    fn accept(listener: &mut Self::Listener) -> impl Future<Output = Self::Stream> + Send;

    /// Connects to the server, which may not listen yet.
    fn connect() -> impl Future<Output = Self::Stream> + Send;
}

/// A network with datagrams.
pub trait Datagrams: Network {
    /// An end that datagrams come to.
    type Socket: Send + Sync + 'static;

    /// The server's socket, on its host.
    fn serve() -> impl Future<Output = Self::Socket> + Send;

    /// A socket of the client's, and where the server's is.
    fn open() -> impl Future<Output = (Self::Socket, SocketAddr)> + Send;

    /// Sends one datagram.
    fn send(socket: &Self::Socket, bytes: &[u8], to: SocketAddr)
    -> impl Future<Output = ()> + Send;

    /// Takes the next datagram: how long it is, and whose.
    fn receive(
        socket: &Self::Socket,
        into: &mut [u8],
    ) -> impl Future<Output = (usize, SocketAddr)> + Send;
}
