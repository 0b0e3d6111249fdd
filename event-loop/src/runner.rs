//! A runner: the loop is made once, by a factory, and closed at the end.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::process::ExitCode;

use tokio::runtime::Handle;

use crate::context::{self, RunMark};
use crate::shutdown::{ShutdownError, ShutdownPolicy, ShutdownReport};
use crate::signal::{Interrupt, Signal};
use crate::{ErrorContext, EventLoop, LoopError, SignalError};

type Factory = Box<dyn FnOnce() -> Result<EventLoop, LoopError> + Send>;

/// Makes a loop on first use, runs main functions on it, and closes it when dropped.
///
/// A runner may be dropped anywhere: inside another loop or a runtime of tokio's the tasks end at
/// once, and a helper thread waits for the workers; inside its own run, the end of the run closes
/// the loop.
///
/// Follows `asyncio.Runner` with its `loop_factory`.
///
/// ```no_run
/// use std::process::ExitCode;
/// use event_loop::{production, EventLoop, LoopConfig, Runner};
///
/// async fn serve(_ev: EventLoop) -> std::io::Result<()> { Ok(()) }
///
/// fn main() -> ExitCode {
///     Runner::new(|| production::multi_thread(LoopConfig::default())).run_main(serve)
/// }
/// ```
pub struct Runner {
    state: State,
    interrupts: Option<bool>,
    policy: Option<ShutdownPolicy>,
    /// The policy's signals are listened to.
    listens: bool,
    report: Option<ShutdownReport>,
}

enum State {
    Unmade(Factory),
    Made(EventLoop),
    Closed,
}

impl Runner {
    /// A runner whose loop `factory` will make.
    pub fn new(factory: impl FnOnce() -> Result<EventLoop, LoopError> + Send + 'static) -> Self {
        Self {
            state: State::Unmade(Box::new(factory)),
            interrupts: None,
            policy: None,
            listens: false,
            report: None,
        }
    }

    /// Whether [`run`](Self::run) takes care of INT, such as Ctrl-C: the first one asks main to
    /// finish, as [`cancelled`](crate::cancelled) tells it, and makes [`LoopError::Interrupted`] of
    /// whatever it returns; a second one has the default disposition, which ends the process at
    /// once.
    ///
    /// Default: where nobody in the process listens to INT, as with asyncio on its main thread, and
    /// in a world. `true` makes it every thread, `false` none. Who begins to listen while main
    /// runs, such as [`ctrl_c`](crate::signal::ctrl_c), gets them in place of the runner.
    #[must_use]
    pub fn interrupts(mut self, handled: bool) -> Self {
        self.interrupts = Some(handled);
        self
    }

    /// How the loop is shut down when the runner is closed, or gets one of the policy's signals
    /// while it runs: INT is among them by default, and then is nothing else's. Without a policy
    /// the close drops what is pending.
    ///
    /// [`close`](Self::close) runs the loop until the shutdown is over, and so does the drop of the
    /// runner, unless it is dropped inside of an async context, where all ends at once. If a shutdown
    /// leaves something undone, and nobody has awaited its report, the exception handler is told.
    #[must_use]
    pub fn policy(mut self, policy: ShutdownPolicy) -> Self {
        self.policy = Some(policy);
        self
    }

    /// What the shutdown of the loop came to, once it is over.
    #[must_use]
    pub fn report(&self) -> Option<&ShutdownReport> {
        self.report.as_ref()
    }

    /// The loop, made now if need be.
    ///
    /// # Errors
    /// The factory's, or [`LoopError::RunnerClosed`].
    pub fn event_loop(&mut self) -> Result<EventLoop, LoopError> {
        if let State::Unmade(_) = self.state
            && let State::Unmade(factory) = std::mem::replace(&mut self.state, State::Closed)
        {
            self.state = State::Made(factory()?);
        }
        match &self.state {
            State::Made(ev) => Ok(ev.clone()),
            State::Unmade(_) | State::Closed => Err(LoopError::RunnerClosed),
        }
    }

