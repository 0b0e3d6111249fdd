//! Making TCP sockets, and their addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use virtual_time::Instant;

use crate::host::{Binding, Share};
use crate::socket::State;
use crate::{HostId, Net, NetError, Result, SocketId};

impl Net {
    /// A new TCP socket of this host.
    ///
    /// # Panics
    ///
    /// If the host is of another network.
    pub fn tcp_socket(&mut self, host: HostId) -> SocketId {
        self.check_host(host);
        self.new_socket(host, State::Idle)
    }

    /// Gives a socket its own address; port 0 means any free one, and `[::]` takes IPv4 as
    /// well unless [`set_only_v6`](Self::set_only_v6) says otherwise.
    ///
    /// # Errors
    ///
    /// [`NetError::AddrInUse`], [`NetError::AddrNotAvailable`] if the host has no such address,
    /// [`NetError::InvalidInput`] if the socket has one already, or the address is IPv4's and the
    /// socket does not speak it; [`NetError::BadSocket`].
    pub fn bind(&mut self, now: Instant, id: SocketId, addr: SocketAddr) -> Result<()> {
        self.observe(now);
        let socket = self.socket(id)?;
        if let State::Udp(_) = socket.state {
            return self.udp_bind(id, addr);
        }
        if socket.bound.is_some()
            || !matches!(
                socket.state,
                State::Idle | State::Failed(_) | State::Listening(_)
            )
        {
            return Err(NetError::InvalidInput);
        }
        let (host, options) = (socket.host, socket.options);
        let ip = addr.ip().to_canonical();
        if options.only_v6 && addr.is_ipv6() && ip.is_ipv4() {
            return Err(NetError::InvalidInput);
        }
        let host = self.host_mut(host);
        if !ip.is_unspecified() && !host.has(ip) {
            return Err(NetError::AddrNotAvailable);
        }
        let binding = Binding {
            socket: id,
            ip,
            share: Share::of(&options),
            only_v6: options.only_v6,
            listening: false,
        };
        let port = host.bind(now, addr.port(), binding)?;
        let socket = self.socket_mut(id)?;
        socket.bound = Some(SocketAddr::new(ip, port));
        socket.speaks_v6 = addr.is_ipv6();
        Ok(())
    }

    /// The socket's own address: the wildcard with port 0 if it has none.
    ///
    /// # Errors
    ///
    /// [`NetError::BadSocket`].
    pub fn local_addr(&self, id: SocketId) -> Result<SocketAddr> {
        let socket = self.socket(id)?;
        let nowhere = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        let addr = match &socket.state {
            State::Udp(udp) => return Ok(udp.local_addr(socket.speaks_v6)),
            &State::Stream(conn, side) => self.conns[conn.index()].end(side).addr,
            State::Lookup(_) | State::Unix(_) => return Err(NetError::NotSupported),
            _ => socket.bound.unwrap_or(nowhere),
        };
        // IPv4's wildcard alone, as a socket of IPv6 can be bound to.
        if let IpAddr::V4(ip) = addr.ip()
            && ip.is_unspecified()
            && socket.bound.is_some()
            && socket.speaks_v6
        {
            let mapped = IpAddr::V6(ip.to_ipv6_mapped());
            return Ok(SocketAddr::new(mapped, addr.port()));
        }
        Ok(spoken(addr, socket.speaks_v6))
    }

    /// The address of the peer.
    ///
    /// # Errors
    ///
    /// [`NetError::NotConnected`], also when the connection was reset or is closed in both
    /// directions; [`NetError::BadSocket`].
    pub fn peer_addr(&self, id: SocketId) -> Result<SocketAddr> {
        let socket = self.socket(id)?;
        if let State::Udp(udp) = &socket.state {
            return udp.peer_addr(socket.speaks_v6);
        }
        let State::Stream(conn, side) = socket.state else {
            return Err(NetError::NotConnected);
        };
        let conn = &self.conns[conn.index()];
        if conn.is_opening() || conn.is_over(side) {
            return Err(NetError::NotConnected);
        }
        Ok(spoken(conn.end(side.other()).addr, socket.speaks_v6))
    }

    /// The host that a socket is of.
    ///
    /// # Errors
    ///
    /// [`NetError::BadSocket`].
    pub fn host_of(&self, id: SocketId) -> Result<HostId> {
        Ok(self.socket(id)?.host)
    }
}

/// An address as a socket's owner speaks of it.
pub(crate) fn spoken(addr: SocketAddr, v6: bool) -> SocketAddr {
    let ip = match addr.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) if v6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        IpAddr::V4(ip) if v6 => IpAddr::V6(ip.to_ipv6_mapped()),
        ip => ip,
    };
    SocketAddr::new(ip, addr.port())
}
