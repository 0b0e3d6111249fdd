//! Handlers: what a loop calls when a signal comes, one for each signal as in asyncio.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, MutexGuard, PoisonError, Weak};

use super::{Ear, Signal, SignalError};
use crate::EventLoop;
use crate::backend::{BackendLoop, Listener, SignalKey};
use crate::handle::{Inner, Shared};

/// The handlers of one loop.
pub(crate) type Handlers = BTreeMap<Signal, Listening>;

impl EventLoop {
    /// Calls `handler` for each such signal that the process gets, as a callback of the loop's next
    /// iteration and never in the middle of a poll. It replaces the loop's handler before it.
    ///
    /// Signals that come close together may be handled as one, as with tokio's. Every loop and
    /// stream of the process that listens to a signal gets it, and while one does its default
    /// disposition is off.
    ///
    /// Follows asyncio's `add_signal_handler`.
    ///
    /// ```no_run
    /// use event_loop::{Signal, current};
    ///
    /// # async fn serve() -> Result<(), event_loop::SignalError> {
    /// let ev = current().expect("it is called in a task");
    /// let stopped = ev.clone();
    /// ev.add_signal_handler(Signal::Term, move || stopped.stop())?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`SignalError`].
    #[track_caller]
    pub fn add_signal_handler(
        &self,
        signal: Signal,
        handler: impl Fn() + Send + Sync + 'static,
    ) -> Result<(), SignalError> {
        let site = Location::caller();
        let listening = self.listen_with(signal, site, handler)?;
        let replaced = self.signal_handlers().insert(signal, listening);
        drop(replaced);
        Ok(())
    }

    /// Removes the loop's handler; false if there was none. Once nobody else in the process listens
    /// to the signal, it takes its default disposition again. A signal that came before still
    /// reaches the handler.
    pub fn remove_signal_handler(&self, signal: Signal) -> bool {
        let removed = self.signal_handlers().remove(&signal);
        removed.is_some()
    }

    /// A handler beside those of [`add_signal_handler`](Self::add_signal_handler).
    pub(crate) fn listen_with(
        &self,
        signal: Signal,
        site: &'static Location<'static>,
        handler: impl Fn() + Send + Sync + 'static,
    ) -> Result<Listening, SignalError> {
        signal.expect_catchable()?;
        if self.is_closed() {
            return Err(SignalError::Closed);
        }
        let handler = Arc::new(SignalHandler {
            call: Box::new(handler),
            owner: Arc::downgrade(&self.shared),
            queued: AtomicBool::new(false),
            signal,
            site,
        });
        Ok(Listening(match &self.shared.inner {
            Inner::Tokio(tokio) => {
                let ear = Arc::new(tokio.within(|| Ear::open(signal))?);
                let (heard, called) = (ear.clone(), handler.clone());
                let hearing = tokio.handle().spawn(async move {
                    while heard.hears().await {
                        called.call_soon();
                    }
                });
                Repr::Production {
                    ear,
                    handler,
                    hearing: hearing.abort_handle(),
                }
            }
            Inner::Other(backend) => Repr::World {
                key: backend.signal_listen(signal, Listener::Handler(handler))?,
                ev: BackendLoop::of_other(self),
            },
        }))
    }

    /// How many listen to a signal in the process.
    pub(crate) fn signal_listeners(&self, signal: Signal) -> usize {
        match self.backend() {
            None => Ear::how_many(signal),
            Some(backend) => backend.signal_listeners(signal),
        }
    }

    /// The loop is closed: nothing is left to handle signals.
    pub(crate) fn close_signal_handlers(&self) {
        let handlers = std::mem::take(&mut *self.signal_handlers());
        drop(handlers);
    }

    fn signal_handlers(&self) -> MutexGuard<'_, Handlers> {
        self.shared
            .signal_handlers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A handler that is called for each signal until this is dropped.
pub(crate) struct Listening(Repr);

enum Repr {
    Production {
        ear: Arc<Ear>,
        handler: Arc<SignalHandler>,
        hearing: tokio::task::AbortHandle,
    },
    World {
        ev: BackendLoop,
        key: SignalKey,
    },
}

impl Drop for Listening {
    fn drop(&mut self) {
        match &self.0 {
            Repr::Production {
                ear,
                handler,
                hearing,
            } => {
                hearing.abort();
                // What came before the removal is the handler's, if the loop can still run it.
                if let Some(unheard) = ear.close()
                    && !handler.call_soon()
                    && !handler.is_spent()
                {
                    unheard.take_default();
                }
            }
            Repr::World { ev, key } => ev.backend().signal_close(*key),
        }
    }
}

/// A handler and the place where it was given.
pub struct SignalHandler {
    call: Box<dyn Fn() + Send + Sync>,
    /// The loop that calls it.
    owner: Weak<Shared>,
    queued: AtomicBool,
    signal: Signal,
    site: &'static Location<'static>,
}

impl SignalHandler {
    /// Whether it is scheduled and was not called yet.
    #[must_use]
    pub fn is_queued(&self) -> bool {
        self.queued.load(Ordering::Acquire)
    }

    /// Whether its signal asked for what its loop does anyway.
    fn is_spent(&self) -> bool {
        let owner = self.owner.upgrade();
        owner.is_some_and(|owner| EventLoop::unowned_of(owner).ends_as_asked_by(self.signal))
    }

    /// Schedules it on its loop; false if that is closed.
    pub fn call_soon(self: &Arc<Self>) -> bool {
        let Some(owner) = self.owner.upgrade() else {
            return false;
        };
        let ev = EventLoop::unowned_of(owner);
        let handler = self.clone();
        self.queued.store(true, Ordering::Release);
        let call = move || {
            handler.queued.store(false, Ordering::Release);
            (handler.call)();
        };
        ev.schedule_call(None, Box::new(call), self.site).is_ok()
    }
}

impl fmt::Debug for SignalHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignalHandler(added at {})", self.site)
    }
}
