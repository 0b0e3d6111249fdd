//! The end of one life of a process, for whoever waits for it.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Poll, Waker};

use slab::Slab;

use crate::host::ExitStatus;

/// How a life ends. It is held by who waits for it as well as by the host, which may be in another
/// life by then.
#[derive(Debug, Default)]
pub(crate) struct End {
    status: OnceLock<ExitStatus>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Why the main function failed, until somebody reads the status.
    failure: Option<String>,
    waiters: Slab<Waker>,
    /// What the process had is dropped: whoever waits goes on.
    is_complete: bool,
}

impl End {
    /// The life ends so; false if it has ended already.
    pub(super) fn come(&self, status: ExitStatus) -> bool {
        self.status.set(status).is_ok()
    }

    pub(crate) fn has_come(&self) -> bool {
        self.status.get().is_some()
    }

    /// How it ended, for the world itself.
    pub(super) fn status(&self) -> Option<ExitStatus> {
        self.status.get().copied()
    }

    /// How it ended, for the test: it need not be told of a failure any more.
    pub(crate) fn read(&self) -> Option<ExitStatus> {
        let status = self.status()?;
        self.take_failure();
        Some(status)
    }

    /// The main function is about to end with a failure.
    pub(super) fn fail(&self, why: String) {
        self.state().failure = Some(why);
    }

    pub(super) fn take_failure(&self) -> Option<String> {
        self.state().failure.take()
    }

    /// How it ended, once all of it is dropped; else `waker` is woken then. `place` is the waiter's
    /// own.
    pub(crate) fn poll(&self, place: &mut Option<usize>, waker: &Waker) -> Poll<ExitStatus> {
        let is_complete = self.state().is_complete;
        if let Some(status) = self.read().filter(|_| is_complete) {
            return Poll::Ready(status);
        }
        // It is cloned, and the one before it dropped, with nothing held.
        drop(self.wait(place, waker.clone()));
        Poll::Pending
    }

    fn wait(&self, place: &mut Option<usize>, waker: Waker) -> Option<Waker> {
        let waiters = &mut self.state().waiters;
        if let Some(known) = place.and_then(|key| waiters.get_mut(key)) {
            return Some(std::mem::replace(known, waker));
        }
        *place = Some(waiters.insert(waker));
        None
    }

    /// A waiter has gone.
    pub(crate) fn leave(&self, place: usize) {
        let waker = self.state().waiters.try_remove(place);
        drop(waker);
    }

    /// All of the process is dropped. Who has waited is to be woken with the core closed.
    pub(super) fn complete(&self) -> Vec<Waker> {
        let mut state = self.state();
        state.is_complete = true;
        let waiters = std::mem::take(&mut state.waiters);
        waiters.into_iter().map(|(_, waker)| waker).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
