//! Monitors: segments that wait for somebody to say what becomes of them.

use std::fmt;
use std::time::Duration;

use virtual_time::Instant;

use super::{Loss, Segment, SegmentKind, Sighted, Watch};
use crate::tcp::{Cargo, ConnId, Side};
use crate::udp::Parcel;
use crate::{Decide, HostId, Net};

/// A monitor of one network, numbered in order of creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MonitorId(pub(super) u64);

/// What a monitor wants done with a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Treatment {
    /// Nothing: it goes its way.
    Pass,
    /// It leaves so much later; what follows it in its stream does not overtake it.
    Delay(Duration),
    /// It carries these bytes instead. A stream's must stay as many as they were, for its
    /// numbers count them; a datagram's need not.
    Rewrite(Vec<u8>),
    /// It is lost. What TCP loses it sends again, later; that is not judged once more, but for
    /// a SYN.
    Drop,
    /// A datagram leaves twice.
    Duplicate,
    /// It is lost, and both ends of its TCP connection get a RST.
    Reset,
}

/// A treatment that does not suit its segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit {
    segment: String,
    treatment: String,
    advice: &'static str,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (segment, treatment) = (&self.segment, &self.treatment);
        write!(
            f,
            "a monitor cannot {treatment} [{segment}]: {}",
            self.advice
        )
    }
}

impl std::error::Error for Unfit {}

/// A segment that waits to be judged: each of its [monitors](Self::monitors) in turn is asked,
/// its treatment [applied](Self::apply), and at last the network [told](Net::judge).
#[derive(Debug)]
pub struct Inspection {
    ticket: u64,
    monitors: Vec<MonitorId>,
    segment: Segment,
    ruling: Ruling,
}

/// What all monitors together want.
#[derive(Debug, Default)]
struct Ruling {
    delay: Duration,
    rewritten: bool,
    end: End,
}

/// The last word on a segment: the gravest that was said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    #[default]
    Once,
    Twice,
    Never,
    Reset,
}

impl Inspection {
    /// The segment as the monitors before have left it.
    #[must_use]
    pub fn segment(&self) -> &Segment {
        &self.segment
    }

    /// The monitors that are set on it, oldest first.
    #[must_use]
    pub fn monitors(&self) -> &[MonitorId] {
        &self.monitors
    }

    /// Takes one monitor's treatment: delays add up, a rewritten segment is what the next
    /// monitor sees, and a reset wins over a drop, which wins over a duplicate.
    ///
    /// # Errors
    ///
    /// [`Unfit`] if a segment of TCP would change its length or be sent twice, or a datagram
    /// would reset a connection; nothing is done to it then.
    pub fn apply(&mut self, treatment: Treatment) -> Result<(), Unfit> {
        match treatment {
            Treatment::Pass => {}
            Treatment::Delay(time) => self.ruling.delay = self.ruling.delay.saturating_add(time),
            Treatment::Rewrite(bytes) => self.rewrite(bytes)?,
            Treatment::Drop => self.end(End::Never),
            Treatment::Duplicate if self.segment.kind.is_tcp() => {
                let advice = "a stream's receiver throws a second copy away";
                return Err(self.unfit("send twice".to_owned(), advice));
            }
            Treatment::Duplicate => self.end(End::Twice),
            Treatment::Reset if !self.segment.kind.is_tcp() => {
                let advice = "a datagram has no connection; drop it";
                return Err(self.unfit("reset the connection of".to_owned(), advice));
            }
            Treatment::Reset => self.end(End::Reset),
        }
        Ok(())
    }

    fn end(&mut self, end: End) {
        self.ruling.end = self.ruling.end.max(end);
    }

    fn unfit(&self, treatment: String, advice: &'static str) -> Unfit {
        Unfit {
            segment: self.segment.to_string(),
            treatment,
            advice,
        }
    }

    fn rewrite(&mut self, bytes: Vec<u8>) -> Result<(), Unfit> {
        let fits = match &self.segment.kind {
            SegmentKind::Datagram(_) => true,
            kind => kind.payload().len() == bytes.len(),
        };
        if !fits {
            let advice = "a stream counts its bytes; rewrite them to as many";
            return Err(self.unfit(format!("put {} bytes into", bytes.len()), advice));
        }
        match &mut self.segment.kind {
            SegmentKind::Data(old) | SegmentKind::Datagram(old) => *old = bytes,
            _ => return Ok(()),
        }
        self.ruling.rewritten = true;
        Ok(())
    }
}

