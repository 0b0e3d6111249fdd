//! What the machine of a host is like.

use std::net::IpAddr;
use std::time::Duration;

use virtual_time::WallStep;

/// Something that an operating system has, and that a host can be without.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Capability {
    /// Signals that a program can listen to.
    Signals,
    /// Unix sockets.
    UnixSockets,
}

/// What the machine of a host is like: its addresses, its clock, and what its operating system
/// lacks. See [`Sim::host_with`](crate::Sim::host_with).
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct HostConfig {
    pub(crate) addresses: Option<Vec<IpAddr>>,
    pub(crate) ppm: Option<i32>,
    pub(crate) granularity: Duration,
    pub(crate) steps: Vec<(Duration, WallStep)>,
    pub(crate) lacks: Vec<Capability>,
}

impl HostConfig {
    /// A machine like any other.
    pub fn new() -> Self {
        Self::default()
    }

    /// These addresses, the first of which the host is known by.
    pub fn addresses<A: Into<IpAddr>>(mut self, all: impl IntoIterator<Item = A>) -> Self {
        self.addresses = Some(all.into_iter().map(Into::into).collect());
        self
    }

    /// A clock of its own, which runs `ppm` millionths fast, or slow if negative. Its timers fire,
    /// and its sleeps end, by that clock.
    ///
    /// # Panics
    /// When `ppm` is -1,000,000 or less: such a clock would stand still or run backwards.
    pub fn drift_ppm(mut self, ppm: i32) -> Self {
        assert!(
            ppm > -1_000_000,
            "a drift of {ppm} ppm would stop the clock; it must be above -1000000"
        );
        self.ppm = Some(ppm);
        self
    }

    /// A clock of its own, which moves in ticks of `granularity` and shows the last one.
    pub fn clock_granularity(mut self, granularity: Duration) -> Self {
        self.granularity = granularity;
        self.ppm.get_or_insert(0);
        self
    }

    /// A clock of its own, whose wall clock jumps once this much of the world's time has passed;
    /// at zero, it is wrong from the beginning.
    pub fn wall_step(mut self, at: Duration, step: WallStep) -> Self {
        self.steps.push((at, step));
        self.ppm.get_or_insert(0);
        self
    }

    /// An operating system that lacks something, as Windows does: who asks for it is told that it
    /// is not supported.
    pub fn without(mut self, capability: Capability) -> Self {
        self.lacks.push(capability);
        self
    }
}
