//! What becomes of streams when a link closes or opens.

use virtual_time::Instant;

use super::{ConnId, Side};
use crate::link::{Passage, Turn};
use crate::{Decide, Net};

impl Net {
    /// Links were closed or opened, for all that goes through them from now on.
    pub(crate) fn links_turned(&mut self, now: Instant, turns: &[Turn], decide: &mut dyn Decide) {
        if turns.is_empty() {
            return;
        }
        self.datagram_links_turned(now, turns);
        let conns: Vec<_> = self.conns.iter().map(|(slot, _)| slot).collect();
        for id in conns.into_iter().map(|slot| ConnId(slot as u32)) {
            for side in [Side::Opener, Side::Acceptor] {
                // What opens again may end other connections.
                let Some(conn) = self.conns.get(id.index()) else {
                    break;
                };
                let link = conn.end(side).link;
                let turn = turns.binary_search_by_key(&link, |turn| turn.link);
                match turn.map(|found| turns[found].to) {
                    Ok(Passage::Open) => self.reopen(now, id, side, decide),
                    Ok(Passage::Held | Passage::Cut) => self.stop(now, id, side),
                    Err(_) => {}
                }
            }
        }
    }

    /// What `side` sent and has not arrived waits from now on.
    fn stop(&mut self, now: Instant, id: ConnId, side: Side) {
        let conn = &mut self.conns[id.index()];
        let out = &mut conn.end_mut(side).out;
        out.stop(now);
        let arrival = out.arrival.take();
        let inbound = conn.inbound_mut(side);
        inbound.lose_acks(now);
        let ack = inbound.ack.take();
        for key in [arrival, ack].into_iter().flatten() {
            self.events.cancel(key);
        }
        self.schedule_arrival(now, id, side);
    }

    fn reopen(&mut self, now: Instant, id: ConnId, side: Side, decide: &mut dyn Decide) {
        let conn = &mut self.conns[id.index()];
        conn.end_mut(side).out.go_on(now);
        let gone = conn.end(side).gone;
        self.schedule_arrival(now, id, side);
        if !gone {
            self.send_ack(now, id, side, decide);
        }
    }
}
