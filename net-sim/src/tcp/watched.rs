//! What those who watch the network see of a connection.

use virtual_time::Instant;

use super::pipe::Cargo;
use super::{Conn, ConnId, Side};
use crate::link::Fate;
use crate::watch::{Loss, Segment, SegmentKind, Sighted};
use crate::{HostId, Net};

impl Net {
    /// The host that one end is on, and that of the other.
    pub(crate) fn hosts_of(&self, id: ConnId, side: Side) -> (HostId, HostId) {
        let conn = &self.conns[id.index()];
        let host = |side| conn.end(side).host.unwrap_or_else(no_host);
        (host(side), host(side.other()))
    }

    /// A segment that `side` has just let go, with `behind` bytes of its stream let go after it.
    pub(crate) fn leaving(&self, id: ConnId, side: Side, cargo: Cargo, behind: usize) -> Segment {
        let sent = self.conns[id.index()].end(side).out.sent();
        let first = sent - (behind + cargo.bytes()) as u64;
        self.seen(id, side, cargo, first)
    }

    /// Puts other bytes into a segment of data that `side` has let go, with `behind` bytes
    /// behind it.
    pub(crate) fn rewrite_sent(&mut self, id: ConnId, side: Side, behind: usize, bytes: &[u8]) {
        let out = &mut self.conns[id.index()].end_mut(side).out;
        let first = out.sent() - (behind + bytes.len()) as u64;
        out.overwrite(first, bytes);
    }

    /// A segment leaves `side`, and is lost if there is a reason.
    #[cold]
    pub(super) fn see_leaving(
        &mut self,
        now: Instant,
        id: ConnId,
        side: Side,
        cargo: Cargo,
        lost: Option<Loss>,
    ) {
        if self.is_observed() {
            let behind = self.pending_bytes(id, side);
            let segment = self.leaving(id, side, cargo, behind);
            self.see_sent(now, segment, lost);
        }
    }

    /// A lost segment leaves `side` again.
    #[cold]
    pub(super) fn see_leaving_again(
        &mut self,
        now: Instant,
        id: ConnId,
        side: Side,
        cargo: Cargo,
        fate: Fate,
    ) {
        if self.is_observed() {
            let first = self.conns[id.index()].end(side).out.first_lost_offset();
            let segment = self.seen(id, side, cargo, first);
            self.see_sent(now, segment, (fate == Fate::Lost).then_some(Loss::Link));
        }
    }

    /// A monitor takes a segment of `side` away.
    pub(crate) fn lose_segment(&mut self, now: Instant, id: ConnId, side: Side, cargo: Cargo) {
        self.see_leaving(now, id, side, cargo, Some(Loss::Monitor));
        self.not_through(now, id, side, cargo, Fate::Lost);
    }

    #[cold]
    pub(super) fn see_arriving(&mut self, now: Instant, id: ConnId, side: Side, cargo: Cargo) {
        if self.is_observed() {
            let first = self.conns[id.index()].end(side).out.arrived();
            let segment = self.seen(id, side, cargo, first);
            self.sight(now, Sighted::Delivered, segment);
        }
    }

    /// `side` acknowledges what has arrived.
    #[cold]
    pub(super) fn see_acknowledging(&mut self, now: Instant, id: ConnId, side: Side) {
        if self.is_observed() {
            let behind = self.pending_bytes(id, side);
            let segment = self.leaving(id, side, Cargo::HandshakeAck, behind);
            self.sight(now, Sighted::Sent, segment);
        }
    }

    fn seen(&self, id: ConnId, side: Side, cargo: Cargo, first: u64) -> Segment {
        let conn = &self.conns[id.index()];
        let (from_host, to_host) = self.hosts_of(id, side);
        let (end, peer) = (conn.end(side), conn.end(side.other()));
        // A FIN takes a number as well.
        let behind_fin = u64::from(end.out.fin_was_sent());
        let refused = conn.is_opening();
        let (kind, sequence) = match cargo {
            Cargo::Rst if refused => (SegmentKind::Rst, 0),
            Cargo::Syn => (SegmentKind::Syn, 0),
            Cargo::SynAck => (SegmentKind::SynAck, 0),
            Cargo::HandshakeAck => (SegmentKind::Ack, 1 + first + behind_fin),
            Cargo::Data(n) => (SegmentKind::Data(end.out.copy(first, n)), 1 + first),
            Cargo::Fin => (SegmentKind::Fin, 1 + first),
            Cargo::Rst => (SegmentKind::Rst, 1 + first + behind_fin),
        };
        Segment {
            from_host,
            to_host,
            from: end.addr,
            to: peer.addr,
            sequence,
            acknowledged: conn.acknowledged(side, &kind),
            window: peer.out.window(),
            kind,
        }
    }
}

impl Conn {
    /// What `side` has received, as a segment of it says.
    fn acknowledged(&self, side: Side, kind: &SegmentKind) -> u64 {
        if *kind == SegmentKind::Syn {
            return 0;
        }
        let inbound = self.inbound(side);
        1 + inbound.arrived() + u64::from(inbound.end_has_arrived())
    }
}

fn no_host() -> HostId {
    unreachable!("no segment is sent to an address that no host has")
}
