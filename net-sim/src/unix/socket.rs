//! Making Unix sockets, naming them, and ending them.

use super::UnixAddr;
use super::inbox::Datagram;
use super::names::Names;
use super::state::{Inbox, Listener, Peer, Stage, Unix, known};
use crate::socket::State;
use crate::tcp::How;
use crate::{HostId, Net, NetError, Result, SocketId};

/// What goes over a Unix socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UnixKind {
    /// Bytes, in a connection.
    Stream,
    /// Datagrams, none of which is lost.
    Datagram,
}

/// Whose a process is, as `SO_PEERCRED` tells its peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UnixCredentials {
    /// The process.
    pub pid: u32,
    /// The user.
    pub uid: u32,
    /// The user's group.
    pub gid: u32,
}

impl UnixCredentials {
    /// What a host begins with: a process of its own, of the user that most systems make first.
    const fn of(host: HostId) -> Self {
        Self {
            pid: 1_000 + host.0,
            uid: 1_000,
            gid: 1_000,
        }
    }
}

impl Net {
    /// A new Unix socket of this host.
    ///
    /// # Errors
    ///
    /// [`NetError::FamilyNotSupported`] if the host has none: see
    /// [`set_unix_sockets`](Self::set_unix_sockets).
    ///
    /// # Panics
    ///
    /// If the host is of another network.
    pub fn unix_socket(&mut self, host: HostId, kind: UnixKind) -> Result<SocketId> {
        self.check_host(host);
        if self.unix_names(host).refused {
            return Err(NetError::FamilyNotSupported);
        }
        Ok(self.new_unix(host, Unix::new(kind)))
    }

    /// Two Unix sockets, connected to each other.
    ///
    /// # Errors
    ///
    /// As [`unix_socket`](Self::unix_socket).
    ///
    /// # Panics
    ///
    /// If the host is of another network.
    pub fn unix_pair(&mut self, host: HostId, kind: UnixKind) -> Result<(SocketId, SocketId)> {
        let (a, b) = (self.unix_socket(host, kind)?, self.unix_socket(host, kind)?);
        let credentials = self.unix_names(host).credentials;
        for (id, peer) in [(a, b), (b, a)] {
            let bound = self.unix(peer)?.bound.clone();
            let unix = self.unix_mut(id)?;
            unix.stage = Stage::Connected(Peer { id: peer, bound });
            unix.peer_credentials = Some(credentials);
        }
        Ok((a, b))
    }

    /// Names a socket. A path stays taken when its socket is closed, until it is
    /// [unlinked](Self::unlink); for the unnamed address an abstract name is made up, unless the
    /// socket has a name.
    ///
    /// # Errors
    ///
    /// [`NetError::AddrInUse`]; [`NetError::InvalidInput`] if the socket has a name already;
    /// [`NetError::NotSupported`] if it is no Unix socket; [`NetError::BadSocket`].
    pub fn unix_bind(&mut self, id: SocketId, addr: &UnixAddr) -> Result<()> {
        let (kind, has_name) = {
            let unix = self.unix(id)?;
            (unix.kind(), !unix.addr().is_unnamed())
        };
        let host = self.socket(id)?.host;
        let names = self.unix_names(host);
        let addr = match (addr.is_unnamed(), has_name) {
            (true, true) => return Ok(()),
            (true, false) => names.make_up(kind).ok_or(NetError::AddrInUse)?,
            (false, _) => addr.clone(),
        };
        // Linux makes the file first, and then looks whether the socket has a name.
        let is_path = addr.as_path().is_some();
        if has_name && !(is_path && names.get(kind, &addr).is_some()) {
            return Err(NetError::InvalidInput);
        }
        if !names.take(kind, &addr, id) {
            return Err(NetError::AddrInUse);
        }
        // It has none: that was looked at.
        let _ = self.unix(id)?.bound.set(addr);
        Ok(())
    }

    /// Removes a path from a host's file system, as far as that is made of sockets: it can be
    /// bound to again, and who connects to it does not find it. Its socket stays as it is.
    ///
    /// # Errors
    ///
    /// [`NetError::NotFound`]; [`NetError::InvalidInput`] if the address is no path.
    ///
    /// # Panics
    ///
    /// If the host is of another network.
    pub fn unlink(&mut self, host: HostId, path: &UnixAddr) -> Result<()> {
        self.check_host(host);
        let path = path.as_path().ok_or(NetError::InvalidInput)?;
        match self.unix_names(host).unlink(path) {
            true => Ok(()),
            false => Err(NetError::NotFound),
        }
    }

    /// Takes the Unix sockets of a host away, as on a system without them, or gives them back.
    /// Those that are open stay.
    ///
    /// # Panics
    ///
    /// If the host is of another network.
    pub fn set_unix_sockets(&mut self, host: HostId, allowed: bool) {
        self.check_host(host);
        self.unix_names(host).refused = !allowed;
    }

