//! What libc's clocks and entropy say inside the world.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use interpose::{ClockId, Deadline, FutexWait, Interrupted, Kernel, ThreadId, ThreadJoin};
use virtual_time::Instant;

use super::World;
use super::core::current_serial;
use super::here;
use super::hosts::clock::OwnClock;
use super::threads::Outcome;
use crate::trace::Kind;

/// The wall clock of every host when its world begins: 2026-01-01T00:00:00Z.
pub(crate) const WALL_EPOCH: Duration = Duration::from_secs(1_767_225_600);

/// How long every machine has been up when its world begins, so that code may subtract from the
/// first instant it sees.
const UPTIME: Duration = Duration::from_hours(24 * 10);

/// How many CPUs every machine has: no number of the machine that runs the world may show in it.
const CPUS: u32 = 4;

impl Kernel for World {
    fn now(&self, clock: ClockId) -> Duration {
        if let Some(own) = self.own_clock() {
            return match clock {
                ClockId::Realtime => own.wall(self.now()),
                _ => UPTIME + (own.monotonic(self.now()) - Instant::BEGIN),
            };
        }
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

    fn cpus(&self) -> Option<u32> {
        Some(CPUS)
    }

    fn sleep(&self, clock: ClockId, until: Deadline) -> Option<Result<(), Interrupted>> {
        let until = match until {
            Deadline::At(reading) => self.when(clock, reading),
            Deadline::After(span) => self.in_world(self.machine_now() + span),
        };
        Some(match self.sleep_until(until)? {
            Outcome::Interrupted => Err(Interrupted {
                left: until - self.now(),
            }),
            _ => Ok(()),
        })
    }

    fn futex_wait(
        &self,
        word: usize,
        bitset: u32,
        deadline: Option<(ClockId, Duration)>,
        still: &dyn Fn() -> bool,
    ) -> Option<FutexWait> {
        let until = deadline.map(|(clock, reading)| self.behind(clock, reading));
        self.wait_for_futex(word, bitset, until, still)
    }

    fn futex_wake(&self, word: usize, bitset: u32, count: u32) -> Option<u32> {
        self.wake_futex(word, bitset, count)
    }

    fn yield_now(&self) -> bool {
        self.give_way()
    }

    fn thread_making(&self, detached: bool) -> Option<Result<ThreadId, i32>> {
        self.make_thread(detached).map(Ok)
    }

    fn thread_not_made(&self, thread: ThreadId) {
        self.unmake_thread(thread);
    }

    fn thread_began(&self, thread: ThreadId) {
        self.begin_thread(thread);
        let host = self.enter(|core| core.threads.as_ref()?.host_of(thread));
        if let Some(host) = host.flatten() {
            self.go_by_clock_of(host);
        }
    }

    fn thread_ended(&self, thread: ThreadId) {
        self.end_thread(thread);
    }

    fn thread_join(
        &self,
        thread: ThreadId,
        deadline: Option<(ClockId, Duration)>,
    ) -> Option<ThreadJoin> {
        let until = deadline.map(|(clock, reading)| self.behind(clock, reading));
        self.join_thread(thread, until)
    }

    fn thread_detached(&self, thread: ThreadId) {
        self.detach_thread(thread);
    }
}

impl World {
    /// When a clock of the machine reads this.
    fn when(&self, clock: ClockId, reading: Duration) -> Instant {
        if let Some(own) = self.own_clock() {
            let left = reading.saturating_sub(Kernel::now(self, clock));
            return own.world_deadline(own.monotonic(self.now()) + left);
        }
        let epoch = match clock {
            ClockId::Realtime => WALL_EPOCH,
            ClockId::Monotonic | ClockId::Boottime | ClockId::ProcessCpu | ClockId::ThreadCpu => {
                UPTIME
            }
        };
        self.in_world(Instant::BEGIN + reading.saturating_sub(epoch))
    }

    /// When a wait ends whose deadline this is: not at it but behind, as on every machine. Who
    /// waits for what is left of a span would else have nothing left, and wait again, for ever.
    fn behind(&self, clock: ClockId, deadline: Duration) -> Instant {
        self.when(clock, deadline.saturating_add(Duration::from_nanos(1)))
    }

    /// The clock of the host that this thread is on, where that has its own.
    fn own_clock(&self) -> Option<Arc<OwnClock>> {
        match self.own_clocks.load(Ordering::Relaxed) {
            true => here::clock(),
            false => None,
        }
    }

    /// The world's time when the machine's clock says this.
    fn in_world(&self, machine: Instant) -> Instant {
        match &self.machine_clock {
            Some(clock) => clock.world_deadline(machine),
            None => machine,
        }
    }
}
