//! Hosts: their addresses, and who uses which port.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use virtual_time::Instant;

pub(crate) use crate::pairings::Pairing;
use crate::pairings::{Held, Pairings};
use crate::socket::Options;
use crate::udp::Ports;
use crate::{Decide, NetError, Result, Site, SocketId};

/// Linux's default `ip_local_port_range`.
pub(crate) const EPHEMERAL: std::ops::RangeInclusive<u16> = 32_768..=60_999;

/// How long the side that closed first keeps its address pair: Linux's `TCP_TIMEWAIT_LEN`.
const TIME_WAIT: Duration = Duration::from_secs(60);

/// Which of the options a socket has that let it share its port with others that have the same.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Share {
    /// `SO_REUSEADDR`.
    addr: bool,
    /// `SO_REUSEPORT`.
    port: bool,
}

impl Share {
    pub(crate) const fn of(options: &Options) -> Self {
        Self {
            addr: options.reuse_addr,
            port: options.reuse_port,
        }
    }

    /// Whether a new socket may come beside an old one.
    const fn may_join(self, old: Self, old_listens: bool) -> bool {
        (self.port && old.port) || (self.addr && old.addr && !old_listens)
    }
}

/// One machine of the network, with a table of ports for TCP and one for UDP.
#[derive(Debug)]
pub(crate) struct Host {
    addresses: Vec<IpAddr>,
    next_port: u16,
    /// TCP's ports.
    bound: BTreeMap<u16, Vec<Binding>>,
    pairings: Pairings,
    /// The ends of TIME_WAIT, soonest first. They pass when somebody looks: an event would
    /// make a world that waits for nothing look alive for a minute.
    time_wait: VecDeque<(Instant, Pairing)>,
    pub(crate) udp: Ports,
}

/// A socket that has its port by `bind` or `listen`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Binding {
    pub(crate) socket: SocketId,
    pub(crate) ip: IpAddr,
    pub(crate) share: Share,
    pub(crate) only_v6: bool,
    pub(crate) listening: bool,
}

impl Binding {
    /// Whether both would get some segments.
    fn overlaps(&self, ip: IpAddr, only_v6: bool) -> bool {
        self.takes(ip) || covers(ip, only_v6, self.ip)
    }

    fn takes(&self, ip: IpAddr) -> bool {
        covers(self.ip, self.only_v6, ip)
    }
}

impl Host {
    pub(crate) fn new(addresses: &[IpAddr]) -> Self {
        Self {
            addresses: addresses.to_vec(),
            next_port: *EPHEMERAL.start(),
            bound: BTreeMap::new(),
            pairings: Pairings::default(),
            time_wait: VecDeque::new(),
            udp: Ports::default(),
        }
    }