    /// Says whose the sockets of a host are, for those that connect or listen from now on.
    ///
    /// # Panics
    ///
    /// If the host is of another network.
    pub fn set_unix_credentials(&mut self, host: HostId, credentials: UnixCredentials) {
        self.check_host(host);
        self.unix_names(host).credentials = credentials;
    }

    /// What a Unix socket is bound to.
    ///
    /// # Errors
    ///
    /// [`NetError::NotSupported`] if it is no Unix socket; [`NetError::BadSocket`].
    pub fn unix_local_addr(&self, id: SocketId) -> Result<UnixAddr> {
        Ok(self.unix(id)?.addr())
    }

    /// What the peer is bound to, or was when it was closed.
    ///
    /// # Errors
    ///
    /// [`NetError::NotConnected`]; [`NetError::NotSupported`] if it is no Unix socket;
    /// [`NetError::BadSocket`].
    pub fn unix_peer_addr(&self, id: SocketId) -> Result<UnixAddr> {
        match &self.unix(id)?.stage {
            Stage::Connected(peer) => Ok(known(&peer.bound)),
            _ => Err(NetError::NotConnected),
        }
    }

    /// Who the peer is: of a connection, of a listener, or of the other half of a pair; `None` for
    /// every other socket.
    ///
    /// # Errors
    ///
    /// [`NetError::NotSupported`] if it is no Unix socket; [`NetError::BadSocket`].
    pub fn unix_peer_credentials(&self, id: SocketId) -> Result<Option<UnixCredentials>> {
        Ok(self.unix(id)?.peer_credentials)
    }

    pub(super) fn new_unix(&mut self, host: HostId, unix: Unix) -> SocketId {
        let id = self.new_socket(host, State::Unix(Box::new(unix)));
        self.sockets[id.slot()].options.send_buffer = self.config.unix_send_buffer;
        id
    }

    pub(super) fn unix_names(&mut self, host: HostId) -> &mut Names {
        self.unix_names
            .entry(host)
            .or_insert_with(|| Names::new(UnixCredentials::of(host)))
    }

    /// Unlike with TCP it is no error to shut a socket that is not connected.
    pub(crate) fn unix_shutdown(&mut self, id: SocketId, how: How) -> Result<()> {
        let unix = self.unix_mut(id)?;
        unix.read_shut |= how.reads();
        unix.write_shut |= how.writes();
        let is_stream = unix.kind() == UnixKind::Stream;
        if let Some(peer) = unix.peer().filter(|_| is_stream)
            && let Ok(there) = self.unix_mut(peer)
        {
            there.write_shut |= how.reads();
            there.read_shut |= how.writes();
            self.changed(peer);
        }
        self.changed(id);
        Ok(())
    }

    /// What follows from closing a socket, which is removed after that; `unheard` if it was never
    /// accepted.
    pub(crate) fn end_unix(&mut self, id: SocketId, unheard: bool) -> Result<()> {
        let host = self.socket(id)?.host;
        let unix = self.unix_mut(id)?;
        let (kind, unix_peer) = (unix.kind(), unix.peer());
        let addr = unix.addr();
        let stage = std::mem::replace(&mut unix.stage, Stage::Idle);
        let inbox = std::mem::replace(&mut unix.inbox, Unix::new(kind).inbox);
        let unread = self.throw_away(unix_peer, inbox);
        match stage {
            Stage::Idle => {}
            Stage::Listening(Listener { pending, .. }) => {
                for end in pending {
                    self.end_unix(end, true)?;
                    self.remove_socket(end);
                }
            }
            Stage::Connected(peer) => {
                if kind == UnixKind::Stream
                    && let Ok(there) = self.unix_mut(peer.id)
                {
                    there.read_shut = true;
                    there.write_shut = true;
                    if unread || unheard {
                        there.error = Some(NetError::ConnectionReset);
                    }
                    self.changed(peer.id);
                }
            }
        }
        if addr.as_abstract_name().is_some() {
            self.unix_names(host).release(kind, &addr, id);
        }
        Ok(())
    }

    /// Lets go of what nobody will read; true if there was something.
    fn throw_away(&mut self, peer: Option<SocketId>, inbox: Inbox) -> bool {
        match inbox {
            Inbox::Stream(mut bytes) => {
                let unread = bytes.len();
                let freed = bytes.consume(unread);
                if let Some(peer) = peer {
                    self.release_memory(peer, freed);
                }
                unread > 0
            }
            Inbox::Datagrams { queue, waiting } => {
                for id in waiting {
                    self.changed(id);
                }
                let unread = !queue.is_empty();
                for Datagram { sender, charge, .. } in queue {
                    self.release_memory(sender, charge);
                }
                unread
            }
        }
    }
}
