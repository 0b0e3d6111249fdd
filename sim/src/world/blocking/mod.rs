//! What a blocking call on the thread of a loop means: its time has passed, and by the policy of its
//! host the run fails, or it is told of, or nothing more.

mod account;
mod stuck;

use std::backtrace::Backtrace;
use std::time::Duration;

use event_loop::backend::{TaskMeta, current_task};
use virtual_time::Instant;

pub(crate) use self::account::Blockings;
pub use self::account::{Blocking, BlockingCall, KeptWaiting};
pub(crate) use self::stuck::OnStuck;
pub(super) use self::stuck::end_process;
use super::World;
use super::core::{Core, current_serial};
use super::iterations::Alarm;
use super::threads::Outcome;
use super::verdict::VerdictKind;
use super::waits::{Standing, Wait};
use crate::OnBlocking;
use crate::run::frames;
use crate::trace::Kind;

impl World {
    /// A call that blocks the calling thread. If that is the thread of a loop, it is accounted for.
    pub(super) fn account(
        &self,
        call: BlockingCall,
        block: impl FnOnce() -> Option<Outcome>,
    ) -> Option<Outcome> {
        let began = self.core.try_with(|core| {
            let is_loops = match (self.current_thread(), &core.threads) {
                (Some(thread), Some(threads)) => threads.is_home(thread),
                (_, _) => true,
            };
            (is_loops && !core.is_at_end()).then_some(core.now)
        });
        let began = began.ok()?;
        let outcome = block()?;
        if let Some(since) = began {
            self.blocking_ended(call, since, outcome);
        }
        Some(outcome)
    }

    /// Time passes for a call that blocks while the run ends: nobody else gets on meanwhile, and
    /// nobody is told.
    pub(super) fn block_at_end(&self, until: Option<Instant>) -> Outcome {
        let Some(until) = until else {
            return Outcome::Over;
        };
        let never_ends = self.core(|core| {
            core.now = core.now.max(until);
            self.set_now(core.now);
            core.blockings.after_end += 1;
            core.blockings.never_ends()
        });
        match never_ends {
            true => self.give_up(),
            false => Outcome::TimedOut,
        }
    }

    /// A blocking call on the thread of a loop has ended that began at `since`. Its frame is still
    /// there.
    fn blocking_ended(&self, call: BlockingCall, since: Instant, outcome: Outcome) {
        if outcome == Outcome::Over && call != BlockingCall::Sleep {
            // It waits for ever: that is told by who finds it out.
            return;
        }
        let (took, is_over) = self.core(|core| {
            let took = core.now - since;
            if !took.is_zero() {
                let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
                core.trace
                    .event(core.now, Kind::Block, current_serial(), nanos);
            }
            (took, core.is_at_end())
        });
        if is_over {
            self.add_to_verdict(call, since);
        } else if !took.is_zero() && self.on_blocking != OnBlocking::Allow {
            self.tell_blocking(call, since, took);
        }
    }

    /// The run has ended, by a limit of its own, while the call blocked.
    #[cold]
    fn add_to_verdict(&self, call: BlockingCall, since: Instant) {
        let (blocking, _) = self.describe_blocking(call, since, None);
        self.core(|core| core.blocked_in(&blocking));
    }

    #[cold]
    fn tell_blocking(&self, call: BlockingCall, since: Instant, took: Duration) {
        let (blocking, location) = self.describe_blocking(call, since, Some(took));
        self.enter(|core| {
            if self.on_blocking == OnBlocking::Fail {
                core.end(VerdictKind::Blocking, blocking.sentence());
                core.blocked_in(&blocking);
                if let Some(verdict) = &mut core.ended {
                    verdict.location = location;
                }
            }
            core.blockings.push(blocking);
        });
    }

    /// What is known of a blocking call whose frame is still there, and where it is called.
    fn describe_blocking(
        &self,
        call: BlockingCall,
        since: Instant,
        took: Option<Duration>,
    ) -> (Blocking, Option<String>) {
        let (task, host) = self.caller();
        let run = host.and_then(|host| self.event_loop(host)?.run_site());
        // It costs more than many a run.
        let backtrace = self.recording.then(Backtrace::force_capture);
        self.core(|core| {
            let site = backtrace.and_then(|trace| frames::call(&trace, core.trace.names()?));
            let (function, place, location) = match site {
                Some(site) => (site.function, Some(site.place), site.location),
                None => (None, None, None),
            };
            let blocking = Blocking {
                call,
                who: core.blocker(task, host),
                function,
                place,
                run: run.map(ToString::to_string),
                at_nanos: since.as_nanos(),
                took,
                holder: None,
                kept_waiting: core.kept_waiting(task, host, since, took.is_none()),
            };
            (blocking, location)
        })
    }

