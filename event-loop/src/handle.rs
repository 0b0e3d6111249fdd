//! The handle: one type for every loop, chosen at run time.

use std::fmt;
use std::panic::{AssertUnwindSafe, Location, RefUnwindSafe, UnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use crate::backend::{Backend, Callbacks, ScheduledCall};
use crate::blocking::Pool;
use crate::callback::{Call, Callback, CallbackQueue, Driver, Waiting};
use crate::config::Settings;
use crate::context::{EnterGuard, Surroundings};
use crate::exception::{Handler, HandlerSlot, told};
use crate::lifecycle::Life;
use crate::production::TokioLoop;
use crate::shutdown::Progress;
use crate::signal::Handlers;
use crate::slow::Watch;
use crate::task::Home;
use crate::time::Instant;
use crate::{CallHandle, Closed, Description, ErrorContext};

/// A handle to an event loop: cheap to clone, and usable from any thread.
///
/// Where a loop comes from is the factory's business ([`production`](crate::production) here, the
/// simulator's under test); what can be done with it is the same everywhere.
///
/// The handle a factory returns owns its loop, and so do its clones: when the last of them goes,
/// the loop is closed as [`close`](Self::close) does it, or at the end of the run under way. What
/// the loop itself hands out owns nothing: [`current`](crate::current), the argument of a main
/// function or of an exception handler, and their clones. A task or callback that captures an
/// owning handle of its own loop keeps that loop open; let it ask for
/// [`current`](crate::current) instead, or give it an [`unowned`](Self::unowned) handle.
///
/// ```
/// use event_loop::{production, LoopConfig};
///
/// let ev = production::current_thread(LoopConfig::default()).unwrap();
/// let stuck = ev.spawn(std::future::pending::<()>());
/// drop(ev);
/// assert!(stuck.is_finished(), "dropped with its loop");
/// ```
pub struct EventLoop {
    pub(crate) shared: Arc<Shared>,
    owns: bool,
}

pub(crate) struct Shared {
    pub(crate) inner: Inner,
    pub(crate) surroundings: Surroundings,
    pub(crate) callbacks: Mutex<CallbackQueue>,
    pub(crate) life: Mutex<Life>,
    pub(crate) home: Home,
    pub(crate) closed: AtomicBool,
    /// How many handles own the loop.
    owners: AtomicUsize,
    pub(crate) watch: Watch,
    /// The blocking jobs, once there is one.
    pub(crate) pool: OnceLock<Arc<Pool>>,
    pub(crate) signal_handlers: Mutex<Handlers>,
    pub(crate) shutdown: Progress,
    /// `None` once the loop is closed.
    exception_handler: Mutex<Option<HandlerSlot>>,
}

pub(crate) enum Inner {
    Tokio(TokioLoop),
    Other(Arc<dyn Backend>),
}

/// As of tokio's runtime: no panic of a task's leaves the loop half changed.
impl UnwindSafe for Shared {}
impl RefUnwindSafe for Shared {}

impl EventLoop {
    pub(crate) fn new(inner: Inner, settings: Settings) -> Self {
        let surroundings = match &inner {
            Inner::Tokio(_) => Surroundings::Production,
            Inner::Other(backend) if backend.records() => Surroundings::RecordedWorld,
            Inner::Other(_) => Surroundings::World,
        };
        Self {
            shared: Arc::new(Shared {
                inner,
                surroundings,
                callbacks: Mutex::default(),
                watch: Watch::new(settings.slow_after()),
                shutdown: Progress::default(),
                life: Mutex::new(Life::new(settings)),
                home: Home::default(),
                closed: AtomicBool::new(false),
                owners: AtomicUsize::new(1),
                pool: OnceLock::new(),
                signal_handlers: Mutex::default(),
                exception_handler: Mutex::new(Some(HandlerSlot::default())),
            }),
            owns: true,
        }
    }

    /// A handle that does not keep the loop open, for what the loop itself keeps.
    #[must_use]
    pub fn unowned(&self) -> Self {
        Self::unowned_of(self.shared.clone())
    }

    pub(crate) fn unowned_of(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            owns: false,
        }
    }

    pub(crate) fn has_owner(&self) -> bool {
        self.shared.owners.load(Ordering::Acquire) > 0
    }

    /// A loop on another backend than tokio.
    #[doc(hidden)]
    #[must_use]
    pub fn from_backend(backend: Arc<dyn Backend>) -> Self {
        Self::new(Inner::Other(backend), Settings::default())
    }

    /// Schedules `callback` for the next iteration: first scheduled, first run, from whichever
    /// thread. It wakes a sleeping loop at once.
    ///
    /// Follows asyncio's `call_soon` and `call_soon_threadsafe`.
    ///
    /// # Errors
    /// [`Closed`].
    #[track_caller]
    pub fn call_soon(
        &self,
        callback: impl FnOnce() + Send + 'static,
    ) -> Result<CallHandle, Closed> {
        self.schedule_call(None, Box::new(callback), Location::caller())
    }

    /// Schedules `callback` for an iteration after `delay` has passed. Zero means a later
    /// iteration, behind what is ready by then.
    ///
    /// # Errors
    /// [`Closed`].
    #[track_caller]
    pub fn call_later(
        &self,
        delay: Duration,
        callback: impl FnOnce() + Send + 'static,
    ) -> Result<CallHandle, Closed> {
        self.schedule_call(
            Some(self.now() + delay),
            Box::new(callback),
            Location::caller(),
        )
    }

    /// Schedules `callback` for an iteration at or after `deadline` of this loop's clock; equal
    /// deadlines run in the order they were scheduled.
    ///
    /// # Errors
    /// [`Closed`].
    #[track_caller]
    pub fn call_at(
        &self,
        deadline: Instant,
        callback: impl FnOnce() + Send + 'static,
    ) -> Result<CallHandle, Closed> {
        self.schedule_call(Some(deadline), Box::new(callback), Location::caller())
    }

    /// The loop's monotonic clock.
    #[must_use]
    pub fn now(&self) -> Instant {
        match &self.shared.inner {
            Inner::Tokio(tokio) => tokio.now(),
            Inner::Other(backend) => backend.now(),
        }
    }

    /// The loop's wall clock, which may be stepped and may drift.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "production's clock is the machine's"
    )]
    pub fn wall_now(&self) -> SystemTime {
        match &self.shared.inner {
            Inner::Tokio(_) => SystemTime::now(),
            Inner::Other(backend) => backend.wall_now(),
        }
    }

    /// Makes this the thread's current loop until the guard is dropped, which does not keep the
    /// loop open.
    #[must_use]
    pub fn enter(&self) -> EnterGuard {
        EnterGuard::new(self.unowned())
    }

    /// What is in force in this loop.
    #[must_use]
    pub fn describe(&self) -> Description {
        let backend = match &self.shared.inner {
            Inner::Tokio(tokio) => tokio.describe(),
            Inner::Other(backend) => backend.describe(),
        };
        let life = self.life();
        let settings = life.settings();
        Description {
            debug: settings.debug,
            slow_callback: self.slow_after(),
            blocking_threads: settings.pool.threads,
            blocking_queue: settings.pool.queue,
            ..backend
        }
    }

    /// Who is told of errors that nobody awaits, from now on. `None` restores the default: in
    /// production a line on standard error, under test the failure of the run.
    ///
    /// A loop that is closed drops its handler once no panic is left that somebody could still
    /// read.
    pub fn set_exception_handler<H>(&self, handler: Option<H>)
    where
        H: Fn(&EventLoop, &ErrorContext) + Send + Sync + 'static,
    {
        let handler = handler.map(|handler| Arc::new(handler) as Handler);
        let unused = match self.handler_slot() {
            Some(slot) => slot.replace(handler),
            None => handler,
        };
        drop(unused);
    }

    pub(crate) fn drop_exception_handler(&self) {
        let slot = self.exception_handler().take();
        drop((slot, self.shared.watch.replace(None)));
    }

    /// Tells the exception handler of an error. A handler that panics is reported itself, by the
    /// default handler, and the loop goes on.
    pub fn call_exception_handler(&self, context: &ErrorContext) {
        self.report_to(self.handler_slot(), context);
    }

    /// Tells whoever is in `slot`, and the shutdown if there is one.
    pub(crate) fn report_to(&self, slot: Option<HandlerSlot>, context: &ErrorContext) {
        self.shared.shutdown.note_error(context);
        self.tell(slot, context);
    }

    /// Tells whoever is in `slot`.
    pub(crate) fn tell(&self, slot: Option<HandlerSlot>, context: &ErrorContext) {
        let Some(handler) = slot.and_then(|slot| slot.get()) else {
            return self.default_exception_handler(context);
        };
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| handler(&self.unowned(), context))) {
            self.default_exception_handler(context);
            self.default_exception_handler(&ErrorContext::new(
                self,
                "Unhandled error in exception handler",
                told(panic),
            ));
        }
    }

    /// What happens to an error without a handler; for handlers that take only some.
    pub fn default_exception_handler(&self, context: &ErrorContext) {
        match &self.shared.inner {
            Inner::Tokio(_) => eprintln!("{context}"),
            Inner::Other(backend) => backend.unhandled(context),
        }
    }

    /// What the loop is called; in simulation its host.
    pub(crate) fn name(&self) -> String {
        match &self.shared.inner {
            Inner::Tokio(tokio) => tokio.describe().name,
            Inner::Other(backend) => backend.describe().name,
        }
    }

    /// The backend, if it is not tokio.
    pub(crate) fn backend(&self) -> Option<&Arc<dyn Backend>> {
        match &self.shared.inner {
            Inner::Tokio(_) => None,
            Inner::Other(backend) => Some(backend),
        }
    }

    /// The callbacks, where the backend runs them itself.
    pub(crate) fn backends_callbacks(&self) -> Option<&dyn Callbacks> {
        self.backend()?.callbacks()
    }

    pub(crate) fn schedule_call(
        &self,
        deadline: Option<Instant>,
        callback: Callback,
        site: &'static Location<'static>,
    ) -> Result<CallHandle, Closed> {
        if self.is_closed() {
            return Err(Closed);
        }
        let call = Call::new(deadline, callback, site);
        if let Some(callbacks) = self.backends_callbacks() {
            let timer = callbacks.schedule(ScheduledCall::new(self, &call))?;
            return Ok(CallHandle::new(self, call, timer.map(Waiting::Backend)));
        }
        let hosted = self.is_hosted();
        let (waiting, driver, adopt) = {
            let mut queue = self.callbacks();
            // Who closes the loop has said so before it clears the queue.
            if self.closed_flag() {
                return Err(Closed);
            }
            let waiting = queue.push(call.clone());
            let adopt = hosted && queue.adopt_driver();
            (waiting, queue.driver_waker(), adopt)
        };
        if let Some(driver) = driver {
            driver.wake();
        }
        // A loop inside a world is run by the world, not by a `run_*` call: its callbacks get a
        // driver of their own the first time there are any.
        if let (true, Inner::Other(backend)) = (adopt, &self.shared.inner) {
            backend.adopt_driver(Driver::new(self.unowned()));
        }
        Ok(CallHandle::new(self, call, waiting))
    }

    /// Where the exception handler is, for who may have to tell it something after the close.
    pub(crate) fn handler_slot(&self) -> Option<HandlerSlot> {
        self.exception_handler().clone()
    }

    fn exception_handler(&self) -> MutexGuard<'_, Option<HandlerSlot>> {
        self.shared
            .exception_handler
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn callbacks(&self) -> MutexGuard<'_, CallbackQueue> {
        self.shared
            .callbacks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    #[inline]
    pub(crate) fn closed_flag(&self) -> bool {
        self.shared.closed.load(Ordering::Acquire)
    }

    /// Whether both handles are of one loop.
    #[must_use]
    pub fn same_loop(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl Clone for EventLoop {
    fn clone(&self) -> Self {
        if self.owns {
            // As with a reference count: who clones holds one already.
            self.shared.owners.fetch_add(1, Ordering::Relaxed);
        }
        Self {
            shared: self.shared.clone(),
            owns: self.owns,
        }
    }
}

impl Drop for EventLoop {
    fn drop(&mut self) {
        if self.owns && self.shared.owners.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.close_unless_running();
        }
    }
}

impl fmt::Debug for EventLoop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EventLoop({})", self.describe())
    }
}
