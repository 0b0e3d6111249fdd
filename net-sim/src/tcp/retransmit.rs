//! Sending again: what a sender does about what is lost, until it is through or given up.
//!
//! Linux's rules: the timeout is a round trip and 200 ms, doubles up to two minutes, and goes
//! back once something is acknowledged; a segment that gets through behind a lost one tells of
//! the loss without a timeout (RFC 8985); acknowledgements and windows that were lost are asked
//! for again (RFC 9293, section 3.8.6.1).

use std::time::Duration;

use virtual_time::Instant;

use super::pipe::Finding;
use super::{Cargo, ConnId, Owner, Side};
use crate::event::Event;
use crate::link::{Fate, Passage};
use crate::{Decide, Net, NetError};

/// Linux's `TCP_RTO_MIN`.
const LEAST_TIMEOUT: Duration = Duration::from_millis(200);
/// What Linux measures a round trip to be at least: a tick of its clock.
const TICK: Duration = Duration::from_millis(1);
/// Fifteen timeouts that begin with the least: Linux's `tcp_retries2`.
const GIVE_UP: Duration = Duration::from_millis(924_600);
/// Eight of them, for what nobody has a socket of any more: Linux's `tcp_orphan_retries`.
const GIVE_UP_ORPHAN: Duration = Duration::from_millis(102_200);

impl Net {
    /// A segment from `side` does not arrive, or not for now.
    #[cold]
    pub(super) fn not_through(
        &mut self,
        now: Instant,
        id: ConnId,
        side: Side,
        cargo: Cargo,
        fate: Fate,
    ) {
        let end = self.conns[id.index()].end_mut(side);
        match (cargo, fate) {
            (Cargo::Rst, Fate::Lost) => {
                end.untold = true;
                self.miss_reset(now, id, side.other());
            }
            (Cargo::Syn | Cargo::SynAck, Fate::Lost) => self.try_handshake_again(now, id),
            (_, Fate::Lost) => {
                end.out.push_lost(cargo);
                if cargo == Cargo::HandshakeAck {
                    self.try_handshake_again(now, id);
                }
                self.expect_timeout(now, id, side);
            }
            (_, Fate::Held) => {
                end.out.push_held(cargo);
                match cargo {
                    Cargo::Syn | Cargo::SynAck => self.try_handshake_again(now, id),
                    Cargo::Rst => self.expect_timeout(now, id, side.other()),
                    _ => self.expect_timeout(now, id, side),
                }
            }
            (_, Fate::Arrives(_)) => {}
        }
    }

    /// `side` has lost its peer and was not told: it learns of it when what it sent is not
    /// answered, or when it asks for a sign of life.
    pub(super) fn miss_reset(&mut self, now: Instant, id: ConnId, side: Side) {
        self.expect_timeout(now, id, side);
        self.mind_silence(now, id, side);
    }

    /// Sets the retransmission timer of a sender that waits for something, unless it is set.
    pub(super) fn expect_timeout(&mut self, now: Instant, id: ConnId, side: Side) {
        let first = self.first_timeout(id, side);
        let end = self.conns[id.index()].end_mut(side);
        if end.reset {
            return;
        }
        if let Some(at) = end.out.timeout_to_set(now, first) {
            self.set_timer(id, side, at);
        }
    }

    /// A segment of `side` gets through at `at`, where others did not.
    #[cold]
    pub(super) fn through_after_loss(&mut self, id: ConnId, side: Side, at: Instant) {
        let conn = &mut self.conns[id.index()];
        let back = conn.end(side.other()).link;
        let out = &mut conn.end_mut(side).out;
        if out.got_through(at) && self.links.passage(back) == Passage::Open && out.hint() {
            self.set_timer(id, side, at + self.links.typical(back));
        }
    }

    /// `side` acknowledges what it has received, and its peer does not hear it.
    #[cold]
    pub(super) fn acknowledged_in_vain(&mut self, now: Instant, id: ConnId, side: Side) {
        let inbound = self.conns[id.index()].inbound_mut(side);
        inbound.acknowledge_in_vain();
        self.expect_timeout(now, id, side.other());
    }

    /// A segment reaches `to`, which does not know of the connection any more, though its peer
    /// was not told: it answers with a RST, and takes nothing.
    #[cold]
    pub(super) fn refuse(
        &mut self,
        now: Instant,
        id: ConnId,
        to: Side,
        cargo: Cargo,
        decide: &mut dyn Decide,
    ) {
        let conn = &mut self.conns[id.index()];
        conn.end_mut(to).untold = false;
        conn.inbound_mut(to).refuse(cargo);
        self.expect_timeout(now, id, to.other());
        self.transmit(now, id, to, Cargo::Rst, decide);
    }

