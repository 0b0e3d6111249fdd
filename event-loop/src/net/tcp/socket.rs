//! TCP sockets that are not connected yet.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use socket2::SockRef;

use super::options::Options;
use crate::backend::{Backend, BackendLoop, TcpOption};
use crate::coop;
use crate::handle::Inner;
use crate::net::readiness::Remembered;
use crate::net::world::WorldSocket;
use crate::net::{Repr, TcpKeepalive, TcpListener, TcpStream, not_in_a_world, open_loop};
use crate::{Closed, EventLoop};

/// A socket whose options are set before it connects or listens; closed when dropped.
///
/// ```
/// use event_loop::net::TcpSocket;
/// use event_loop::{production, LoopConfig};
///
/// let ev = production::current_thread(LoopConfig::default()).unwrap();
/// ev.run_borrowed(async {
///     let socket = TcpSocket::new_v4()?;
///     socket.set_reuseaddr(true)?;
///     socket.bind("127.0.0.1:0".parse().unwrap())?;
///     let listener = socket.listen(16)?;
///
///     let socket = TcpSocket::new_v4()?;
///     socket.set_nodelay(true)?;
///     let stream = socket.connect(listener.local_addr()?).await?;
///     assert!(stream.nodelay()?);
///     std::io::Result::Ok(())
/// }).unwrap().unwrap();
/// # ev.close().unwrap();
/// ```
pub struct TcpSocket {
    repr: Repr<Production, World>,
}

struct Production {
    /// The one that will drive it.
    ev: EventLoop,
    socket: tokio::net::TcpSocket,
}

struct World {
    ev: BackendLoop,
    socket: WorldSocket,
    v6: bool,
}

impl TcpSocket {
    /// A socket with an IPv4 address, of the current loop.
    ///
    /// # Errors
    /// Those of `socket(2)`.
    ///
    /// # Panics
    /// If this thread has no current loop.
    pub fn new_v4() -> io::Result<Self> {
        Self::of_loop(&open_loop()?, false)
    }

    /// A socket with an IPv6 address, of the current loop.
    ///
    /// # Errors
    /// Those of `socket(2)`.
    ///
    /// # Panics
    /// If this thread has no current loop.
    pub fn new_v6() -> io::Result<Self> {
        Self::of_loop(&open_loop()?, true)
    }

    /// A socket of the standard library's that is not connected and is non-blocking, on the
    /// current loop: for options that only the operating system knows.
    ///
    /// # Errors
    /// `Unsupported` in a world, which does not know it.
    ///
    /// # Panics
    /// If this thread has no current loop.
    pub fn from_std_stream(stream: std::net::TcpStream) -> io::Result<Self> {
        let ev = open_loop()?;
        if ev.backend().is_some() {
            return Err(not_in_a_world("a stream of the standard library's"));
        }
        let socket = tokio::net::TcpSocket::from_std_stream(stream);
        Ok(Self::in_production(&ev, socket))
    }

    /// Gives it its own address; port 0 picks a free one.
    ///
    /// # Errors
    /// Those of `bind(2)`.
    pub fn bind(&self, address: SocketAddr) -> io::Result<()> {
        match &self.repr {
            Repr::Tokio(Production { socket, .. }) => socket.bind(address),
            Repr::World(world) => {
                world.expect_family(address)?;
                let WorldSocket { backend, key, .. } = &world.socket;
                backend.tcp_bind(*key, address)
            }
        }
    }

    /// Connects it. Cancellation closes it.
    ///
    /// # Errors
    /// Those of `connect(2)`.
    pub async fn connect(self, address: SocketAddr) -> io::Result<TcpStream> {
        match self.repr {
            Repr::Tokio(Production { ev, socket }) => {
                let mut connecting = pin!(socket.connect(address));
                let connected = poll_fn(|cx| {
                    let polled = on_its_loop(&ev, || connecting.as_mut().poll(cx));
                    polled.unwrap_or_else(|closed| Poll::Ready(Err(closed)))
                });
                connected.await.map(TcpStream::on_tokio)
            }
            Repr::World(world) => {
                world.expect_family(address)?;
                let WorldSocket { backend, key, .. } = &world.socket;
                backend.tcp_connect(*key, address)?;
                poll_fn(|cx| coop::poll_leaf(cx, |cx| backend.poll_connected(*key, cx.waker())))
                    .await?;
                Ok(TcpStream::in_world(world.socket))
            }
        }
    }

