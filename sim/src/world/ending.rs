//! The end of a world: what is in it is dropped inside of it, in order, and what is left of the run
//! is handed over.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use event_loop::EventLoop;

use super::blocking::Blockings;
use super::core::Core;
use super::hosts::death::{Fallen, Late};
use super::presence::{Entered, Presence};
use super::properties::Properties;
use super::verdict::Verdict;
use super::{World, entry};
use crate::net::RuleAccount;
use crate::trace::{Kind, Log, Traffic};

/// What is left of a run.
#[derive(Debug)]
pub(crate) struct Remains {
    pub(crate) verdict: Option<Box<Verdict>>,
    pub(crate) hash: u64,
    pub(crate) events: u64,
    pub(crate) polls: u64,
    pub(crate) ended_at: virtual_time::Instant,
    pub(crate) deviations: entry::Entries,
    pub(crate) hosts: usize,
    pub(crate) strategy: &'static str,
    pub(crate) log: Option<Box<Log>>,
    pub(crate) traffic: Option<Box<Traffic>>,
    pub(crate) properties: Properties,
    pub(crate) rules: Vec<RuleAccount>,
    pub(crate) blockings: Blockings,
}

impl World {
    /// [`take_down`](Self::take_down), and what is left then.
    pub(crate) fn close(self: &Arc<Self>, presence: &mut Presence) -> Remains {
        self.take_down(presence);
        self.remains()
    }

    /// Ends the world: every task is dropped, in creation order, with its calls muted.
    pub(crate) fn take_down(self: &Arc<Self>, presence: &mut Presence) {
        self.core(|core| {
            if let Some(recording) = &mut core.recording {
                recording.over(&mut core.choices, core.trace.names());
            }
        });
        self.tell_failures();
        self.refuse();
        self.core(Core::seat_driver);
        let entered = &mut presence.entered;
        self.drop_tasks(Fallen::All, |host| entered.host(self, host));
        self.core(|core| core.late = None);
        while let Some(death) = self.core(Core::next_death) {
            self.close_dead(death);
        }
        self.end_threads(|_| true);
        self.unpin();
        // The hosts keep their loops meanwhile: what is dropped may ask for one, to be refused.
        let loops: Vec<_> = self.core(|core| {
            let loops = core.hosts.iter().map(|host| host.ev.clone());
            loops.collect()
        });
        for (host, ev) in (0..).zip(&loops) {
            presence.entered.host(self, host);
            self.guarded(|| ev.iter().for_each(EventLoop::close_now));
        }
        let code = self.core(|core| {
            (
                core.watchers.take(),
                core.intervention.take(),
                core.plans.take(),
            )
        });
        self.guarded(|| drop(code));
        let (wakers, callbacks) = self.core(|core| {
            let mut wakers = core.sockets.take_wakers();
            wakers.extend(core.timers.drain().map(|(_, _, waker)| waker));
            (
                wakers,
                core.iterations.as_mut().map(|loops| loops.take_rest()),
            )
        });
        // Its own tasks are gone; who is left waits from outside, and is told that it is over.
        for waker in wakers {
            self.guarded(|| waker.wake());
        }
        self.guarded(|| drop(callbacks));
        for host in 0..loops.len() {
            drop(self.core(|core| core.hosts[host].ev.take()));
            let (factory, waiters) = self.core(|core| core.hosts[host].process.take_rest());
            self.guarded(|| drop(factory));
            self.guarded(|| drop(waiters));
        }
        presence.entered = Entered::default();
        self.guarded(|| drop(loops));
        self.tell_intrusion();
        self.core(|core| core.trace.event(core.now, Kind::End, 0, core.polls()));
        self.over.store(true, Ordering::Release);
    }

    /// What is left of a world that was taken down; asked once.
    pub(crate) fn remains(&self) -> Remains {
        self.core(|core| Remains {
            verdict: core.ended.take(),
            hash: core.trace.hash(),
            events: core.trace.events(),
            polls: core.polls(),
            ended_at: core.now,
            deviations: core.choices.take_deviations(),
            hosts: core.hosts.len(),
            strategy: core.strategy(),
            log: core.trace.take_log(),
            traffic: core.take_traffic(),
            properties: std::mem::take(&mut core.properties),
            rules: core.rule_accounts(),
            blockings: std::mem::take(&mut core.blockings),
        })
    }

    /// From here on what asks for something is refused, and what is woken waits for
    /// [`close`](Self::close) to drop it in its turn.
    pub(crate) fn refuse(&self) {
        self.core(|core| {
            core.closed = true;
            core.late.get_or_insert_with(|| Late::new(Fallen::All));
        });
    }
}
