//! What a thread is while it is in a world: whose libc calls it makes, whose panics it has, and which
//! host's loop is current.

use std::sync::Arc;

use event_loop::backend::{EnterGuard, OutsideTasks};

use super::{World, here};
use crate::run::panics;

impl World {
    /// Comes into the world with this thread, to drive it or to end it.
    pub(crate) fn visit(self: &Arc<Self>) -> Presence {
        Presence {
            entered: Entered::default(),
            _outside: OutsideTasks::begin(),
            _quiet: panics::Quiet::begin(),
            _here: here::Here::begin(self.clone()),
            _gate: interpose::enter(self.clone()),
        }
    }
}

/// A thread's presence in a world: its libc calls and its panics are the world's, and the task
/// around it, if there is one, is not current.
pub(crate) struct Presence {
    // Left in this order: the loop first, libc's calls last.
    pub(super) entered: Entered,
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
        self.guard = None;
        self.guard = world.event_loop(host).map(|ev| (host, EnterGuard::new(ev)));
    }
}
