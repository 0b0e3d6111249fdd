//! Who looks at the network from outside: observers, which see every segment, and monitors, which
//! say of each what becomes of it.
//!
//! No code of theirs runs in here. What is seen is queued for the owner of the network to take
//! ([`Net::pop_sighting`]), and a segment that a monitor is set on waits until the owner has
//! asked it ([`Net::take_inspection`], [`Net::judge`]). A network without either pays for one
//! look at an `Option` for each segment.

mod inspection;
mod segment;

use std::collections::VecDeque;

use virtual_time::Instant;

pub use inspection::{Inspection, MonitorId, Treatment, Unfit};
pub use segment::{Loss, Segment, SegmentKind, Sighted, Sighting};

use crate::{HostId, Net};
use inspection::{Monitor, Pending};

/// Who looks, and what they were shown.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    observed: bool,
    sightings: VecDeque<Sighting>,
    monitors: Vec<Monitor>,
    monitors_made: u64,
    /// Segments that wait for a judgement, oldest first.
    pending: VecDeque<Pending>,
    pended: u64,
}

impl Net {
    /// Starts or stops keeping what observers see: each segment as it is sent, and as it
    /// arrives or is lost. Whoever starts it takes the [sightings](Self::pop_sighting).
    ///
    /// ```
    /// use net_sim::drive::Pair;
    /// use net_sim::{LinkConfig, SegmentKind};
    ///
    /// let mut pair = Pair::new(LinkConfig::default());
    /// let (client, _) = pair.connected();
    /// pair.net.set_observed(true);
    /// pair.write(client, b"hello")?;
    /// let seen = pair.net.pop_sighting().unwrap();
    /// assert_eq!(seen.segment.kind, SegmentKind::Data(b"hello".to_vec()));
    /// assert_eq!((seen.segment.from_host, seen.segment.to_host), (pair.client, pair.server));
    /// # Ok::<(), net_sim::NetError>(())
    /// ```
    pub fn set_observed(&mut self, on: bool) {
        if on {
            self.watch.get_or_insert_default().observed = true;
        } else if let Some(watch) = &mut self.watch {
            watch.observed = false;
            self.close_idle_watch();
        }
    }

    /// The oldest sighting that was not taken yet.
    pub fn pop_sighting(&mut self) -> Option<Sighting> {
        let sighting = self.watch.as_mut()?.sightings.pop_front();
        if sighting.is_none() {
            self.close_idle_watch();
        }
        sighting
    }

    /// Sets a monitor on what is sent from one host to another; `None` means any host. From
    /// now on each such segment [waits](Self::take_inspection) to be judged.
    ///
    /// # Panics
    ///
    /// If a host is of another network.
    pub fn add_monitor(&mut self, from: Option<HostId>, to: Option<HostId>) -> MonitorId {
        for host in [from, to].into_iter().flatten() {
            self.check_host(host);
        }
        let watch = self.watch.get_or_insert_default();
        let id = MonitorId(watch.monitors_made);
        watch.monitors_made += 1;
        watch.monitors.push(Monitor { id, from, to });
        id
    }

    /// Takes a monitor away; true if it was there. What waits for its judgement goes on to wait
    /// for that of the others, or for nobody's.
    pub fn remove_monitor(&mut self, id: MonitorId) -> bool {
        let Some(watch) = &mut self.watch else {
            return false;
        };
        let before = watch.monitors.len();
        watch.monitors.retain(|monitor| monitor.id != id);
        let found = watch.monitors.len() < before;
        self.close_idle_watch();
        found
    }

    /// Notes something seen. Only where somebody watches.
    pub(crate) fn sight(&mut self, at: Instant, sighted: Sighted, segment: Segment) {
        if let Some(watch) = &mut self.watch
            && watch.observed
        {
            watch.sightings.push_back(Sighting {
                at,
                sighted,
                segment,
            });
        }
    }

    /// Notes a segment that leaves, and is lost if there is a reason.
    pub(crate) fn see_sent(&mut self, at: Instant, segment: Segment, lost: Option<Loss>) {
        self.sight(at, Sighted::Sent, segment.clone());
        if let Some(why) = lost {
            self.sight(at, Sighted::Dropped(why), segment);
        }
    }

    pub(crate) fn is_observed(&self) -> bool {
        self.watch.as_ref().is_some_and(|watch| watch.observed)
    }

    /// Whether the network costs what it costs unwatched, from here on.
    fn close_idle_watch(&mut self) {
        let idle = |watch: &Watch| {
            let unused = !watch.observed && watch.monitors.is_empty();
            unused && watch.sightings.is_empty() && watch.pending.is_empty()
        };
        if self.watch.as_deref().is_some_and(idle) {
            self.watch = None;
        }
    }
}
