//! What is left of a loop that is over, and the clocks of hosts that have their own.

use std::sync::Arc;

use event_loop::backend::{Runnable, ScheduledCall};
use virtual_time::HostClock;

use super::{Alarm, HostLoop, Iterations, Queued};
use crate::world::hosts::clock::OwnClock;

impl Iterations {
    /// The loops of a host go by this clock.
    pub(in crate::world) fn set_clock(&mut self, host: u32, clock: Arc<OwnClock>) {
        self.own_clocks.insert(host, clock);
    }

    /// What the loop of a host goes by.
    pub(super) fn clock_of(&self, host: u32) -> &HostClock {
        let own = self.own_clocks.get(&host);
        own.map_or(&self.clock, |own| own.of_loop())
    }

    /// The loop of a host has come to its end, and another may follow. What is left of it is to be
    /// dropped with the core closed. What the queue of hosts has for it stays: it finds nothing.
    pub(in crate::world) fn forget(&mut self, host: u32) -> HostLoop {
        let gone = std::mem::take(self.loop_of(host));
        if let Some(at) = gone.alarm {
            self.alarms.remove(&(at, host));
        }
        gone
    }
}

impl HostLoop {
    /// Every callback, in the order they would have run.
    pub(in crate::world) fn take_calls(&mut self) -> Vec<ScheduledCall> {
        let mut calls = Vec::new();
        for queued in std::mem::take(&mut self.queue) {
            match queued {
                Queued::Call(call) => calls.push(call),
                Queued::Alarm(key) => match self.ringing.remove(&key.to_bits()) {
                    Some(Alarm::Call(call)) => calls.push(call),
                    Some(alarm) => drop(self.ringing.insert(key.to_bits(), alarm)),
                    None => {}
                },
                other => self.queue.push_back(other),
            }
        }
        let mut wakes = Vec::new();
        for (_, at, alarm) in self.timers.drain() {
            match alarm {
                Alarm::Call(call) => calls.push(call),
                wake @ Alarm::Wake(_) => wakes.push((at, wake)),
            }
        }
        // Nobody asks for these by their keys any more: the loop is closed.
        for (at, wake) in wakes {
            self.timers.insert(at, wake);
        }
        calls
    }

    /// Every task that is queued.
    pub(in crate::world) fn take_tasks(&mut self) -> Vec<Runnable> {
        let mut tasks = Vec::new();
        for queued in std::mem::take(&mut self.queue) {
            match queued {
                Queued::Ready(ready) => tasks.extend(ready.into_task()),
                other => self.queue.push_back(other),
            }
        }
        tasks
    }
}
