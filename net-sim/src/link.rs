//! Links: when what one host sends reaches another.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use virtual_time::Instant;

use crate::{Decide, HostId, Site};

/// How many entries a uniform latency has: fine enough to vary every order of arrival, coarse
/// enough that a recorded choice stays a small number.
const UNIFORM_STEPS: u64 = 32;

/// What IPv4 and TCP put before the bytes of a segment. A large write is one segment here, and
/// pays for one header.
const HEADER: usize = 40;

/// The time that a segment is under way, as a table from which each segment draws one entry.
///
/// Entry 0 is what a plain run gets: make it the lowest or the typical one.
///
/// ```
/// use std::time::Duration;
/// use net_sim::{Latency, LinkConfig};
///
/// let ms = Duration::from_millis;
/// let lan = LinkConfig::new(Latency::constant(ms(1)));
/// let wan = LinkConfig::new(Latency::uniform(ms(20)..=ms(80)));
/// let tail = LinkConfig::new(Latency::table([ms(2), ms(2), ms(3), ms(200)]));
/// assert_eq!(wan.latency.typical(), ms(20));
/// # let _ = (lan, tail);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Latency(Shape);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Shape {
    Constant(Duration),
    /// `low + k * step` for `k` in `0..UNIFORM_STEPS`.
    Uniform {
        low: Duration,
        step: Duration,
    },
    Table(Arc<[Duration]>),
}

impl Latency {
    /// No time at all: what is sent has arrived when the sending call returns.
    pub const ZERO: Self = Self::constant(Duration::ZERO);

    /// Every segment takes `time`.
    #[must_use]
    pub const fn constant(time: Duration) -> Self {
        Self(Shape::Constant(time))
    }

    /// Any time of the range, in 32 equal steps; a plain run gets the lowest.
    ///
    /// # Panics
    ///
    /// If the range is empty.
    #[must_use]
    pub fn uniform(range: RangeInclusive<Duration>) -> Self {
        let (low, high) = range.into_inner();
        assert!(low <= high, "a latency from {low:?} to {high:?} is empty");
        let span = u64::try_from((high - low).as_nanos()).unwrap_or(u64::MAX);
        let step = Duration::from_nanos(span / (UNIFORM_STEPS - 1));
        if step.is_zero() {
            return Self::constant(low);
        }
        Self(Shape::Uniform { low, step })
    }

    /// Any of these times with equal chance, such as the quantiles of a measured distribution;
    /// a plain run gets the first.
    ///
    /// # Panics
    ///
    /// If `times` is empty.
    #[must_use]
    pub fn table(times: impl IntoIterator<Item = Duration>) -> Self {
        let times: Arc<[Duration]> = times.into_iter().collect();
        assert!(!times.is_empty(), "a latency needs at least one time");
        Self(Shape::Table(times))
    }

    /// What a segment of a plain run takes.
    #[must_use]
    pub fn typical(&self) -> Duration {
        self.entry(0)
    }

    fn draw(&self, decide: &mut dyn Decide) -> Duration {
        self.draw_at(Site::LATENCY, decide)
    }

    /// The same where it is no segment that takes its time.
    pub(crate) fn draw_at(&self, site: Site, decide: &mut dyn Decide) -> Duration {
        match self.entries() {
            1 => self.entry(0),
            n => self.entry(decide.choose(site, n).min(n - 1)),
        }
    }

    fn entries(&self) -> u64 {
        match &self.0 {
            Shape::Constant(_) => 1,
            Shape::Uniform { .. } => UNIFORM_STEPS,
            Shape::Table(times) => times.len() as u64,
        }
    }

    fn entry(&self, choice: u64) -> Duration {
        match &self.0 {
            Shape::Constant(time) => *time,
            Shape::Uniform { low, step } => {
                let offset = (step.as_nanos() as u64).saturating_mul(choice);
                low.saturating_add(Duration::from_nanos(offset))
            }
            Shape::Table(times) => times[choice as usize],
        }
    }
}

/// How many bytes a link takes in a second.
///
/// ```
/// use net_sim::Bandwidth;
///
/// assert_eq!(Bandwidth::from_megabits(100), Bandwidth::from_bytes(12_500_000));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bandwidth {
    bytes_per_second: u64,
}

