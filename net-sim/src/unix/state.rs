//! What a Unix socket knows, and who finds it.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};

use super::inbox::{Bytes, Datagram};
use super::{UnixAddr, UnixCredentials, UnixKind};
use crate::socket::{Socket, State};
use crate::{Net, NetError, Readiness, Result, SocketId};

/// What a socket is bound to, which others may want to know when it is closed. A socket is bound
/// once at most; what a listener accepts shares its address.
pub(super) type Bound = Arc<OnceLock<UnixAddr>>;

pub(super) fn known(bound: &Bound) -> UnixAddr {
    bound.get().cloned().unwrap_or_default()
}

/// One Unix socket.
#[derive(Debug)]
pub(crate) struct Unix {
    pub(super) bound: Bound,
    pub(super) stage: Stage,
    pub(super) inbox: Inbox,
    /// Waits to be taken by the next call that would report it.
    pub(super) error: Option<NetError>,
    pub(super) read_shut: bool,
    pub(super) write_shut: bool,
    /// Memory of what this socket sent and nobody has read.
    pub(super) used: usize,
    /// The writer was told to wait for memory.
    pub(super) blocked: bool,
    /// Who the peer was when it connected, or listened.
    pub(super) peer_credentials: Option<UnixCredentials>,
}

#[derive(Debug)]
pub(super) enum Stage {
    Idle,
    Listening(Listener),
    Connected(Peer),
}

#[derive(Debug)]
pub(super) struct Listener {
    pub(super) backlog: usize,
    /// The listener's ends of connections, made and not yet accepted.
    pub(super) pending: VecDeque<SocketId>,
}

/// The other socket, which may be closed by now.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) id: SocketId,
    pub(super) bound: Bound,
}

#[derive(Debug)]
pub(super) enum Inbox {
    Stream(Bytes),
    Datagrams {
        queue: VecDeque<Datagram>,
        /// Those connected to this socket that wait for room in it.
        waiting: Vec<SocketId>,
    },
}

impl Unix {
    pub(super) fn new(kind: UnixKind) -> Self {
        Self {
            bound: Bound::default(),
            stage: Stage::Idle,
            inbox: match kind {
                UnixKind::Stream => Inbox::Stream(Bytes::default()),
                UnixKind::Datagram => Inbox::Datagrams {
                    queue: VecDeque::new(),
                    waiting: vec![],
                },
            },
            error: None,
            read_shut: false,
            write_shut: false,
            used: 0,
            blocked: false,
            peer_credentials: None,
        }
    }

    pub(super) const fn kind(&self) -> UnixKind {
        match self.inbox {
            Inbox::Stream(_) => UnixKind::Stream,
            Inbox::Datagrams { .. } => UnixKind::Datagram,
        }
    }

    /// The peer's id, whether or not it is still open.
    pub(super) const fn peer(&self) -> Option<SocketId> {
        match &self.stage {
            Stage::Connected(peer) => Some(peer.id),
            _ => None,
        }
    }

    pub(super) fn addr(&self) -> UnixAddr {
        known(&self.bound)
    }

    /// Linux's rule for `POLLOUT`: three quarters of the send buffer are free, not counting the
    /// one that it keeps in the number.
    pub(super) const fn is_writable(&self, send_buffer: usize) -> bool {
        self.used.saturating_add(1).saturating_mul(4) <= send_buffer
    }

    pub(super) fn has_input(&self) -> bool {
        let pending = match &self.stage {
            Stage::Listening(listener) => !listener.pending.is_empty(),
            _ => false,
        };
        pending
            || match &self.inbox {
                Inbox::Stream(bytes) => bytes.len() > 0,
                Inbox::Datagrams { queue, .. } => !queue.is_empty(),
            }
    }

    /// Bytes that wait to be read.
    fn buffered(&self) -> usize {
        match &self.inbox {
            Inbox::Stream(bytes) => bytes.len(),
            Inbox::Datagrams { queue, .. } => queue.iter().map(|one| one.bytes.len()).sum(),
        }
    }

    /// What `FIONREAD` says: for datagrams the size of the next.
    pub(crate) fn next_read(&self) -> usize {
        match &self.inbox {
            Inbox::Stream(bytes) => bytes.len(),
            Inbox::Datagrams { queue, .. } => queue.front().map_or(0, |one| one.bytes.len()),
        }
    }

    pub(crate) const fn take_error(&mut self) -> Option<NetError> {
        self.error.take()
    }
}

impl Net {
    pub(super) fn unix(&self, id: SocketId) -> Result<&Unix> {
        match &self.socket(id)?.state {
            State::Unix(unix) => Ok(unix),
            _ => Err(NetError::NotSupported),
        }
    }

    pub(super) fn unix_mut(&mut self, id: SocketId) -> Result<&mut Unix> {
        match &mut self.socket_mut(id)?.state {
            State::Unix(unix) => Ok(unix),
            _ => Err(NetError::NotSupported),
        }
    }

    /// Bytes sent over Unix sockets and not yet read.
    pub(crate) fn unix_bytes(&self) -> usize {
        let waits = |socket: &Socket| match &socket.state {
            State::Unix(unix) => unix.buffered(),
            _ => 0,
        };
        self.sockets.iter().map(|(_, socket)| waits(socket)).sum()
    }

    /// Linux's `unix_poll` and `unix_dgram_poll`. Whoever is told that a socket is not writable
    /// gets a change when it is.
    pub(crate) fn unix_readiness(&mut self, id: SocketId) -> Result<Readiness> {
        let send_buffer = self.socket(id)?.options.send_buffer;
        let peer_is_full = self.unix_peer_is_full(id);
        let unix = self.unix_mut(id)?;
        let listens = matches!(unix.stage, Stage::Listening(_));
        let connected = matches!(unix.stage, Stage::Connected(_));
        let has_room = unix.is_writable(send_buffer);
        let writable = !listens && has_room && !peer_is_full;
        unix.blocked |= !has_room;
        let stands_alone = unix.kind() == UnixKind::Stream && !connected && !listens;
        let readiness = Readiness {
            readable: unix.has_input() || unix.read_shut,
            writable,
            read_closed: unix.read_shut,
            hung_up: (unix.read_shut && unix.write_shut) || stands_alone,
            error: unix.error.is_some(),
        };
        if has_room && peer_is_full {
            self.wait_for_peer(id);
        }
        Ok(readiness)
    }

    /// What `id` sent is read, or thrown away: so much of its memory is free.
    pub(super) fn release_memory(&mut self, id: SocketId, freed: usize) {
        let Ok(socket) = self.socket_mut(id) else {
            return;
        };
        let send_buffer = socket.options.send_buffer;
        let State::Unix(unix) = &mut socket.state else {
            return;
        };
        unix.used = unix.used.saturating_sub(freed);
        if unix.blocked && unix.is_writable(send_buffer) {
            unix.blocked = false;
            self.changed(id);
        }
    }
}
