//! Segments: how they leave, and what they do where they arrive.

use std::time::Duration;

use virtual_time::Instant;

use super::{Cargo, ConnId, Owner, Side, Stage};
use crate::event::Event;
use crate::link::Fate;
use crate::watch::Loss;
use crate::{Decide, Net, NetError};

impl Net {
    /// The first segments under way from `side` have arrived.
    pub(crate) fn arrival(
        &mut self,
        now: Instant,
        id: ConnId,
        side: Side,
        decide: &mut dyn Decide,
    ) {
        self.conns[id.index()].end_mut(side).out.arrival = None;
        // A segment may end the connection.
        while let Some(conn) = self.conns.get_mut(id.index())
            && let Some(cargo) = conn.end_mut(side).out.pop_arrived(now)
        {
            self.deliver(now, id, side, cargo, decide);
        }
        if self.conns.contains(id.index()) {
            self.schedule_arrival(now, id, side);
        }
    }

    /// An acknowledgement that `side` waited for has arrived.
    pub(crate) fn acknowledgement(
        &mut self,
        now: Instant,
        id: ConnId,
        side: Side,
        decide: &mut dyn Decide,
    ) {
        self.conns[id.index()].end_mut(side).out.ack = None;
        self.acknowledged(now, id, side, decide);
    }

    /// Sends one segment. Where it takes no time and nothing is in its way it has arrived, with
    /// all that follows from it, when this returns: no event is made.
    pub(super) fn transmit(
        &mut self,
        now: Instant,
        id: ConnId,
        side: Side,
        cargo: Cargo,
        decide: &mut dyn Decide,
    ) {
        if self.watch.is_none() || !self.inspect(now, id, side, cargo) {
            self.send_segment(now, id, side, cargo, Duration::ZERO, decide);
        }
    }

    /// Sends one segment that nobody judges any more; it leaves after `delay`.
    pub(crate) fn send_segment(
        &mut self,
        now: Instant,
        id: ConnId,
        side: Side,
        cargo: Cargo,
        delay: Duration,
        decide: &mut dyn Decide,
    ) {
        let link = self.conns[id.index()].end(side).link;
        let fate = self.links.send(link, now, cargo.bytes(), decide);
        if self.watch.is_some() {
            let lost = (fate == Fate::Lost).then_some(Loss::Link);
            self.see_leaving(now, id, side, cargo, lost);
        }
        let end = self.conns[id.index()].end_mut(side);
        let at = match fate {
            Fate::Arrives(at) => end.out.in_order(at + delay),
            fate => return self.not_through(now, id, side, cargo, fate),
        };
        if at <= now && !end.out.is_busy() {
            self.deliver(now, id, side, cargo, decide);
        } else {
            end.out.push(at, cargo);
            if end.out.recovery.is_some() {
                self.through_after_loss(id, side, at);
            }
            self.schedule_arrival(now, id, side);
        }
    }

    /// Sends what the window lets go.
    pub(super) fn flush(&mut self, now: Instant, id: ConnId, side: Side, decide: &mut dyn Decide) {
        while let Some(cargo) = self.conns[id.index()].end_mut(side).out.next_to_send() {
            self.transmit(now, id, side, cargo, decide);
        }
        if self.conns[id.index()].end(side).out.recovery.is_some() {
            self.expect_timeout(now, id, side);
        }
    }

    /// Tells the other end what `side` has received, and what it has room for.
    pub(super) fn send_ack(
        &mut self,
        now: Instant,
        id: ConnId,
        side: Side,
        decide: &mut dyn Decide,
    ) {
        let conn = &mut self.conns[id.index()];
        let Some(at) = self.links.acknowledge(conn.end(side).link, now, decide) else {
            return self.acknowledged_in_vain(now, id, side);
        };
        conn.inbound_mut(side).acknowledge(now, at);
        if self.watch.is_some() {
            self.see_acknowledging(now, id, side);
        }
        self.acknowledged(now, id, side.other(), decide);
    }

    /// Uses what the sender `side` knows by now of its receiver; waits for more if it must.
    pub(super) fn acknowledged(
        &mut self,
        now: Instant,
        id: ConnId,
        side: Side,
        decide: &mut dyn Decide,
    ) {
        let out = &mut self.conns[id.index()].end_mut(side).out;
        if !out.wants_ack() {
            return;
        }
        out.take_acks(now);
        self.flush(now, id, side, decide);
        let end = self.conns[id.index()].end_mut(side);
        if end.out.blocked && end.out.is_writable() {
            end.out.blocked = false;
            let owner = end.owner;
            self.tell(owner);
        }
        self.await_ack(now, id, side);
    }

    /// Makes an event of the next acknowledgement, if the sender waits for one. All others are
    /// taken when the sender next looks, so that a connection whose writer never waits has one
    /// event for each segment and no more.
    pub(super) fn await_ack(&mut self, now: Instant, id: ConnId, side: Side) {
        let out = &mut self.conns[id.index()].end_mut(side).out;
        if out.ack.is_none()
            && out.wants_ack()
            && let Some(at) = out.next_ack()
        {
            let event = Event::Acknowledgement(id, side);
            out.ack = Some(self.events.insert(at.max(now), event));
        }
    }

    pub(super) fn schedule_arrival(&mut self, now: Instant, id: ConnId, side: Side) {
        let out = &mut self.conns[id.index()].end_mut(side).out;
        if out.arrival.is_none()
            && let Some(at) = out.next_arrival()
        {
            let event = Event::Arrival(id, side);
            out.arrival = Some(self.events.insert(at.max(now), event));
        }
    }

