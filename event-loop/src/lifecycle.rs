//! Running, stopping and closing a loop, and refusing to do it twice.

use std::future::Future;
use std::panic::{Location, resume_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError};
use std::task::{Context, Poll};

use crate::callback::Driver;
use crate::config::Settings;
use crate::context::{self, RunMark};
use crate::handle::Inner;
use crate::{ErrorContext, EventLoop, LoopError, TaskHandle, production};

/// Where a loop is between its making and its end.
pub(crate) struct Life {
    settings: Settings,
    /// Where the first run was asked for.
    started: Option<&'static Location<'static>>,
    running: Option<&'static Location<'static>>,
    hosted: bool,
    stop_requested: bool,
}

impl Life {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings,
            started: None,
            running: None,
            hosted: false,
            stop_requested: false,
        }
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The settings, to be changed while no run has begun.
    pub(crate) fn settings_mut(
        &mut self,
        setting: &'static str,
    ) -> Result<&mut Settings, LoopError> {
        match self.started {
            Some(started) => Err(LoopError::SetTooLate { setting, started }),
            None => Ok(&mut self.settings),
        }
    }

    fn begin(&mut self, site: &'static Location<'static>) {
        self.started.get_or_insert(site);
        self.running = Some(site);
    }
}

impl EventLoop {
    /// Runs the loop until `future` is ready, and returns its value. The future runs as an
    /// ordinary task; a panic in it goes on in the caller.
    ///
    /// # Errors
    /// [`LoopError::AlreadyRunning`], [`LoopError::AnotherLoopRunning`], [`LoopError::Closed`],
    /// [`LoopError::StoppedEarly`], and in simulation [`LoopError::WorldEnded`].
    ///
    /// # Panics
    /// If `future` panics.
    #[track_caller]
    pub fn run_until_complete<F>(&self, future: F) -> Result<F::Output, LoopError>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.run_main(future, |_| ())
    }

    /// Runs the loop until `future` is ready; `begun` is told of the task that it is.
    #[track_caller]
    pub(crate) fn run_main<F>(
        &self,
        future: F,
        begun: impl FnOnce(&TaskHandle<F::Output>),
    ) -> Result<F::Output, LoopError>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let run = self.begin_run(Location::caller())?;
        let mut main = self.spawn_named("main", future);
        begun(&main);
        match run.until(&mut main)? {
            Ok(value) => Ok(value),
            Err(error) => match error.try_into_panic() {
                Ok(payload) => resume_unwind(payload),
                Err(_) => Err(LoopError::Closed),
            },
        }
    }

    /// Runs the loop until `future`, which may borrow, is ready, and returns its value. The future
    /// is polled as the loop's root, beside the tasks.
    ///
    /// # Errors
    /// As [`run_until_complete`](Self::run_until_complete).
    ///
    /// # Panics
    /// If `future` panics.
    #[track_caller]
    pub fn run_borrowed<F: Future>(&self, future: F) -> Result<F::Output, LoopError> {
        let run = self.begin_run(Location::caller())?;
        run.until(pin!(future))
    }

    /// Runs the loop until [`stop`](Self::stop).
    ///
    /// # Errors
    /// As [`run_until_complete`](Self::run_until_complete), but for `StoppedEarly`.
    #[track_caller]
    pub fn run_forever(&self) -> Result<(), LoopError> {
        let run = self.begin_run(Location::caller())?;
        match run.until(std::future::pending::<()>()) {
            Err(LoopError::StoppedEarly) => Ok(()),
            Err(other) => Err(other),
            Ok(()) => Ok(()),
        }
    }

    /// Ends the run under way after the current batch of callbacks; what a callback of that batch
    /// schedules waits for the next run. Before a run, the next one does exactly one iteration.
    pub fn stop(&self) {
        if let Some(callbacks) = self.backends_callbacks() {
            return callbacks.stop();
        }
        self.life().stop_requested = true;
        let waker = self.callbacks().driver_waker();
        if let Some(driver) = waker {
            driver.wake();
        }
    }

    /// Closes the loop: pending tasks and callbacks are dropped, nothing can be scheduled any
    /// more. A second time does nothing.
    ///
    /// What is pending is dropped on this thread: callbacks in the order they would have run, then
    /// tasks in creation order, on a loop of tokio's the local ones first. The tasks of a
    /// multi-thread loop are dropped by its workers, beside one another, and this waits for them.
    /// Inside another loop or a runtime of tokio's nobody may wait: there a helper thread does, and
    /// a current-thread loop drops its tasks in any order. In any case nothing of
    /// a task runs from here on but its destructors.
    ///
    /// # Errors
    /// [`LoopError::CloseWhileRunning`], and [`LoopError::NotOnLoopThread`] while local tasks live
    /// on another thread.
    pub fn close(&self) -> Result<(), LoopError> {
        let first = {
            let life = self.life();
            if let Some(outer) = life.running {
                return Err(LoopError::CloseWhileRunning { outer });
            }
            self.shared.home.may_close()?;
            // With the life held, so that no run begins in between.
            self.mark_closed()
        };
        if first {
            self.drop_everything();
        }
        Ok(())
    }

    /// The last owner is gone. While somebody else runs the loop, the end of the run sees to it.
    pub(crate) fn close_unless_running(&self) {
        let first = {
            let life = self.life();
            life.running.is_none() && self.mark_closed()
        };
        if first {
            self.drop_everything();
        }
    }

    /// Closes the loop whether or not it runs: the end of a world.
    #[doc(hidden)]
    pub fn close_now(&self) {
        if self.mark_closed() {
            self.drop_everything();
        }
    }

    /// Nothing is taken in from here on. True the first time: the caller drops what there is.
    fn mark_closed(&self) -> bool {
        !self.shared.closed.swap(true, Ordering::AcqRel)
    }

    fn drop_everything(&self) {
        // What destructors ask of the loop is refused, which takes a loop to ask.
        let _entered = self.enter();
        self.close_pool();
        let scheduled = self.callbacks().clear();
        scheduled.drop_calls(self);
        if let Some(callbacks) = self.backends_callbacks() {
            for call in callbacks.take_calls() {
                call.drop_callback(self);
            }
        }
        self.shared.shutdown.close();
        let at_home = self.shared.home.may_close();
        match &self.shared.inner {
            Inner::Tokio(tokio) => {
                tokio.close_locals(at_home.is_ok());
                tokio.close();
            }
            Inner::Other(backend) if at_home.is_ok() => backend.close(),
            Inner::Other(_) => {}
        }
        if let Err(away) = at_home {
            let message = "Local tasks were left undropped by the last owner of their loop";
            let context = ErrorContext::new(self, message, away.to_string());
            self.call_exception_handler(&context);
        }
        self.close_signal_handlers();
        // Last, for the destructors of all that may have had to tell it something. It may hold
        // this very loop, which would keep both for ever.
        self.drop_exception_handler();
        // Nothing runs a hosted loop any more: `close` has nothing left to refuse.
        let mut life = self.life();
        if life.hosted {
            life.running = None;
        }
    }

    /// Whether a `run_*` call is under way, on whichever thread.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.life().running.is_some()
    }

    /// Whether no task can be started any more: the loop is closed, or about to be after its
    /// shutdown.
    #[inline]
    pub(crate) fn takes_no_tasks(&self) -> bool {
        self.closed_flag() || self.shared.shutdown.is_over()
    }

    /// Whether the loop was closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed_flag() || self.backend().is_some_and(|backend| backend.is_closed())
    }

    /// Whether this thread is inside a run of the loop, or polls a task of it.
    pub(crate) fn runs_here(&self) -> bool {
        match &self.shared.inner {
            Inner::Tokio(_) => context::in_tokio_task_of(self) || self.shared.home.runs_here(),
            // Whoever is in a world is on its one thread.
            Inner::Other(_) => self.is_running(),
        }
    }

    /// A world runs this loop from here on, without a `run_*` call.
    #[doc(hidden)]
    pub fn mark_hosted(&self, site: &'static Location<'static>) {
        let mut life = self.life();
        life.begin(site);
        life.hosted = true;
    }

    /// Where the run was asked for that is under way, or the host whose loop it is.
    #[doc(hidden)]
    #[must_use]
    pub fn run_site(&self) -> Option<&'static Location<'static>> {
        self.life().running
    }

    pub(crate) fn is_hosted(&self) -> bool {
        self.life().hosted
    }

    pub(crate) fn take_stop(&self) -> bool {
        std::mem::take(&mut self.life().stop_requested)
    }

    pub(crate) fn run_mark(&self) -> Option<RunMark> {
        self.life().running.map(|site| RunMark { site })
    }

    pub(crate) fn life(&self) -> MutexGuard<'_, Life> {
        self.shared
            .life
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn begin_run(&self, here: &'static Location<'static>) -> Result<Run<'_>, LoopError> {
        if self.is_closed() {
            return Err(LoopError::Closed);
        }
        // Asked before the lock, for it may be the life of this very loop that it looks into, and
        // tokio's refusal calls the hook of panics, which is any code.
        let inside = context::run_mark();
        let in_own_task = context::in_tokio_task_of(self);
        let inside_another = matches!(self.shared.inner, Inner::Tokio(_))
            && inside.is_none()
            && !self.is_running()
            && production::inside_another_runtime();
        let mut life = self.life();
        if let Some(outer) = life.running {
            return Err(LoopError::AlreadyRunning { outer, here });
        }
        if let Some(RunMark { site: outer }) = inside {
            return Err(if in_own_task {
                LoopError::AlreadyRunning { outer, here }
            } else {
                let outer = Some(outer);
                LoopError::AnotherLoopRunning { outer, here }
            });
        }
        if inside_another {
            return Err(LoopError::AnotherLoopRunning { outer: None, here });
        }
        // It may have been closed meanwhile.
        if self.closed_flag() {
            return Err(LoopError::Closed);
        }
        self.shared.home.begin_run()?;
        life.begin(here);
        drop(life);
        let previous = context::set_run_mark(Some(RunMark { site: here }));
        Ok(Run { ev: self, previous })
    }
}

