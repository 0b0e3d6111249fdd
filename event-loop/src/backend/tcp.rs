//! What a world's TCP sockets can do.

use std::io;
use std::net::SocketAddr;
use std::task::{Poll, Waker};
use std::time::Duration;

use super::SocketKey;
use crate::net::TcpKeepalive;

/// The calls of TCP sockets.
pub trait Tcp {
    /// A socket that is neither bound nor connected.
    fn tcp_socket(&self) -> io::Result<SocketKey>;
    /// Gives the socket its own address.
    fn tcp_bind(&self, socket: SocketKey, addr: SocketAddr) -> io::Result<()>;
    /// Lets the socket take connections.
    fn tcp_listen(&self, socket: SocketKey, backlog: u32) -> io::Result<()>;
    /// Sends the socket on its way to `addr`.
    fn tcp_connect(&self, socket: SocketKey, addr: SocketAddr) -> io::Result<()>;
    /// Whether the connection stands.
    fn poll_connected(&self, socket: SocketKey, waker: &Waker) -> Poll<io::Result<()>>;
    /// The next connection.
    fn poll_accept(
        &self,
        socket: SocketKey,
        waker: &Waker,
    ) -> Poll<io::Result<(SocketKey, SocketAddr)>>;
    /// What the socket's options are.
    fn tcp_options(&self, socket: SocketKey) -> io::Result<TcpOptions>;
    /// Sets one of them.
    fn set_tcp_option(&self, socket: SocketKey, option: TcpOption) -> io::Result<()>;
}

/// The options of a TCP socket, in the units of `getsockopt(2)`.
#[derive(Clone, Copy, Debug)]
pub struct TcpOptions {
    /// `TCP_NODELAY`.
    pub nodelay: bool,
    /// `SO_LINGER`.
    pub linger: Option<Duration>,
    /// `SO_KEEPALIVE`.
    pub keepalive: bool,
    /// `TCP_USER_TIMEOUT`.
    pub user_timeout: Option<Duration>,
    /// `SO_REUSEADDR`.
    pub reuse_addr: bool,
    /// `SO_REUSEPORT`.
    pub reuse_port: bool,
    /// `SO_SNDBUF`.
    pub send_buffer: u32,
    /// `SO_RCVBUF`.
    pub receive_buffer: u32,
    /// `IP_TTL`.
    pub ttl: u32,
    /// `IPV6_V6ONLY`.
    pub only_v6: bool,
}

/// One option of a TCP socket, as it is to be.
#[derive(Clone, Copy, Debug)]
pub enum TcpOption {
    /// `TCP_NODELAY`: Nagle's algorithm, off or on.
    Nodelay(bool),
    /// `SO_LINGER`: how a close treats what was not sent; zero resets.
    Linger(Option<Duration>),
    /// `SO_KEEPALIVE`.
    Keepalive(bool),
    /// `TCP_KEEPIDLE`, `TCP_KEEPINTVL` and `TCP_KEEPCNT`.
    KeepaliveTimes(TcpKeepalive),
    /// `TCP_USER_TIMEOUT`.
    UserTimeout(Option<Duration>),
    /// `SO_REUSEADDR`.
    ReuseAddr(bool),
    /// `SO_REUSEPORT`.
    ReusePort(bool),
    /// `SO_SNDBUF`.
    SendBuffer(u32),
    /// `SO_RCVBUF`.
    ReceiveBuffer(u32),
    /// `IP_TTL`.
    Ttl(u32),
    /// `IPV6_V6ONLY`.
    OnlyV6(bool),
}
