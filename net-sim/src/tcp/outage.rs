//! What becomes of streams when a link closes or opens.

use virtual_time::Instant;

use super::{ConnId, Side};
use crate::link::{Fate, Passage, Turn};
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
                if let Ok(found) = turns.binary_search_by_key(&link, |turn| turn.link) {
                    self.turned(now, id, side, turns[found], decide);
                }
            }
        }
    }

    /// The way from `side` to its peer was closed or opened.
    fn turned(
        &mut self,
        now: Instant,
        id: ConnId,
        side: Side,
        turn: Turn,
        decide: &mut dyn Decide,
    ) {
        match (turn.was, turn.to) {
            (Passage::Held, Passage::Open) => self.release(now, id, side, decide),
            // What was lost is sent again when its sender's timer says so.
            (Passage::Cut, Passage::Open | Passage::Held) | (Passage::Open, Passage::Open) => {}
            (_, Passage::Held | Passage::Cut) => self.stop(now, id, side, turn),
        }
    }

    fn stop(&mut self, now: Instant, id: ConnId, side: Side, turn: Turn) {
        let conn = &mut self.conns[id.index()];
        let out = &mut conn.end_mut(side).out;
        let stopped = out.stop(now, turn.to);
        self.links.caught(turn.link, stopped);
        let conn = &mut self.conns[id.index()];
        let out = &mut conn.end_mut(side).out;
        let arrival = out.arrival.take();
        let control = out.take_lost_control();
        let inbound = conn.inbound_mut(side);
        inbound.lose_acks(now);
        let ack = inbound.ack.take();
        for key in [arrival, ack].into_iter().flatten() {
            self.events.cancel(key);
        }
        for cargo in control {
            self.not_through(now, id, side, cargo, Fate::Lost);
        }
        let conn = &self.conns[id.index()];
        if conn.is_opening() || conn.end(side).out.handshake_is_lost() {
            self.try_handshake_again(now, id);
        }
        self.schedule_arrival(now, id, side);
        for side in [side, side.other()] {
            self.expect_timeout(now, id, side);
            self.mind_silence(now, id, side);
        }
    }

    /// What was held arrives now, acknowledgements first.
    fn release(&mut self, now: Instant, id: ConnId, side: Side, decide: &mut dyn Decide) {
        let conn = &mut self.conns[id.index()];
        conn.end_mut(side).out.release(now);
        if !conn.end(side).reset {
            conn.inbound_mut(side).acknowledge(now, now);
        }
        self.schedule_arrival(now, id, side);
        self.acknowledged(now, id, side.other(), decide);
    }
}