    /// Lets it take connections, and keep about `backlog` of them for
    /// [`accept`](TcpListener::accept).
    ///
    /// # Errors
    /// Those of `listen(2)`, and [`ShuttingDown`](crate::ShuttingDown).
    pub fn listen(self, backlog: u32) -> io::Result<TcpListener> {
        match self.repr {
            Repr::Tokio(Production { ev, socket }) => {
                let listening = on_its_loop(&ev, || socket.listen(backlog)).flatten()?;
                TcpListener::new(&ev, Repr::Tokio(listening))
            }
            Repr::World(world) => {
                let WorldSocket { backend, key, .. } = &world.socket;
                if world.v6 && backend.local_addr(*key)?.port() == 0 {
                    backend.tcp_bind(*key, SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)))?;
                }
                backend.tcp_listen(*key, backlog)?;
                TcpListener::new(&world.ev.unowned(), Repr::World(world.socket))
            }
        }
    }

    /// Its own address: the wildcard with port 0 until it is bound.
    ///
    /// # Errors
    /// Those of `getsockname(2)`.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.repr {
            Repr::Tokio(Production { socket, .. }) => socket.local_addr(),
            Repr::World(world) => {
                let mut address = world.socket.local_addr()?;
                if world.v6 && address.ip().is_unspecified() {
                    address.set_ip(IpAddr::V6(Ipv6Addr::UNSPECIFIED));
                }
                Ok(address)
            }
        }
    }

    /// Takes the error that waits on the socket (`SO_ERROR`).
    ///
    /// # Errors
    /// Those of `getsockopt(2)`.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        match &self.repr {
            Repr::Tokio(Production { socket, .. }) => socket.take_error(),
            Repr::World(world) => world.socket.take_error(),
        }
    }

    /// Lets its port be bound again while connections of it linger, but not while another socket
    /// listens (`SO_REUSEADDR`).
    ///
    /// # Errors
    /// Those of `setsockopt(2)`.
    pub fn set_reuseaddr(&self, reuseaddr: bool) -> io::Result<()> {
        let set = |socket: &SockRef<'_>| socket.set_reuse_address(reuseaddr);
        self.options().set(set, TcpOption::ReuseAddr(reuseaddr))
    }

    /// Whether its port may be bound again while connections of it linger.
    ///
    /// # Errors
    /// Those of `getsockopt(2)`.
    pub fn reuseaddr(&self) -> io::Result<bool> {
        let options = self.options();
        options.get(|socket| socket.reuse_address(), |all| all.reuse_addr)
    }

    /// Lets several sockets listen at one address and share its connections (`SO_REUSEPORT`).
    ///
    /// # Errors
    /// Those of `setsockopt(2)`.
    #[cfg(all(
        unix,
        not(any(target_os = "solaris", target_os = "illumos", target_os = "cygwin"))
    ))]
    pub fn set_reuseport(&self, reuseport: bool) -> io::Result<()> {
        let set = |socket: &SockRef<'_>| socket.set_reuse_port(reuseport);
        self.options().set(set, TcpOption::ReusePort(reuseport))
    }

    /// Whether several sockets may listen at its address.
    ///
    /// # Errors
    /// Those of `getsockopt(2)`.
    #[cfg(all(
        unix,
        not(any(target_os = "solaris", target_os = "illumos", target_os = "cygwin"))
    ))]
    pub fn reuseport(&self) -> io::Result<bool> {
        let options = self.options();
        options.get(|socket| socket.reuse_port(), |all| all.reuse_port)
    }

    /// Sets how many bytes a write may hand over before the peer has acknowledged them
    /// (`SO_SNDBUF`). Linux doubles it, to pay for its bookkeeping.
    ///
    /// # Errors
    /// Those of `setsockopt(2)`.
    pub fn set_send_buffer_size(&self, bytes: u32) -> io::Result<()> {
        let set = |socket: &SockRef<'_>| socket.set_send_buffer_size(bytes as usize);
        self.options().set(set, TcpOption::SendBuffer(bytes))
    }

    /// The size of its send buffer in bytes, what is for bookkeeping included.
    ///
    /// # Errors
    /// Those of `getsockopt(2)`.
    pub fn send_buffer_size(&self) -> io::Result<u32> {
        let size = |socket: &SockRef<'_>| socket.send_buffer_size().map(size);
        self.options().get(size, |all| all.send_buffer)
    }

    /// Sets how many bytes may wait to be read before the peer is told to stop (`SO_RCVBUF`).
    /// Linux doubles it, to pay for its bookkeeping.
    ///
    /// # Errors
    /// Those of `setsockopt(2)`.
    pub fn set_recv_buffer_size(&self, bytes: u32) -> io::Result<()> {
        let set = |socket: &SockRef<'_>| socket.set_recv_buffer_size(bytes as usize);
        self.options().set(set, TcpOption::ReceiveBuffer(bytes))
    }

    /// The size of its receive buffer in bytes, what is for bookkeeping included.
    ///
    /// # Errors
    /// Those of `getsockopt(2)`.
    pub fn recv_buffer_size(&self) -> io::Result<u32> {
        let size = |socket: &SockRef<'_>| socket.recv_buffer_size().map(size);
        self.options().get(size, |all| all.receive_buffer)
    }

    /// Has a silent peer asked for a sign of life (`SO_KEEPALIVE`), at the times of the operating
    /// system or of [`set_tcp_keepalive`](Self::set_tcp_keepalive).
    ///
    /// # Errors
    /// Those of `setsockopt(2)`.
    pub fn set_keepalive(&self, keepalive: bool) -> io::Result<()> {
        self.options().set_keepalive(keepalive)
    }

    /// Whether a silent peer is asked for a sign of life.
    ///
    /// # Errors
    /// Those of `getsockopt(2)`.
    pub fn keepalive(&self) -> io::Result<bool> {
        self.options().keepalive()
    }

    /// Has a silent peer asked for a sign of life at these times.
    ///
    /// # Errors
    /// Those of `setsockopt(2)`: `InvalidInput` for less than a second, or no retry.
    pub fn set_tcp_keepalive(&self, times: &TcpKeepalive) -> io::Result<()> {
        self.options().set_tcp_keepalive(times)
    }

    /// Sets how long what was sent may stay without an acknowledgement before the connection is
    /// given up, in milliseconds (`TCP_USER_TIMEOUT`).
    ///
    /// # Errors
    /// Those of `setsockopt(2)`; `Unsupported` where the operating system has none.
    pub fn set_tcp_user_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.options().set_tcp_user_timeout(timeout)
    }

    /// How long what was sent may stay without an acknowledgement; `None` is the operating
    /// system's own idea of it.
    ///
    /// # Errors
    /// Those of `getsockopt(2)`; `Unsupported` where the operating system has none.
    pub fn tcp_user_timeout(&self) -> io::Result<Option<Duration>> {
        self.options().tcp_user_timeout()
    }

    /// Sets how long a close waits for what was not sent, as
    /// [`TcpStream::set_linger`] does.
    ///
    /// # Errors
    /// Those of `setsockopt(2)`.
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        self.options().set_linger(linger)
    }

    /// From here on closing resets the connection and throws away what was not sent.
    ///
    /// # Errors
    /// Those of `setsockopt(2)`.
    pub fn set_zero_linger(&self) -> io::Result<()> {
        self.set_linger(Some(Duration::ZERO))
    }

    /// How long a close waits for what was not sent.
    ///
    /// # Errors
    /// Those of `getsockopt(2)`.
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        self.options().linger()
    }

    /// Turns Nagle's algorithm off (`true`) or on.
    ///
    /// # Errors
    /// Those of `setsockopt(2)`.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.options().set_nodelay(nodelay)
    }

    /// Whether Nagle's algorithm is off.
    ///
    /// # Errors
    /// Those of `getsockopt(2)`.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.options().nodelay()
    }

    /// Has a socket bound to `[::]` leave IPv4 to others (`IPV6_V6ONLY`); set it before the bind.
    ///
    /// # Errors
    /// Those of `setsockopt(2)`.
    pub fn set_only_v6(&self, only_v6: bool) -> io::Result<()> {
        const ENOPROTOOPT: i32 = 92;
        self.expect_v6(ENOPROTOOPT)?;
        let set = |socket: &SockRef<'_>| socket.set_only_v6(only_v6);
        self.options().set(set, TcpOption::OnlyV6(only_v6))
    }

    /// Whether it leaves IPv4 to others.
    ///
    /// # Errors
    /// Those of `getsockopt(2)`.
    pub fn only_v6(&self) -> io::Result<bool> {
        const EOPNOTSUPP: i32 = 95;
        self.expect_v6(EOPNOTSUPP)?;
        let options = self.options();
        options.get(|socket| socket.only_v6(), |all| all.only_v6)
    }

    /// A socket of this loop that fits the address.
    pub(super) fn for_address(ev: &EventLoop, address: SocketAddr) -> io::Result<Self> {
        Self::of_loop(ev, address.is_ipv6())
    }

    fn of_loop(ev: &EventLoop, v6: bool) -> io::Result<Self> {
        match &ev.shared.inner {
            Inner::Tokio(_) => {
                let socket = match v6 {
                    false => tokio::net::TcpSocket::new_v4()?,
                    true => tokio::net::TcpSocket::new_v6()?,
                };
                Ok(Self::in_production(ev, socket))
            }
            Inner::Other(backend) => Self::in_world(BackendLoop::of_other(ev), backend, v6),
        }
    }

    fn in_production(ev: &EventLoop, socket: tokio::net::TcpSocket) -> Self {
        let ev = ev.unowned();
        let repr = Repr::Tokio(Production { ev, socket });
        Self { repr }
    }

    fn in_world(ev: BackendLoop, backend: &Arc<dyn Backend>, v6: bool) -> io::Result<Self> {
        let key = backend.tcp_socket()?;
        // What is remembered begins when it is connected, and no call looks before.
        let socket = WorldSocket::new(backend.clone(), key, Remembered::connected());
        let repr = Repr::World(World { ev, socket, v6 });
        Ok(Self { repr })
    }

    /// `Err` of Linux's number for an IPv6 option, where this is an IPv4 socket of a world.
    fn expect_v6(&self, otherwise: i32) -> io::Result<()> {
        match &self.repr {
            Repr::World(World { v6: false, .. }) => Err(refused(otherwise)),
            _ => Ok(()),
        }
    }

    fn options(&self) -> Options<'_> {
        match &self.repr {
            Repr::Tokio(Production { socket, .. }) => Repr::Tokio(SockRef::from(socket)),
            Repr::World(world) => Repr::World(&world.socket),
        }
    }
}

impl World {
    /// What Linux says where an address is of another family than the socket.
    fn expect_family(&self, address: SocketAddr) -> io::Result<()> {
        const EINVAL: i32 = 22;
        const EAFNOSUPPORT: i32 = 97;
        match (self.v6, address.is_ipv6()) {
            (false, true) => Err(refused(EAFNOSUPPORT)),
            // To IPv6 an address of IPv4 is first of all too short.
            (true, false) => Err(refused(EINVAL)),
            _ => Ok(()),
        }
    }
}

/// Does what registers a socket with the loop of production that it is of.
fn on_its_loop<R>(ev: &EventLoop, f: impl FnOnce() -> R) -> io::Result<R> {
    match &ev.shared.inner {
        Inner::Tokio(tokio) if !ev.closed_flag() => Ok(tokio.within(f)),
        _ => Err(io::Error::other(Closed)),
    }
}

/// An error by Linux's number, or, elsewhere, of the kind that says the most.
fn refused(number: i32) -> io::Error {
    if cfg!(target_os = "linux") {
        io::Error::from_raw_os_error(number)
    } else {
        io::ErrorKind::InvalidInput.into()
    }
}

fn size(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

impl fmt::Debug for TcpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TcpSocket({:?})", self.local_addr())
    }
}
