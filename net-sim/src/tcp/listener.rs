//! Listening sockets and the connections that wait in them.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use virtual_time::Instant;

use super::{ConnId, Owner, Side};
use crate::fault::Ruling;
use crate::link::LinkId;
use crate::socket::{Socket, State};
use crate::{Decide, Net, NetError, Result, Site, SocketId};

/// Among how many connections that arrive at one instant the order is open.
const MOST_TIED: usize = 8;

/// Connections made and not yet accepted.
#[derive(Debug)]
pub(crate) struct Listener {
    backlog: usize,
    pending: VecDeque<Pending>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    pub(super) conn: ConnId,
    pub(super) since: Instant,
    /// The way it came; one that takes no time leaves no order open.
    pub(super) link: Option<LinkId>,
}

impl Listener {
    pub(crate) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Linux keeps one more than it was asked for.
    pub(super) fn is_full(&self) -> bool {
        self.pending.len() > self.backlog
    }

    /// Connections that come over different links at one instant come in any order.
    pub(super) fn push(&mut self, new: Pending, decide: &mut dyn Decide) {
        let tied = |old: &&Pending| {
            let ways = old.link.zip(new.link);
            old.since == new.since && ways.is_some_and(|(old, new)| old != new)
        };
        let tied = self.pending.iter().rev().take(MOST_TIED).take_while(tied);
        let before = match tied.count() as u64 {
            0 => 0,
            n => decide.choose(Site::TIE, n + 1).min(n),
        };
        let place = self.pending.len() - before as usize;
        self.pending.insert(place, new);
    }

    pub(super) fn into_pending(self) -> impl Iterator<Item = ConnId> {
        self.pending.into_iter().map(|pending| pending.conn)
    }
}

impl Net {
    /// Lets a socket take connections, and keep up to `backlog + 1` for
    /// [`accept`](Self::accept). An unbound socket gets a free port first; on a listening one
    /// the backlog changes.
    ///
    /// # Errors
    ///
    /// [`NetError::AddrInUse`] if another socket listens there, [`NetError::InvalidInput`] if
    /// the socket is connected, [`NetError::BadSocket`].
    pub fn listen(&mut self, now: Instant, id: SocketId, backlog: u32) -> Result<()> {
        self.observe(now);
        let backlog = backlog.min(self.config.max_backlog) as usize;
        let socket = self.socket_mut(id)?;
        match &mut socket.state {
            State::Listening(listener) => {
                listener.backlog = backlog;
                return Ok(());
            }
            State::Stream(..) => return Err(NetError::InvalidInput),
            State::Unix(_) => return self.unix_listen(id, backlog),
            State::Lookup(_) | State::Udp(_) => return Err(NetError::NotSupported),
            State::Idle | State::Failed(_) => {}
        }
        if socket.bound.is_none() {
            let any = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
            self.bind(now, id, any)?;
        }
        let socket = self.socket(id)?;
        let (host, bound) = (socket.host, socket.bound);
        let port = bound.ok_or(NetError::InvalidInput)?.port();
        self.host_mut(host).listen(port, id)?;
        self.socket_mut(id)?.state = State::Listening(Listener {
            backlog,
            pending: VecDeque::new(),
        });
        Ok(())
    }

    /// Takes the oldest connection that waits, and the peer's address. The new socket has the
    /// listener's options.
    ///
    /// # Errors
    ///
    /// [`NetError::WouldBlock`], [`NetError::InvalidInput`] if the socket does not listen,
    /// [`NetError::TooManyOpenFiles`] if a [fault](crate::Fault::no_descriptors) says so,
    /// [`NetError::BadSocket`].
    pub fn accept(
        &mut self,
        now: Instant,
        id: SocketId,
        decide: &mut impl Decide,
    ) -> Result<(SocketId, SocketAddr)> {
        self.observe(now);
        self.check_descriptors(id)?;
        // Linux hands out connections in the order they came, which was decided then.
        let _ = decide;
        let socket = self.socket_mut(id)?;
        let State::Listening(listener) = &mut socket.state else {
            return Err(match socket.state {
                State::Udp(_) => NetError::NotSupported,
                _ => NetError::InvalidInput,
            });
        };
        let conn = listener
            .pending
            .pop_front()
            .ok_or(NetError::WouldBlock)?
            .conn;
        let accepted = Socket {
            serial: 0,
            host: socket.host,
            changed: false,
            speaks_v6: socket.speaks_v6,
            bound: None,
            options: socket.options,
            state: State::Stream(conn, Side::Acceptor),
        };
        let speaks_v6 = socket.speaks_v6;
        let accepted = self.insert_socket(accepted);
        let end = self.conns[conn.index()].end_mut(Side::Acceptor);
        end.owner = Owner::Socket(accepted);
        end.told_connected = true;
        let peer = self.conns[conn.index()].end(Side::Opener).addr;
        Ok((accepted, super::socket::spoken(peer, speaks_v6)))
    }

    /// Whether a fault leaves the process a descriptor for the connection that waits, if one
    /// does. Linux looks for a descriptor first, whether or not one waits; but no loop asks it
    /// before the listener is readable.
    fn check_descriptors(&mut self, id: SocketId) -> Result<()> {
        if !self.links.rules().have_gates() {
            return Ok(());
        }
        let socket = self.socket(id)?;
        let State::Listening(listener) = &socket.state else {
            return Ok(());
        };
        let waits = listener.has_pending();
        let (host, port) = (socket.host, socket.bound.map_or(0, |addr| addr.port()));
        let rules = self.links.rules_mut();
        if waits && rules.gate(host, port, &[Ruling::NoDescriptors]).is_some() {
            return Err(NetError::TooManyOpenFiles);
        }
        Ok(())
    }
}
