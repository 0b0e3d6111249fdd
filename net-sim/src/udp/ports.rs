//! A host's UDP ports: who has which, and who gets what comes.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use crate::host::{EPHEMERAL, covers};
use crate::{Decide, NetError, Result, Site, SocketId};

/// Who has which UDP port of a host. Nobody's TCP port is in here.
#[derive(Debug)]
pub(crate) struct Ports {
    next: u16,
    by_port: BTreeMap<u16, Port>,
}

#[derive(Debug, Default)]
struct Port {
    /// In the order in which they came to their addresses.
    bindings: Vec<Binding>,
    /// Which socket of a group that shares the port gets what comes from where and to where, as
    /// the group is now.
    flows: BTreeMap<(SocketAddr, SocketAddr), SocketId>,
}

/// A socket that has a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Binding {
    pub(super) socket: SocketId,
    pub(super) ip: IpAddr,
    /// Whether its owner speaks of addresses as IPv6.
    pub(super) v6: bool,
    pub(super) only_v6: bool,
    pub(super) reuse_addr: bool,
    pub(super) reuse_port: bool,
    /// The only address it hears from, once connected.
    pub(super) peer: Option<SocketAddr>,
}

impl Default for Ports {
    fn default() -> Self {
        Self {
            next: *EPHEMERAL.start(),
            by_port: BTreeMap::new(),
        }
    }
}

impl Ports {
    /// Gives `port` to a socket, a free ephemeral one if it is 0, and returns it.
    ///
    /// # Errors
    ///
    /// [`NetError::AddrInUse`] if another socket has it, or none is free.
    pub(super) fn bind(&mut self, port: u16, binding: Binding) -> Result<u16> {
        let free = |ports: &Self, port| !ports.conflicts(port, &binding);
        let port = match port {
            0 => self.ephemeral(free).ok_or(NetError::AddrInUse)?,
            port if free(self, port) => port,
            _ => return Err(NetError::AddrInUse),
        };
        self.entry(port).bindings.push(binding);
        Ok(port)
    }

    pub(super) fn unbind(&mut self, port: u16, socket: SocketId) {
        let entry = self.entry(port);
        entry.bindings.retain(|binding| binding.socket != socket);
        if entry.bindings.is_empty() {
            self.by_port.remove(&port);
        }
    }

    /// The socket's address, peer or option is another now. One with another address comes to
    /// stand behind those that have it already.
    pub(super) fn change(
        &mut self,
        port: u16,
        socket: SocketId,
        change: impl FnOnce(&mut Binding),
    ) {
        let bindings = &mut self.entry(port).bindings;
        if let Some(index) = bindings.iter().position(|b| b.socket == socket) {
            let before = bindings[index].ip;
            change(&mut bindings[index]);
            if bindings[index].ip != before {
                let moved = bindings.remove(index);
                bindings.push(moved);
            }
        }
    }

    /// The one socket that gets what comes from `from` to the address `to` of this host.
    pub(super) fn receiver(
        &mut self,
        from: SocketAddr,
        to: SocketAddr,
        decide: &mut dyn Decide,
    ) -> Option<SocketId> {
        let port = self.by_port.get_mut(&to.port())?;
        // Mostly nobody shares it.
        if let [only] = &port.bindings[..] {
            return only.hears(from, to).then_some(only.socket);
        }
        let candidates = port.bindings.iter().filter(|b| b.hears(from, to));
        // Of equals Linux takes the one bound last.
        let best = *candidates.max_by_key(|b| b.rank(to))?;
        if !best.reuse_port || best.peer.is_some() {
            return Some(best.socket);
        }
        let group = |b: &&Binding| b.reuse_port && b.peer.is_none() && b.is_beside(&best);
        let members = port.bindings.iter().filter(group).count();
        if members == 1 {
            return Some(best.socket);
        }
        if let Some(&known) = port.flows.get(&(from, to)) {
            return Some(known);
        }
        // Linux hashes the addresses with a key of its own making.
        let members = members as u64;
        let chosen = decide.choose(Site::REUSE_PORT, members).min(members - 1);
        let chosen = port.bindings.iter().filter(group).nth(chosen as usize)?;
        port.flows.insert((from, to), chosen.socket);
        Some(chosen.socket)
    }

    /// Everybody who gets what comes for many, from `from` to `to`, the one bound last first.
    pub(super) fn receivers(
        &self,
        from: SocketAddr,
        to: SocketAddr,
    ) -> impl Iterator<Item = SocketId> {
        let bindings = self.by_port.get(&to.port()).map(|port| &port.bindings[..]);
        let hears = move |b: &&Binding| b.hears(from, to);
        let all = bindings.unwrap_or_default().iter().rev().filter(hears);
        all.map(|binding| binding.socket)
    }

    /// The connected socket with the address `own` and the peer `from`.
    pub(super) fn connected(&self, from: SocketAddr, own: SocketAddr) -> Option<SocketId> {
        let bindings = &self.by_port.get(&own.port())?.bindings;
        let talks = |b: &&Binding| b.peer.is_some() && b.ip == own.ip() && b.hears(from, own);
        Some(bindings.iter().rfind(talks)?.socket)
    }

    /// A port about to change.
    fn entry(&mut self, port: u16) -> &mut Port {
        let entry = self.by_port.entry(port).or_default();
        entry.flows.clear();
        entry
    }

    /// Ports go round, so that one just given back is the last to be used again.
    fn ephemeral(&mut self, free: impl Fn(&Self, u16) -> bool) -> Option<u16> {
        for _ in EPHEMERAL {
            let port = self.next;
            self.next = if port == *EPHEMERAL.end() {
                *EPHEMERAL.start()
            } else {
                port + 1
            };
            if free(self, port) {
                return Some(port);
            }
        }
        None
    }

    /// Linux's rule: two overlapping sockets may share a port if both have `SO_REUSEADDR`, or
    /// both `SO_REUSEPORT`.
    fn conflicts(&self, port: u16, new: &Binding) -> bool {
        let conflicts = |old: &Binding| {
            let share = (old.reuse_addr && new.reuse_addr) || (old.reuse_port && new.reuse_port);
            old.overlaps(new) && !share
        };
        let entry = self.by_port.get(&port);
        entry.is_some_and(|port| port.bindings.iter().any(conflicts))
    }
}

impl Binding {
    fn overlaps(&self, other: &Self) -> bool {
        covers(self.ip, self.only_v6, other.ip) || covers(other.ip, other.only_v6, self.ip)
    }

    fn hears(&self, from: SocketAddr, to: SocketAddr) -> bool {
        covers(self.ip, self.only_v6, to.ip()) && self.peer.is_none_or(|peer| is_peer(peer, from))
    }

    /// How well it fits, as Linux scores it: the very address before the wildcard, then the
    /// connected one, then the one of the same family.
    fn rank(&self, to: SocketAddr) -> (bool, bool, bool) {
        let family = self.v6 == to.is_ipv6();
        (self.ip == to.ip(), self.peer.is_some(), family)
    }

    fn is_beside(&self, other: &Self) -> bool {
        (self.ip, self.v6, self.only_v6) == (other.ip, other.v6, other.only_v6)
    }
}

/// Whether `from` is the peer, as Linux compares them: port 0 is any.
fn is_peer(peer: SocketAddr, from: SocketAddr) -> bool {
    peer.ip() == from.ip() && (peer.port() == 0 || peer.port() == from.port())
}
