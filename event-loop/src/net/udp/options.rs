//! Options of UDP sockets, and the groups they hear.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};

use socket2::SockRef;

use super::UdpSocket;
use crate::backend::{Group, UdpOption, UdpOptions};
use crate::net::Repr;

impl UdpSocket {
    /// Whether it may send to broadcast addresses.
    ///
    /// # Errors
    /// Those of `getsockopt(2)`.
    pub fn broadcast(&self) -> io::Result<bool> {
        self.get(tokio::net::UdpSocket::broadcast, |all| all.broadcast)
    }

    /// Sets `SO_BROADCAST`; a new socket may not.
    ///
    /// # Errors
    /// Those of `setsockopt(2)`.
    pub fn set_broadcast(&self, on: bool) -> io::Result<()> {
        self.set(|socket| socket.set_broadcast(on), UdpOption::Broadcast(on))
    }

    /// Whether what it sends to IPv4 groups is heard on its own host as well.
    ///
    /// # Errors
    /// Those of `getsockopt(2)`.
    pub fn multicast_loop_v4(&self) -> io::Result<bool> {
        let system = tokio::net::UdpSocket::multicast_loop_v4;
        self.get(system, |all| all.multicast_loop_v4)
    }

    /// Sets `IP_MULTICAST_LOOP`, which a new socket has.
    ///
    /// # Errors
    /// Those of `setsockopt(2)`.
    pub fn set_multicast_loop_v4(&self, on: bool) -> io::Result<()> {
        let option = UdpOption::MulticastLoopV4(on);
        self.set(|socket| socket.set_multicast_loop_v4(on), option)
    }

    /// How many networks what it sends to IPv4 groups may pass: 1 unless it is set.
    ///
    /// # Errors
    /// Those of `getsockopt(2)`.
    pub fn multicast_ttl_v4(&self) -> io::Result<u32> {
        let system = tokio::net::UdpSocket::multicast_ttl_v4;
        self.get(system, |all| all.multicast_ttl)
    }

    /// Sets `IP_MULTICAST_TTL`.
    ///
    /// # Errors
    /// Those of `setsockopt(2)`.
    pub fn set_multicast_ttl_v4(&self, ttl: u32) -> io::Result<()> {
        let option = UdpOption::MulticastTtl(ttl);
        self.set(|socket| socket.set_multicast_ttl_v4(ttl), option)
    }

    /// Whether what it sends to IPv6 groups is heard on its own host as well.
    ///
    /// # Errors
    /// Those of `getsockopt(2)`: an IPv4 socket has no such option.
    pub fn multicast_loop_v6(&self) -> io::Result<bool> {
        match &self.repr {
            Repr::Tokio(socket) => socket.multicast_loop_v6(),
            Repr::World(socket) => socket.backend.udp_multicast_loop_v6(socket.key),
        }
    }

    /// Sets `IPV6_MULTICAST_LOOP`, which a new socket has.
    ///
    /// # Errors
    /// Those of `setsockopt(2)`: an IPv4 socket has no such option.
    pub fn set_multicast_loop_v6(&self, on: bool) -> io::Result<()> {
        let option = UdpOption::MulticastLoopV6(on);
        self.set(|socket| socket.set_multicast_loop_v6(on), option)
    }

    /// How many routers a datagram may pass.
    ///
    /// # Errors
    /// Those of `getsockopt(2)`.
    pub fn ttl(&self) -> io::Result<u32> {
        self.get(tokio::net::UdpSocket::ttl, |all| all.ttl)
    }

