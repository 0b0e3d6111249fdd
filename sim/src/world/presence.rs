//! What a thread is while it is in a world: whose libc calls it makes, whose panics it has, and which
//! host's loop is current.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use event_loop::backend::{EnterGuard, OutsideTasks};
use interpose::Pinned;

use super::threads::{Seated, ThreadId, enter_host};
use super::{World, here};
use crate::run::panics;

impl World {
    /// Comes into the world with this thread, to drive it or to end it.
    pub(crate) fn visit(self: &Arc<Self>) -> Presence {
        self.visit_as(None)
    }

    /// The same, as this simulated thread.
    pub(super) fn visit_as(self: &Arc<Self>, thread: Option<ThreadId>) -> Presence {
        Presence {
            entered: Entered::default(),
            _seated: Seated::begin(self, thread),
            _outside: OutsideTasks::begin(),
            _quiet: panics::Quiet::begin(),
            _here: here::Here::begin(self.clone()),
            _gate: interpose::enter(self.clone()),
        }
    }
}

thread_local! {
    static PINNED: RefCell<Option<Pinned>> = const { RefCell::new(None) };
}

impl World {
    /// Binds the thread that drives, which calls, and the threads that it makes from here on, to
    /// one CPU: they take turns.
    pub(super) fn pin(&self) {
        if self.current_thread().is_none() && !self.pinned.swap(true, Ordering::Relaxed) {
            PINNED.with_borrow_mut(|pinned| {
                pinned.get_or_insert_with(interpose::pin_to_current_cpu);
            });
        }
    }

    /// The thread that drives may run on any CPU again.
    pub(super) fn unpin(&self) {
        if self.pinned.swap(false, Ordering::Relaxed) {
            drop(PINNED.take());
        }
    }
}

/// A thread's presence in a world: its libc calls and its panics are the world's, and the task
/// around it, if there is one, is not current.
pub(crate) struct Presence {
    // Left in this order: the loop first, libc's calls last.
    pub(super) entered: Entered,
    _seated: Seated,
    _outside: OutsideTasks,
    _quiet: panics::Quiet,
    _here: here::Here,
    _gate: interpose::Entered,
}

/// The host whose loop this thread has entered.
#[derive(Default)]
pub(super) struct Entered {
    guard: Option<(u32, EnterGuard)>,
}

impl Entered {
    #[inline]
    pub(super) fn host(&mut self, world: &World, host: u32) {
        if self
            .guard
            .as_ref()
            .is_none_or(|(entered, _)| *entered != host)
        {
            self.switch(world, host);
        }
    }

    #[cold]
    fn switch(&mut self, world: &World, host: u32) {
        enter_host(host);
        world.go_by_clock_of(host);
        self.guard = None;
        self.guard = world.event_loop(host).map(|ev| (host, EnterGuard::new(ev)));
    }
}