    /// Cuts the connection from `side`: the other end gets a RST, behind what is under way.
    pub(super) fn cut(&mut self, now: Instant, id: ConnId, side: Side, decide: &mut dyn Decide) {
        let conn = &mut self.conns[id.index()];
        let end = conn.end_mut(side);
        end.reset = true;
        end.out.drop_unsent();
        if let Some(key) = end.out.drop_lost() {
            self.events.cancel(key);
        }
        self.drop_inbound(id, side);
        self.part(now, id, side);
        self.transmit(now, id, side, Cargo::Rst, decide);
    }

    /// Forgets what this side will not get any more: all that has not arrived, and all that has
    /// if there is nobody to read it.
    pub(super) fn drop_inbound(&mut self, id: ConnId, side: Side) {
        if self.watch.is_some() {
            self.forget_pending(id, side.other());
        }
        let conn = &mut self.conns[id.index()];
        let unheard = conn.end(side).owner == Owner::Closed;
        let pipe = conn.inbound_mut(side);
        for key in pipe.drop_unarrived() {
            self.events.cancel(key);
        }
        if unheard {
            pipe.drop_unread();
        }
    }

    /// Queues a change for whoever holds an end.
    pub(super) fn tell(&mut self, owner: Owner) {
        if let Owner::Socket(socket) = owner {
            self.changed(socket);
        }
    }

    /// Gives back the pairing of one side, after TIME_WAIT if it is that side's turn.
    pub(super) fn part(&mut self, now: Instant, id: ConnId, side: Side) {
        let conn = &mut self.conns[id.index()];
        let pairing = conn.pairing(side);
        let cut = conn.end(side).reset || conn.end(side.other()).reset;
        let end = conn.end_mut(side);
        let wait = end.closed_first && !cut;
        if let Some(host) = end.host
            && std::mem::take(&mut end.paired)
        {
            self.host_mut(host).part(now, pairing, wait);
        }
    }

    /// A segment from `side` reaches the other end.
    fn deliver(
        &mut self,
        now: Instant,
        id: ConnId,
        side: Side,
        cargo: Cargo,
        decide: &mut dyn Decide,
    ) {
        if self.watch.is_some() {
            self.see_arriving(now, id, side, cargo);
        }
        let to = side.other();
        match cargo {
            Cargo::Data(n) => self.on_data(now, id, to, n, decide),
            Cargo::Fin => self.on_fin(now, id, to, decide),
            Cargo::Rst => self.on_rst(now, id, to),
            Cargo::Syn => self.on_syn(now, id, decide),
            Cargo::SynAck => self.on_syn_ack(now, id, decide),
            Cargo::HandshakeAck => self.on_handshake_ack(now, id, decide),
        }
    }

    fn on_data(&mut self, now: Instant, id: ConnId, to: Side, n: usize, decide: &mut dyn Decide) {
        let conn = &mut self.conns[id.index()];
        let end = conn.end_mut(to);
        if end.reset {
            if end.untold {
                return self.refuse(now, id, to, Cargo::Data(n), decide);
            }
            conn.inbound_mut(to).discard(n);
            return;
        }
        // RFC 1122, section 4.2.2.13: data for which there is no reader any more is answered
        // with a RST. Linux holds it so after `close`, and after both directions were shut.
        if end.owner == Owner::Closed || (end.read_shut && end.out.is_shut()) {
            if end.owner != Owner::Closed {
                end.error = Some(NetError::ConnectionReset);
            }
            let owner = end.owner;
            self.cut(now, id, to, decide);
            self.tell(owner);
            return;
        }
        let owner = end.owner;
        conn.inbound_mut(to).data_arrived(n);
        self.tell(owner);
        self.send_ack(now, id, to, decide);
    }

    fn on_fin(&mut self, now: Instant, id: ConnId, to: Side, decide: &mut dyn Decide) {
        let conn = &mut self.conns[id.index()];
        if conn.end(to).untold {
            return self.refuse(now, id, to, Cargo::Fin, decide);
        }
        if conn.end(to).reset {
            conn.inbound_mut(to).discard_fin();
            return;
        }
        conn.inbound_mut(to).fin_arrived();
        let end = conn.end(to);
        if end.owner == Owner::Closed && !end.out.is_shut() {
            // The acceptor never came to be: the listener had no room for it.
            self.cut(now, id, to, decide);
            return;
        }
        let owner = end.owner;
        if self.watch.is_some() {
            self.see_acknowledging(now, id, to);
        }
        let conn = &self.conns[id.index()];
        if conn.is_over(to) {
            self.part(now, id, Side::Opener);
            self.part(now, id, Side::Acceptor);
        }
        self.tell(owner);
    }

    pub(super) fn on_rst(&mut self, now: Instant, id: ConnId, to: Side) {
        let conn = &mut self.conns[id.index()];
        if conn.is_opening() {
            self.fail_connect(now, id, NetError::ConnectionRefused);
            return;
        }
        if conn.is_over(to) {
            return;
        }
        // In the state CLOSE_WAIT Linux calls it EPIPE: the end of file was clean.
        let half_closed = conn.end_of_stream(to) && !conn.end(to).out.is_shut();
        let end = conn.end_mut(to);
        end.reset = true;
        if end.owner != Owner::Closed {
            end.error = Some(if half_closed {
                NetError::BrokenPipe
            } else {
                NetError::ConnectionReset
            });
        }
        let owner = end.owner;
        self.drop_inbound(id, to.other());
        self.forget_silence(id, to);
        self.part(now, id, to);
        self.tell(owner);
        if to == Side::Acceptor && self.conns[id.index()].stage == Stage::HalfOpen {
            self.abandon(now, id);
        }
    }
}
