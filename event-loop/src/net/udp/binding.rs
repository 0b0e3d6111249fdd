//! Options that are set before a UDP socket is bound.

use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Protocol, Socket, Type};

use super::UdpSocket;
use crate::backend::UdpBinding;
use crate::net::address::no_address;
use crate::net::{ToSocketAddrs, open_loop};

/// Makes a [`UdpSocket`] with options that must be set before it is bound: tokio leaves them to
/// other crates, whose sockets are of no use in a world.
///
/// ```
/// use event_loop::net::UdpSocket;
/// use event_loop::{production, LoopConfig};
///
/// let ev = production::current_thread(LoopConfig::default()).unwrap();
/// ev.run_borrowed(async {
///     let shared = UdpSocket::builder().reuse_address(true);
///     let first = shared.bind("127.0.0.1:0").await?;
///     let second = shared.bind(first.local_addr()?).await?;
///     assert_eq!(second.local_addr()?, first.local_addr()?);
///     Ok::<(), std::io::Error>(())
/// }).unwrap().unwrap();
/// # ev.close().unwrap();
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "it is `bind` that makes a socket"]
pub struct UdpBuilder {
    options: UdpBinding,
}

impl UdpBuilder {
    /// Shares its address with others that have this option (`SO_REUSEADDR`). On Linux the one
    /// bound last gets what is sent to it alone, and all get what is sent to a group.
    pub const fn reuse_address(mut self, on: bool) -> Self {
        self.options.reuse_address = on;
        self
    }

    /// Shares its address with others that have this option (`SO_REUSEPORT`). On Linux each gets
    /// what comes from some of the peers; not on Windows.
    pub const fn reuse_port(mut self, on: bool) -> Self {
        self.options.reuse_port = on;
        self
    }

    /// Whether a socket bound to `[::]` leaves IPv4 to others. Unless it is said the operating
    /// system decides; Linux and worlds take both.
    pub const fn only_v6(mut self, on: bool) -> Self {
        self.options.only_v6 = Some(on);
        self
    }

    /// Bytes for datagrams that nobody has received yet; those that do not fit are lost. Linux
    /// doubles it, and counts what it takes to keep them: 832 bytes for a small one.
    pub const fn recv_buffer_size(mut self, bytes: usize) -> Self {
        self.options.receive_buffer = Some(bytes);
        self
    }

    /// Bytes for datagrams that have not left yet.
    pub const fn send_buffer_size(mut self, bytes: usize) -> Self {
        self.options.send_buffer = Some(bytes);
        self
    }

    /// A socket with these options and this address, as [`UdpSocket::bind`].
    ///
    /// # Errors
    /// Those of `setsockopt(2)` and `bind(2)`, the last address's, and of the look-up of a name.
    ///
    /// # Panics
    /// If this thread has no current loop.
    pub async fn bind(&self, address: impl ToSocketAddrs) -> io::Result<UdpSocket> {
        let ev = open_loop()?;
        let mut last = None;
        for address in address.to_target()?.resolve(&ev).await? {
            match UdpSocket::on(&ev, address, self.options) {
                Ok(socket) => return Ok(socket),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(no_address))
    }
}

/// A socket of the operating system's.
pub(super) fn on_the_system(
    address: SocketAddr,
    options: UdpBinding,
) -> io::Result<std::net::UdpSocket> {
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    if options.reuse_address {
        socket.set_reuse_address(true)?;
    }
    if options.reuse_port {
        share_port(&socket)?;
    }
    if let Some(only) = options.only_v6 {
        socket.set_only_v6(only)?;
    }
    if let Some(bytes) = options.receive_buffer {
        socket.set_recv_buffer_size(bytes)?;
    }
    if let Some(bytes) = options.send_buffer {
        socket.set_send_buffer_size(bytes)?;
    }
    socket.bind(&address.into())?;
    Ok(socket.into())
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn share_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_port(true)
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn share_port(_: &Socket) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
