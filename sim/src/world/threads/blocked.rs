//! Blocking calls in virtual time: of a thread, which gives the baton back, and of the driver, which
//! goes on driving in the frame that blocks.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use event_loop::backend::{current_task, outside_tokio_s_budget};
use interpose::{FutexWait, ThreadId};
use virtual_time::Instant;

use super::own::own_name;
use super::{On, Outcome, State, What};
use crate::world::World;
use crate::world::blocking::BlockingCall;
use crate::world::core::Core;
use crate::world::verdict::VerdictKind;

impl World {
    /// Blocks the calling thread until it is woken, or until then; `None` if it is not of the
    /// world.
    pub(super) fn block(&self, on: On, until: Option<Instant>) -> Option<Outcome> {
        match self.current_thread() {
            Some(thread) => self.block_thread(thread, on, until),
            None if self.core.try_with(|core| core.waits_in_vain()).ok()? => {
                Some(self.block_at_end(until))
            }
            None => self.block_driver(on, until),
        }
    }

    /// The calling thread waits for `span` of time to pass, or until a signal interrupts it.
    pub(crate) fn sleep_until(&self, until: Instant) -> Option<Outcome> {
        let is_past = self.core.try_with(|core| core.now >= until).ok()?;
        match is_past {
            true => self.give_way().then_some(Outcome::TimedOut),
            false => self.account(BlockingCall::Sleep, || self.block(On::Sleep, Some(until))),
        }
    }

    /// The calling thread waits for a wake at an address.
    pub(in crate::world) fn wait_for_futex(
        &self,
        word: usize,
        bits: u32,
        until: Option<Instant>,
        still: &dyn Fn() -> bool,
    ) -> Option<FutexWait> {
        let is_past = |until| self.core.try_with(|core| core.now >= until).ok();
        if let Some(until) = until
            && is_past(until)?
        {
            return Some(FutexWait::TimedOut);
        }
        let (call, released) = (BlockingCall::Wait, || !still());
        let since = self.now();
        let end = match self.account(call, || self.block(On::Futex(word, bits), until))? {
            // Somebody outside may have released it.
            Outcome::Over if still() => {
                self.never_woken(call, since, &released);
                FutexWait::Woken
            }
            Outcome::Woken | Outcome::Over => FutexWait::Woken,
            Outcome::TimedOut => FutexWait::TimedOut,
            Outcome::Interrupted => FutexWait::Interrupted,
        };
        Some(end)
    }

    /// Wakes threads that wait at an address; how many.
    pub(in crate::world) fn wake_futex(&self, word: usize, bits: u32, count: u32) -> Option<u32> {
        let woken = self.core.try_with(|core| match core.threads {
            Some(_) => core.wake_futex(word, bits, count),
            None => 0,
        });
        woken.ok()
    }

    /// Lets others run before the calling thread goes on; false if it is not of the world.
    pub(crate) fn give_way(&self) -> bool {
        let others = self.core.try_with(|core| {
            // Who yields until something happens takes time for it, as a task does.
            core.count_turn();
            self.set_now(core.now);
            core.threads.is_some()
        });
        match others {
            Ok(true) => self.block(On::Yield, None).is_some(),
            Ok(false) => true,
            Err(_) => false,
        }
    }

    /// The calling thread waits for what nobody is left to do; returns once it is `released`.
    pub(super) fn never_woken(
        &self,
        call: BlockingCall,
        since: Instant,
        released: &dyn Fn() -> bool,
    ) {
        match self.current_thread() {
            Some(_) => self.stuck(),
            None => self.cannot_end(call, since, released),
        }
    }

    fn block_thread(&self, id: ThreadId, on: On, until: Option<Instant>) -> Option<Outcome> {
        let name = self.is_recording().then(own_name).flatten();
        let seat = self.core.try_with(|core| {
            core.thread_blocks(id, on, until);
            if let Some(thread) = core.thread(id).filter(|thread| thread.name.is_none()) {
                thread.name = name;
            }
            core.thread(id).map(|thread| thread.seat.clone())
        });
        let seat = seat.ok()??;
        self.hand_back(&seat);
        Some(self.core(|core| core.thread_goes_on(id)))
    }

    fn block_driver(&self, on: On, until: Option<Instant>) -> Option<Outcome> {
        let host = current_task().map_or(0, |meta| meta.host);
        let id = self.core.try_with(|core| core.block_frame(host, on, until));
        let id = id.ok()?;
        let end = self.arc().drive_blocked(id);
        Some(self.core(|core| core.unblock_frame(id, end)))
    }

    /// Goes on driving until the frame that is blocked can go on. False if it never can: a verdict
    /// has fallen, or nothing is left that could wake it.
    fn drive_blocked(self: &Arc<Self>, frame: ThreadId) -> bool {
        let mut presence = self.visit();
        let mut wakes = Vec::new();
        loop {
            let turns = || self.turns(None, Some(frame), &mut presence.entered, &mut wakes);
            match catch_unwind(AssertUnwindSafe(|| outside_tokio_s_budget(turns))) {
                Ok(end) => break end.is_none(),
                Err(payload) => self.panicked(VerdictKind::Unread, &*payload),
            }
        }
    }
}

impl Core {
    /// Whether the run is over, and no thread goes on that the end of it may wait for, as a
    /// destructor does that joins its worker.
    fn waits_in_vain(&mut self) -> bool {
        let threads = self.threads.iter().flat_map(|threads| threads.all.values());
        let mut others = threads.filter(|thread| {
            !thread.idle
                && !matches!(
                    (&thread.what, thread.state),
                    (What::Frame, _) | (_, State::Ended)
                )
        });
        let may_go_on = self.closed && others.next().is_some();
        self.is_at_end() && !may_go_on
    }

    /// A signal handler runs on the thread that the host's loop is on: a sleep that this thread is
    /// blocked in ends, also where the handler asks for restarts, as it does. What it waits for
    /// otherwise, Linux then waits for again.
    pub(in crate::world) fn interrupt_loop(&mut self, host: u32) {
        let Some(threads) = &self.threads else { return };
        let of_host = |id: &&ThreadId| threads.host_of(**id) == Some(host);
        let home = threads.homes.get(&host);
        let thread = home.or_else(|| threads.frames.iter().rev().find(of_host));
        let Some((&id, thread)) = thread.and_then(|id| Some((id, threads.all.get(id)?))) else {
            return;
        };
        if let State::Blocked { on: On::Sleep, .. } = thread.state {
            self.wake_thread(id, Outcome::Interrupted);
        }
    }

    fn block_frame(&mut self, host: u32, on: On, until: Option<Instant>) -> ThreadId {
        let seat = self
            .threads
            .as_ref()
            .and_then(|threads| threads.driver.clone());
        let id = self.add_thread(host, What::Frame, seat.unwrap_or_default(), "blocked");
        if let Some(threads) = &mut self.threads {
            threads.frames.push(id);
        }
        self.set_driver_aside();
        self.thread_blocks(id, on, until);
        id
    }

    /// The frame goes on; how its wait ended. If it was not `woken`, it has to.
    fn unblock_frame(&mut self, id: ThreadId, woken: bool) -> Outcome {
        let mut outcome = self.thread_goes_on(id);
        if !woken {
            outcome = Outcome::Over;
        }
        self.thread_over(id);
        if let Some(threads) = &mut self.threads {
            threads.frames.retain(|frame| *frame != id);
        }
        self.take_driver_back();
        outcome
    }
}
