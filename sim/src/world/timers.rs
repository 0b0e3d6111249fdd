//! The timers of hosts, wherever the profile keeps them.

use std::task::Waker;

use virtual_time::{Instant, TimerKey};

use super::core::{Core, MILLISECOND, current_serial};
use super::iterations::Alarm;
use crate::trace::Kind;

impl Core {
    /// Arms a timer of a host; where the profile says so, at the next millisecond.
    pub(crate) fn set_timer(&mut self, host: u32, deadline: Instant, waker: Waker) -> TimerKey {
        let own = self.hosts.get(host as usize);
        let own = own.and_then(|host| host.clock.as_ref());
        let deadline = match (own, &self.clock) {
            (None, Some(clock)) if self.iterations.is_none() => clock.world_deadline(deadline),
            _ => deadline,
        };
        let mut nanos = deadline.as_nanos();
        if self.rounds_timers {
            nanos = nanos
                .checked_next_multiple_of(MILLISECOND)
                .unwrap_or(u64::MAX);
        }
        let mut deadline = Instant::from_nanos(nanos);
        if let Some(own) = own.filter(|_| self.iterations.is_none()) {
            deadline = own.of_loop().world_deadline(deadline);
        }
        self.trace
            .event(self.now, Kind::TimerSet, current_serial(), nanos);
        if self.iterations.is_some() {
            return self.arm(host, deadline, Alarm::Wake(waker));
        }
        self.expect(deadline);
        self.timers.insert(deadline, waker)
    }

    /// The waker of a timer that has not fired yet.
    #[inline]
    pub(crate) fn timer_waker(&mut self, host: u32, key: TimerKey) -> Option<&mut Waker> {
        match &mut self.iterations {
            None => self.timers.get_mut(key),
            Some(iterations) => iterations.timer_waker(host, key),
        }
    }

    /// When a timer is due that is pending.
    pub(crate) fn timer_deadline(&self, host: u32, key: TimerKey) -> Option<Instant> {
        match &self.iterations {
            None => self.timers.deadline(key),
            Some(iterations) => iterations.deadline(host, key),
        }
    }

    /// Takes a timer out that has not fired yet, to be dropped with the core closed.
    #[inline]
    pub(crate) fn cancel_timer(&mut self, host: u32, key: TimerKey) -> Option<Alarm> {
        match &mut self.iterations {
            None => self.timers.cancel(key).map(Alarm::Wake),
            Some(iterations) => iterations.cancel(host, key),
        }
    }
}
