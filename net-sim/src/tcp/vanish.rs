//! Ends of connections whose host has lost its power.

use virtual_time::Instant;

use super::{ConnId, Owner, Side, Stage};
use crate::{HostId, Net};

impl Net {
    /// `side` of a connection is there no more, if it is on this host. Nobody is told.
    pub(crate) fn vanish_if_on(&mut self, now: Instant, id: ConnId, side: Side, host: HostId) {
        let Some(conn) = self.conns.get_mut(id.index()) else {
            return;
        };
        if conn.end(side).host != Some(host) {
            return;
        }
        // Its table of connections is gone with it.
        let end = conn.end_mut(side);
        end.paired = false;
        end.owner = Owner::Closed;
        end.out.drop_unsent();
        if conn.is_opening() && side == Side::Acceptor {
            // The opener goes on asking; whoever is there by then answers.
            self.drop_inbound(id, side.other());
            if self.conns[id.index()].retry.is_none() {
                self.schedule_retry(now, id);
            }
            return;
        }
        // A listener that waits for the third part of the handshake forgets it in time.
        let unmade = side == Side::Opener && conn.stage != Stage::Open;
        if conn.end(side.other()).owner == Owner::Closed || unmade {
            self.dissolve(now, id);
            return;
        }
        conn.stage = Stage::Open;
        let end = conn.end_mut(side);
        (end.reset, end.untold) = (true, true);
        if let Some(retry) = conn.retry.take() {
            self.events.cancel(retry);
        }
        let inbound = self.conns[id.index()].inbound_mut(side);
        inbound.held = false;
        let unread = inbound.readable();
        inbound.consume(unread);
        self.drop_inbound(id, side.other());
    }
}