    /// The task whose poll this thread is in, and the host whose loop.
    fn caller(&self) -> (Option<TaskMeta>, Option<u32>) {
        if let Some(meta) = current_task() {
            return (Some(meta), Some(meta.host));
        }
        let here = event_loop::running().ok();
        let host = here.and_then(|here| {
            self.enter(|core| {
                let is_here = |ev: &event_loop::EventLoop| ev.same_loop(&here);
                let mut hosts = core.hosts.iter();
                hosts.position(|host| host.ev.as_ref().is_some_and(is_here))
            })?
        });
        (None, host.map(|host| host as u32))
    }
}

impl Core {
    /// Whether the run is over, and only its destructors, or the last poll of it, still run.
    pub(super) fn is_at_end(&mut self) -> bool {
        self.closed || self.ended.is_some()
    }

    /// The verdict fell because of the call, or in it.
    fn blocked_in(&mut self, blocking: &Blocking) {
        let lines = blocking.lines();
        if let Some(verdict) = &mut self.ended {
            verdict.blocked.splice(0..0, lines.iter().cloned());
        }
        self.blockings.of_verdict = lines;
    }

    /// Who makes a blocking call, as reports name it.
    fn blocker(&mut self, task: Option<TaskMeta>, host: Option<u32>) -> String {
        let host = host.and_then(|host| self.hosts.get(host as usize));
        let on = host.map_or_else(String::new, |host| format!("host {} ", host.name));
        match task {
            // What runs callbacks is not of the test's making.
            Some(task) if host.is_some_and(|host| host.driver == Some(task.id)) => {
                format!("{on}a callback")
            }
            Some(task) if self.recording.is_some() => self.describe(task.id),
            Some(task) => match self.tasks.name(task.id) {
                Some(name) => format!("{on}task \"{name}\" ({})", task.site),
                None => format!("{on}a task ({})", task.site),
            },
            None => format!("{on}a callback"),
        }
    }

    /// Who of the host could have run since then, or now that it blocks for ever, the latest first,
    /// if the run is recorded.
    fn kept_waiting(
        &mut self,
        blocker: Option<TaskMeta>,
        host: Option<u32>,
        since: Instant,
        for_ever: bool,
    ) -> Vec<KeptWaiting> {
        let (Some(recording), Some(names), Some(host)) =
            (&self.recording, self.trace.names(), host)
        else {
            return Vec::new();
        };
        let now = self.now;
        let mut kept = Vec::new();
        for task in self.tasks.live() {
            if task.origin.host != host || blocker.is_some_and(|own| own.id == task.id) {
                continue;
            }
            let serial = task.id.serial();
            let due = match recording.ready_since(serial) {
                Some(at) => at,
                None => match recording.standing(serial) {
                    Standing::Waits(_, Some(Wait::Timer(at))) if at < now => at,
                    _ => continue,
                },
            };
            let late = now - due.max(since);
            if (for_ever || !late.is_zero())
                && let Some(name) = names.tasks.get(&serial)
            {
                let is_driver = self.hosts[host as usize].driver == Some(task.id);
                let who = match is_driver {
                    true => "a callback".to_owned(),
                    false => format!("task \"{}\" ({})", name.text, name.site),
                };
                kept.push(KeptWaiting { who, late });
            }
        }
        if let Some(iterations) = &self.iterations {
            let mut calls: Vec<_> = iterations.timers(host).collect();
            calls.sort_by_key(|(at, _)| *at);
            for (at, alarm) in calls {
                if let Alarm::Call(call) = alarm
                    && at < now
                    && !call.is_spent()
                {
                    let late = now - at.max(since);
                    let who = format!("a callback ({})", call.site());
                    kept.push(KeptWaiting { who, late });
                }
            }
        }
        kept.sort_by_key(|kept| std::cmp::Reverse(kept.late));
        kept
    }
}
