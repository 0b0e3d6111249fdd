//! Carrying datagrams, and handing them over where they arrive.

use std::io::IoSlice;

use virtual_time::Instant;

use super::Flight;
use super::flight::{Kind, Label};
use crate::event::Event;
use crate::link::{Fate, LinkId, Passage, Turn};
use crate::socket::State;
use crate::watch::Sighted;
use crate::{Decide, HostId, Net, NetError};

impl Net {
    /// Sends something over a link to `host`. Where it takes no time it has arrived when this
    /// returns, and no event is made.
    pub(super) fn dispatch(
        &mut self,
        now: Instant,
        link: LinkId,
        host: HostId,
        label: Label,
        parts: &[IoSlice<'_>],
        decide: &mut dyn Decide,
    ) {
        if self.watch.is_none() || !self.datagram_waits(now, link, host, label, parts) {
            self.depart(now, link, host, label, parts, decide);
        }
    }

    /// Sends what nobody judges any more; it leaves at `leaves`, which may be later than now.
    pub(super) fn depart(
        &mut self,
        leaves: Instant,
        link: LinkId,
        host: HostId,
        label: Label,
        parts: &[IoSlice<'_>],
        decide: &mut dyn Decide,
    ) {
        let now = self.now;
        let len = parts.iter().map(|part| part.len()).sum();
        let journey = self.links.send_datagram(link, leaves, len, decide);
        if self.watch.is_some() {
            let sighted = Self::loss(journey.fate == Fate::Lost);
            self.see_datagram(now, host, label, parts, sighted);
        }
        let broken = journey.flipped.map(|bit| with_flipped(bit, parts));
        let broken = broken.as_ref().map(|bytes| [IoSlice::new(bytes)]);
        let parts = broken.as_ref().map_or(parts, |broken| broken);
        match journey.fate {
            Fate::Arrives(at) if at <= now => self.hand_over(now, host, label, parts, decide),
            Fate::Arrives(at) => {
                self.flight(link, host).push(at, label, parts);
                self.expect_datagrams(now, link);
            }
            Fate::Held => {
                let flight = self.flight(link, host);
                flight.held = true;
                flight.push_last(now, label, parts);
            }
            Fate::Lost => {}
        }
        if let Some(at) = journey.again {
            self.flight(link, host).push(at, label, parts);
            self.expect_datagrams(now, link);
        }
    }

    /// Sees to what is under way on links that a fault has opened or closed.
    pub(crate) fn datagram_links_turned(&mut self, now: Instant, turns: &[Turn]) {
        for turn in turns {
            let flights = &mut self.datagrams.flights;
            let Some(Some(flight)) = flights.get_mut(turn.link.index()) else {
                continue;
            };
            if turn.to > turn.was {
                self.links.caught(turn.link, flight.len());
            }
            flight.held = turn.to == Passage::Held;
            let outdated = match turn.to {
                Passage::Cut => flight.lose_all(),
                Passage::Held => flight.event.take().map(|(_, key)| key),
                Passage::Open => None,
            };
            if let Some(key) = outdated {
                self.events.cancel(key);
            }
            self.expect_datagrams(now, turn.link);
        }
    }

    /// The first datagrams under way on a link have arrived.
    pub(crate) fn datagrams_arrive(&mut self, now: Instant, link: LinkId, decide: &mut dyn Decide) {
        // Out of its place meanwhile: what is handed over may be answered, on other links.
        let Some(mut flight) = self.datagrams.flights[link.index()].take() else {
            return;
        };
        flight.event = None;
        let host = flight.host;
        while flight.pop(now, |label, parts| {
            self.hand_over(now, host, label, parts, decide);
        }) {}
        debug_assert!(self.datagrams.flights[link.index()].is_none());
        self.datagrams.flights[link.index()] = Some(flight);
        self.expect_datagrams(now, link);
    }

    /// Bytes of datagrams under way, and of those that wait for a reader.
    pub(crate) fn datagram_bytes(&self) -> usize {
        let flights = self.datagrams.flights.iter().flatten();
        let inboxes = self.sockets.iter().map(|(_, socket)| match &socket.state {
            State::Udp(udp) => udp.buffered(),
            _ => 0,
        });
        flights.map(|flight| flight.bytes()).chain(inboxes).sum()
    }

    fn flight(&mut self, link: LinkId, host: HostId) -> &mut Flight {
        let flights = &mut self.datagrams.flights;
        if flights.len() <= link.index() {
            flights.resize_with(link.index() + 1, || None);
        }
        flights[link.index()].get_or_insert_with(|| Box::new(Flight::to(host)))
    }

    /// Makes an event of the next arrival on a link.
    fn expect_datagrams(&mut self, now: Instant, link: LinkId) {
        let Some(flight) = &mut self.datagrams.flights[link.index()] else {
            return;
        };
        let Some(next) = flight.next().filter(|_| !flight.held) else {
            return;
        };
        let next = next.max(now);
        if let Some((at, key)) = flight.event {
            if at <= next {
                return;
            }
            self.events.cancel(key);
        }
        let key = self.events.insert(next, Event::Datagrams(link));
        flight.event = Some((next, key));
    }

    fn hand_over(
        &mut self,
        now: Instant,
        host: HostId,
        label: Label,
        parts: &[IoSlice<'_>],
        decide: &mut dyn Decide,
    ) {
        if self.watch.is_some() {
            self.see_datagram(now, host, label, parts, Sighted::Delivered);
        }
        let Label { from, to, kind } = label;
        match kind {
            Kind::One => match self.host_mut(host).udp.receiver(from, to, decide) {
                Some(id) => self.put(id, from, parts),
                None => self.bounce(now, host, label, decide),
            },
            Kind::Many => self.deliver_to_many(host, label, parts),
            // It quotes the datagram: what comes back to `from` comes from `to`.
            Kind::Unreachable => {
                if let Some(id) = self.hosts[host.index()].udp.connected(to, from)
                    && let Ok((_, udp)) = self.udp_mut(id)
                {
                    udp.error = Some(NetError::ConnectionRefused);
                    self.changed(id);
                }
            }
        }
    }

    /// Tells the sender that nobody on `host` has the port.
    fn bounce(&mut self, now: Instant, host: HostId, label: Label, decide: &mut dyn Decide) {
        let sender = label.from.ip();
        let back = if self.hosts[host.index()].has(sender) {
            Some(host)
        } else {
            self.host_by_address.get(&sender).copied()
        };
        let Some(back) = back else {
            return;
        };
        let link = self.links.between(host, back);
        let kind = Kind::Unreachable;
        self.dispatch(now, link, back, Label { kind, ..label }, &[], decide);
    }
}

/// The bytes of a datagram, with one bit the other way round.
fn with_flipped(bit: usize, parts: &[IoSlice<'_>]) -> Vec<u8> {
    let mut bytes: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).collect();
    if let Some(byte) = bytes.get_mut(bit / 8) {
        *byte ^= 1 << (bit % 8);
    }
    bytes
}
