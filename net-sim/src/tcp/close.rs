//! Ending: shutdown and close.

use virtual_time::Instant;

use super::{ConnId, Owner, Side};
use crate::socket::State;
use crate::{Decide, Net, NetError, Result, SocketId};

/// Which direction [`Net::shutdown`] ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum How {
    /// Receiving: reads see the end of the stream; the peer is not told.
    Read,
    /// Sending: the peer sees the end of the stream behind all that was written.
    Write,
    /// Both.
    Both,
}

impl How {
    pub(crate) const fn reads(self) -> bool {
        matches!(self, Self::Read | Self::Both)
    }

    pub(crate) const fn writes(self) -> bool {
        matches!(self, Self::Write | Self::Both)
    }
}

impl Net {
    /// Ends one direction of a connection, or both; the socket stays open. A listener whose
    /// receiving side is shut stops listening, and a connect that is not done is given up. A Unix
    /// socket may be shut in any state.
    ///
    /// # Errors
    ///
    /// [`NetError::NotConnected`], also when the connection was reset or is closed in both
    /// directions; [`NetError::BadSocket`].
    pub fn shutdown(
        &mut self,
        now: Instant,
        id: SocketId,
        how: How,
        decide: &mut impl Decide,
    ) -> Result<()> {
        self.observe(now);
        let socket = self.socket(id)?;
        let (conn_id, side) = match socket.state {
            State::Idle | State::Failed(_) => return Err(NetError::NotConnected),
            State::Listening(_) => {
                if how.reads() {
                    self.stop_listening(now, id, decide)?;
                }
                return Ok(());
            }
            State::Unix(_) => return self.unix_shutdown(id, how),
            State::Lookup(_) => return Err(NetError::NotSupported),
            State::Udp(_) => return self.udp_shutdown(id, how),
            State::Stream(conn, side) => (conn, side),
        };
        let conn = &mut self.conns[conn_id.index()];
        if conn.is_opening() {
            // Linux disconnects the socket.
            self.fail_connect(now, conn_id, NetError::ConnectionReset);
            return Ok(());
        }
        if conn.is_over(side) {
            // Linux wakes whoever waits even where it refuses.
            self.changed(id);
            return Err(NetError::NotConnected);
        }
        if how.reads() {
            conn.end_mut(side).read_shut = true;
        }
        if how.writes() {
            self.shut_sending(now, conn_id, side, decide);
        }
        self.changed(id);
        Ok(())
    }

    /// Closes a socket: its id is an error from now on.
    ///
    /// Everything written still reaches the peer, then the end of the stream. But the peer is
    /// reset if bytes were left unread, if the linger time is zero, or if it sends anything
    /// afterwards; and so is everybody who waits in a listener.
    ///
    /// # Errors
    ///
    /// [`NetError::BadSocket`].
    pub fn close(&mut self, now: Instant, id: SocketId, decide: &mut impl Decide) -> Result<()> {
        self.observe(now);
        let socket = self.socket(id)?;
        let lingers_not = socket.options.linger.is_some_and(|linger| linger.is_zero());
        let (host, bound) = (socket.host, socket.bound);
        let is_udp = matches!(socket.state, State::Udp(_));
        match socket.state {
            State::Idle | State::Failed(_) => {}
            State::Listening(_) => self.stop_listening(now, id, decide)?,
            State::Unix(_) => self.end_unix(id, false)?,
            State::Lookup(ref query) => {
                if let Some(arrival) = query.scheduled() {
                    self.events.cancel(arrival);
                }
            }
            State::Udp(_) => self.udp_close(host, id)?,
            State::Stream(conn, side) => self.close_end(now, conn, side, lingers_not, decide),
        }
        if let Some(addr) = bound.filter(|_| !is_udp) {
            self.host_mut(host).unbind(addr.port(), id);
        }
        self.remove_socket(id);
        Ok(())
    }

    fn stop_listening(
        &mut self,
        now: Instant,
        id: SocketId,
        decide: &mut dyn Decide,
    ) -> Result<()> {
        let socket = self.socket_mut(id)?;
        let (host, bound) = (socket.host, socket.bound);
        let state = std::mem::replace(&mut socket.state, State::Idle);
        if let Some(addr) = bound {
            self.host_mut(host).stop_listening(addr.port(), id);
        }
        if let State::Listening(listener) = state {
            for conn in listener.into_pending() {
                self.close_end(now, conn, Side::Acceptor, true, decide);
            }
        }
        Ok(())
    }

    fn close_end(
        &mut self,
        now: Instant,
        id: ConnId,
        side: Side,
        abort: bool,
        decide: &mut dyn Decide,
    ) {
        let conn = &mut self.conns[id.index()];
        // Whoever closes while connecting just goes; a SYN-ACK that comes later finds nobody.
        if conn.is_opening() {
            self.dissolve(now, id);
            return;
        }
        let unread = conn.inbound(side).readable() > 0;
        let over = conn.is_over(side);
        let end = conn.end_mut(side);
        end.owner = Owner::Closed;
        if !over && (abort || unread) {
            self.cut(now, id, side, decide);
        } else if !over {
            self.shut_sending(now, id, side, decide);
        } else {
            self.drop_inbound(id, side);
        }
        let conn = self.conns.get(id.index());
        if conn.is_some_and(|conn| conn.end(side.other()).owner == Owner::Closed) {
            // Nobody is left to see how what is still under way ends.
            self.dissolve(now, id);
        }
    }

    fn shut_sending(&mut self, now: Instant, id: ConnId, side: Side, decide: &mut dyn Decide) {
        let conn = &mut self.conns[id.index()];
        let first = !conn.end_of_stream(side);
        let end = conn.end_mut(side);
        if end.out.shut() {
            end.closed_first = first;
            self.flush(now, id, side, decide);
            self.await_ack(now, id, side);
        }
    }
}