/// Where a monitor is set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Monitor {
    pub(super) id: MonitorId,
    pub(super) from: Option<HostId>,
    pub(super) to: Option<HostId>,
}

impl Monitor {
    fn watches(&self, from: HostId, to: HostId) -> bool {
        self.from.is_none_or(|host| host == from) && self.to.is_none_or(|host| host == to)
    }
}

impl Watch {
    fn monitors_of(&self, from: HostId, to: HostId) -> Vec<MonitorId> {
        let set = self.monitors.iter().filter(|m| m.watches(from, to));
        set.map(|monitor| monitor.id).collect()
    }
}

/// A segment in the queue.
#[derive(Debug)]
pub(super) struct Pending {
    ticket: u64,
    subject: Subject,
    since: Instant,
    /// `None` once it was taken.
    inspection: Option<Inspection>,
}

/// What goes on once it is judged.
#[derive(Debug)]
enum Subject {
    Tcp(ConnId, Side, Cargo),
    Datagram(Parcel),
}

impl Subject {
    fn is_of(&self, conn: ConnId, side: Side) -> bool {
        matches!(self, Self::Tcp(c, s, _) if (*c, *s) == (conn, side))
    }
}

impl Net {
    /// The oldest segment that waits to be judged and was not taken yet. Whoever takes it
    /// [gives it back](Self::judge) before the network goes on; one that is not judged by the
    /// next [`advance`](Self::advance) goes its way.
    ///
    /// ```
    /// use std::time::Duration;
    /// use net_sim::drive::Pair;
    /// use net_sim::{LinkConfig, Treatment};
    ///
    /// let mut pair = Pair::new(LinkConfig::default());
    /// let (client, server) = pair.connected();
    /// pair.net.add_monitor(Some(pair.client), None);
    /// pair.write(client, b"hello")?;
    /// while let Some(mut inspection) = pair.net.take_inspection() {
    ///     let shout = inspection.segment().kind.payload().to_ascii_uppercase();
    ///     inspection.apply(Treatment::Rewrite(shout)).unwrap();
    ///     inspection.apply(Treatment::Delay(Duration::from_secs(1))).unwrap();
    ///     pair.net.judge(pair.now, inspection, &mut pair.decide);
    /// }
    /// pair.step();
    /// assert_eq!(pair.read(server, 9)?, b"HELLO");
    /// assert_eq!(pair.now.as_nanos(), 1_000_000_000);
    /// # Ok::<(), net_sim::NetError>(())
    /// ```
    pub fn take_inspection(&mut self) -> Option<Inspection> {
        let pending = self.watch.as_mut()?.pending.iter_mut();
        pending
            .map(|pending| &mut pending.inspection)
            .find(|inspection| inspection.is_some())?
            .take()
    }

    /// Lets a segment go as it was judged. One whose connection has ended meanwhile, or that
    /// went unjudged, is gone: nothing happens.
    pub fn judge(&mut self, now: Instant, inspection: Inspection, decide: &mut impl Decide) {
        self.observe(now);
        let Some(watch) = &mut self.watch else {
            return;
        };
        let mut pending = watch.pending.iter();
        let Some(index) = pending.position(|pending| pending.ticket == inspection.ticket) else {
            return;
        };
        // Those before it were passed over, and nothing overtakes in a stream.
        for _ in 0..index {
            self.let_pass(now, decide);
        }
        self.let_go(now, Some(inspection), decide);
        self.close_idle_watch();
    }

    /// When the oldest unjudged segment was sent.
    pub(crate) fn inspection_since(&self) -> Option<Instant> {
        Some(self.watch.as_ref()?.pending.front()?.since)
    }

    /// Lets everything go its way that nobody has judged.
    #[cold]
    pub(crate) fn pass_unjudged(&mut self, now: Instant, decide: &mut dyn Decide) {
        while self.inspection_since().is_some() {
            self.let_pass(now, decide);
        }
        self.close_idle_watch();
    }

