//! Opening a connection: the three-way handshake, its retries and its failures.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use virtual_time::Instant;

use super::listener::Pending;
use super::pipe::{Cargo, Pipe};
use super::{Conn, ConnId, End, Owner, Side, Stage};
use crate::event::Event;
use crate::fault::Ruling;
use crate::host::Share;
use crate::link::{Fate, LinkId};
use crate::socket::{Socket, State};
use crate::{Decide, Net, NetError, Result, SocketId};

/// Linux's `TCP_TIMEOUT_INIT`: what the first retry waits, each further one twice as long.
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// Linux's `TCP_RTO_MAX`.
const LAST_RETRY: Duration = Duration::from_secs(120);
/// Linux's default `tcp_synack_retries`.
const SYN_ACK_RETRIES: u32 = 5;
/// When a host gives up asking who has an address of its own segment: three probes, a second
/// apart (RFC 4861, section 10; Linux does the same for IPv4).
const NEIGHBOUR_TIMEOUT: Duration = Duration::from_secs(3);

impl Net {
    /// Begins to connect a socket, which is writable once it is connected or has failed; take
    /// the outcome with [`finish_connect`](Self::finish_connect).
    ///
    /// An address that no host has is unreachable after three seconds, as on one network
    /// segment. The wildcard address means this host.
    ///
    /// # Errors
    ///
    /// [`NetError::InProgress`] is the rule, even where there is no latency. Then
    /// [`NetError::AlreadyInProgress`], and once the outcome is there the outcome itself.
    /// [`NetError::IsConnected`], [`NetError::NetworkUnreachable`],
    /// [`NetError::AddrNotAvailable`] if no port is free, [`NetError::InvalidInput`],
    /// [`NetError::BadSocket`].
    pub fn connect(
        &mut self,
        now: Instant,
        id: SocketId,
        to: SocketAddr,
        decide: &mut impl Decide,
    ) -> Result<()> {
        self.observe(now);
        let socket = self.socket_mut(id)?;
        match &mut socket.state {
            State::Idle => {}
            State::Udp(_) => return self.udp_connect(id, to),
            State::Failed(error) => {
                let error = error.take().unwrap_or(NetError::ConnectionAborted);
                socket.state = State::Idle;
                return Err(error);
            }
            State::Listening(_) => return Err(NetError::IsConnected),
            State::Unix(_) | State::Lookup(_) => return Err(NetError::NotSupported),
            &mut State::Stream(conn, side) => {
                let conn = &mut self.conns[conn.index()];
                if conn.is_opening() {
                    return Err(NetError::AlreadyInProgress);
                }
                return if std::mem::replace(&mut conn.end_mut(side).told_connected, true) {
                    Err(NetError::IsConnected)
                } else {
                    Ok(())
                };
            }
        }
        self.open(now, id, to, decide)?;
        Err(NetError::InProgress)
    }

    /// The outcome of a connect.
    ///
    /// # Errors
    ///
    /// [`NetError::InProgress`] while there is none. Once, the connect's error:
    /// [`NetError::ConnectionRefused`], [`NetError::TimedOut`], [`NetError::HostUnreachable`],
    /// or [`NetError::ConnectionReset`] if the connection was there and is gone;
    /// [`NetError::NotConnected`] afterwards or if nobody called connect.
    pub fn finish_connect(&mut self, id: SocketId) -> Result<()> {
        match &mut self.socket_mut(id)?.state {
            State::Idle | State::Listening(_) => Err(NetError::NotConnected),
            State::Lookup(_) | State::Udp(_) | State::Unix(_) => Err(NetError::NotSupported),
            State::Failed(error) => Err(error.take().unwrap_or(NetError::NotConnected)),
            &mut State::Stream(conn, side) => {
                let conn = &mut self.conns[conn.index()];
                if conn.is_opening() {
                    return Err(NetError::InProgress);
                }
                let end = conn.end_mut(side);
                end.told_connected = true;
                end.error.take().map_or(Ok(()), Err)
            }
        }
    }

