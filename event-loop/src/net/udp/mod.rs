//! UDP sockets.

mod binding;
mod options;
mod receiving;
mod sending;
mod world;

use std::fmt;
use std::io;
use std::net::SocketAddr;

pub use binding::UdpBuilder;

use super::address::{Target, no_address};
use super::readiness::Remembered;
use super::world::WorldSocket;
use super::{Repr, ToSocketAddrs, in_our_words, not_in_a_world, open_loop};
use crate::EventLoop;
use crate::backend::UdpBinding;
use crate::handle::Inner;
use crate::io::{Interest, Ready};

/// A socket that sends and receives datagrams; closed when dropped.
///
/// Datagrams arrive whole or not at all, in any order, and production may deliver one twice. Any
/// number of tasks may use one socket, by a shared reference; every call can be cancelled, and then
/// has sent nothing and received nothing.
///
/// ```
/// use event_loop::net::UdpSocket;
/// use event_loop::{production, LoopConfig};
///
/// let ev = production::current_thread(LoopConfig::default()).unwrap();
/// ev.run_borrowed(async {
///     let server = UdpSocket::bind("127.0.0.1:0").await?;
///     let client = UdpSocket::bind("127.0.0.1:0").await?;
///     client.connect(server.local_addr()?).await?;
///     client.send(b"what time is it?").await?;
///
///     let mut buf = [0; 1_500];
///     let (n, peer) = server.recv_from(&mut buf).await?;
///     assert_eq!(&buf[..n], b"what time is it?");
///     server.send_to(b"late", peer).await?;
///     assert_eq!(client.recv(&mut buf).await?, 4);
///     Ok::<(), std::io::Error>(())
/// }).unwrap().unwrap();
/// # ev.close().unwrap();
/// ```
pub struct UdpSocket {
    repr: Repr<tokio::net::UdpSocket, WorldSocket>,
}

addresses!(UdpSocket);
readiness!(UdpSocket);

impl UdpSocket {
    /// A socket with this address; port 0 asks for a free one. For options that must be set before,
    /// there is [`builder`](Self::builder).
    ///
    /// # Errors
    /// Those of `bind(2)`, the last address's, and of the look-up of a name.
    ///
    /// # Panics
    /// If this thread has no current loop.
    pub async fn bind(address: impl ToSocketAddrs) -> io::Result<Self> {
        Self::builder().bind(address).await
    }

    /// Options for a socket that is bound later.
    pub fn builder() -> UdpBuilder {
        UdpBuilder::default()
    }

    /// A socket of the standard library's, which must be non-blocking, on the current loop.
    ///
    /// # Errors
    /// Those of the operating system, and `Unsupported` in a world, which does not know it.
    ///
    /// # Panics
    /// If this thread has no current loop.
    pub fn from_std(socket: std::net::UdpSocket) -> io::Result<Self> {
        match &open_loop()?.shared.inner {
            Inner::Tokio(tokio) => tokio
                .within(|| tokio::net::UdpSocket::from_std(socket))
                .map(Self::on_tokio),
            Inner::Other(_) => Err(not_in_a_world("a socket of the standard library's")),
        }
    }

    /// The standard library's socket of it, which stays non-blocking.
    ///
    /// # Errors
    /// Those of the operating system, and `Unsupported` in a world, which has none.
    pub fn into_std(self) -> io::Result<std::net::UdpSocket> {
        match self.repr {
            Repr::Tokio(socket) => socket.into_std(),
            Repr::World(_) => Err(not_in_a_world("the standard library's socket")),
        }
    }

    /// Sets the address that [`send`](Self::send) sends to, and the only one that is heard from.
    ///
    /// # Errors
    /// Those of `connect(2)`, the last address's, and of the look-up of a name.
    pub async fn connect(&self, address: impl ToSocketAddrs) -> io::Result<()> {
        let mut last = None;
        for address in addresses_of(address).await? {
            let connected = match &self.repr {
                Repr::Tokio(socket) => socket.connect(address).await.map_err(in_our_words),
                Repr::World(socket) => socket.backend.udp_connect(socket.key, address),
            };
            match connected {
                Ok(()) => return Ok(()),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(no_address))
    }

    fn on_tokio(socket: tokio::net::UdpSocket) -> Self {
        Self {
            repr: Repr::Tokio(socket),
        }
    }

    fn on(ev: &EventLoop, address: SocketAddr, options: UdpBinding) -> io::Result<Self> {
        match &ev.shared.inner {
            Inner::Tokio(tokio) => tokio
                .within(|| {
                    let socket = binding::on_the_system(address, options)?;
                    tokio::net::UdpSocket::from_std(socket)
                })
                .map(Self::on_tokio),
            Inner::Other(backend) => {
                let key = backend.udp_bind(address, options)?;
                let socket = WorldSocket::new(backend.clone(), key, Remembered::bound());
                Ok(Self {
                    repr: Repr::World(socket),
                })
            }
        }
    }
}

/// The addresses that are meant; only a name has to be looked up.
async fn addresses_of(address: impl ToSocketAddrs) -> io::Result<Vec<SocketAddr>> {
    match address.to_target()? {
        Target::Addr(address) => Ok(vec![address]),
        Target::Addrs(addresses) => Ok(addresses),
        name => name.resolve(&open_loop()?).await,
    }
}

impl TryFrom<std::net::UdpSocket> for UdpSocket {
    type Error = io::Error;

    /// [`from_std`](Self::from_std).
    fn try_from(socket: std::net::UdpSocket) -> io::Result<Self> {
        Self::from_std(socket)
    }
}

impl fmt::Debug for UdpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UdpSocket({:?})", self.local_addr())
    }
}
