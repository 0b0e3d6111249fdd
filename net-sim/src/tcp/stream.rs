//! Reading and writing.

use std::io::IoSlice;

use virtual_time::Instant;

use super::{ConnId, Side};
use crate::socket::State;
use crate::{Decide, Net, NetError, Readiness, Result, Site, SocketId};

/// How many answers there are to how much one call moves.
const SHORT_CHOICES: u64 = 4;
/// Among how many calls one moves less than it could: who takes every call for whole is found
/// within a few seeds, and a program seldom waits for bytes that are there.
const SHORT_ONCE_IN: u64 = 16;

impl Net {
    /// Takes bytes that have arrived; 0 of them mean the end of the stream, or that `buf` is
    /// empty.
    ///
    /// A choice may make it fewer than there are, as if the rest were not there yet; the socket
    /// changes once more then.
    ///
    /// # Errors
    ///
    /// [`NetError::WouldBlock`]; [`NetError::ConnectionReset`] once, behind all bytes that came
    /// before the reset; [`NetError::NotConnected`], [`NetError::BadSocket`], and what a failed
    /// connect left.
    pub fn read(
        &mut self,
        now: Instant,
        id: SocketId,
        buf: &mut [u8],
        decide: &mut impl Decide,
    ) -> Result<usize> {
        self.observe(now);
        let (conn, side) = match self.readable_stream(id) {
            Ok(Some(stream)) => stream,
            Ok(None) => return Ok(0),
            // Asked only now, so that TCP pays nothing for it.
            Err(NetError::NotSupported) => return self.unix_read(id, buf),
            Err(error) => return Err(error),
        };
        let pipe = self.conns[conn.index()].inbound_mut(side);
        let there = pipe.readable();
        let fit = buf.len().min(there);
        let n = shorten(fit, Site::SHORT_READ, decide);
        let n = pipe.peek(&mut buf[..n]);
        let wider = pipe.consume(n);
        if n < fit {
            self.changed(id);
        }
        if wider {
            self.send_ack(now, conn, side, decide);
        }
        Ok(n)
    }

