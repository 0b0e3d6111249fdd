//! Keep-alive: asking a silent peer for a sign of life.
//!
//! A question that is answered changes nothing that anybody sees. So none is asked while the ways
//! are open and the peer knows of the connection, and a world that waits for nothing is not kept
//! alive by it; only where no answer would come there is a timer.

use std::collections::BTreeMap;
use std::time::Duration;

use virtual_time::{Instant, TimerKey};

use super::{ConnId, Owner, Side};
use crate::event::Event;
use crate::link::Passage;
use crate::{Decide, Keepalive, Net, SocketId};

/// The ends that wait for their peer's sign of life.
#[derive(Debug, Default)]
pub(crate) struct Silences(BTreeMap<(ConnId, Side), Silence>);

#[derive(Debug)]
struct Silence {
    timer: TimerKey,
    /// Questions asked without an answer.
    asked: u32,
}

impl Net {
    /// Something may be wrong between `side` and its peer: it asks when it has heard nothing for
    /// long enough.
    pub(super) fn mind_silence(&mut self, now: Instant, id: ConnId, side: Side) {
        let Some((_, times)) = self.keeps_alive(id, side) else {
            return;
        };
        if !self.silences.0.contains_key(&(id, side)) && self.would_be_silent(id, side) {
            let at = self.conns[id.index()].heard(side, now) + times.idle;
            self.ask_at(at.max(now), id, side, 0);
        }
    }

    /// Keep-alive was set, or set otherwise, on a socket.
    pub(super) fn keepalive_changed(&mut self, conn: ConnId, side: Side) {
        self.forget_silence(conn, side);
        self.mind_silence(self.now, conn, side);
    }

    /// It is time for `side` to ask.
    pub(crate) fn silence(
        &mut self,
        now: Instant,
        id: ConnId,
        side: Side,
        decide: &mut dyn Decide,
    ) {
        let Some(Silence { asked, .. }) = self.silences.0.remove(&(id, side)) else {
            return;
        };
        let Some((socket, times)) = self.keeps_alive(id, side) else {
            return;
        };
        if !self.would_be_silent(id, side) {
            return;
        }
        let conn = &self.conns[id.index()];
        let heard = conn.heard(side, now);
        let silent = now - heard;
        // What is not acknowledged is asked for by the retransmission timer.
        if silent < times.idle || conn.end(side).out.waits() {
            let at = (heard + times.idle).max(now + Duration::from_secs(1));
            self.ask_at(at, id, side, 0);
            return;
        }
        let given_up = match self.user_timeout(socket) {
            Ok(Some(patience)) => asked > 0 && silent >= patience,
            _ => asked >= times.count,
        };
        if given_up {
            self.time_out(now, id, side);
            return;
        }
        if self.links.passage(conn.end(side).link) != Passage::Held {
            self.probe(now, id, side, decide);
        }
        if self.conns.contains(id.index()) {
            self.ask_at(now + times.interval, id, side, asked + 1);
        }
    }

    /// Cancels what waits for a connection that is gone.
    pub(crate) fn forget_silences(&mut self, id: ConnId) {
        if !self.silences.0.is_empty() {
            self.forget_silence(id, Side::Opener);
            self.forget_silence(id, Side::Acceptor);
        }
    }

    pub(super) fn forget_silence(&mut self, id: ConnId, side: Side) {
        if let Some(silence) = self.silences.0.remove(&(id, side)) {
            self.events.cancel(silence.timer);
        }
    }

    fn ask_at(&mut self, at: Instant, id: ConnId, side: Side, asked: u32) {
        if at == Instant::END {
            return; // Never.
        }
        let timer = self.events.insert(at, Event::Silence(id, side));
        self.silences.0.insert((id, side), Silence { timer, asked });
    }

    /// The socket of an end that asks, and when it does.
    fn keeps_alive(&self, id: ConnId, side: Side) -> Option<(SocketId, Keepalive)> {
        let conn = self.conns.get(id.index())?;
        let Owner::Socket(socket) = conn.end(side).owner else {
            return None;
        };
        let options = &self.socket(socket).ok()?.options;
        let asks = options.keepalive && !conn.is_opening() && !conn.is_over(side);
        asks.then(|| (socket, options.keepalive_times.into()))
    }

    /// Whether a question would go without an answer, or get a bad one.
    fn would_be_silent(&self, id: ConnId, side: Side) -> bool {
        let conn = &self.conns[id.index()];
        let (end, peer) = (conn.end(side), conn.end(side.other()));
        let closed = |link| self.links.passage(link) != Passage::Open;
        peer.untold || closed(end.link) || closed(peer.link)
    }
}
