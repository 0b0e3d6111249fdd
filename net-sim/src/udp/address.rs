//! A UDP socket's own address and its peer's.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use virtual_time::Instant;

use super::Udp;
use super::ports::Binding;
use crate::host::Host;
use crate::socket::{Socket, State};
use crate::tcp::spoken;
use crate::{HostId, Net, NetError, Result, SocketId};

impl Net {
    /// Undoes the [`connect`](Self::connect) of a UDP socket: it hears from everybody again. Its
    /// address is the one it was bound to; a port it was not bound to is gone.
    ///
    /// # Errors
    ///
    /// [`NetError::InvalidInput`] if it is no UDP socket, [`NetError::BadSocket`].
    pub fn disconnect(&mut self, now: Instant, id: SocketId) -> Result<()> {
        self.observe(now);
        let (host, udp) = self.udp_mut(id)?;
        udp.peer = None;
        udp.route = None;
        let Some(held) = udp
            .local
            .map(|local| local.port())
            .filter(|&port| port != 0)
        else {
            return Ok(());
        };
        let socket = self.socket_mut(id)?;
        let nowhere = SocketAddr::new(wildcard(socket.speaks_v6), 0);
        let bound = socket.bound.unwrap_or(nowhere);
        let ports = &mut self.host_mut(host).udp;
        let local = if bound.port() == 0 {
            ports.unbind(held, id);
            bound
        } else {
            ports.change(held, id, |binding| {
                binding.ip = bound.ip();
                binding.peer = None;
            });
            SocketAddr::new(bound.ip(), held)
        };
        self.udp_mut(id)?.1.local = Some(local);
        Ok(())
    }

    pub(crate) fn udp_bind(&mut self, id: SocketId, addr: SocketAddr) -> Result<()> {
        let socket = self.socket(id)?;
        let State::Udp(udp) = &socket.state else {
            return Err(NetError::InvalidInput);
        };
        if socket.speaks_v6 != addr.is_ipv6() {
            return Err(NetError::FamilyNotSupported);
        }
        let ip = addr.ip().to_canonical();
        let host = &self.hosts[socket.host.index()];
        let fine =
            ip.is_unspecified() || ip.is_multicast() || host.has(ip) || host.is_broadcast(ip);
        // Linux looks at them in another order for either family.
        let unfit = udp.has_port() || (socket.options.only_v6 && ip.is_ipv4());
        if unfit && (fine || addr.is_ipv6()) {
            return Err(NetError::InvalidInput);
        }
        if !fine {
            return Err(NetError::AddrNotAvailable);
        }
        let asked = SocketAddr::new(ip, addr.port());
        self.take_port(id, asked)?;
        let socket = self.socket_mut(id)?;
        socket.bound = Some(asked);
        // As on Linux.
        socket.options.only_v6 |= ip.is_ipv6() && !ip.is_unspecified();
        Ok(())
    }

    /// Gives a socket that has no port any free one.
    pub(super) fn udp_autobind(&mut self, id: SocketId) -> Result<()> {
        let socket = self.socket(id)?;
        let State::Udp(udp) = &socket.state else {
            return Err(NetError::InvalidInput);
        };
        if udp.has_port() {
            return Ok(());
        }
        let ip = udp
            .local
            .map_or_else(|| wildcard(socket.speaks_v6), |local| local.ip());
        // Linux says so where no port is left.
        let taken = self.take_port(id, SocketAddr::new(ip, 0));
        taken.map_err(|_| NetError::WouldBlock)
    }

    pub(crate) fn udp_connect(&mut self, id: SocketId, to: SocketAddr) -> Result<()> {
        self.udp_autobind(id)?;
        let to = self.udp_destination(id, to)?;
        let route = self.route(id, to)?;
        let (host, udp) = self.udp_mut(id)?;
        if route.needs_broadcast() && !udp.broadcast {
            return Err(NetError::PermissionDenied);
        }
        let local = udp.local.ok_or(NetError::InvalidInput)?;
        let ip = match local.ip().is_unspecified() {
            true => route.from.ip(),
            false => local.ip(),
        };
        udp.local = Some(SocketAddr::new(ip, local.port()));
        udp.peer = Some(to);
        udp.route = None;
        self.host_mut(host).udp.change(local.port(), id, |binding| {
            binding.ip = ip;
            binding.peer = Some(to);
        });
        Ok(())
    }

    pub(crate) fn udp_close(&mut self, host: HostId, id: SocketId) -> Result<()> {
        self.leave_all(id)?;
        let (_, udp) = self.udp_mut(id)?;
        if let Some(local) = udp.local.filter(|local| local.port() != 0) {
            self.host_mut(host).udp.unbind(local.port(), id);
        }
        Ok(())
    }