/// A `run_*` call under way; ends it when dropped.
struct Run<'a> {
    ev: &'a EventLoop,
    previous: Option<RunMark>,
}

impl Run<'_> {
    fn until<F: Future>(self, root: F) -> Result<F::Output, LoopError> {
        let _entered = self.ev.enter();
        let mut value = None;
        {
            let mut root = pin!(root);
            // A backend that runs the callbacks itself also sees to the end of the run.
            let driven_here = self.ev.backends_callbacks().is_none();
            let mut driver = driven_here.then(|| Driver::new(self.ev.unowned()));
            let value = &mut value;
            let locals = match &self.ev.shared.inner {
                Inner::Tokio(tokio) => Some(tokio.locals()),
                Inner::Other(_) => None,
            };
            let (mut stopped, mut owed) = (false, false);
            // Callbacks first, then local tasks, then the root: what a callback completes is seen
            // in its own iteration, and a `stop` in that iteration does not hide it.
            let driven = std::future::poll_fn(move |cx: &mut Context<'_>| {
                if std::mem::take(&mut owed) {
                    // Whoever woke the others has woken only this poll.
                    cx.waker().wake_by_ref();
                } else {
                    let driver = driver.as_mut();
                    stopped |= driver.is_some_and(|driver| Pin::new(driver).poll(cx).is_ready());
                    // With tokio's budget spent the root would find nothing ready: it gets a poll
                    // of its own.
                    owed = locals.is_some_and(|locals| locals.run_batch(cx));
                    if owed {
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                }
                if let Poll::Ready(output) = root.as_mut().poll(cx) {
                    *value = Some(output);
                    return Poll::Ready(());
                }
                if stopped {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            });
            match &self.ev.shared.inner {
                Inner::Tokio(tokio) => tokio.block_on(driven),
                Inner::Other(backend) => {
                    backend.run(pin!(driven)).map_err(LoopError::WorldEnded)?;
                }
            }
        }
        value.ok_or(LoopError::StoppedEarly)
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        context::set_run_mark(self.previous);
        let driver = self.ev.callbacks().detach_driver();
        drop(driver);
        if let Inner::Tokio(tokio) = &self.ev.shared.inner {
            tokio.locals().detach_driver();
        }
        self.ev.shared.home.end_run();
        // Last: whoever sees that the loop does not run may run or close it.
        self.ev.life().running = None;
        if !self.ev.has_owner() || self.ev.shared.shutdown.is_over() {
            self.ev.close_unless_running();
        }
    }
}
