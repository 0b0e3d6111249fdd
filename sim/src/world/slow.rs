//! Polls that take long: by their modelled cost, and by what blocks on purpose.

use std::time::Duration;

use event_loop::SlowCallback;
use event_loop::backend::TaskMeta;
use virtual_time::Instant;

use super::World;
use super::core::{Core, current_serial};
use crate::trace::Kind;

/// How long polls take, where some host asks for it.
#[derive(Debug, Default)]
pub(crate) struct PollsTimed {
    pub(super) is_watched: bool,
    /// The poll under way, and when it began.
    pub(super) began: Option<(TaskMeta, Instant)>,
    /// The one that was too long and is yet to be told of.
    pub(super) slow: Option<Box<SlowPoll>>,
}

/// A poll that was too long.
#[derive(Debug)]
pub(crate) struct SlowPoll {
    pub(crate) host: u32,
    pub(crate) report: SlowCallback,
}

impl Core {
    /// From here on polls of the host's tasks are timed, or no more.
    pub(crate) fn watch_polls(&mut self, host: u32, slow_after: Option<Duration>) {
        if let Some(host) = self.hosts.get_mut(host as usize) {
            host.slow_after = slow_after;
        }
        self.polls_timed.is_watched = self.hosts.iter().any(|host| host.slow_after.is_some());
    }

    /// A poll has ended, before anything else is made of it.
    #[cold]
    pub(super) fn look_at_clock(&mut self) {
        let Some((meta, began)) = self.polls_timed.began.take() else {
            return;
        };
        let host = &self.hosts[meta.host as usize];
        // Who runs the callbacks tells of each of them.
        let root = self.root.map(|root| root.id).filter(|_| !host.hosted);
        let took = self.now - began;
        if host.slow_after.is_none_or(|slow| took < slow)
            || [host.driver, root].contains(&Some(meta.id))
        {
            return;
        }
        // Asked now, for the task may be gone when it is told.
        let name = self.tasks.name(meta.id).map(str::to_owned);
        self.polls_timed.slow = Some(Box::new(SlowPoll {
            host: meta.host,
            report: SlowCallback::of_task(meta.id, name, meta.site, took),
        }));
    }

    /// The poll that was too long, if there is one to be told of.
    #[inline]
    pub(crate) fn slow_poll(&mut self) -> Option<Box<SlowPoll>> {
        self.polls_timed.slow.take()
    }
}

impl World {
    /// Lets `span` pass within the poll under way.
    pub(crate) fn block_for(&self, span: Duration) {
        self.enter(|core| {
            if core.closed {
                return;
            }
            let nanos = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
            core.trace
                .event(core.now, Kind::Block, current_serial(), nanos);
            core.skip(span);
            self.set_now(core.now);
        });
    }

    /// Notes in the trace that a callback or poll was too long.
    pub(crate) fn note_slow(&self, slow: &SlowCallback) {
        self.enter(|core| {
            let task = slow.task.map_or_else(current_serial, |id| id.serial());
            let nanos = u64::try_from(slow.took.as_nanos()).unwrap_or(u64::MAX);
            core.trace.event(core.now, Kind::Slow, task, nanos);
        });
    }

    /// The last poll of all has ended.
    pub(super) fn tell_last_if_slow(&self) {
        let slow = self.core(|core| {
            core.look_at_clock();
            core.slow_poll()
        });
        if let Some(slow) = slow {
            self.tell_slow(&slow);
        }
    }

    /// Tells of a poll that was too long.
    pub(super) fn tell_slow(&self, slow: &SlowPoll) {
        if let Some(ev) = self.event_loop(slow.host) {
            ev.report_slow(&slow.report);
        }
    }
}
