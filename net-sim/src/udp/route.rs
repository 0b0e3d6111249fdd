//! Where a datagram goes, and from which address.

use std::net::{IpAddr, SocketAddr};

use crate::link::LinkId;
use crate::socket::State;
use crate::{HostId, Net, NetError, Result, SocketId};

/// The way from one socket to one address.
#[derive(Clone, Copy, Debug)]
pub(super) struct Route {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) way: Way,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// To one host, which may be the sender's.
    One(HostId, LinkId),
    /// To nobody: no host has the address, or it is too far.
    Nowhere,
    /// To everybody within the sender's host.
    Own,
    /// To everybody on the sender's segment.
    Segment,
}

impl Route {
    pub(super) fn needs_broadcast(&self) -> bool {
        matches!(self.way, Way::Own | Way::Segment) && !self.to.ip().is_multicast()
    }
}

impl Net {
    /// The way from a socket that has a port to `to`, which is what is really meant.
    pub(super) fn route(&mut self, id: SocketId, to: SocketAddr) -> Result<Route> {
        let socket = self.socket(id)?;
        let State::Udp(udp) = &socket.state else {
            return Err(NetError::InvalidInput);
        };
        let (own_id, ttl) = (socket.host, socket.options.ttl);
        let host = &self.hosts[own_id.index()];
        // An IPv6 address that it was not bound to does not keep it from IPv4.
        let unfit = |ip: &IpAddr| host.is_broadcast(*ip) || (ip.is_ipv6() && to.is_ipv4());
        let own_ip = udp.own_ip().filter(|ip| !unfit(ip));
        let ip = match own_ip {
            Some(ip) => ip,
            None => host.udp_source(to.ip())?,
        };
        if ip.is_ipv4() && to.is_ipv6() {
            return Err(NetError::FamilyNotSupported);
        }
        let port = udp.local.map_or(0, |local| local.port());
        let route = |way| Route {
            from: SocketAddr::new(ip, port),
            to,
            way,
        };
        if to.ip().is_multicast() || host.is_broadcast(to.ip()) {
            let stays = to.ip().is_loopback() || (ip.is_loopback() && ip.is_ipv4());
            return Ok(route(if stays { Way::Own } else { Way::Segment }));
        }
        if host.has(to.ip()) {
            return Ok(route(Way::One(own_id, LinkId::LOOPBACK)));
        }
        if let IpAddr::V4(ip) = ip
            && ip.is_loopback()
        {
            return Err(NetError::InvalidInput);
        }
        let way = match self.host_by_address.get(&to.ip()) {
            // An answer would never come back; Linux sends it all the same.
            Some(_) if ip.is_loopback() => Way::Nowhere,
            // Between segments there is a router.
            Some(&peer) if ttl < 2 && self.segment_of(peer) != self.segment_of(own_id) => {
                Way::Nowhere
            }
            Some(&peer) => Way::One(peer, self.links.between(own_id, peer)),
            None => Way::Nowhere,
        };
        Ok(route(way))
    }
}