    /// The retransmission timer of `side` fired.
    pub(crate) fn retransmission(
        &mut self,
        now: Instant,
        id: ConnId,
        side: Side,
        decide: &mut dyn Decide,
    ) {
        let first = self.first_timeout(id, side);
        // Who waits for a window asks for it in vain as well where nobody knows of it any more.
        let gone = self.conns[id.index()].end(side.other()).untold;
        let closed = gone || self.is_closed(id, side) || self.is_closed(id, side.other());
        let out = &mut self.conns[id.index()].end_mut(side).out;
        match out.look(now, closed) {
            Finding::Well => {}
            Finding::Early(deadline) => self.set_timer(id, side, deadline),
            Finding::Known => {
                let deadline = out.new_deadline(now, first);
                self.set_timer(id, side, deadline);
                self.send_lost(now, id, side, usize::MAX, decide);
            }
            Finding::Timeout(waited) => {
                let (patience, exact) = self.patience(id, side);
                if waited >= patience {
                    self.time_out(now, id, side);
                    return;
                }
                let most = exact.then_some(patience);
                let out = &mut self.conns[id.index()].end_mut(side).out;
                let deadline = out.back_off(now, first, most);
                self.set_timer(id, side, deadline);
                self.send_lost(now, id, side, 1, decide);
            }
        }
        self.acknowledged(now, id, side, decide);
    }

    /// Sends up to `most` lost segments again, or asks the peer what it has if none is lost.
    fn send_lost(
        &mut self,
        now: Instant,
        id: ConnId,
        side: Side,
        most: usize,
        decide: &mut dyn Decide,
    ) {
        let conn = &self.conns[id.index()];
        let (link, back) = (conn.end(side).link, conn.end(side.other()).link);
        if conn.end(side).out.first_lost().is_none() {
            if self.links.passage(link) != Passage::Held {
                self.probe(now, id, side, decide);
            }
            return;
        }
        let mut through = None;
        for _ in 0..most {
            let out = &self.conns[id.index()].end(side).out;
            let Some(cargo) = out.first_lost() else {
                break;
            };
            let fate = self.links.send(link, now, cargo.bytes(), decide);
            if self.watch.is_some() {
                self.see_leaving_again(now, id, side, cargo, fate);
            }
            let at = match fate {
                Fate::Arrives(at) => Some(at),
                Fate::Held => None,
                Fate::Lost => break,
            };
            self.conns[id.index()].end_mut(side).out.mend_first(at);
            through = through.max(at);
        }
        self.schedule_arrival(now, id, side);
        if let Some(at) = through {
            self.set_timer(id, side, at + self.links.typical(back));
        }
    }

    /// Asks the peer what it has received and has room for.
    pub(super) fn probe(&mut self, now: Instant, id: ConnId, side: Side, decide: &mut dyn Decide) {
        let conn = &self.conns[id.index()];
        let (link, back) = (conn.end(side).link, conn.end(side.other()).link);
        let peer_is_gone = conn.end(side.other()).untold;
        let Fate::Arrives(at) = self.links.send(link, now, 0, decide) else {
            return;
        };
        if peer_is_gone {
            self.conns[id.index()].end_mut(side.other()).untold = false;
            self.transmit(now, id, side.other(), Cargo::Rst, decide);
        } else if let Some(at) = self.links.acknowledge(back, at, decide) {
            let out = &mut self.conns[id.index()].end_mut(side).out;
            out.acknowledge(now, at);
            self.set_timer(id, side, at);
        }
    }

    /// What Linux does when it has heard nothing for too long: the connection is gone, and the
    /// peer is not told.
    pub(super) fn time_out(&mut self, now: Instant, id: ConnId, side: Side) {
        let end = self.conns[id.index()].end_mut(side);
        end.reset = true;
        end.untold = true;
        if end.owner != Owner::Closed {
            end.error = Some(NetError::TimedOut);
        }
        let owner = end.owner;
        self.drop_inbound(id, side.other());
        self.part(now, id, side);
        self.tell(owner);
        self.miss_reset(now, id, side.other());
    }

    /// How long a sender goes on without an answer after its first timeout, and whether it
    /// looks at its clock at that very moment.
    fn patience(&self, id: ConnId, side: Side) -> (Duration, bool) {
        match self.conns[id.index()].end(side).owner {
            Owner::Socket(socket) => match self.user_timeout(socket) {
                Ok(Some(timeout)) => (timeout, true),
                _ => (GIVE_UP, false),
            },
            Owner::Listener(_) => (GIVE_UP, false),
            Owner::Closed => (GIVE_UP_ORPHAN, false),
        }
    }

    fn first_timeout(&self, id: ConnId, side: Side) -> Duration {
        let conn = &self.conns[id.index()];
        let ways = [side, side.other()].map(|side| self.links.typical(conn.end(side).link));
        let trip = ways[0].saturating_add(ways[1]).max(TICK);
        LEAST_TIMEOUT.saturating_add(trip)
    }

    fn is_closed(&self, id: ConnId, side: Side) -> bool {
        let link = self.conns[id.index()].end(side).link;
        self.links.passage(link) != Passage::Open
    }

    /// Sets the timer, unless it is set for earlier. The end of time is never.
    fn set_timer(&mut self, id: ConnId, side: Side, at: Instant) {
        if at == Instant::END {
            return;
        }
        let event = Event::Retransmission(id, side);
        let out = &mut self.conns[id.index()].end_mut(side).out;
        if let Some(key) = out.timer_after(at) {
            if let Some(key) = key {
                self.events.cancel(key);
            }
            let key = self.events.insert(at, event);
            out.set_timer(key, at);
        }
    }
}