impl Bandwidth {
    /// So many bytes a second.
    ///
    /// # Panics
    ///
    /// If it is zero: that is no link at all.
    #[must_use]
    pub const fn from_bytes(per_second: u64) -> Self {
        assert!(per_second > 0, "a link must take some bytes in a second");
        Self {
            bytes_per_second: per_second,
        }
    }

    /// So many millions of bits a second, as networks are sold.
    ///
    /// # Panics
    ///
    /// If it is zero.
    #[must_use]
    pub const fn from_megabits(per_second: u64) -> Self {
        Self::from_bytes(per_second.saturating_mul(125_000))
    }

    fn time_for(self, bytes: usize) -> Duration {
        let nanos = bytes as u128 * 1_000_000_000 / u128::from(self.bytes_per_second);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

/// What one direction between two hosts is like.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinkConfig {
    /// How long a segment is under way once it has left.
    pub latency: Latency,
    /// How fast segments leave; those sent meanwhile wait their turn, of whichever connection
    /// they are. `None` means that it takes no time.
    pub bandwidth: Option<Bandwidth>,
}

impl LinkConfig {
    /// A link with this latency, and nothing else to it.
    #[must_use]
    pub const fn new(latency: Latency) -> Self {
        Self {
            latency,
            bandwidth: None,
        }
    }

    /// The same with a bandwidth.
    ///
    /// ```
    /// use std::time::Duration;
    /// use net_sim::{Bandwidth, Latency, LinkConfig};
    ///
    /// let dsl = LinkConfig::new(Latency::constant(Duration::from_millis(15)))
    ///     .with_bandwidth(Bandwidth::from_megabits(50));
    /// # let _ = dsl;
    /// ```
    #[must_use]
    pub fn with_bandwidth(mut self, bandwidth: Bandwidth) -> Self {
        self.bandwidth = Some(bandwidth);
        self
    }
}

/// A link that takes no time.
impl Default for LinkConfig {
    fn default() -> Self {
        Self::new(Latency::ZERO)
    }
}

/// One direction between two hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LinkId(u32);

impl LinkId {
    /// From a host to itself: no latency, and no configuration.
    pub(crate) const LOOPBACK: Self = Self(u32::MAX);
}

/// All links; one costs nothing until two hosts talk or it is configured.
#[derive(Debug, Default)]
pub(crate) struct Links {
    default: LinkConfig,
    by_hosts: BTreeMap<(HostId, HostId), LinkId>,
    links: Vec<Link>,
}

#[derive(Debug, Default)]
struct Link {
    /// `None` means the default, whatever it is by then.
    config: Option<LinkConfig>,
    /// When all that was sent so far has left.
    idle_at: Instant,
}

impl Links {
    pub(crate) fn set_default(&mut self, config: LinkConfig) {
        self.default = config;
    }

    pub(crate) fn set(&mut self, from: HostId, to: HostId, config: LinkConfig) {
        let link = self.between(from, to);
        if link != LinkId::LOOPBACK {
            self.links[link.0 as usize].config = Some(config);
        }
    }

    pub(crate) fn between(&mut self, from: HostId, to: HostId) -> LinkId {
        if from == to {
            return LinkId::LOOPBACK;
        }
        *self.by_hosts.entry((from, to)).or_insert_with(|| {
            self.links.push(Link::default());
            LinkId(self.links.len() as u32 - 1)
        })
    }

    /// When a segment of so many bytes that is sent now arrives.
    pub(crate) fn send(
        &mut self,
        link: LinkId,
        now: Instant,
        bytes: usize,
        decide: &mut dyn Decide,
    ) -> Instant {
        if link == LinkId::LOOPBACK {
            return now;
        }
        let link = &mut self.links[link.0 as usize];
        let config = link.config.as_ref().unwrap_or(&self.default);
        let left = match config.bandwidth {
            None => now,
            Some(bandwidth) => {
                link.idle_at = link.idle_at.max(now) + bandwidth.time_for(HEADER + bytes);
                link.idle_at
            }
        };
        left + config.latency.draw(decide)
    }

    /// When an acknowledgement that is sent now arrives.
    ///
    /// These draw no choice and take no bandwidth: there is one for every segment, and what
    /// they can change, the moment at which a full buffer takes bytes again, already follows
    /// from the segments' draws.
    pub(crate) fn acknowledge(&self, link: LinkId, now: Instant) -> Instant {
        if link == LinkId::LOOPBACK {
            return now;
        }
        let config = self.links[link.0 as usize].config.as_ref();
        now + config.unwrap_or(&self.default).latency.typical()
    }
}
