//! Sending and receiving datagrams.

use std::io::IoSlice;

use super::inbox::{self, Datagram};
use super::state::{Inbox, Stage, Unix, known};
use super::{UnixAddr, UnixKind};
use crate::{Net, NetError, Result, SocketId};

/// What Linux takes from the send buffer before it compares a datagram with it.
const RESERVE: usize = 32;

impl Net {
    /// Sends a datagram to whom the socket is connected to. It has arrived when the call returns.
    ///
    /// # Errors
    ///
    /// [`NetError::WouldBlock`] if the send buffer is full, or the receiver's queue, of which a
    /// connected socket is told when there is room; [`NetError::NotConnected`];
    /// [`NetError::ConnectionRefused`] once if the receiver is closed, after which the socket is
    /// not connected; [`NetError::MessageTooLong`]; [`NetError::BrokenPipe`] if either side is
    /// shut; [`NetError::NotPermitted`] if the receiver is connected to another;
    /// [`NetError::ConnectionReset`] once if it left while something from here was unread;
    /// [`NetError::NotSupported`] if it is no Unix datagram socket; [`NetError::BadSocket`].
    pub fn unix_send(&mut self, id: SocketId, datagram: &[u8]) -> Result<usize> {
        self.unix_send_parts(id, &[IoSlice::new(datagram)], None)
    }

    /// Sends a datagram to this address, connected or not.
    ///
    /// # Errors
    ///
    /// As [`unix_send`](Self::unix_send); and [`NetError::NotFound`],
    /// [`NetError::ConnectionRefused`] and [`NetError::WrongType`] for the address. Who is not
    /// connected to it and finds its queue full is told of room only when a datagram of its own
    /// is read.
    pub fn unix_send_to(&mut self, id: SocketId, datagram: &[u8], to: &UnixAddr) -> Result<usize> {
        self.unix_send_parts(id, &[IoSlice::new(datagram)], Some(to))
    }

    /// Takes the next datagram, and what its sender was bound to. What does not fit into `buf` is
    /// lost.
    ///
    /// # Errors
    ///
    /// [`NetError::WouldBlock`], and what waits on the socket; [`NetError::NotSupported`] if it is
    /// no Unix datagram socket; [`NetError::BadSocket`].
    pub fn unix_receive(&mut self, id: SocketId, buf: &mut [u8]) -> Result<(usize, UnixAddr)> {
        self.next_datagram(id)?;
        let Ok(Unix {
            inbox: Inbox::Datagrams { queue, waiting },
            ..
        }) = self.unix_mut(id)
        else {
            return Err(NetError::NotSupported);
        };
        let one = queue.pop_front().ok_or(NetError::WouldBlock)?;
        let waiting = std::mem::take(waiting);
        for waiter in waiting {
            self.changed(waiter);
        }
        // Linux tells the sender even if it has room enough: who found the queue full without
        // being connected knows of it by this alone.
        self.release_memory(one.sender, one.charge);
        self.changed(one.sender);
        Ok((copy(&one, buf), known(&one.from)))
    }

    /// Copies the next datagram, and leaves it to be received.
    ///
    /// # Errors
    ///
    /// As [`unix_receive`](Self::unix_receive).
    pub fn unix_peek_datagram(
        &mut self,
        id: SocketId,
        buf: &mut [u8],
    ) -> Result<(usize, UnixAddr)> {
        let one = self.next_datagram(id)?;
        Ok((copy(one, buf), known(&one.from)))
    }