    /// Sets `IP_TTL`.
    ///
    /// # Errors
    /// Those of `setsockopt(2)`.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.set(|socket| socket.set_ttl(ttl), UdpOption::Ttl(ttl))
    }

    /// Bytes for datagrams that nobody has received yet, as the operating system counts them:
    /// Linux says twice what it was told, and counts what it takes to keep them.
    ///
    /// # Errors
    /// Those of `getsockopt(2)`.
    pub fn recv_buffer_size(&self) -> io::Result<usize> {
        let system = |socket: &_| SockRef::from(socket).recv_buffer_size();
        self.get(system, |all| all.receive_buffer)
    }

    /// Sets `SO_RCVBUF`. tokio leaves it to other crates.
    ///
    /// # Errors
    /// Those of `setsockopt(2)`.
    pub fn set_recv_buffer_size(&self, bytes: usize) -> io::Result<()> {
        let system = |socket: &_| SockRef::from(socket).set_recv_buffer_size(bytes);
        self.set(system, UdpOption::ReceiveBuffer(bytes))
    }

    /// Bytes for datagrams that have not left yet, as the operating system counts them.
    ///
    /// # Errors
    /// Those of `getsockopt(2)`.
    pub fn send_buffer_size(&self) -> io::Result<usize> {
        let system = |socket: &_| SockRef::from(socket).send_buffer_size();
        self.get(system, |all| all.send_buffer)
    }

    /// Sets `SO_SNDBUF`. tokio leaves it to other crates.
    ///
    /// # Errors
    /// Those of `setsockopt(2)`.
    pub fn set_send_buffer_size(&self, bytes: usize) -> io::Result<()> {
        let system = |socket: &_| SockRef::from(socket).set_send_buffer_size(bytes);
        self.set(system, UdpOption::SendBuffer(bytes))
    }

    /// Hears what is sent to an IPv4 group, at the interface that has this address; `0.0.0.0` lets
    /// the operating system choose.
    ///
    /// # Errors
    /// Those of `setsockopt(2)`.
    pub fn join_multicast_v4(&self, multiaddr: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        let system =
            |socket: &tokio::net::UdpSocket| socket.join_multicast_v4(multiaddr, interface);
        self.member(system, Group::V4(multiaddr, interface), true)
    }

    /// Hears what is sent to an IPv6 group, at the interface of this number; 0 lets the operating
    /// system choose.
    ///
    /// # Errors
    /// Those of `setsockopt(2)`.
    pub fn join_multicast_v6(&self, multiaddr: &Ipv6Addr, interface: u32) -> io::Result<()> {
        let system =
            |socket: &tokio::net::UdpSocket| socket.join_multicast_v6(multiaddr, interface);
        self.member(system, Group::V6(*multiaddr, interface), true)
    }

    /// Undoes [`join_multicast_v4`](Self::join_multicast_v4).
    ///
    /// # Errors
    /// Those of `setsockopt(2)`.
    pub fn leave_multicast_v4(&self, multiaddr: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        let system =
            |socket: &tokio::net::UdpSocket| socket.leave_multicast_v4(multiaddr, interface);
        self.member(system, Group::V4(multiaddr, interface), false)
    }

    /// Undoes [`join_multicast_v6`](Self::join_multicast_v6).
    ///
    /// # Errors
    /// Those of `setsockopt(2)`.
    pub fn leave_multicast_v6(&self, multiaddr: &Ipv6Addr, interface: u32) -> io::Result<()> {
        let system =
            |socket: &tokio::net::UdpSocket| socket.leave_multicast_v6(multiaddr, interface);
        self.member(system, Group::V6(*multiaddr, interface), false)
    }

    /// Takes the error that waits on the socket (`SO_ERROR`).
    ///
    /// # Errors
    /// Those of `getsockopt(2)`.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        match &self.repr {
            Repr::Tokio(socket) => socket.take_error(),
            Repr::World(socket) => socket.take_error(),
        }
    }

    fn get<T>(
        &self,
        system: impl FnOnce(&tokio::net::UdpSocket) -> io::Result<T>,
        world: impl FnOnce(&UdpOptions) -> T,
    ) -> io::Result<T> {
        match &self.repr {
            Repr::Tokio(socket) => system(socket),
            Repr::World(socket) => Ok(world(&socket.backend.udp_options(socket.key)?)),
        }
    }

    fn set(
        &self,
        system: impl FnOnce(&tokio::net::UdpSocket) -> io::Result<()>,
        world: UdpOption,
    ) -> io::Result<()> {
        match &self.repr {
            Repr::Tokio(socket) => system(socket),
            Repr::World(socket) => socket.backend.set_udp_option(socket.key, world),
        }
    }

    fn member(
        &self,
        system: impl FnOnce(&tokio::net::UdpSocket) -> io::Result<()>,
        group: Group,
        joins: bool,
    ) -> io::Result<()> {
        match &self.repr {
            Repr::Tokio(socket) => system(socket),
            Repr::World(socket) => socket.backend.udp_member(socket.key, group, joins),
        }
    }
}
