//! The network itself: what it holds, and how it goes on in time.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use slab::Slab;
use virtual_time::Instant;

use crate::agenda::Agenda;
use crate::dns::Dns;
use crate::event::Event;
use crate::host::Host;
use crate::link::Links;
use crate::socket::{Socket, State};
use crate::tcp::{Conn, ConnId, Side, Silences};
use crate::udp::Datagrams;
use crate::unix::Names;
use crate::watch::Watch;
use crate::{
    ConfigError, Decide, FaultId, HostId, LinkConfig, NetError, Readiness, Result, SocketId,
};

/// What a network starts with.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NetConfig {
    /// Bytes that a socket accepts before the peer has acknowledged them (`SO_SNDBUF`).
    pub send_buffer: usize,
    /// Bytes that a socket keeps until they are read: its window (`SO_RCVBUF`).
    pub receive_buffer: usize,
    /// What a UDP socket's send and receive buffers begin with, in bytes of memory as Linux
    /// counts it: a small datagram takes 832. The default is Linux's, 212,992.
    pub datagram_buffer: usize,
    /// How often an unanswered SYN is sent again, after 1 s, 2 s, 4 s and so on, before a
    /// connect times out. The default is Linux's `tcp_syn_retries`, 6: 127 seconds.
    pub syn_retries: u32,
    /// The most connections a listener keeps for `accept`, whatever it asks for: Linux's
    /// `net.core.somaxconn`, 4096.
    pub max_backlog: u32,
    /// Memory that what a Unix socket sent may take until it is read (`SO_SNDBUF`): Linux's
    /// `net.core.wmem_default`, 212,992 bytes, bookkeeping and all.
    pub unix_send_buffer: usize,
    /// Datagrams that a Unix socket keeps for `receive` before senders have to wait, one more
    /// being let in: Linux's `net.unix.max_dgram_qlen`, 10.
    pub max_unix_datagrams: usize,
}

impl Default for NetConfig {
    fn default() -> Self {
        Self {
            send_buffer: 256 * 1024,
            receive_buffer: 128 * 1024,
            datagram_buffer: 212_992,
            syn_retries: 6,
            max_backlog: 4_096,
            unix_send_buffer: 212_992,
            max_unix_datagrams: 10,
        }
    }
}

/// A network of hosts.
///
/// It is a state machine: calls have the shape and the errors of system calls and never block,
/// [`next_event`](Self::next_event) says when it wants to go on, [`advance`](Self::advance)
/// lets it, and [`pop_changed`](Self::pop_changed) says who can do something now. A network
/// that nobody has used has allocated nothing.
#[derive(Debug, Default)]
pub struct Net {
    pub(crate) config: NetConfig,
    /// The latest moment anybody spoke of.
    pub(crate) now: Instant,
    pub(crate) hosts: Vec<Host>,
    pub(crate) host_by_address: BTreeMap<IpAddr, HostId>,
    pub(crate) links: Links,
    pub(crate) sockets: Slab<Socket>,
    pub(crate) sockets_made: u64,
    /// In boxes: they are large, and a table that grows would move them all.
    pub(crate) conns: Slab<Box<Conn>>,
    pub(crate) datagrams: Datagrams,
    pub(crate) events: Agenda,
    pub(crate) dns: Dns,
    pub(crate) unix_names: BTreeMap<HostId, Names>,
    changed: VecDeque<SocketId>,
    /// Ends whose peer does not answer.
    pub(crate) silences: Silences,
    /// The hosts without power, and the rule that cuts each off.
    pub(crate) off: BTreeMap<HostId, FaultId>,
    /// Observers and monitors, if there are any.
    pub(crate) watch: Option<Box<Watch>>,
}

impl Net {
    /// A network without hosts.
    #[must_use]
    pub fn new(config: NetConfig) -> Self {
        Self {
            config,
            ..Self::default()
        }
    }

    /// Adds a host with these addresses; `127.0.0.1` and `::1` it has besides.
    ///
    /// # Errors
    ///
    /// [`NetError::AddrInUse`] if another host has one of them, [`NetError::InvalidInput`] if
    /// one is a wildcard, loopback, multicast or IPv4-mapped address.
    pub fn add_host(&mut self, addresses: &[IpAddr]) -> Result<HostId> {
        for (index, ip) in addresses.iter().enumerate() {
            let special = ip.is_unspecified() || ip.is_loopback() || ip.is_multicast();
            if special || ip.to_canonical() != *ip {
                return Err(NetError::InvalidInput);
            }
            if self.host_by_address.contains_key(ip) || addresses[..index].contains(ip) {
                return Err(NetError::AddrInUse);
            }
        }
        let id = HostId(self.hosts.len() as u32);
        self.hosts.push(Host::new(addresses));
        self.host_by_address
            .extend(addresses.iter().map(|&ip| (ip, id)));
        Ok(id)
    }

