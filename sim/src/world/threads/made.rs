//! Threads that the code under test makes: they belong to the host of their maker, and no loop is
//! current in them, as in production.

use std::sync::{Arc, PoisonError};

use interpose::{ThreadId, ThreadJoin};
use virtual_time::Instant;

use super::seat::take_place;
use super::{On, Outcome, Seat, State, What};
use crate::run::panics::Quiet;
use crate::world::World;
use crate::world::blocking::BlockingCall;
use crate::world::here::Here;

impl World {
    /// The calling thread makes one. It can run from here on, though nothing of it may be there
    /// yet: at its first turn the driver waits for it.
    pub(in crate::world) fn make_thread(&self, detached: bool) -> Option<ThreadId> {
        if !self.core.is_held() {
            return None;
        }
        self.pin();
        let host = self.current_host();
        let seat = Arc::new(Seat::default());
        let id = self.core.try_with(|core| {
            let id = core.add_thread(host, What::Made, seat.clone(), "thread");
            if let Some(thread) = core.thread(id) {
                thread.detached = detached;
            }
            core.thread_ready(id);
            id
        });
        let id = id.ok()?;
        self.arrivals().push((id, host, seat));
        Some(id)
    }

    /// The operating system would not have the thread.
    pub(in crate::world) fn unmake_thread(&self, id: ThreadId) {
        self.arrivals().retain(|(other, ..)| *other != id);
        self.enter(|core| {
            if let Some(thread) = core.thread(id) {
                thread.detached = true;
            }
            core.thread_over(id);
        });
    }

    /// The calling thread is a new one: it goes on at its first turn.
    pub(in crate::world) fn begin_thread(&self, id: ThreadId) {
        let arrived = {
            let mut arrivals = self.arrivals();
            let index = arrivals.iter().position(|(other, ..)| *other == id);
            index.map(|index| arrivals.swap_remove(index))
        };
        let Some((_, host, seat)) = arrived else {
            return;
        };
        take_place(self, Some(id), host);
        // For the rest of its life, so that whoever ends it need not find these.
        std::mem::forget((Here::begin(self.arc()), Quiet::begin()));
        seat.sit();
        self.await_turn(&seat);
    }

    /// The calling thread has come to its end, and gives its turn away for good.
    pub(in crate::world) fn end_thread(&self, id: ThreadId) {
        self.core(|core| core.thread_ends(id));
        self.leave_turn();
    }

    /// Blocks the calling thread until another has ended; `None` if that is none of the world's.
    pub(in crate::world) fn join_thread(
        &self,
        id: ThreadId,
        until: Option<Instant>,
    ) -> Option<ThreadJoin> {
        loop {
            let ended = self.core.try_with(|core| {
                let now = core.now;
                let thread = core.thread(id)?;
                let ended = matches!(thread.state, State::Ended);
                Some((ended, until.is_some_and(|until| now >= until)))
            });
            match ended.ok()?? {
                (true, _) => {
                    self.detach_thread(id);
                    return Some(ThreadJoin::Ended);
                }
                (false, true) => return Some(ThreadJoin::TimedOut),
                (false, false) => {
                    let (call, since) = (BlockingCall::Join, self.now());
                    if self.account(call, || self.block(On::Join(id), until))? == Outcome::Over {
                        self.never_woken(call, since, &|| false);
                    }
                }
            }
        }
    }

    /// Nobody will join the thread any more.
    pub(in crate::world) fn detach_thread(&self, id: ThreadId) {
        self.enter(|core| {
            let Some(thread) = core.thread(id) else {
                return;
            };
            thread.detached = true;
            if matches!(thread.state, State::Ended)
                && let Some(threads) = &mut core.threads
            {
                threads.all.remove(&id);
            }
        });
    }

    /// The threads that the operating system is about to start. No other lock is taken under this
    /// one.
    fn arrivals(&self) -> std::sync::MutexGuard<'_, Vec<(ThreadId, u32, Arc<Seat>)>> {
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
