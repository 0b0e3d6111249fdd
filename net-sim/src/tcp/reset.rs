//! Connections that somebody between their ends resets.

use virtual_time::Instant;

use super::{ConnId, Side};
use crate::socket::State;
use crate::{FaultStats, HostId, Net, NetError, Result, SocketId};

impl Net {
    /// Resets every TCP connection that there is between two hosts, or within one, and says how
    /// many these were.
    ///
    /// Both ends get a RST at once, as from a firewall that forgot them: what has arrived can
    /// still be read, what has not is lost, and a connect that waits for its answer is refused.
    /// New connections are made as before.
    ///
    /// # Panics
    ///
    /// If a host is of another network.
    pub fn reset_between(&mut self, now: Instant, one: HostId, other: HostId) -> usize {
        self.observe(now);
        for host in [one, other] {
            self.check_host(host);
        }
        let conns = self.conns.iter();
        let between = conns.filter(|(_, conn)| {
            let ends = [Side::Opener, Side::Acceptor].map(|side| conn.end(side).host);
            ends == [Some(one), Some(other)] || ends == [Some(other), Some(one)]
        });
        let doomed: Vec<_> = between.map(|(slot, _)| ConnId(slot as u32)).collect();
        for &id in &doomed {
            self.reset_conn(now, id);
        }
        let n = doomed.len() as u64;
        let stats = FaultStats {
            asked: 1,
            eligible: n,
            applied: n,
        };
        self.links.rules_mut().tally().add("reset", stats);
        doomed.len()
    }

    /// Resets one connection, as [`reset_between`](Self::reset_between) does.
    ///
    /// # Errors
    ///
    /// [`NetError::NotConnected`], [`NetError::BadSocket`].
    pub fn reset(&mut self, now: Instant, id: SocketId) -> Result<()> {
        self.observe(now);
        let State::Stream(conn, _) = self.socket(id)?.state else {
            return Err(NetError::NotConnected);
        };
        self.reset_conn(now, conn);
        Ok(())
    }

    pub(crate) fn reset_conn(&mut self, now: Instant, id: ConnId) {
        for side in [Side::Opener, Side::Acceptor] {
            // A connect that was refused leaves no connection.
            if self.conns.contains(id.index()) {
                self.on_rst(now, id, side);
            }
        }
    }
}
