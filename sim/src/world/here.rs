//! Which world the running code is in, for functions that take none.

use std::cell::RefCell;
use std::sync::Arc;

use super::World;
use super::hosts::clock::OwnClock;
use crate::net::RuleError;

thread_local! {
    static HERE: RefCell<Option<Arc<World>>> = const { RefCell::new(None) };
    /// The clock of the host whose loop this thread has entered, where that has its own.
    static CLOCK: RefCell<Option<Arc<OwnClock>>> = const { RefCell::new(None) };
}

/// The world that this thread is in.
pub(crate) fn world() -> Result<Arc<World>, RuleError> {
    let here = HERE.try_with(|here| here.borrow().clone());
    here.ok().flatten().ok_or_else(|| {
        let thread = std::thread::current();
        RuleError::NoWorld {
            thread: thread.name().unwrap_or("<unnamed>").to_owned(),
        }
    })
}

/// The calling thread, which never returns, no longer keeps its world.
pub(crate) fn forget() {
    drop(HERE.try_with(RefCell::take));
}

/// The clock of the host that this thread is on, where that has its own.
pub(crate) fn clock() -> Option<Arc<OwnClock>> {
    let clock = CLOCK.try_with(|clock| clock.borrow().clone());
    clock.ok().flatten()
}

/// From here on this thread is on a host with this clock.
pub(crate) fn set_clock(clock: Option<Arc<OwnClock>>) {
    drop(CLOCK.replace(clock));
}

/// While it lives, its world is the one that this thread is in; worlds nest.
pub(crate) struct Here {
    outer: Option<Arc<World>>,
}

impl Here {
    pub(crate) fn begin(world: Arc<World>) -> Self {
        Self {
            outer: HERE.replace(Some(world)),
        }
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        // The last of a world may go here: not with the cell borrowed.
        let inner = HERE.replace(self.outer.take());
        drop(inner);
    }
}