    /// The handshake's timer: tries again, or gives up.
    pub(crate) fn handshake_retry(&mut self, now: Instant, id: ConnId, decide: &mut dyn Decide) {
        let conn = &mut self.conns[id.index()];
        conn.retry = None;
        conn.retries += 1;
        conn.tried_at = now;
        match conn.stage {
            Stage::Opening if conn.end(Side::Acceptor).host.is_none() => {
                self.fail_connect(now, id, NetError::HostUnreachable);
            }
            Stage::Opening if conn.retries > self.config.syn_retries => {
                self.fail_connect(now, id, NetError::TimedOut);
            }
            // The SYN is held on its way; one more would change nothing.
            Stage::Opening if conn.end(Side::Opener).out.is_busy() => self.schedule_retry(now, id),
            Stage::Opening => self.transmit(now, id, Side::Opener, Cargo::Syn, decide),
            Stage::HalfOpen if conn.inbound(Side::Acceptor).held => {
                self.on_handshake_ack(now, id, decide);
            }
            Stage::HalfOpen if conn.inbound(Side::Acceptor).handshake_is_lost() => {
                self.answer_again(now, id, decide);
            }
            // The answer to the second part of the handshake is a RST by now.
            Stage::HalfOpen if conn.end(Side::Opener).reset => self.abandon(now, id),
            Stage::HalfOpen | Stage::Open => {}
        }
    }

    /// The acceptor, which still waits for the third part of the handshake, hears that there is
    /// no connection.
    pub(super) fn abandon(&mut self, now: Instant, id: ConnId) {
        if let Some(key) = self.conns[id.index()].retry.take() {
            self.events.cancel(key);
        }
        self.disown(now, id);
    }

    /// What the handshake's current step sent does not arrive: its timer will fire.
    pub(super) fn try_handshake_again(&mut self, now: Instant, id: ConnId) {
        if self.conns[id.index()].retry.is_none() {
            self.schedule_retry(now, id);
        }
    }

    /// The acceptor, which waits for the third part of the handshake, sends the second part
    /// again, and the opener answers that.
    fn answer_again(&mut self, now: Instant, id: ConnId, decide: &mut dyn Decide) {
        let conn = &mut self.conns[id.index()];
        let there = conn.end(Side::Opener).link;
        let back = conn.end(Side::Acceptor).link;
        if conn.retries > SYN_ACK_RETRIES {
            conn.inbound_mut(Side::Acceptor).forget_handshake();
            self.disown_silently(now, id);
        } else if let Fate::Arrives(at) = self.links.send(back, now, 0, decide)
            && let Fate::Arrives(at) = self.links.send(there, at, 0, decide)
        {
            conn.inbound_mut(Side::Acceptor).got_through(at);
            self.schedule_arrival(now, id, Side::Opener);
        } else {
            self.schedule_retry(now, id);
        }
    }

    pub(super) fn on_syn(&mut self, now: Instant, id: ConnId, decide: &mut dyn Decide) {
        let conn = &self.conns[id.index()];
        let acceptor = conn.end(Side::Acceptor);
        let (addr, pairing) = (acceptor.addr, conn.pairing(Side::Acceptor));
        let Some(host) = acceptor.host else {
            return; // No SYN is sent to nobody.
        };
        let among = [Ruling::Refuse, Ruling::Hang];
        let ruling = self.links.rules_mut().gate(host, addr.port(), &among);
        if ruling == Some(Ruling::Hang) {
            self.schedule_retry(now, id);
            return;
        }
        let before = match acceptor.owner {
            Owner::Listener(listener) => Some(listener),
            _ => None,
        };
        let listener = self.hosts[host.index()].listener(addr, before, decide);
        let Some(listener_id) = listener.filter(|_| ruling.is_none()) else {
            self.transmit(now, id, Side::Acceptor, Cargo::Rst, decide);
            return;
        };
        let (options, full) = match self.socket(listener_id) {
            Ok(Socket {
                options,
                state: State::Listening(listener),
                ..
            }) => (*options, listener.is_full()),
            _ => unreachable!("what a host says listens does"),
        };
        if self.conns[id.index()].end(Side::Acceptor).paired {
            // The opener did not get the answer.
            self.transmit(now, id, Side::Acceptor, Cargo::SynAck, decide);
            return;
        }
        let acceptor = self.conns[id.index()].end_mut(Side::Acceptor);
        acceptor.owner = Owner::Listener(listener_id);
        // Two connections cannot have the same name; the old one is about to end.
        if full || !self.host_mut(host).admit(pairing, Share::of(&options)) {
            self.schedule_retry(now, id);
            return;
        }
        let conn = &mut self.conns[id.index()];
        let acceptor = conn.end_mut(Side::Acceptor);
        acceptor.paired = true;
        acceptor.out.set_send_buffer(options.send_buffer);
        conn.inbound_mut(Side::Acceptor)
            .agree_receive_buffer(options.receive_buffer);
        self.transmit(now, id, Side::Acceptor, Cargo::SynAck, decide);
    }

