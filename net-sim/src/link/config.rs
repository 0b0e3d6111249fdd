//! What one direction between two hosts is like.

use super::{Bandwidth, Latency};

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
