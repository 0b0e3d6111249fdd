//! A runner: the loop is made once, by a factory, and closed at the end.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::process::ExitCode;

use crate::context::{self, RunMark};
use crate::signal::{Interrupt, Signal};
use crate::{EventLoop, LoopError};

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
    /// [`interrupts`](Self::interrupts) has it, and those of [`EventLoop::run_until_complete`].
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
    /// exit code 1, or 130 if it was interrupted, as in a shell.
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
        match outcome {
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
        }
    }

    /// Closes the loop: pending tasks are dropped. A second time does nothing.
    ///
    /// # Errors
    /// Those of [`EventLoop::close`].
    pub fn close(&mut self) -> Result<(), LoopError> {
        if let State::Made(ev) = &self.state {
            ev.close()?;
        }
        self.state = State::Closed;
        Ok(())
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