    pub(super) fn on_syn_ack(&mut self, now: Instant, id: ConnId, decide: &mut dyn Decide) {
        let conn = &mut self.conns[id.index()];
        if !conn.is_opening() {
            return; // The answer to a SYN that was sent again.
        }
        if let Some(key) = conn.retry.take() {
            self.events.cancel(key);
        }
        conn.stage = Stage::HalfOpen;
        conn.retries = 0;
        conn.tried_at = now;
        let owner = conn.end(Side::Opener).owner;
        self.tell(owner);
        self.transmit(now, id, Side::Opener, Cargo::HandshakeAck, decide);
    }

    /// The acceptor's side of the connection is there, if its listener is and has room.
    ///
    /// Without room Linux drops the segment, and everything after it, until one sent again
    /// finds room: the opener is connected to nobody and does not know.
    pub(super) fn on_handshake_ack(&mut self, now: Instant, id: ConnId, decide: &mut dyn Decide) {
        let Owner::Listener(listener_id) = self.conns[id.index()].end(Side::Acceptor).owner else {
            return;
        };
        let link = self.conns[id.index()].end(Side::Opener).link;
        let takes_time = !self.links.typical(link).is_zero();
        let pending = Pending {
            conn: id,
            since: now,
            link: takes_time.then_some(link),
        };
        let state = self.socket_mut(listener_id).map(|socket| &mut socket.state);
        let Ok(State::Listening(listener)) = state else {
            if self.disown(now, id) {
                self.cut(now, id, Side::Acceptor, decide);
            }
            return;
        };
        if !listener.is_full() {
            listener.push(pending, decide);
            self.conns[id.index()].stage = Stage::Open;
            self.changed(listener_id);
            self.conns[id.index()].inbound_mut(Side::Acceptor).held = false;
            self.schedule_arrival(now, id, Side::Opener);
            return;
        }
        let conn = &mut self.conns[id.index()];
        if conn.retries > SYN_ACK_RETRIES {
            self.disown_silently(now, id);
            return;
        }
        conn.inbound_mut(Side::Acceptor).held = true;
        self.schedule_retry(now, id);
    }

    /// Ends a connect that failed.
    pub(super) fn fail_connect(&mut self, now: Instant, id: ConnId, error: NetError) {
        let owner = self.conns[id.index()].end(Side::Opener).owner;
        self.dissolve(now, id);
        if let Owner::Socket(socket_id) = owner
            && let Ok(socket) = self.socket_mut(socket_id)
        {
            socket.state = State::Failed(Some(error));
            self.changed(socket_id);
        }
    }

    /// Forgets a connection, and gives back its pairings.
    pub(super) fn dissolve(&mut self, now: Instant, id: ConnId) {
        self.part(now, id, Side::Opener);
        self.part(now, id, Side::Acceptor);
        self.remove_conn(id);
    }