    /// Where a socket really sends that is asked to send to `to`.
    pub(super) fn udp_destination(&self, id: SocketId, to: SocketAddr) -> Result<SocketAddr> {
        let socket = self.socket(id)?;
        let State::Udp(udp) = &socket.state else {
            return Err(NetError::InvalidInput);
        };
        if to.is_ipv6() && !socket.speaks_v6 {
            return Err(NetError::FamilyNotSupported);
        }
        let host = &self.hosts[socket.host.index()];
        let own = udp.own_ip().filter(|&ip| !host.is_broadcast(ip));
        let own_v4 = own.filter(IpAddr::is_ipv4);
        let v4_here = own_v4.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        // The wildcard means here.
        let ip = match to.ip().to_canonical() {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED) => v4_here,
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) if own_v4.is_some() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        let to = SocketAddr::new(ip, to.port());
        if to.is_ipv4() && socket.options.only_v6 {
            return Err(NetError::NetworkUnreachable);
        }
        Ok(to)
    }

    /// A UDP socket, and its host.
    pub(super) fn udp_mut(&mut self, id: SocketId) -> Result<(HostId, &mut Udp)> {
        match self.socket_mut(id)? {
            Socket {
                host,
                state: State::Udp(udp),
                ..
            } => Ok((*host, udp)),
            _ => Err(NetError::InvalidInput),
        }
    }

    fn take_port(&mut self, id: SocketId, addr: SocketAddr) -> Result<()> {
        let socket = self.socket(id)?;
        let binding = Binding {
            socket: id,
            ip: addr.ip(),
            v6: socket.speaks_v6,
            only_v6: socket.options.only_v6,
            reuse_addr: socket.options.reuse_addr,
            reuse_port: socket.options.reuse_port,
            peer: None,
        };
        let host = socket.host;
        let port = self.host_mut(host).udp.bind(addr.port(), binding)?;
        let (_, udp) = self.udp_mut(id)?;
        udp.local = Some(SocketAddr::new(addr.ip(), port));
        udp.route = None;
        Ok(())
    }
}

impl Udp {
    pub(crate) fn local_addr(&self, v6: bool) -> SocketAddr {
        let nowhere = || SocketAddr::new(wildcard(v6), 0);
        spoken(self.local.unwrap_or_else(nowhere), v6)
    }

    pub(crate) fn peer_addr(&self, v6: bool) -> Result<SocketAddr> {
        // One that is connected to port 0 Linux calls not connected.
        let peer = self.peer.filter(|peer| peer.port() != 0);
        Ok(spoken(peer.ok_or(NetError::NotConnected)?, v6))
    }

    pub(crate) fn has_port(&self) -> bool {
        self.local.is_some_and(|local| local.port() != 0)
    }

    /// The address that its datagrams come from, if that is settled.
    pub(super) fn own_ip(&self) -> Option<IpAddr> {
        let ip = self.local?.ip();
        let settled = !ip.is_unspecified() && !ip.is_multicast();
        settled.then_some(ip)
    }
}

impl Host {
    /// The address from which this host talks to `remote`.
    pub(super) fn udp_source(&self, remote: IpAddr) -> Result<IpAddr> {
        match remote {
            // Linux's route to all of 127.0.0.0/8 prefers this one.
            IpAddr::V4(ip) if ip.is_loopback() => Ok(Ipv4Addr::LOCALHOST.into()),
            _ => self.source_for(remote),
        }
    }

    /// Whether everybody on the host's segment, or on the host, is meant by this address.
    ///
    /// The mask is the one of the address's class, which Linux takes if nobody says more.
    pub(super) fn is_broadcast(&self, ip: IpAddr) -> bool {
        let IpAddr::V4(ip) = ip else {
            return false;
        };
        let own = |address: &IpAddr| match address {
            IpAddr::V4(own) => broadcast_of(*own) == ip,
            IpAddr::V6(_) => false,
        };
        ip == Ipv4Addr::BROADCAST
            || ip == broadcast_of(Ipv4Addr::LOCALHOST)
            || self.addresses().iter().any(own)
    }
}

/// The broadcast address of the network that an address is in by its class.
fn broadcast_of(ip: Ipv4Addr) -> Ipv4Addr {
    let host_bits = match ip.octets()[0] {
        0..128 => 24,
        128..192 => 16,
        _ => 8,
    };
    Ipv4Addr::from_bits(ip.to_bits() | ((1 << host_bits) - 1))
}

fn wildcard(v6: bool) -> IpAddr {
    match v6 {
        true => Ipv6Addr::UNSPECIFIED.into(),
        false => Ipv4Addr::UNSPECIFIED.into(),
    }
}