    /// Copies bytes that have arrived, and leaves them to be read.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn peek(&mut self, id: SocketId, buf: &mut [u8]) -> Result<usize> {
        match self.readable_stream(id) {
            Ok(Some((conn, side))) => Ok(self.conns[conn.index()].inbound(side).peek(buf)),
            Ok(None) => Ok(0),
            Err(NetError::NotSupported) => self.unix_peek(id, buf),
            Err(error) => Err(error),
        }
    }

    /// Hands over bytes to be sent, and says how many were taken.
    ///
    /// A choice may make it fewer than fit; the socket changes once more then.
    ///
    /// # Errors
    ///
    /// [`NetError::WouldBlock`] if the send buffer is full: the socket changes when a third of
    /// it is free. [`NetError::ConnectionReset`] once after a reset,
    /// [`NetError::BrokenPipe`] after that or when this side is shut or never was connected;
    /// [`NetError::BadSocket`], and what a failed connect left.
    pub fn write(
        &mut self,
        now: Instant,
        id: SocketId,
        buf: &[u8],
        decide: &mut impl Decide,
    ) -> Result<usize> {
        self.write_vectored(now, id, &[IoSlice::new(buf)], decide)
    }

    /// Hands over bytes from several buffers, as if they were one.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    pub fn write_vectored(
        &mut self,
        now: Instant,
        id: SocketId,
        bufs: &[IoSlice<'_>],
        decide: &mut impl Decide,
    ) -> Result<usize> {
        self.observe(now);
        let (conn_id, side) = match self.writable_stream(id) {
            Ok(stream) => stream,
            Err(NetError::NotSupported) => return self.unix_write(id, bufs),
            Err(error) => return Err(error),
        };
        let len = bufs.iter().map(|buf| buf.len()).sum();
        if len == 0 {
            return Ok(0);
        }
        let out = &mut self.conns[conn_id.index()].end_mut(side).out;
        out.take_acks(now);
        let fit = out.room().min(len);
        if fit < len {
            out.blocked = true;
        }
        if fit == 0 {
            self.await_ack(now, conn_id, side);
            return Err(NetError::WouldBlock);
        }
        let n = shorten(fit, Site::SHORT_WRITE, decide);
        out.write(bufs, n);
        self.flush(now, conn_id, side, decide);
        self.await_ack(now, conn_id, side);
        if n < fit {
            self.changed(id);
        }
        Ok(n)
    }

    /// Takes the error that waits on a socket (`SO_ERROR`).
    ///
    /// # Errors
    ///
    /// [`NetError::BadSocket`].
    pub fn socket_error(&mut self, id: SocketId) -> Result<Option<NetError>> {
        Ok(match &mut self.socket_mut(id)?.state {
            State::Idle | State::Listening(_) | State::Lookup(_) => None,
            State::Failed(error) => error.take(),
            State::Udp(udp) => udp.take_error(),
            State::Unix(unix) => unix.take_error(),
            &mut State::Stream(conn, side) => self.conns[conn.index()].end_mut(side).error.take(),
        })
    }

    /// The number of bytes that a read would find (`FIONREAD`).
    ///
    /// # Errors
    ///
    /// [`NetError::BadSocket`].
    pub fn readable_bytes(&self, id: SocketId) -> Result<usize> {
        Ok(match &self.socket(id)?.state {
            &State::Stream(conn, side) => self.conns[conn.index()].inbound(side).readable(),
            State::Udp(udp) => udp.readable_bytes(),
            State::Unix(unix) => unix.next_read(),
            _ => 0,
        })
    }

    /// What Linux's `tcp_poll` says. Whoever is told that a socket is not writable gets a
    /// change when it is.
    pub(crate) fn stream_readiness(&mut self, id: ConnId, side: Side) -> Readiness {
        let now = self.now;
        let conn = &mut self.conns[id.index()];
        if conn.is_opening() {
            return Readiness::default();
        }
        let over = conn.is_over(side);
        let has_bytes = conn.inbound(side).readable() > 0;
        let ended = conn.end_of_stream(side);
        let end = conn.end_mut(side);
        let sending_shut = end.reset || end.out.is_shut();
        let receiving_shut = end.reset || ended || end.read_shut;
        if !sending_shut {
            end.out.take_acks(now);
        }
        let writable = sending_shut || end.out.is_writable();
        let readiness = Readiness {
            readable: has_bytes || receiving_shut,
            writable,
            read_closed: receiving_shut,
            hung_up: over || (sending_shut && receiving_shut),
            error: end.error.is_some(),
        };
        if !writable {
            end.out.blocked = true;
            self.await_ack(now, id, side);
        }
        readiness
    }

    /// The stream to read from, if there is something or something may come.
    fn readable_stream(&mut self, id: SocketId) -> Result<Option<(ConnId, Side)>> {
        let (conn_id, side) = match &mut self.socket_mut(id)?.state {
            State::Idle | State::Listening(_) => return Err(NetError::NotConnected),
            State::Lookup(_) | State::Udp(_) | State::Unix(_) => {
                return Err(NetError::NotSupported);
            }
            State::Failed(error) => return error.take().map_or(Ok(None), Err),
            &mut State::Stream(conn, side) => (conn, side),
        };
        let conn = &mut self.conns[conn_id.index()];
        if conn.inbound(side).readable() > 0 {
            return Ok(Some((conn_id, side)));
        }
        // The order is that of Linux's `tcp_recvmsg`: a clean end of file hides a later error.
        if conn.end_of_stream(side) {
            return Ok(None);
        }
        let end = conn.end_mut(side);
        match end.error.take() {
            Some(error) => Err(error),
            None if end.reset || end.read_shut => Ok(None),
            None => Err(NetError::WouldBlock),
        }
    }

    /// The stream to write to.
    fn writable_stream(&mut self, id: SocketId) -> Result<(ConnId, Side)> {
        let (conn_id, side) = match &mut self.socket_mut(id)?.state {
            State::Idle | State::Listening(_) => return Err(NetError::BrokenPipe),
            State::Lookup(_) | State::Udp(_) | State::Unix(_) => {
                return Err(NetError::NotSupported);
            }
            State::Failed(error) => return Err(error.take().unwrap_or(NetError::BrokenPipe)),
            &mut State::Stream(conn, side) => (conn, side),
        };
        let conn = &mut self.conns[conn_id.index()];
        if conn.is_opening() {
            return Err(NetError::WouldBlock);
        }
        let end = conn.end_mut(side);
        if let Some(error) = end.error.take() {
            return Err(error);
        }
        if end.reset || end.out.is_shut() {
            return Err(NetError::BrokenPipe);
        }
        Ok((conn_id, side))
    }
}

/// How many of `fit` bytes are moved.
#[inline]
fn shorten(fit: usize, site: Site, decide: &mut impl Decide) -> usize {
    if fit < 2 {
        return fit;
    }
    match decide.choose_rarely(site, SHORT_CHOICES, SHORT_ONCE_IN) {
        0 => fit,
        1 => 1,
        2 => fit / 2,
        _ => fit - 1,
    }
}