    /// Runs `future` to its end; may be called many times.
    ///
    /// # Errors
    /// [`LoopError::RunnerInsideLoop`], [`LoopError::RunnerClosed`], [`LoopError::Interrupted`] as
    /// [`interrupts`](Self::interrupts) has it, [`LoopError::Shutdown`] if the policy cannot be
    /// followed, and those of [`EventLoop::run_until_complete`].
    ///
    /// # Panics
    /// If `future` panics.
    #[track_caller]
    pub fn run<F>(&mut self, future: F) -> Result<F::Output, LoopError>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        if let Some(RunMark { site: outer }) = context::run_mark() {
            return Err(LoopError::RunnerInsideLoop {
                outer,
                here: Location::caller(),
            });
        }
        let (ev, here) = (self.event_loop()?, Location::caller());
        self.listen(&ev)?;
        let interrupt = match self.interrupts {
            Some(false) => None,
            anywhere => Interrupt::listen(&ev, anywhere.is_some(), here),
        };
        let value = ev.run_main(future, |main| {
            if let Some(interrupt) = &interrupt {
                interrupt.of(main.abort_handle());
            }
        })?;
        if interrupt.is_some_and(|interrupt| interrupt.came()) {
            return Err(LoopError::Interrupted);
        }
        Ok(value)
    }

    /// Runs a program's `main` and closes the loop; an error goes to standard error and becomes
    /// exit code 1, or 130 if it was interrupted, as in a shell. With a [`policy`](Self::policy) a
    /// shutdown that was not clean becomes exit code 1 too, of which main's own error, if there is
    /// one, is told first.
    #[track_caller]
    pub fn run_main<M, F, E>(mut self, main: M) -> ExitCode
    where
        M: FnOnce(EventLoop) -> F,
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: fmt::Debug + Send + 'static,
    {
        let outcome = match self.event_loop() {
            Ok(ev) => self.run(main(ev.unowned())),
            Err(error) => Err(error),
        };
        let code = match outcome {
            Ok(Ok(())) => ExitCode::SUCCESS,
            Ok(Err(error)) => {
                eprintln!("Error: {error:?}");
                ExitCode::FAILURE
            }
            Err(error) => {
                eprintln!("Error: {error}");
                match error {
                    LoopError::Interrupted => ExitCode::from(128 + Signal::Int.as_raw() as u8),
                    _ => ExitCode::FAILURE,
                }
            }
        };
        if let Err(error) = self.close() {
            eprintln!("Error: {error}");
        }
        match &self.report {
            Some(report) if !report.is_clean() && code == ExitCode::SUCCESS => ExitCode::FAILURE,
            _ => code,
        }
    }

    /// Closes the loop: with a [`policy`](Self::policy), or a shutdown under way, once that is over,
    /// for which it runs the loop; what is pending then is dropped. A second time does nothing.
    ///
    /// # Errors
    /// Those of [`EventLoop::close`]. Where the loop cannot be run, inside another one's run, there
    /// is no shutdown: it is closed all the same.
    pub fn close(&mut self) -> Result<(), LoopError> {
        if let State::Made(ev) = &self.state {
            let ev = ev.clone();
            self.report = self.shut_down(&ev);
            ev.close()?;
        }
        self.state = State::Closed;
        Ok(())
    }
}

impl Runner {
    /// Begins to listen to the policy's signals, with the first run.
    fn listen(&mut self, ev: &EventLoop) -> Result<(), LoopError> {
        let Some(policy) = self.policy.as_ref().filter(|_| !self.listens) else {
            return Ok(());
        };
        match ev.shutdown_on_signal(policy.clone()) {
            // A system without signals asks its programs to end in other ways.
            Ok(_) | Err(ShutdownError::Signal(SignalError::Unsupported { .. })) => {
                self.listens = true;
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Runs the loop until its shutdown is over, if there is to be one.
    fn shut_down(&self, ev: &EventLoop) -> Option<ShutdownReport> {
        // Inside a run, or a runtime of tokio's, nobody may wait.
        let may_wait = context::run_mark().is_none() && Handle::try_current().is_err();
        let mut was_read = false;
        let report = match ev.shutdown_outcome() {
            Some(over) => {
                was_read = ev.shutdown_was_read();
                over.ok()
            }
            None if !may_wait || ev.is_closed() => None,
            None => {
                let begun = ev.shutdown_under_way();
                let policy = self.policy.clone();
                let begin = |policy| ev.shutdown_because("the runner's close", policy);
                let shutdown = begun.or_else(|| policy.map(begin))?;
                ev.run_until_complete(shutdown).ok()?.ok()
            }
        };
        if let Some(report) = report.as_ref().filter(|r| !was_read && !r.is_clean()) {
            let message = "The shutdown left something undone";
            ev.call_exception_handler(&ErrorContext::new(ev, message, report.to_string()));
        }
        report
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        // Inside the loop's own run it is refused: then the end of the run closes the loop, unless
        // somebody else owns it too.
        let _ = self.close();
    }
}

impl fmt::Debug for Runner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Unmade(_) => "not started",
            State::Made(_) => "open",
            State::Closed => "closed",
        };
        write!(f, "Runner({state})")
    }
}
