//! What libc's clocks and entropy say inside the world.

use std::time::Duration;

use interpose::{ClockId, Kernel};

use super::World;
use super::core::current_serial;
use crate::trace::Kind;

/// The wall clock of every host when its world begins: 2026-01-01T00:00:00Z.
pub(crate) const WALL_EPOCH: Duration = Duration::from_secs(1_767_225_600);

/// How long every machine has been up when its world begins, so that code may subtract from the
/// first instant it sees.
const UPTIME: Duration = Duration::from_hours(24 * 10);

impl Kernel for World {
    fn now(&self, clock: ClockId) -> Duration {
        let now = Duration::from_nanos(self.machine_now().as_nanos());
        match clock {
            ClockId::Realtime => WALL_EPOCH + now,
            ClockId::Monotonic | ClockId::Boottime | ClockId::ProcessCpu | ClockId::ThreadCpu => {
                UPTIME + now
            }
        }
    }

    fn fill_random(&self, buf: &mut [u8]) {
        let filled = self.enter(|core| {
            core.choices.fill(buf);
            core.trace
                .event(core.now, Kind::Entropy, current_serial(), buf.len() as u64);
        });
        if filled.is_none() {
            // The core is open: it is the simulator itself that asks, and it gets no entropy.
            buf.fill(0);
        }
    }
}
