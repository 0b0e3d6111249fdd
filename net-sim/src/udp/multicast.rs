//! Datagrams for many: broadcast, and the groups of multicast.

use std::io::IoSlice;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use virtual_time::Instant;

use super::flight::Label;
use super::route::Way;
use crate::link::LinkId;
use crate::socket::State;
use crate::{Decide, HostId, Net, NetError, Result, SocketId};

/// The numbers of a host's two interfaces, as Linux counts them.
const LOOPBACK_INDEX: u32 = 1;
const SEGMENT_INDEX: u32 = 2;

/// A group that a socket has joined, at one of its host's interfaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Membership {
    group: IpAddr,
    within: Within,
}

/// How far a group goes: to the loopback interface alone, or to the segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Within {
    Host,
    Segment,
}

impl Net {
    /// Puts a host on a segment of its own with others that name the same number; all begin on
    /// segment 0. Broadcasts and multicasts stay within a segment, and so does a datagram with a
    /// TTL of 1.
    ///
    /// # Panics
    ///
    /// If the host is of another network.
    pub fn set_segment(&mut self, host: HostId, segment: u32) {
        self.check_host(host);
        self.datagrams.segments.insert(host, segment);
        for (_, socket) in &mut self.sockets {
            if let State::Udp(udp) = &mut socket.state {
                udp.route = None;
            }
        }
    }

    /// Lets a UDP socket hear what is sent to an IPv4 group. The interface is one of the host's
    /// addresses; `127.0.0.1` is loopback, `0.0.0.0` the segment.
    ///
    /// As on Linux, once a socket of the host has joined a group, all of its sockets hear it that
    /// are bound to its port and the wildcard or the group's address.
    ///
    /// # Errors
    ///
    /// [`NetError::InvalidInput`] if it is no group's address, [`NetError::NoDevice`] if the host
    /// has no such interface, [`NetError::AddrInUse`] if the socket is in the group already,
    /// [`NetError::BadSocket`].
    pub fn join_multicast_v4(
        &mut self,
        id: SocketId,
        group: Ipv4Addr,
        interface: Ipv4Addr,
    ) -> Result<()> {
        let (host, _) = self.udp_mut(id)?;
        if !group.is_multicast() {
            return Err(NetError::InvalidInput);
        }
        let within = self
            .interface_v4(host, interface)
            .ok_or(NetError::NoDevice)?;
        let group = group.into();
        self.join(id, Membership { group, within })
    }

    /// Undoes [`join_multicast_v4`](Self::join_multicast_v4).
    ///
    /// # Errors
    ///
    /// [`NetError::AddrNotAvailable`] if the socket is not in the group at that interface,
    /// [`NetError::InvalidInput`] if it is no UDP socket, [`NetError::BadSocket`].
    pub fn leave_multicast_v4(
        &mut self,
        id: SocketId,
        group: Ipv4Addr,
        interface: Ipv4Addr,
    ) -> Result<()> {
        let (host, _) = self.udp_mut(id)?;
        let within = self.interface_v4(host, interface);
        self.leave(id, group.into(), within.ok_or(NetError::AddrNotAvailable)?)
    }

    /// Lets a UDP socket hear what is sent to an IPv6 group. Interface 1 is loopback, on which
    /// nothing is ever sent to a group, 2 the segment, and so is 0.
    ///
    /// # Errors
    ///
    /// [`NetError::ProtocolNotAvailable`] if the socket is an IPv4 one, and as
    /// [`join_multicast_v4`](Self::join_multicast_v4).
    pub fn join_multicast_v6(
        &mut self,
        id: SocketId,
        group: Ipv6Addr,
        interface: u32,
    ) -> Result<()> {
        let host = self.expect_v6(id)?;
        if !group.is_multicast() {
            return Err(NetError::InvalidInput);
        }
        let within = self
            .interface_v6(host, interface)
            .ok_or(NetError::NoDevice)?;
        let group = group.into();
        self.join(id, Membership { group, within })
    }

    /// Undoes [`join_multicast_v6`](Self::join_multicast_v6).
    ///
    /// # Errors
    ///
    /// As [`leave_multicast_v4`](Self::leave_multicast_v4).
    pub fn leave_multicast_v6(
        &mut self,
        id: SocketId,
        group: Ipv6Addr,
        interface: u32,
    ) -> Result<()> {
        let host = self.expect_v6(id)?;
        let within = self.interface_v6(host, interface);
        self.leave(id, group.into(), within.ok_or(NetError::AddrNotAvailable)?)
    }

