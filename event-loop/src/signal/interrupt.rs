//! What a runner does about Ctrl-C: the first one asks main to finish, a second one ends the process.

use std::panic::Location;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::handler::Listening;
use super::{Signal, raise_on};
use crate::{AbortHandle, EventLoop};

/// Listens to INT while a runner runs its main function.
pub(crate) struct Interrupt(Arc<State>);

struct State {
    main: OnceLock<AbortHandle>,
    came: AtomicBool,
    /// Gone once the first has come: then the default is in force again.
    listening: Mutex<Option<Listening>>,
}

impl Interrupt {
    /// Listens on behalf of a runner that is about to run a main function, which may send for an
    /// INT as soon as it runs. `None` where that is left to others: where somebody listens already,
    /// and unless `anywhere` on all threads of production but the first.
    pub(crate) fn listen(
        ev: &EventLoop,
        anywhere: bool,
        site: &'static Location<'static>,
    ) -> Option<Self> {
        let is_first_thread = || std::thread::current().name() == Some("main");
        let is_ours = anywhere || ev.backend().is_some() || is_first_thread();
        if !is_ours || ev.signal_listeners(Signal::Int) > 0 {
            return None;
        }
        let state = Arc::new(State {
            main: OnceLock::new(),
            came: AtomicBool::new(false),
            listening: Mutex::new(None),
        });
        let (told, on) = (Arc::downgrade(&state), ev.unowned());
        let listening = ev.listen_with(Signal::Int, site, move || {
            if let Some(state) = told.upgrade() {
                state.interrupt(&on);
            }
        });
        // Where it is refused there is nothing to be interrupted by.
        *state.listening() = Some(listening.ok()?);
        Some(Self(state))
    }

    /// This is the main function. Nobody is interrupted before, for it is the loop that does it.
    pub(crate) fn of(&self, main: AbortHandle) {
        let known = self.0.main.set(main);
        debug_assert!(known.is_ok(), "a run has one main function");
    }

    /// Whether main was asked to finish.
    pub(crate) fn came(&self) -> bool {
        self.0.came.load(Ordering::Acquire)
    }
}

impl State {
    fn interrupt(&self, ev: &EventLoop) {
        if self.came.load(Ordering::Acquire) {
            // It had come before the default was in force again.
            let _ = raise_on(ev, Signal::Int);
            return;
        }
        let main = self.main.get().filter(|main| !main.is_finished());
        // Who has listened since main began takes care of it, and the runner does not.
        let Some(main) = main.filter(|_| ev.signal_listeners(Signal::Int) == 1) else {
            return;
        };
        self.came.store(true, Ordering::Release);
        main.request_cancel();
        let listening = self.listening().take();
        drop(listening);
    }

    fn listening(&self) -> MutexGuard<'_, Option<Listening>> {
        self.listening
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