    pub(crate) fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }

    /// Whether segments to `ip` reach this host when it sends them itself.
    pub(crate) fn has(&self, ip: IpAddr) -> bool {
        ip.is_loopback() || self.addresses.contains(&ip)
    }

    /// The address from which this host talks to `remote`.
    ///
    /// # Errors
    ///
    /// [`NetError::NetworkUnreachable`] if it has none of that family.
    pub(crate) fn source_for(&self, remote: IpAddr) -> Result<IpAddr> {
        if let IpAddr::V4(ip) = remote
            && ip.is_loopback()
        {
            return Ok(IpAddr::V4(Ipv4Addr::LOCALHOST)); // Whichever of the 127.0.0.0/8 it is.
        }
        if self.has(remote) {
            return Ok(remote);
        }
        let same_family = |ip: &&IpAddr| ip.is_ipv4() == remote.is_ipv4();
        let found = self.addresses.iter().find(same_family);
        found.copied().ok_or(NetError::NetworkUnreachable)
    }

    /// Gives `port` to a socket, a free ephemeral one if it is 0, and returns it.
    ///
    /// # Errors
    ///
    /// [`NetError::AddrInUse`] if another socket has it, or none is free.
    pub(crate) fn bind(&mut self, now: Instant, port: u16, binding: Binding) -> Result<u16> {
        self.expire(now);
        let port = if port == 0 {
            self.ephemeral(|host, port| !host.bind_conflict(port, &binding))
                .ok_or(NetError::AddrInUse)?
        } else if self.bind_conflict(port, &binding) {
            return Err(NetError::AddrInUse);
        } else {
            port
        };
        self.bound.entry(port).or_default().push(binding);
        Ok(port)
    }

    /// Lets a bound socket listen.
    ///
    /// # Errors
    ///
    /// [`NetError::AddrInUse`] if another socket listens there already.
    pub(crate) fn listen(&mut self, port: u16, socket: SocketId) -> Result<()> {
        let bindings = self.bound.get_mut(&port).ok_or(NetError::InvalidInput)?;
        let own = bindings
            .iter()
            .position(|binding| binding.socket == socket)
            .ok_or(NetError::InvalidInput)?;
        let new = bindings[own];
        let taken = |other: &Binding| {
            let overlaps = other.socket != socket && other.overlaps(new.ip, new.only_v6);
            overlaps && other.listening && !new.share.may_join(other.share, true)
        };
        if bindings.iter().any(taken) {
            return Err(NetError::AddrInUse);
        }
        bindings[own].listening = true;
        Ok(())
    }

    /// Ends what [`Host::listen`] began; the port stays bound.
    pub(crate) fn stop_listening(&mut self, port: u16, socket: SocketId) {
        if let Some(bindings) = self.bound.get_mut(&port) {
            for binding in bindings.iter_mut().filter(|b| b.socket == socket) {
                binding.listening = false;
            }
        }
    }

    pub(crate) fn unbind(&mut self, port: u16, socket: SocketId) {
        if let Some(bindings) = self.bound.get_mut(&port) {
            bindings.retain(|binding| binding.socket != socket);
            if bindings.is_empty() {
                self.bound.remove(&port);
            }
        }
    }

    /// The socket that takes connections to this address: the one bound to it, else the
    /// wildcard of its family, else the wildcard of both. Where several share it, one of them:
    /// `before`, if it was chosen before, for a SYN that is sent again finds the same.
    pub(crate) fn listener(
        &self,
        addr: SocketAddr,
        before: Option<SocketId>,
        decide: &mut dyn Decide,
    ) -> Option<SocketId> {
        let bindings = self.bound.get(&addr.port())?;
        let rank = |binding: &&Binding| {
            let same_family = binding.ip.is_ipv4() == addr.is_ipv4();
            (binding.ip == addr.ip(), same_family)
        };
        let best = bindings
            .iter()
            .filter(|binding| binding.listening && binding.takes(addr.ip()))
            .max_by_key(rank)?;
        if !best.share.port {
            return Some(best.socket);
        }
        let beside = |b: &&Binding| b.listening && (b.ip, b.only_v6) == (best.ip, best.only_v6);
        let group = || bindings.iter().filter(beside).map(|binding| binding.socket);
        if let Some(known) = group().find(|socket| Some(*socket) == before) {
            return Some(known);
        }
        let members = group().count() as u64;
        // Linux hashes the addresses with a key of its own making.
        let chosen = match members {
            1 => 0,
            n => decide.choose(Site::REUSE_PORT, n).min(n - 1),
        };
        group().nth(chosen as usize)
    }

    /// Takes a free ephemeral port for a connection from `local` to `remote`, or the given one.
    ///
    /// # Errors
    ///
    /// [`NetError::AddrNotAvailable`] if there is none, or the given one is in use for this
    /// very remote address.
    pub(crate) fn pair(
        &mut self,
        now: Instant,
        local: IpAddr,
        bound_port: Option<u16>,
        remote: SocketAddr,
        share: Share,
    ) -> Result<SocketAddr> {
        self.expire(now);
        let free = |host: &Self, port| {
            let addr = SocketAddr::new(local, port);
            addr != remote && host.pairings.get(&Pairing::new(addr, remote)).is_none()
        };
        let port = match bound_port {
            Some(port) => Some(port).filter(|&port| free(self, port)),
            None => {
                self.ephemeral(|host, port| !host.bound.contains_key(&port) && free(host, port))
            }
        };
        let addr = SocketAddr::new(local, port.ok_or(NetError::AddrNotAvailable)?);
        self.hold(Pairing::new(addr, remote), share);
        Ok(addr)
    }

    /// Notes a connection that came in; false if the same two addresses talk already. One in
    /// TIME_WAIT gives way, as on Linux.
    pub(crate) fn admit(&mut self, pairing: Pairing, share: Share) -> bool {
        let talking = |held: &Held| held.until.is_none();
        if self.pairings.get(&pairing).is_some_and(talking) {
            return false;
        }
        self.hold(pairing, share);
        true
    }

    /// Forgets a connection, at once or after TIME_WAIT.
    pub(crate) fn part(&mut self, now: Instant, pairing: Pairing, wait: bool) {
        self.expire(now);
        if !wait {
            self.pairings.remove(&pairing);
        } else if let Some(held) = self.pairings.get_mut(&pairing) {
            let until = now + TIME_WAIT;
            held.until = Some(until);
            self.time_wait.push_back((until, pairing));
        }
    }

    /// Forgets everything but its addresses.
    pub(crate) fn forget(&mut self) {
        self.bound.clear();
        self.pairings = Pairings::default();
        self.time_wait.clear();
    }

    fn hold(&mut self, pairing: Pairing, share: Share) {
        self.pairings.insert(pairing, Held { share, until: None });
    }

    fn expire(&mut self, now: Instant) {
        while let Some(&(until, pairing)) = self.time_wait.front()
            && until <= now
        {
            self.time_wait.pop_front();
            // Unless a new connection took the name meanwhile.
            if self
                .pairings
                .get(&pairing)
                .is_some_and(|held| held.until == Some(until))
            {
                self.pairings.remove(&pairing);
            }
        }
    }

    /// The next port in turn that will do. Ports go round, so that one just given back is the
    /// last to be used again.
    fn ephemeral(&mut self, free: impl Fn(&Self, u16) -> bool) -> Option<u16> {
        for _ in EPHEMERAL {
            let port = self.next_port;
            self.next_port = if port == *EPHEMERAL.end() {
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

    /// Linux's rule: two overlapping sockets may share a port if both have `SO_REUSEPORT`, or both
    /// have `SO_REUSEADDR` and neither listens. Connections count as sockets, those in TIME_WAIT
    /// as well.
    fn bind_conflict(&self, port: u16, new: &Binding) -> bool {
        let conflicts = |old: &Binding| {
            let overlaps = old.overlaps(new.ip, new.only_v6);
            overlaps && !new.share.may_join(old.share, old.listening)
        };
        if self
            .bound
            .get(&port)
            .is_some_and(|all| all.iter().any(conflicts))
        {
            return true;
        }
        self.pairings.any_at(port, |local, held| {
            new.takes(local) && !new.share.may_join(held.share, false)
        })
    }
}

/// Whether a socket bound to `bound` gets what is sent to `ip`; either may be a wildcard.
pub(crate) fn covers(bound: IpAddr, only_v6: bool, ip: IpAddr) -> bool {
    match bound {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => ip.is_ipv4(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => ip.is_ipv6() || !only_v6,
        _ => bound == ip,
    }
}
