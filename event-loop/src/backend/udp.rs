//! What a world's UDP sockets can do.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::task::Waker;

use super::{Slot, SocketKey};

/// The calls of UDP sockets. Those that may have to wait say `WouldBlock`, and if they are given a
/// waker it is woken once they may come to more.
pub trait Udp {
    /// A socket bound to `addr`, with these options set before.
    fn udp_bind(&self, addr: SocketAddr, options: UdpBinding) -> io::Result<SocketKey>;
    /// Sets the one address that it sends to and hears from.
    fn udp_connect(&self, socket: SocketKey, addr: SocketAddr) -> io::Result<()>;
    /// Sends one datagram, to the peer unless told otherwise.
    fn udp_send(
        &self,
        socket: SocketKey,
        from: &[u8],
        to: Option<SocketAddr>,
        wait: Option<(Slot, &Waker)>,
    ) -> io::Result<usize>;
    /// Takes one datagram, or copies it; says how much of it fitted, and who sent it.
    fn udp_receive(
        &self,
        socket: SocketKey,
        into: &mut [u8],
        how: Receiving,
        wait: Option<(Slot, &Waker)>,
    ) -> io::Result<(usize, SocketAddr)>;
    /// The values of the options.
    fn udp_options(&self, socket: SocketKey) -> io::Result<UdpOptions>;
    /// `IPV6_MULTICAST_LOOP`, which an IPv4 socket has not.
    fn udp_multicast_loop_v6(&self, socket: SocketKey) -> io::Result<bool>;
    /// Sets an option.
    fn set_udp_option(&self, socket: SocketKey, option: UdpOption) -> io::Result<()>;
    /// Joins or leaves a group.
    fn udp_member(&self, socket: SocketKey, group: Group, joins: bool) -> io::Result<()>;
}

/// How a datagram is received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receiving {
    /// It is left there.
    pub peek: bool,
    /// The socket is remembered as readable, and the call is made whatever it comes to.
    pub readable: bool,
    /// An error that waits on the socket is reason enough to make it; without that only a datagram
    /// is.
    pub errors: bool,
}

/// What is set before a socket is bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UdpBinding {
    /// `SO_REUSEADDR`.
    pub reuse_address: bool,
    /// `SO_REUSEPORT`.
    pub reuse_port: bool,
    /// `IPV6_V6ONLY`.
    pub only_v6: Option<bool>,
    /// `SO_RCVBUF`.
    pub receive_buffer: Option<usize>,
    /// `SO_SNDBUF`.
    pub send_buffer: Option<usize>,
}

/// The options of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UdpOptions {
    /// `SO_BROADCAST`.
    pub broadcast: bool,
    /// `IP_TTL`.
    pub ttl: u32,
    /// `IP_MULTICAST_TTL`.
    pub multicast_ttl: u32,
    /// `IP_MULTICAST_LOOP`.
    pub multicast_loop_v4: bool,
    /// `SO_RCVBUF`.
    pub receive_buffer: usize,
    /// `SO_SNDBUF`.
    pub send_buffer: usize,
}

/// A new value of one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UdpOption {
    /// `SO_BROADCAST`.
    Broadcast(bool),
    /// `IP_TTL`.
    Ttl(u32),
    /// `IP_MULTICAST_TTL`.
    MulticastTtl(u32),
    /// `IP_MULTICAST_LOOP`.
    MulticastLoopV4(bool),
    /// `IPV6_MULTICAST_LOOP`.
    MulticastLoopV6(bool),
    /// `SO_RCVBUF`.
    ReceiveBuffer(usize),
    /// `SO_SNDBUF`.
    SendBuffer(usize),
}

/// A group, and the interface at which it is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// By an address of the interface.
    V4(Ipv4Addr, Ipv4Addr),
    /// By the number of the interface.
    V6(Ipv6Addr, u32),
}