    fn open(
        &mut self,
        now: Instant,
        id: SocketId,
        to: SocketAddr,
        decide: &mut dyn Decide,
    ) -> Result<()> {
        let remote = meaning(to);
        let socket = self.socket(id)?;
        let (host_id, options, bound) = (socket.host, socket.options, socket.bound);
        if options.only_v6 && to.is_ipv6() && remote.is_ipv4() {
            return Err(NetError::NetworkUnreachable);
        }
        let host = &self.hosts[host_id.index()];
        let peer = if host.has(remote.ip()) {
            Some(host_id)
        } else {
            self.host_by_address.get(&remote.ip()).copied()
        };
        let local = match bound {
            Some(addr) if !addr.ip().is_unspecified() => addr.ip(),
            _ => host.source_for(remote.ip())?,
        };
        let leaves_loopback = local.is_loopback() && peer != Some(host_id);
        if local.is_ipv4() != remote.is_ipv4() || leaves_loopback {
            return Err(NetError::InvalidInput);
        }
        let port = bound.map(|addr| addr.port());
        let addr = self
            .host_mut(host_id)
            .pair(now, local, port, remote, Share::of(&options))?;

        let (there, back) = match peer {
            Some(peer) => (
                self.links.between(host_id, peer),
                self.links.between(peer, host_id),
            ),
            None => (LinkId::LOOPBACK, LinkId::LOOPBACK),
        };
        let pipe = || Pipe::new(options.send_buffer, options.receive_buffer);
        let mut opener = End::new(Some(host_id), addr, Owner::Socket(id), there, pipe());
        opener.paired = true;
        let acceptor = End::new(peer, remote, Owner::Closed, back, pipe());
        let conn = ConnId(self.conns.insert(Box::new(Conn {
            stage: Stage::Opening,
            ends: [opener, acceptor],
            retry: None,
            retries: 0,
            tried_at: now,
        })) as u32);
        let socket = self.socket_mut(id)?;
        socket.state = State::Stream(conn, Side::Opener);
        socket.speaks_v6 |= to.is_ipv6();
        if peer.is_some() {
            self.transmit(now, conn, Side::Opener, Cargo::Syn, decide);
        } else {
            let event = Event::Handshake(conn);
            let key = self.events.insert(now + NEIGHBOUR_TIMEOUT, event);
            self.conns[conn.index()].retry = Some(key);
        }
        Ok(())
    }

    /// The handshake's current step went nowhere: it will be tried again.
    pub(super) fn schedule_retry(&mut self, now: Instant, id: ConnId) {
        let conn = &mut self.conns[id.index()];
        let wait = FIRST_RETRY.saturating_mul(1 << conn.retries.min(16));
        let at = (conn.tried_at + wait.min(LAST_RETRY)).max(now);
        if let Some(key) = conn.retry.take() {
            self.events.cancel(key);
        }
        conn.retry = Some(self.events.insert(at, Event::Handshake(id)));
    }

    /// The acceptor gives up, and the opener learns of it when it sends something or asks for a
    /// sign of life.
    fn disown_silently(&mut self, now: Instant, id: ConnId) {
        if self.disown(now, id) {
            let acceptor = self.conns[id.index()].end_mut(Side::Acceptor);
            (acceptor.reset, acceptor.untold) = (true, true);
            self.schedule_arrival(now, id, Side::Opener);
            self.miss_reset(now, id, Side::Opener);
        }
    }

    /// The acceptor will never be; whatever comes for it is answered with a RST. False if the
    /// opener has gone as well, and the connection with it.
    fn disown(&mut self, now: Instant, id: ConnId) -> bool {
        let conn = &mut self.conns[id.index()];
        conn.stage = Stage::Open;
        conn.end_mut(Side::Acceptor).owner = Owner::Closed;
        conn.inbound_mut(Side::Acceptor).held = false;
        self.part(now, id, Side::Acceptor);
        let opener_is_there = self.conns[id.index()].end(Side::Opener).owner != Owner::Closed;
        if !opener_is_there {
            self.dissolve(now, id);
        }
        opener_is_there
    }
}

impl Conn {
    pub(super) fn is_opening(&self) -> bool {
        self.stage == Stage::Opening
    }
}

/// The address that is really meant: IPv4 where it is mapped, loopback where it is a wildcard.
fn meaning(addr: SocketAddr) -> SocketAddr {
    let ip = match addr.ip().to_canonical() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, addr.port())
}