    /// Sets what segments from one host to another go through, from now on. A host's way to
    /// itself has no latency, and cannot be set.
    ///
    /// # Errors
    ///
    /// [`ConfigError::UnknownHost`]; [`ConfigError::WithItself`] if both are one.
    pub fn set_link(
        &mut self,
        from: HostId,
        to: HostId,
        config: LinkConfig,
    ) -> Result<(), ConfigError> {
        for host in [from, to] {
            if host.index() >= self.hosts.len() {
                return Err(ConfigError::UnknownHost { host });
            }
        }
        if from == to {
            let (fault, host) = ("link", from);
            return Err(ConfigError::WithItself { fault, host });
        }
        self.links.set(from, to, config);
        Ok(())
    }

    /// What segments from one host to another go through, faults that stand aside.
    ///
    /// # Panics
    ///
    /// If a host is of another network.
    #[must_use]
    pub fn link(&self, from: HostId, to: HostId) -> &LinkConfig {
        self.check_host(from);
        self.check_host(to);
        self.links.config(from, to)
    }

    /// What segments go through between hosts that have no link of their own.
    #[must_use]
    pub const fn default_link(&self) -> &LinkConfig {
        self.links.default_config()
    }

    /// Sets what segments go through between hosts that have no link of their own.
    pub fn set_default_link(&mut self, config: LinkConfig) {
        self.links.set_default(config);
    }

    /// Lets everything happen that is due at `now`, in the order of (instant, sequence).
    pub fn advance(&mut self, now: Instant, decide: &mut impl Decide) {
        if self.watch.is_some() {
            self.pass_unjudged(now, decide);
        }
        while let Some((at, event)) = self.events.pop_due(now) {
            self.observe(at);
            match event {
                Event::Arrival(conn, side) => self.arrival(at, conn, side, decide),
                Event::Acknowledgement(conn, side) => {
                    self.acknowledgement(at, conn, side, decide);
                }
                Event::Retransmission(conn, side) => {
                    self.retransmission(at, conn, side, decide);
                }
                Event::Silence(conn, side) => self.silence(at, conn, side, decide),
                Event::Handshake(conn) => self.handshake_retry(at, conn, decide),
                Event::Datagrams(link) => self.datagrams_arrive(at, link, decide),
                Event::Answer(query) => self.answer(query),
                Event::Swizzle(slot) => self.swizzle(at, slot, decide),
            }
        }
        self.observe(now);
    }

    /// Whether [`pop_changed`](Self::pop_changed) may have something to tell.
    #[inline]
    #[must_use]
    pub fn has_changed(&self) -> bool {
        !self.changed.is_empty()
    }

    /// The next socket that can do something it could not before, and what it can do now.
    ///
    /// It tells when edge-triggered epoll tells whoever asked for everything, and the same: every
    /// arrival makes one change, whether or not the socket was readable already, with all that
    /// the socket can do by then. Several between two calls are told as one. Sockets come in
    /// the order in which they changed first.
    pub fn pop_changed(&mut self) -> Option<(SocketId, Readiness)> {
        while let Some(id) = self.changed.pop_front() {
            let Ok(socket) = self.socket_mut(id) else {
                continue; // Closed meanwhile.
            };
            socket.changed = false;
            let readiness = match socket.state {
                State::Stream(conn, side) => self.stream_readiness(conn, side),
                _ => self.readiness(id).unwrap_or_default(),
            };
            if !readiness.is_empty() {
                return Some((id, readiness));
            }
        }
        None
    }

    /// Closes all sockets of a host, oldest first, as the kernel does when a process dies: the
    /// peers see an end of file, or a reset where bytes were left unread.
    ///
    /// # Panics
    ///
    /// If the host is of another network.
    pub fn kill_host(&mut self, now: Instant, host: HostId, decide: &mut impl Decide) {
        self.check_host(host);
        for id in self.sockets_of(host) {
            // It fails where a Unix listener that was older has closed it: who waits in it is a
            // socket as well.
            let _ = self.close(now, id, decide);
        }
    }