    /// Shows a segment of TCP that is about to leave to whoever watches; true if it waits for
    /// a judgement now.
    #[cold]
    pub(crate) fn inspect(&mut self, now: Instant, id: ConnId, side: Side, cargo: Cargo) -> bool {
        let (from, to) = self.hosts_of(id, side);
        let Some(watch) = &self.watch else {
            return false;
        };
        let monitors = watch.monitors_of(from, to);
        // What follows a segment that waits must wait as well.
        let waits = |pending: &Pending| pending.subject.is_of(id, side);
        if monitors.is_empty() && !watch.pending.iter().any(waits) {
            return false;
        }
        let segment = self.leaving(id, side, cargo, 0);
        self.pend(now, Subject::Tcp(id, side, cargo), monitors, segment);
        true
    }

    /// The same for a datagram.
    #[cold]
    pub(crate) fn inspect_datagram(&mut self, now: Instant, parcel: &Parcel) -> bool {
        let segment = self.seen_datagram(parcel);
        let Some(watch) = &self.watch else {
            return false;
        };
        let monitors = watch.monitors_of(segment.from_host, segment.to_host);
        if monitors.is_empty() {
            return false;
        }
        self.pend(now, Subject::Datagram(parcel.clone()), monitors, segment);
        true
    }

    fn pend(&mut self, now: Instant, subject: Subject, monitors: Vec<MonitorId>, segment: Segment) {
        let watch = self.watch.get_or_insert_default();
        let ticket = watch.pended;
        watch.pended += 1;
        watch.pending.push_back(Pending {
            ticket,
            subject,
            since: now,
            inspection: Some(Inspection {
                ticket,
                monitors,
                segment,
                ruling: Ruling::default(),
            }),
        });
    }

    /// Forgets what of one end's waits to be judged.
    #[cold]
    pub(crate) fn forget_pending(&mut self, id: ConnId, side: Side) {
        if let Some(watch) = &mut self.watch {
            let of_it = |pending: &Pending| pending.subject.is_of(id, side);
            watch.pending.retain(|pending| !of_it(pending));
        }
    }

    fn let_pass(&mut self, now: Instant, decide: &mut dyn Decide) {
        self.let_go(now, None, decide);
    }

    /// Lets the oldest segment go.
    fn let_go(&mut self, now: Instant, judged: Option<Inspection>, decide: &mut dyn Decide) {
        let watch = self.watch.as_mut();
        let Some(pending) = watch.and_then(|watch| watch.pending.pop_front()) else {
            return;
        };
        let (segment, ruling) = match judged {
            Some(judged) => (Some(judged.segment), judged.ruling),
            None => (None, Ruling::default()),
        };
        let rewritten = segment.filter(|_| ruling.rewritten);
        match pending.subject {
            Subject::Tcp(id, side, cargo) => {
                if let Some(segment) = rewritten {
                    let behind = self.pending_bytes(id, side);
                    self.rewrite_sent(id, side, behind, segment.kind.payload());
                }
                match ruling.end {
                    End::Once | End::Twice => {
                        self.send_segment(now, id, side, cargo, ruling.delay, decide);
                    }
                    End::Never => self.lose_segment(now, id, side, cargo),
                    End::Reset => self.reset_conn(now, id),
                }
            }
            Subject::Datagram(mut parcel) => {
                if let Some(segment) = rewritten {
                    parcel.payload = segment.kind.payload().into();
                }
                let copies = match ruling.end {
                    End::Once => 1,
                    End::Twice => 2,
                    End::Never | End::Reset => 0,
                };
                if copies == 0 {
                    let segment = self.seen_datagram(&parcel);
                    self.sight(now, Sighted::Dropped(Loss::Monitor), segment);
                }
                for _ in 0..copies {
                    self.carry(now, &parcel, ruling.delay, decide);
                }
            }
        }
    }

    /// Bytes that one end has sent and nobody has judged.
    pub(crate) fn pending_bytes(&self, id: ConnId, side: Side) -> usize {
        let pending = self.watch.iter().flat_map(|watch| &watch.pending);
        pending
            .map(|pending| match &pending.subject {
                Subject::Tcp(other, its, cargo) if (*other, *its) == (id, side) => cargo.bytes(),
                _ => 0,
            })
            .sum()
    }
}
