//! What one direction between two hosts is like.

use std::time::Duration;

use super::flaws::Flaws;
use super::{Bandwidth, Corruption, Latency, Probability};
use crate::ConfigError;

/// What IPv4 and TCP put before the bytes of a segment.
const HEADER: usize = 40;

/// IPv4 asks every link to carry this much (RFC 791, section 3.2).
const LEAST_MTU: usize = 68;

/// What one direction between two hosts is like.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinkConfig {
    /// How long a segment is under way once it has left.
    pub latency: Latency,
    /// How fast segments leave; those sent meanwhile wait their turn, of whichever connection
    /// they are. `None` means that it takes no time.
    pub bandwidth: Option<Bandwidth>,
    /// Out of the way of the links that have none.
    pub(super) flaws: Option<Box<Flaws>>,
}

impl LinkConfig {
    /// A link with this latency, and nothing else to it.
    #[must_use]
    pub const fn new(latency: Latency) -> Self {
        Self {
            latency,
            bandwidth: None,
            flaws: None,
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

    /// The same where each takes up to `most` longer than its latency, in 32 equal steps; a
    /// plain run takes no longer.
    #[must_use]
    pub fn with_jitter(mut self, most: Duration) -> Self {
        self.flaws().jitter = most;
        self.without_idle_flaws()
    }

    /// The same where some segments and datagrams never arrive. Of a stream's segment that
    /// means that it is sent again, and all behind it waits.
    ///
    /// ```
    /// use std::time::Duration;
    /// use net_sim::{Latency, LinkConfig, Probability};
    ///
    /// let radio = LinkConfig::new(Latency::constant(Duration::from_millis(3)))
    ///     .with_loss(Probability::new(0.02)?)
    ///     .with_jitter(Duration::from_millis(10));
    /// # let _ = radio;
    /// # Ok::<(), net_sim::ConfigError>(())
    /// ```
    #[must_use]
    pub fn with_loss(mut self, probability: Probability) -> Self {
        self.flaws().loss = probability;
        self.without_idle_flaws()
    }

    /// The same where some datagrams arrive twice, the second with a latency of its own. Of a
    /// stream nobody sees that.
    #[must_use]
    pub fn with_duplication(mut self, probability: Probability) -> Self {
        self.flaws().duplication = probability;
        self.without_idle_flaws()
    }

    /// The same where some arrive so much later, so that others overtake them: datagrams for
    /// their receiver to see, segments of a stream to be waited for.
    #[must_use]
    pub fn with_reordering(mut self, probability: Probability, by: Duration) -> Self {
        let flaws = self.flaws();
        flaws.reordering = probability;
        flaws.reordered_by = by;
        self.without_idle_flaws()
    }

    /// The same where a bit flips in some datagrams.
    #[must_use]
    pub fn with_corruption(mut self, probability: Probability, then: Corruption) -> Self {
        let flaws = self.flaws();
        flaws.corruption = probability;
        flaws.corrupted = then;
        self.without_idle_flaws()
    }

    /// The same where no IP packet is longer than this. A longer datagram goes in pieces, each
    /// of which may be lost and the datagram with it; each piece, and each part of a large
    /// write, has a header of its own to be carried through a narrow link.
    ///
    /// # Errors
    ///
    /// [`ConfigError::SmallMtu`] for less than the 68 bytes that IPv4 asks of every link.
    pub fn with_mtu(mut self, bytes: usize) -> Result<Self, ConfigError> {
        if bytes < LEAST_MTU {
            return Err(ConfigError::SmallMtu { bytes });
        }
        self.flaws().mtu = Some(bytes);
        Ok(self)
    }

    /// The same where no more than so many bytes wait for a narrow link: a datagram that finds
    /// the queue full is dropped. A stream's sender would slow down instead, and its segments
    /// wait.
    #[must_use]
    pub fn with_queue(mut self, bytes: usize) -> Self {
        self.flaws().queue = Some(bytes);
        self
    }

    /// The longest IP packet that goes through in one piece, if there is one.
    #[must_use]
    pub fn mtu(&self) -> Option<usize> {
        self.flaws.as_ref().and_then(|flaws| flaws.mtu)
    }

    /// In how many packets so many bytes go.
    pub(super) fn packets(&self, bytes: usize) -> usize {
        match self.mtu() {
            None => 1,
            Some(mtu) => bytes.div_ceil(mtu - HEADER).max(1),
        }
    }

    /// What so many bytes weigh on the wire. A large write is one segment here, and pays for
    /// one header unless there is an MTU.
    pub(super) fn weight(&self, bytes: usize) -> usize {
        bytes + HEADER * self.packets(bytes)
    }

    /// A link whose flaws are all named and never happen is one that has none.
    fn without_idle_flaws(mut self) -> Self {
        if self.flaws.as_ref().is_some_and(|flaws| flaws.are_idle()) {
            self.flaws = None;
        }
        self
    }

    fn flaws(&mut self) -> &mut Flaws {
        self.flaws.get_or_insert_default()
    }
}

/// A link that takes no time.
impl Default for LinkConfig {
    fn default() -> Self {
        Self::new(Latency::ZERO)
    }
}
