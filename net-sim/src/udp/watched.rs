//! What those who watch the network see of datagrams.

use std::io::IoSlice;
use std::time::Duration;

use virtual_time::Instant;

use super::flight::{Kind, Label};
use crate::link::LinkId;
use crate::watch::{Loss, Segment, SegmentKind, Sighted};
use crate::{Decide, HostId, Net};

/// A datagram that waits to be judged, with all that it takes to send it.
#[derive(Clone, Debug)]
pub(crate) struct Parcel {
    pub(super) link: LinkId,
    /// Where the link ends.
    pub(super) host: HostId,
    pub(super) label: Label,
    pub(crate) payload: Box<[u8]>,
}

impl Parcel {
    pub(super) fn new(link: LinkId, host: HostId, label: Label, parts: &[IoSlice<'_>]) -> Self {
        Self {
            link,
            host,
            label,
            payload: parts.iter().flat_map(|part| part.iter().copied()).collect(),
        }
    }
}

impl Net {
    /// Shows a datagram that is about to leave to whoever watches; true if it waits for a
    /// judgement now.
    #[cold]
    pub(super) fn datagram_waits(
        &mut self,
        now: Instant,
        link: LinkId,
        host: HostId,
        label: Label,
        parts: &[IoSlice<'_>],
    ) -> bool {
        // Of ICMP nobody has a word.
        label.kind != Kind::Unreachable
            && self.inspect_datagram(now, &Parcel::new(link, host, label, parts))
    }

    /// Sends a datagram that nobody judges any more; it leaves after `delay`.
    pub(crate) fn carry(
        &mut self,
        now: Instant,
        parcel: &Parcel,
        delay: Duration,
        decide: &mut dyn Decide,
    ) {
        let Parcel {
            link, host, label, ..
        } = *parcel;
        let parts = [IoSlice::new(&parcel.payload)];
        self.depart(now + delay, link, host, label, &parts, decide);
    }

    #[cold]
    pub(super) fn see_datagram(
        &mut self,
        now: Instant,
        host: HostId,
        label: Label,
        parts: &[IoSlice<'_>],
        sighted: Sighted,
    ) {
        if label.kind == Kind::Unreachable || !self.is_observed() {
            return;
        }
        let segment = self.seen_datagram(&Parcel::new(LinkId::LOOPBACK, host, label, parts));
        match sighted {
            Sighted::Dropped(why) => self.see_sent(now, segment, Some(why)),
            sighted => self.sight(now, sighted, segment),
        }
    }

    pub(crate) fn seen_datagram(&self, parcel: &Parcel) -> Segment {
        let Label { from, to, .. } = parcel.label;
        let from_host = self.host_by_address.get(&from.ip());
        Segment {
            // Who speaks from a loopback address speaks to itself.
            from_host: from_host.copied().unwrap_or(parcel.host),
            to_host: parcel.host,
            from,
            to,
            kind: SegmentKind::Datagram(parcel.payload.to_vec()),
            sequence: 0,
            acknowledged: 0,
            window: 0,
        }
    }

    pub(super) const fn loss(lost: bool) -> Sighted {
        if lost {
            Sighted::Dropped(Loss::Link)
        } else {
            Sighted::Sent
        }
    }
}
