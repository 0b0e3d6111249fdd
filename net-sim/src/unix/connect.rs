//! Listening, connecting, accepting.

use std::collections::VecDeque;

use super::state::{Inbox, Listener, Peer, Stage, Unix};
use super::{UnixAddr, UnixKind};
use crate::{HostId, Net, NetError, Result, SocketId};

impl Net {
    /// Connects a socket. A stream is connected when the call returns, and may write before
    /// anybody has accepted it; a datagram socket from now on sends to that address, and nobody
    /// else can send to it.
    ///
    /// # Errors
    ///
    /// [`NetError::NotFound`] if there is no such path, [`NetError::ConnectionRefused`] if nobody
    /// is behind the name or listens there, [`NetError::WrongType`] if its socket is of the other
    /// kind, [`NetError::WouldBlock`] if the listener's backlog is full, of which the end is not
    /// told. [`NetError::NotPermitted`] if a datagram socket talks to somebody else.
    /// [`NetError::IsConnected`], [`NetError::InvalidInput`], [`NetError::NotSupported`] if it is
    /// no Unix socket, [`NetError::BadSocket`].
    pub fn unix_connect(&mut self, id: SocketId, to: &UnixAddr) -> Result<()> {
        let kind = self.unix(id)?.kind();
        let host = self.socket(id)?.host;
        if to.is_unnamed() {
            return Err(NetError::InvalidInput);
        }
        let there = self.find_unix(host, kind, to)?;
        match kind {
            UnixKind::Stream => self.unix_connect_stream(host, id, there),
            UnixKind::Datagram => self.unix_connect_datagram(id, there),
        }
    }

    /// Takes the oldest connection that waits, and what its peer is bound to.
    ///
    /// # Errors
    ///
    /// [`NetError::WouldBlock`], [`NetError::InvalidInput`] if the socket does not listen,
    /// [`NetError::NotSupported`] if it is no Unix stream socket, [`NetError::BadSocket`].
    pub fn unix_accept(&mut self, id: SocketId) -> Result<(SocketId, UnixAddr)> {
        let unix = self.unix_mut(id)?;
        if unix.kind() == UnixKind::Datagram {
            return Err(NetError::NotSupported);
        }
        let Stage::Listening(listener) = &mut unix.stage else {
            return Err(NetError::InvalidInput);
        };
        // On a listener that is shut as well: only an accept that waits is told of that.
        let end = listener.pending.pop_front().ok_or(NetError::WouldBlock)?;
        let peer = self.unix_peer_addr(end)?;
        Ok((end, peer))
    }

    pub(crate) fn unix_listen(&mut self, id: SocketId, backlog: usize) -> Result<()> {
        let host = self.socket(id)?.host;
        let credentials = self.unix_names(host).credentials;
        let unix = self.unix_mut(id)?;
        if unix.kind() == UnixKind::Datagram {
            return Err(NetError::NotSupported);
        }
        match &mut unix.stage {
            _ if unix.bound.get().is_none() => return Err(NetError::InvalidInput),
            Stage::Connected(_) => return Err(NetError::InvalidInput),
            Stage::Listening(listener) => listener.backlog = backlog,
            Stage::Idle => {
                unix.stage = Stage::Listening(Listener {
                    backlog,
                    pending: VecDeque::new(),
                });
            }
        }
        unix.peer_credentials = Some(credentials);
        Ok(())
    }

    /// The open socket of that name.
    ///
    /// # Errors
    ///
    /// [`NetError::NotFound`], [`NetError::ConnectionRefused`], [`NetError::WrongType`].
    pub(super) fn find_unix(
        &mut self,
        host: HostId,
        kind: UnixKind,
        addr: &UnixAddr,
    ) -> Result<SocketId> {
        let found = self.unix_names(host).get(kind, addr);
        let missing = match addr.as_path() {
            Some(_) => NetError::NotFound,
            None => NetError::ConnectionRefused,
        };
        let id = found.ok_or(missing)?;
        let there = self.unix(id).map_err(|_| NetError::ConnectionRefused)?;
        if there.kind() != kind {
            return Err(NetError::WrongType);
        }
        Ok(id)
    }

    fn unix_connect_stream(&mut self, host: HostId, id: SocketId, there: SocketId) -> Result<()> {
        let credentials = self.unix_names(host).credentials;
        let listening = self.unix(there)?;
        let bound = listening.bound.clone();
        let their_credentials = listening.peer_credentials;
        match &listening.stage {
            Stage::Listening(_) if listening.read_shut => return Err(NetError::ConnectionRefused),
            Stage::Listening(listener) if listener.is_full() => return Err(NetError::WouldBlock),
            Stage::Listening(_) => {}
            _ => return Err(NetError::ConnectionRefused),
        }
        let unix = self.unix_mut(id)?;
        match unix.stage {
            Stage::Idle => {}
            Stage::Connected(_) => return Err(NetError::IsConnected),
            Stage::Listening(_) => return Err(NetError::InvalidInput),
        }
        let own = unix.bound.clone();
        let mut end = Unix::new(UnixKind::Stream);
        end.bound = bound.clone();
        end.stage = Stage::Connected(Peer { id, bound: own });
        end.peer_credentials = Some(credentials);
        let end = self.new_unix(host, end);

        let unix = self.unix_mut(id)?;
        unix.stage = Stage::Connected(Peer { id: end, bound });
        unix.peer_credentials = their_credentials;
        if let Stage::Listening(listener) = &mut self.unix_mut(there)?.stage {
            listener.pending.push_back(end);
        }
        self.changed(there);
        self.changed(id);
        Ok(())
    }

    fn unix_connect_datagram(&mut self, id: SocketId, there: SocketId) -> Result<()> {
        if !self.may_send(id, there) {
            return Err(NetError::NotPermitted);
        }
        let bound = self.unix(there)?.bound.clone();
        let unix = self.unix_mut(id)?;
        let before = unix.peer();
        unix.stage = Stage::Connected(Peer { id: there, bound });
        if let Some(before) = before.filter(|&before| before != there) {
            self.leave_peer(id, before);
        }
        self.changed(id);
        Ok(())
    }

    /// What comes for a datagram socket that talks to one other comes from that one alone.
    pub(super) fn may_send(&self, id: SocketId, there: SocketId) -> bool {
        let theirs = self.unix(there).ok().and_then(Unix::peer);
        theirs.is_none_or(|theirs| theirs == id)
    }

    /// A datagram socket no longer talks to `before`: what it has not read of anybody is lost, and
    /// `before` is told of it if it talked to this one.
    pub(super) fn leave_peer(&mut self, id: SocketId, before: SocketId) {
        let Ok(Unix {
            inbox: Inbox::Datagrams { queue, waiting },
            ..
        }) = self.unix_mut(id)
        else {
            return;
        };
        let lost = std::mem::take(queue);
        if lost.is_empty() {
            return;
        }
        let waiting = std::mem::take(waiting);
        for one in lost {
            self.release_memory(one.sender, one.charge);
        }
        for waiter in waiting {
            self.changed(waiter);
        }
        if let Ok(there) = self.unix_mut(before)
            && there.peer() == Some(id)
        {
            there.error = Some(NetError::ConnectionReset);
            self.changed(before);
        }
    }
}

impl Listener {
    /// Linux keeps one more than it was asked for.
    fn is_full(&self) -> bool {
        self.pending.len() > self.backlog
    }
}
