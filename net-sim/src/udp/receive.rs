//! Receiving.

use std::io::IoSlice;
use std::net::SocketAddr;

use virtual_time::Instant;

use super::{Letter, Udp};
use crate::socket::{Socket, State};
use crate::tcp::spoken;
use crate::{Net, NetError, Readiness, Result, SocketId};

/// A datagram that was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Received {
    /// Bytes that were copied to the buffer.
    pub copied: usize,
    /// Bytes that the datagram had; what the buffer had no room for is lost (`MSG_TRUNC`).
    pub len: usize,
    /// Who sent it.
    pub from: SocketAddr,
}

impl Received {
    /// Whether the buffer was too small for it.
    #[must_use]
    pub const fn is_truncated(&self) -> bool {
        self.copied < self.len
    }
}

impl Net {
    /// Takes the oldest datagram that has arrived. It may be empty.
    ///
    /// # Errors
    ///
    /// [`NetError::WouldBlock`]; [`NetError::ConnectionRefused`] once, and before the datagrams
    /// that wait, where one of a connected socket found nobody; [`NetError::InvalidInput`] if it
    /// is no UDP socket, [`NetError::BadSocket`].
    pub fn recv_from(&mut self, now: Instant, id: SocketId, buf: &mut [u8]) -> Result<Received> {
        self.observe(now);
        let (udp, v6) = self.inbox_of(id)?;
        let received = udp.look(buf, v6)?;
        udp.inbox.pop();
        udp.charged -= charge(received.len);
        Ok(received)
    }

    /// Copies the oldest datagram that has arrived, and leaves it to be received.
    ///
    /// # Errors
    ///
    /// As [`recv_from`](Self::recv_from).
    pub fn peek_from(&mut self, id: SocketId, buf: &mut [u8]) -> Result<Received> {
        let (udp, v6) = self.inbox_of(id)?;
        udp.look(buf, v6)
    }

    /// How many datagrams a UDP socket lost because nobody received those before them.
    ///
    /// # Errors
    ///
    /// [`NetError::InvalidInput`] if it is no UDP socket, [`NetError::BadSocket`].
    pub fn datagrams_overflowed(&self, id: SocketId) -> Result<u64> {
        match &self.socket(id)?.state {
            State::Udp(udp) => Ok(udp.overflowed),
            _ => Err(NetError::InvalidInput),
        }
    }

    /// Puts a datagram where it will be read. One for which there is no room is lost; there is
    /// always room for one.
    pub(super) fn put(&mut self, id: SocketId, from: SocketAddr, parts: &[IoSlice<'_>]) {
        let Ok(Socket {
            state: State::Udp(udp),
            options,
            ..
        }) = self.socket_mut(id)
        else {
            unreachable!("what has a UDP port is an open UDP socket");
        };
        let charge = charge(parts.iter().map(|part| part.len()).sum());
        if udp.charged > 0 && udp.charged + charge > options.receive_buffer {
            udp.overflowed += 1;
            return;
        }
        udp.charged += charge;
        udp.inbox.push(Letter { from }, parts);
        self.changed(id);
    }

    fn inbox_of(&mut self, id: SocketId) -> Result<(&mut Udp, bool)> {
        let socket = self.socket_mut(id)?;
        match &mut socket.state {
            State::Udp(udp) => Ok((udp, socket.speaks_v6)),
            _ => Err(NetError::InvalidInput),
        }
    }
}

impl Udp {
    pub(crate) fn readiness(&self) -> Readiness {
        Readiness {
            readable: !self.inbox.is_empty() || !self.receives,
            writable: true,
            read_closed: !self.receives,
            hung_up: !self.receives && !self.sends,
            error: self.error.is_some(),
        }
    }

    /// The size of the datagram that a receive would find.
    pub(crate) fn readable_bytes(&self) -> usize {
        self.inbox.first_len().unwrap_or(0)
    }

    pub(crate) fn buffered(&self) -> usize {
        self.inbox.bytes()
    }

    pub(crate) fn take_error(&mut self) -> Option<NetError> {
        self.error.take()
    }

    fn look(&mut self, buf: &mut [u8], v6: bool) -> Result<Received> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        let (Some(letter), Some(len)) = (self.inbox.first(), self.inbox.first_len()) else {
            return Err(NetError::WouldBlock);
        };
        Ok(Received {
            copied: self.inbox.copy_to(buf),
            len,
            from: spoken(letter.from, v6),
        })
    }
}

/// What a datagram costs of the receive buffer: the memory that Linux holds it in, measured on
/// 6.18. Small ones lie in a cache of their own, others in a block of a power of two with the
/// books kept beside it, the largest in pages.
fn charge(len: usize) -> usize {
    match len {
        0..=128 => 832,
        129..16_000 => 256 + (len + 384).next_power_of_two(),
        _ => len + 1_024,
    }
}