    /// When the network wants to be advanced; `None` if it waits for calls alone.
    #[inline]
    #[must_use]
    pub fn next_event(&mut self) -> Option<Instant> {
        match self.inspection_since() {
            None => self.events.next_deadline(),
            since => since,
        }
    }

    /// The addresses a host was added with.
    ///
    /// # Panics
    ///
    /// If the host is of another network.
    #[must_use]
    pub fn host_addresses(&self, host: HostId) -> &[IpAddr] {
        self.hosts[host.index()].addresses()
    }

    /// The host that has this address.
    #[must_use]
    pub fn host_with(&self, address: IpAddr) -> Option<HostId> {
        self.host_by_address.get(&address.to_canonical()).copied()
    }

    /// The number of open sockets.
    #[must_use]
    pub fn open_sockets(&self) -> usize {
        self.sockets.len()
    }

    /// Bytes sent and not yet read, in all connections and datagrams together.
    #[must_use]
    pub fn bytes_in_flight(&self) -> usize {
        let streams = self.conns.iter().map(|(_, conn)| conn.buffered());
        streams.sum::<usize>() + self.datagram_bytes() + self.unix_bytes()
    }

    pub(crate) fn insert_socket(&mut self, mut socket: Socket) -> SocketId {
        socket.serial = self.sockets_made;
        self.sockets_made += 1;
        let serial = socket.serial;
        let slot = self.sockets.insert(socket) as u32;
        SocketId { serial, slot }
    }

    pub(crate) fn remove_socket(&mut self, id: SocketId) {
        self.sockets.remove(id.slot());
        if self.sockets.is_empty() {
            self.sockets = Slab::new();
        }
    }

    pub(crate) fn socket(&self, id: SocketId) -> Result<&Socket> {
        let socket = self.sockets.get(id.slot());
        socket
            .filter(|socket| socket.serial == id.serial)
            .ok_or(NetError::BadSocket)
    }

    pub(crate) fn socket_mut(&mut self, id: SocketId) -> Result<&mut Socket> {
        let socket = self.sockets.get_mut(id.slot());
        socket
            .filter(|socket| socket.serial == id.serial)
            .ok_or(NetError::BadSocket)
    }

    pub(crate) fn remove_conn(&mut self, id: ConnId) -> Box<Conn> {
        if self.watch.is_some() {
            self.forget_pending(id, Side::Opener);
            self.forget_pending(id, Side::Acceptor);
        }
        self.forget_silences(id);
        let conn = self.conns.remove(id.index());
        for key in conn.scheduled() {
            self.events.cancel(key);
        }
        if self.conns.is_empty() {
            self.conns = Slab::new();
        }
        conn
    }

    pub(crate) fn observe(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }

    /// Puts a socket into the queue of changed ones.
    pub(crate) fn changed(&mut self, id: SocketId) {
        let Ok(socket) = self.socket_mut(id) else {
            return;
        };
        if !socket.changed {
            socket.changed = true;
            self.changed.push_back(id);
        }
    }

    pub(crate) fn host_mut(&mut self, host: HostId) -> &mut Host {
        &mut self.hosts[host.index()]
    }

    pub(crate) fn check_host(&self, host: HostId) {
        assert!(
            host.index() < self.hosts.len(),
            "{host} is of another network"
        );
    }

    /// What a socket can do now.
    ///
    /// A socket that is not writable gets a change once it is again.
    ///
    /// # Errors
    ///
    /// [`NetError::BadSocket`].
    pub fn readiness(&mut self, id: SocketId) -> Result<Readiness> {
        Ok(match &self.socket(id)?.state {
            State::Idle => Readiness {
                writable: true,
                hung_up: true,
                ..Readiness::default()
            },
            State::Failed(error) => Readiness {
                readable: true,
                writable: true,
                read_closed: true,
                hung_up: true,
                error: error.is_some(),
            },
            State::Listening(listener) => Readiness {
                readable: listener.has_pending(),
                ..Readiness::default()
            },
            State::Unix(_) => return self.unix_readiness(id),
            State::Lookup(query) => Readiness {
                readable: query.is_answered(),
                ..Readiness::default()
            },
            State::Udp(udp) => udp.readiness(),
            &State::Stream(conn, side) => self.stream_readiness(conn, side),
        })
    }
}
