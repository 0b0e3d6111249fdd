//! A blocking call that nobody is left to end: the other tasks are dropped in its frame, for one of
//! them may hold what it waits for; if none does, the thread is given up.

use std::mem;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use event_loop::TaskId;
use event_loop::backend::{EnterGuard, Runnable, TaskMeta, drop_task};
use virtual_time::Instant;

use super::BlockingCall;
use crate::OnBlocking;
use crate::run::once::{self, Run};
use crate::run::outcome::Account;
use crate::world::core::Core;
use crate::world::hosts::death::Fallen;
use crate::world::verdict::VerdictKind;
use crate::world::waits::Standing;
use crate::world::{World, here};

/// What becomes of a run whose thread is stuck; called on that thread, which it leaves in peace.
pub(crate) type OnStuck = Box<dyn FnOnce(Run<()>) + Send>;

/// What becomes of it where nobody else can be told: the process ends with the report.
pub(in crate::world) fn end_process(seed: u64) -> OnStuck {
    Box::new(move |run| once::end_process("a run", seed, &Account::read(&run)))
}

impl World {
    /// Says what becomes of the run if its thread is stuck.
    pub(crate) fn on_stuck(&self, then: OnStuck) {
        let mut slot = self.stuck.lock().unwrap_or_else(PoisonError::into_inner);
        *slot = then;
    }

    /// The thread that drives waits in a blocking call since then, which nothing will end, or
    /// whose run is over. Returns once it is `released`, or never.
    pub(crate) fn cannot_end(
        &self,
        call: BlockingCall,
        since: Instant,
        released: &dyn Fn() -> bool,
    ) {
        let again = self.core(|core| std::mem::replace(&mut core.blockings.gives_way, true));
        if again {
            // A destructor of one of those that are dropped here waits as well.
            self.give_up();
        }
        let (task, _) = self.caller();
        let (mut blocking, location) = self.describe_blocking(call, since, None);
        let is_cause = self.core(|core| {
            let kind = match self.on_blocking {
                OnBlocking::Allow => VerdictKind::Deadlock,
                OnBlocking::Fail | OnBlocking::Report => VerdictKind::Blocking,
            };
            let is_cause = core.ended.is_none();
            core.end(kind, blocking.sentence());
            is_cause
        });
        self.refuse();
        // What is dropped is in the world, and not in the call that it is dropped in.
        let _gate = here::world().ok().map(|world| interpose::enter(world));
        let holder = self.drop_others(task, released);
        let is_released = holder.is_some();
        blocking.holder = holder;
        self.core(|core| {
            core.blocked_in(&blocking);
            if let Some(verdict) = core.ended.as_mut().filter(|_| is_cause) {
                verdict.location = location;
                core.blockings.push(blocking);
            }
        });
        if !is_released {
            self.give_up();
        }
        self.core(|core| core.blockings.gives_way = false);
    }

    /// Drops every task but the one that is being polled, in creation order, until the call is
    /// released; who held it, and what it waited for.
    fn drop_others(&self, own: Option<TaskMeta>, released: &dyn Fn() -> bool) -> Option<String> {
        let live = self.core(|core| {
            let queued = core.take_queued(Fallen::All);
            if let Some(late) = &mut core.late {
                late.tasks.extend(queued);
            }
            core.tasks.in_creation_order(|_, _| true)
        });
        for (id, waker) in live {
            if own.is_some_and(|own| own.id == id) {
                continue;
            }
            let holder = self.core(|core| core.standing_of(id));
            if let Some(waker) = waker {
                self.guarded(|| waker.wake());
            }
            let Some(runnable) = self.take_woken(id) else {
                continue;
            };
            let ev = self.event_loop(runnable.meta().host);
            let _entered = ev.map(EnterGuard::new);
            self.guarded(|| drop_task(runnable));
            let left = self.core(|core| core.tasks.remove(id));
            self.guarded(|| drop(left));
            if released() {
                return Some(holder);
            }
        }
        None
    }

    /// A task that was woken after the end, to be dropped.
    fn take_woken(&self, id: TaskId) -> Option<Runnable> {
        self.core(|core| {
            let late = &mut core.late.as_mut()?.tasks;
            let index = late.iter().position(|runnable| runnable.meta().id == id)?;
            Some(late.remove(index))
        })
    }

    /// The thread can never return: its run is over as it is, and the thread is left where it
    /// stands, with all that is in its frames.
    pub(super) fn give_up(&self) -> ! {
        // What the thread keeps is kept for good: nothing of the world is dropped any more.
        mem::forget(here::world());
        let _outside = interpose::suspend();
        let mut slot = self.stuck.lock().unwrap_or_else(PoisonError::into_inner);
        let then = mem::replace(&mut *slot, Box::new(drop));
        drop(slot);
        self.over.store(true, Ordering::Release);
        then(Run::of(None, self.remains()));
        interpose::vanish();
    }
}

impl Core {
    /// A task, and what it waits for.
    fn standing_of(&mut self, id: TaskId) -> String {
        let who = self.describe(id);
        let (Some(recording), Some(names)) = (&self.recording, self.trace.names()) else {
            return who;
        };
        match recording.standing(id.serial()) {
            Standing::Waits(_, Some(wait)) => format!("{who}, which waits on {}", wait.what(names)),
            Standing::Waits(_, None) => format!("{who}, which waits on an await of its own"),
            Standing::Ready => format!("{who}, which could run, but for this call"),
            Standing::New => format!("{who}, which was never polled"),
        }
    }
}
