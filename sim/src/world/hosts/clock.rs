//! The clock of a host that has its own.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use virtual_time::{HostClock, Instant, WallStep};

/// The clock of a machine, which drifts, ticks and is stepped.
#[derive(Debug)]
pub(crate) struct OwnClock {
    /// To the nanosecond: what the operating system counts a sleep by.
    exact: HostClock,
    of_loop: HostClock,
    machine: Mutex<HostClock>,
}

impl OwnClock {
    /// A clock with this drift, whose ticks are those of the machine and of its loops.
    pub(crate) fn new(ppm: i32, tick: Duration, of_loops: Duration) -> Self {
        let exact = HostClock::ideal().with_drift_ppm(ppm);
        Self {
            of_loop: exact.clone().with_granularity(of_loops),
            machine: Mutex::new(exact.clone().with_granularity(tick)),
            exact,
        }
    }

    /// What a loop goes by.
    pub(crate) fn of_loop(&self) -> &HostClock {
        &self.of_loop
    }

    /// What the machine's monotonic clock reads.
    pub(crate) fn monotonic(&self, now: Instant) -> Instant {
        self.machine().monotonic(now)
    }

    /// What the machine's wall clock reads, as time since the Unix epoch.
    pub(crate) fn wall(&self, now: Instant) -> Duration {
        self.machine().wall(now)
    }

    /// The world's time when the machine's monotonic clock reads this.
    pub(crate) fn world_deadline(&self, reading: Instant) -> Instant {
        self.machine().world_deadline(reading)
    }

    /// The world's time once this clock has gone on by `span`.
    pub(crate) fn after(&self, now: Instant, span: Duration) -> Instant {
        self.exact.world_deadline(self.exact.monotonic(now) + span)
    }

    /// The wall clock jumps at `at`, which is now or later.
    pub(crate) fn step(&self, at: Instant, step: WallStep) {
        self.machine().step_wall(at, step);
    }

    fn machine(&self) -> MutexGuard<'_, HostClock> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