    /// Sends a datagram to everybody it is for: the sender's own host first.
    pub(super) fn spread(
        &mut self,
        now: Instant,
        id: SocketId,
        way: Way,
        label: Label,
        parts: &[IoSlice<'_>],
        decide: &mut dyn Decide,
    ) -> Result<()> {
        let socket = self.socket(id)?;
        let State::Udp(udp) = &socket.state else {
            return Err(NetError::InvalidInput);
        };
        let (own, ip) = (socket.host, label.to.ip());
        let multicast = ip.is_multicast();
        let (heard_here, leaves) = match way {
            Way::Segment if multicast => {
                let loops = match ip {
                    IpAddr::V4(_) => udp.multicast_loop_v4,
                    IpAddr::V6(_) => udp.multicast_loop_v6,
                };
                (loops, udp.multicast_ttl > 0)
            }
            Way::Segment => (true, true),
            _ => (true, false),
        };
        if heard_here {
            self.dispatch(now, LinkId::LOOPBACK, own, label, parts, decide);
        }
        if !leaves {
            return Ok(());
        }
        let others: Vec<HostId> = if multicast {
            let whole = (Within::Segment, ip, HostId(0))..=(Within::Segment, ip, HostId(u32::MAX));
            let members = self.datagrams.members.range(whole);
            members.map(|(&(_, _, host), _)| host).collect()
        } else {
            (0..self.hosts.len() as u32).map(HostId).collect()
        };
        let segment = self.segment_of(own);
        for host in others {
            if host != own && self.segment_of(host) == segment {
                let link = self.links.between(own, host);
                self.dispatch(now, link, host, label, parts, decide);
            }
        }
        Ok(())
    }

    pub(super) fn deliver_to_many(&mut self, host: HostId, label: Label, parts: &[IoSlice<'_>]) {
        let Label { from, to, .. } = label;
        let ip = to.ip();
        let within = match from.ip().is_loopback() {
            true => Within::Host,
            false => Within::Segment,
        };
        if ip.is_multicast() && !self.datagrams.members.contains_key(&(within, ip, host)) {
            return;
        }
        let receivers: Vec<SocketId> = self.hosts[host.index()].udp.receivers(from, to).collect();
        for id in receivers {
            self.put(id, from, parts);
        }
    }

    pub(super) fn segment_of(&self, host: HostId) -> u32 {
        let segments = &self.datagrams.segments;
        segments.get(&host).copied().unwrap_or(0)
    }

    /// Leaves every group, as a socket does that is closed.
    pub(super) fn leave_all(&mut self, id: SocketId) -> Result<()> {
        let (host, udp) = self.udp_mut(id)?;
        for membership in std::mem::take(&mut udp.memberships) {
            self.part_from(host, membership);
        }
        Ok(())
    }

    fn join(&mut self, id: SocketId, membership: Membership) -> Result<()> {
        let (host, udp) = self.udp_mut(id)?;
        if udp.memberships.contains(&membership) {
            return Err(NetError::AddrInUse);
        }
        udp.memberships.push(membership);
        let Membership { group, within } = membership;
        let members = self.datagrams.members.entry((within, group, host));
        *members.or_default() += 1;
        Ok(())
    }

    fn leave(&mut self, id: SocketId, group: IpAddr, within: Within) -> Result<()> {
        let membership = Membership { group, within };
        let (host, udp) = self.udp_mut(id)?;
        let place = udp.memberships.iter().position(|m| *m == membership);
        udp.memberships
            .remove(place.ok_or(NetError::AddrNotAvailable)?);
        self.part_from(host, membership);
        Ok(())
    }

    fn part_from(&mut self, host: HostId, Membership { group, within }: Membership) {
        let members = &mut self.datagrams.members;
        if let Some(left) = members.get_mut(&(within, group, host)) {
            *left -= 1;
            if *left == 0 {
                members.remove(&(within, group, host));
            }
        }
    }

    fn interface_v4(&self, host: HostId, address: Ipv4Addr) -> Option<Within> {
        let host = &self.hosts[host.index()];
        if address.is_loopback() {
            return Some(Within::Host);
        }
        let found = match address.is_unspecified() {
            true => host.addresses().iter().any(IpAddr::is_ipv4),
            false => host.has(address.into()),
        };
        found.then_some(Within::Segment)
    }

    fn interface_v6(&self, host: HostId, index: u32) -> Option<Within> {
        let on_segment = || {
            let addresses = self.hosts[host.index()].addresses();
            addresses.iter().any(IpAddr::is_ipv6)
        };
        match index {
            LOOPBACK_INDEX => Some(Within::Host),
            0 | SEGMENT_INDEX => on_segment().then_some(Within::Segment),
            _ => None,
        }
    }

    /// The host of a UDP socket that speaks IPv6.
    pub(super) fn expect_v6(&mut self, id: SocketId) -> Result<HostId> {
        let (host, _) = self.udp_mut(id)?;
        match self.socket(id)?.speaks_v6 {
            true => Ok(host),
            false => Err(NetError::ProtocolNotAvailable),
        }
    }
}