    pub(super) fn unix_send_parts(
        &mut self,
        id: SocketId,
        bufs: &[IoSlice<'_>],
        to: Option<&UnixAddr>,
    ) -> Result<usize> {
        let (host, send_buffer) = {
            let socket = self.socket(id)?;
            (socket.host, socket.options.send_buffer)
        };
        let unix = self.unix_mut(id)?;
        if unix.kind() == UnixKind::Stream {
            return Err(match unix.stage {
                Stage::Connected(_) => NetError::IsConnected,
                _ => NetError::NotSupported,
            });
        }
        if to.is_some_and(UnixAddr::is_unnamed) {
            return Err(NetError::InvalidInput);
        }
        let len: usize = bufs.iter().map(|buf| buf.len()).sum();
        if len > send_buffer.saturating_sub(RESERVE) {
            return Err(NetError::MessageTooLong);
        }
        if let Some(error) = unix.take_error() {
            return Err(error);
        }
        if unix.write_shut {
            return Err(NetError::BrokenPipe);
        }
        if unix.used >= send_buffer {
            unix.blocked = true;
            return Err(NetError::WouldBlock);
        }
        let peer = unix.peer();
        let there = match (to, peer) {
            (Some(to), _) => self.find_unix(host, UnixKind::Datagram, to)?,
            (None, None) => return Err(NetError::NotConnected),
            (None, Some(peer)) if self.unix(peer).is_ok() => peer,
            (None, Some(gone)) => {
                self.unix_mut(id)?.stage = Stage::Idle;
                self.leave_peer(id, gone);
                return Err(NetError::ConnectionRefused);
            }
        };
        if !self.may_send(id, there) {
            return Err(NetError::NotPermitted);
        }
        if self.unix(there)?.read_shut {
            return Err(NetError::BrokenPipe);
        }
        if self.queue_is_full(id, there) {
            if peer == Some(there) {
                self.wait_for_peer(id);
            }
            return Err(NetError::WouldBlock);
        }
        self.post(id, there, bufs, len)
    }

    /// Whether a socket has to wait for its peer to receive something.
    pub(super) fn unix_peer_is_full(&self, id: SocketId) -> bool {
        let unix = self.unix(id).ok();
        let unix = unix.filter(|unix| unix.kind() == UnixKind::Datagram);
        let peer = unix.and_then(Unix::peer);
        peer.is_some_and(|peer| self.queue_is_full(id, peer))
    }

    /// The socket is told when its peer has received something, or is closed.
    pub(super) fn wait_for_peer(&mut self, id: SocketId) {
        let peer = self.unix(id).ok().and_then(Unix::peer);
        if let Some(peer) = peer
            && let Ok(there) = self.unix_mut(peer)
            && let Inbox::Datagrams { waiting, .. } = &mut there.inbox
            && !waiting.contains(&id)
        {
            waiting.push(id);
        }
    }

    /// The queue's length counts only against who is not the receiver's own peer.
    fn queue_is_full(&self, id: SocketId, there: SocketId) -> bool {
        let Ok(unix) = self.unix(there) else {
            return false;
        };
        let Inbox::Datagrams { queue, .. } = &unix.inbox else {
            return false;
        };
        there != id && unix.peer() != Some(id) && queue.len() > self.config.max_unix_datagrams
    }

    fn post(
        &mut self,
        id: SocketId,
        there: SocketId,
        bufs: &[IoSlice<'_>],
        len: usize,
    ) -> Result<usize> {
        let charge = inbox::datagram_charge(len);
        let unix = self.unix_mut(id)?;
        unix.used += charge;
        let from = unix.bound.clone();
        let mut bytes = Vec::with_capacity(len);
        for buf in bufs {
            bytes.extend_from_slice(buf);
        }
        if let Inbox::Datagrams { queue, .. } = &mut self.unix_mut(there)?.inbox {
            queue.push_back(Datagram {
                sender: id,
                from,
                bytes: bytes.into(),
                charge,
            });
        }
        self.changed(there);
        Ok(len)
    }

    /// Linux tells of an error before it looks for a datagram.
    fn next_datagram(&mut self, id: SocketId) -> Result<&Datagram> {
        let unix = self.unix_mut(id)?;
        let Inbox::Datagrams { queue, .. } = &unix.inbox else {
            return Err(NetError::NotSupported);
        };
        match unix.error.take() {
            Some(error) => Err(error),
            None => queue.front().ok_or(NetError::WouldBlock),
        }
    }
}

fn copy(one: &Datagram, buf: &mut [u8]) -> usize {
    let n = buf.len().min(one.bytes.len());
    buf[..n].copy_from_slice(&one.bytes[..n]);
    n
}
