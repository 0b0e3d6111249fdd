//! Monitors: segments that wait for somebody to say what becomes of them.

use std::fmt;
use std::time::Duration;

use virtual_time::Instant;

use super::{Segment, SegmentKind};
use crate::tcp::{Cargo, ConnId, Side};
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
pub(crate) struct Ruling {
    pub(crate) delay: Duration,
    pub(crate) rewritten: bool,
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

    /// Takes one monitor's treatment: delays add up, and a rewritten segment is what the next
    /// monitor sees.
    ///
    /// # Errors
    ///
    /// [`Unfit`] if a segment of TCP would change its length; nothing is done to it then.
    pub fn apply(&mut self, treatment: Treatment) -> Result<(), Unfit> {
        match treatment {
            Treatment::Pass => {}
            Treatment::Delay(time) => self.ruling.delay = self.ruling.delay.saturating_add(time),
            Treatment::Rewrite(bytes) => self.rewrite(bytes)?,
        }
        Ok(())
    }

    fn rewrite(&mut self, bytes: Vec<u8>) -> Result<(), Unfit> {
        let fits = match &self.segment.kind {
            SegmentKind::Datagram(_) => true,
            kind => kind.payload().len() == bytes.len(),
        };
        if !fits {
            return Err(Unfit {
                segment: self.segment.to_string(),
                treatment: format!("put {} bytes into", bytes.len()),
                advice: "a stream counts its bytes; rewrite them to as many",
            });
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subject {
    Tcp(ConnId, Side, Cargo),
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
        let monitors: Vec<_> = watch
            .monitors
            .iter()
            .filter(|monitor| monitor.watches(from, to))
            .map(|monitor| monitor.id)
            .collect();
        let waits = |pending: &Pending| {
            let Subject::Tcp(other, other_side, _) = pending.subject;
            (other, other_side) == (id, side)
        };
        // What follows a segment that waits must wait as well.
        if monitors.is_empty() && !watch.pending.iter().any(waits) {
            return false;
        }
        let segment = self.leaving(id, side, cargo, 0);
        let watch = self.watch.get_or_insert_default();
        let ticket = watch.pended;
        watch.pended += 1;
        watch.pending.push_back(Pending {
            ticket,
            subject: Subject::Tcp(id, side, cargo),
            since: now,
            inspection: Some(Inspection {
                ticket,
                monitors,
                segment,
                ruling: Ruling::default(),
            }),
        });
        true
    }

    /// Forgets what of one end's waits to be judged.
    #[cold]
    pub(crate) fn forget_pending(&mut self, id: ConnId, side: Side) {
        if let Some(watch) = &mut self.watch {
            watch.pending.retain(|pending| {
                let Subject::Tcp(other, other_side, _) = pending.subject;
                (other, other_side) != (id, side)
            });
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
        let Subject::Tcp(id, side, cargo) = pending.subject;
        let mut delay = Duration::ZERO;
        if let Some(Inspection {
            segment, ruling, ..
        }) = judged
        {
            delay = ruling.delay;
            if ruling.rewritten {
                let behind = self.pending_bytes(id, side);
                self.rewrite_sent(id, side, behind, segment.kind.payload());
            }
        }
        self.send_segment(now, id, side, cargo, delay, decide);
    }

    /// Bytes that one end has sent and nobody has judged.
    pub(crate) fn pending_bytes(&self, id: ConnId, side: Side) -> usize {
        let pending = self.watch.iter().flat_map(|watch| &watch.pending);
        pending
            .map(|pending| match pending.subject {
                Subject::Tcp(other, other_side, cargo) if (other, other_side) == (id, side) => {
                    cargo.bytes()
                }
                Subject::Tcp(..) => 0,
            })
            .sum()
    }
}
