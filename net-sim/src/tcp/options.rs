//! Socket options.

use std::time::Duration;

use crate::socket::{Options, State};
use crate::{Net, NetError, Result, SocketId};

impl Net {
    /// Whether small writes leave at once. It is kept for its readers: every write leaves at
    /// once here.
    ///
    /// # Errors
    ///
    /// [`NetError::BadSocket`].
    pub fn nodelay(&self, id: SocketId) -> Result<bool> {
        Ok(self.options(id)?.nodelay)
    }

    /// Sets `TCP_NODELAY`.
    ///
    /// # Errors
    ///
    /// [`NetError::BadSocket`].
    pub fn set_nodelay(&mut self, id: SocketId, on: bool) -> Result<()> {
        self.options_mut(id)?.nodelay = on;
        Ok(())
    }

    /// How long a close may wait for the peer.
    ///
    /// # Errors
    ///
    /// [`NetError::BadSocket`].
    pub fn linger(&self, id: SocketId) -> Result<Option<Duration>> {
        Ok(self.options(id)?.linger)
    }

    /// Sets `SO_LINGER`: with zero a close resets the peer. A close never waits here, so any
    /// other time is as good as none.
    ///
    /// # Errors
    ///
    /// [`NetError::BadSocket`].
    pub fn set_linger(&mut self, id: SocketId, linger: Option<Duration>) -> Result<()> {
        self.options_mut(id)?.linger = linger;
        Ok(())
    }

    /// Whether the socket may share its port with others that do not listen.
    ///
    /// # Errors
    ///
    /// [`NetError::BadSocket`].
    pub fn reuse_addr(&self, id: SocketId) -> Result<bool> {
        Ok(self.options(id)?.reuse_addr)
    }

    /// Sets `SO_REUSEADDR`; set it before the socket is bound.
    ///
    /// # Errors
    ///
    /// [`NetError::BadSocket`].
    pub fn set_reuse_addr(&mut self, id: SocketId, on: bool) -> Result<()> {
        self.options_mut(id)?.reuse_addr = on;
        self.udp_options_changed(id)
    }

    /// Whether a socket bound to `[::]` leaves IPv4 to others.
    ///
    /// # Errors
    ///
    /// [`NetError::BadSocket`].
    pub fn only_v6(&self, id: SocketId) -> Result<bool> {
        Ok(self.options(id)?.only_v6)
    }

    /// Sets `IPV6_V6ONLY`.
    ///
    /// # Errors
    ///
    /// [`NetError::InvalidInput`] if the socket is bound, [`NetError::BadSocket`].
    pub fn set_only_v6(&mut self, id: SocketId, on: bool) -> Result<()> {
        let socket = self.socket(id)?;
        let bound = match &socket.state {
            State::Udp(udp) => udp.has_port(),
            _ => socket.bound.is_some(),
        };
        if bound {
            return Err(NetError::InvalidInput);
        }
        self.options_mut(id)?.only_v6 = on;
        Ok(())
    }

    /// Bytes that a write can hand over before the peer has acknowledged them.
    ///
    /// # Errors
    ///
    /// [`NetError::BadSocket`].
    pub fn send_buffer(&self, id: SocketId) -> Result<usize> {
        Ok(self.options(id)?.send_buffer)
    }

    /// Sets `SO_SNDBUF`. The number counts bytes of the stream, of a UDP socket memory; Linux doubles what it is given
    /// to pay for its bookkeeping.
    ///
    /// # Errors
    ///
    /// [`NetError::InvalidInput`] for 0, [`NetError::BadSocket`].
    pub fn set_send_buffer(&mut self, id: SocketId, bytes: usize) -> Result<()> {
        if bytes == 0 {
            return Err(NetError::InvalidInput);
        }
        self.options_mut(id)?.send_buffer = bytes;
        if let State::Stream(conn, side) = self.socket(id)?.state {
            let out = &mut self.conns[conn.index()].end_mut(side).out;
            out.set_send_buffer(bytes);
            if out.blocked && out.is_writable() {
                out.blocked = false;
                self.changed(id);
            }
        }
        Ok(())
    }

    /// Bytes that wait for a read before the peer is told to stop.
    ///
    /// # Errors
    ///
    /// [`NetError::BadSocket`].
    pub fn receive_buffer(&self, id: SocketId) -> Result<usize> {
        Ok(self.options(id)?.receive_buffer)
    }

    /// Sets `SO_RCVBUF`, in bytes of the stream, or of a UDP socket's memory. A window that the peer knows of is not taken
    /// back.
    ///
    /// # Errors
    ///
    /// [`NetError::InvalidInput`] for 0, [`NetError::BadSocket`].
    pub fn set_receive_buffer(&mut self, id: SocketId, bytes: usize) -> Result<()> {
        if bytes == 0 {
            return Err(NetError::InvalidInput);
        }
        self.options_mut(id)?.receive_buffer = bytes;
        if let State::Stream(conn, side) = self.socket(id)?.state {
            let conn = &mut self.conns[conn.index()];
            conn.inbound_mut(side).set_receive_buffer(bytes);
        }
        Ok(())
    }

    /// How many routers a segment may pass.
    ///
    /// # Errors
    ///
    /// [`NetError::BadSocket`].
    pub fn ttl(&self, id: SocketId) -> Result<u32> {
        Ok(self.options(id)?.ttl.into())
    }

    /// Sets `IP_TTL`. Only a datagram with 1 comes no further than its
    /// [segment](Self::set_segment); for streams it is kept for its readers.
    ///
    /// # Errors
    ///
    /// [`NetError::InvalidInput`] outside of 1 to 255, [`NetError::BadSocket`].
    pub fn set_ttl(&mut self, id: SocketId, ttl: u32) -> Result<()> {
        let ttl = u8::try_from(ttl).ok().filter(|&ttl| ttl > 0);
        self.options_mut(id)?.ttl = ttl.ok_or(NetError::InvalidInput)?;
        self.udp_options_changed(id)
    }

    pub(super) fn options(&self, id: SocketId) -> Result<&Options> {
        Ok(&self.socket(id)?.options)
    }

    pub(super) fn options_mut(&mut self, id: SocketId) -> Result<&mut Options> {
        Ok(&mut self.socket_mut(id)?.options)
    }
}
