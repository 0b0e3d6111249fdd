//! Homes: threads that the tasks of one host live on, so that one of them can block while other
//! hosts go on.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use event_loop::backend::{Polled, Runnable, ScheduledCall, drop_task, run_task, with_budget};
use interpose::ThreadId;

use super::On;
use crate::world::World;
use crate::world::core::{Core, Step};
use crate::world::presence::Entered;
use crate::world::verdict::VerdictKind;

/// What a home is asked to do.
#[derive(Debug)]
pub(crate) enum Errand {
    Poll(Runnable),
    Call(ScheduledCall),
    Drop(Runnable),
}

impl World {
    /// From here on the host's tasks and callbacks run on a thread of its own. Asked before it has
    /// any, for those that never leave their thread; not for the host of the root, which lives on
    /// the thread that drives.
    ///
    /// # Errors
    /// What the operating system has to say, if it has no thread to give.
    pub(crate) fn give_home(self: &Arc<Self>, host: u32) -> std::io::Result<()> {
        let name = self.core(|core| core.hosts[host as usize].name.clone());
        let world = Arc::downgrade(self);
        let id = self.spawn_thread(&format!("{name}-home"), host, move || {
            // Not kept meanwhile: the thread may vanish.
            if let Some(world) = world.upgrade() {
                world.keep_house(host);
            }
        })?;
        self.core(|core| {
            if let Some(threads) = &mut core.threads {
                threads.homes.insert(host, id);
            }
        });
        Ok(())
    }

    /// Has a home do something; what the poll came to, if it was one and has ended.
    pub(in crate::world) fn send_home(&self, home: ThreadId, errand: Errand) -> Polled {
        self.core(|core| {
            if let Some(thread) = core.thread(home) {
                thread.errand = Some(errand);
            }
        });
        self.resume(home)
    }

    /// Whether the calling thread runs loops: it drives the world, or is the home of a host.
    pub(crate) fn is_on_loop_thread(&self) -> bool {
        self.current_thread().is_none_or(|id| {
            let is_home = |core: &mut Core| {
                let threads = core.threads.as_ref();
                threads.is_some_and(|threads| threads.homes.values().any(|home| *home == id))
            };
            self.enter(is_home).unwrap_or(false)
        })
    }

    fn keep_house(self: &Arc<Self>, host: u32) {
        let Some(id) = self.current_thread() else {
            return;
        };
        let mut entered = Entered::default();
        let budget = self.profile.budget();
        loop {
            self.block(On::Errand, None);
            let errand = self.core(|core| core.thread(id)?.errand.take());
            let Some(errand) = errand else { return };
            entered.host(self, host);
            let work = || match errand {
                Errand::Poll(runnable) => {
                    self.begin_poll(runnable.meta(), &mut entered);
                    with_budget(budget, || run_task(runnable))
                }
                Errand::Call(call) => {
                    if self.is_recording() {
                        self.note_polled(call.site());
                    }
                    call.run();
                    Polled::Pending
                }
                Errand::Drop(runnable) => {
                    let id = runnable.meta().id;
                    drop_task(runnable);
                    Polled::Finished(id)
                }
            };
            match catch_unwind(AssertUnwindSafe(work)) {
                Ok(polled) => self.core(|core| {
                    if let Some(threads) = &mut core.threads {
                        threads.handed.polled = polled;
                    }
                }),
                Err(payload) => self.panicked(VerdictKind::Unread, &*payload),
            }
        }
    }
}

impl Core {
    /// The home of a host, if it is not the thread that drives.
    #[inline]
    pub(in crate::world) fn home_of(&self, host: u32) -> Option<ThreadId> {
        self.threads.as_ref()?.homes.get(&host).copied()
    }

    /// Sends what is to be done for a host to its home, if that is not the thread that drives.
    #[inline]
    pub(in crate::world) fn at_home(&self, step: Step) -> Step {
        match &self.threads {
            Some(threads) if !threads.homes.is_empty() => self.sent_home(step),
            _ => step,
        }
    }

    #[cold]
    fn sent_home(&self, step: Step) -> Step {
        let host = match &step {
            Step::Poll(runnable) | Step::Drop(runnable) => runnable.meta().host,
            Step::Call(host, _) => *host,
            _ => return step,
        };
        let Some(home) = self.home_of(host) else {
            return step;
        };
        let errand = match step {
            Step::Poll(runnable) => Errand::Poll(runnable),
            Step::Drop(runnable) => Errand::Drop(runnable),
            Step::Call(_, call) => Errand::Call(call),
            other => return other,
        };
        Step::At(home, Box::new(errand))
    }
}
