//! What can go wrong with a loop itself. Every text begins with asyncio's sentence.

use std::fmt;
use std::panic::Location;

use crate::shutdown::ShutdownError;

/// The loop is closed: nothing can be scheduled on it any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Event loop is closed")
    }
}

impl std::error::Error for Closed {}

/// There is no loop on this thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoCurrentLoop {
    /// The name of the thread that asked.
    pub thread: String,
}

impl NoCurrentLoop {
    pub(crate) fn here() -> Self {
        let thread = std::thread::current();
        Self {
            thread: thread.name().unwrap_or("<unnamed>").to_owned(),
        }
    }
}

impl fmt::Display for NoCurrentLoop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "There is no current event loop in thread '{}'; in a test take the loop as the test's \
             argument, elsewhere call from within a task or callback, or use the loop's own methods",
            self.thread
        )
    }
}

impl std::error::Error for NoCurrentLoop {}

/// Why a loop did not run, stop or close as asked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoopError {
    /// A `run_*` call on a loop that is already inside one.
    AlreadyRunning {
        /// Where the run that is under way was started.
        outer: &'static Location<'static>,
        /// Where the second one was asked for.
        here: &'static Location<'static>,
    },
    /// A `run_*` call on a thread that is inside another loop.
    AnotherLoopRunning {
        /// Where the other loop's run was started; `None` if it is a runtime of tokio's that the
        /// application made itself.
        outer: Option<&'static Location<'static>>,
        /// Where the second one was asked for.
        here: &'static Location<'static>,
    },
    /// The loop is closed.
    Closed,
    /// An ambient function on a thread that has no current loop.
    NoCurrentLoop(NoCurrentLoop),
    /// Something that has to do with local tasks, on another thread than theirs.
    NotOnLoopThread {
        /// What was asked: `spawn_local`, `run` or `close`.
        asked: &'static str,
        /// The name of the thread that runs the loop, or has its local tasks.
        thread: String,
        /// The name of the thread that asked.
        here: String,
    },
    /// [`stop`](crate::EventLoop::stop) came before the future was ready.
    StoppedEarly,
    /// [`close`](crate::EventLoop::close) on a loop that is running.
    CloseWhileRunning {
        /// Where the run that is under way was started.
        outer: &'static Location<'static>,
    },
    /// [`Runner::run`](crate::Runner::run) inside a running loop.
    RunnerInsideLoop {
        /// Where the outer run was started.
        outer: &'static Location<'static>,
        /// Where the runner was asked to run.
        here: &'static Location<'static>,
    },
    /// [`Runner::run`](crate::Runner::run) after the runner was closed.
    RunnerClosed,
    /// [`Runner::run`](crate::Runner::run) was interrupted by INT, such as Ctrl-C: main was asked to
    /// finish, and has.
    Interrupted,
    /// A runner's policy of shutdown cannot be followed.
    Shutdown(ShutdownError),
    /// A setting came after the first run.
    SetTooLate {
        /// Its name.
        setting: &'static str,
        /// Where the first run was started.
        started: &'static Location<'static>,
    },
    /// A setting with a value that this loop cannot have.
    BadSetting {
        /// Its name.
        setting: &'static str,
        /// What was given.
        given: usize,
        /// What is allowed.
        allowed: &'static str,
    },
    /// The runtime below could not be built; the operating system's words.
    Unavailable(String),
    /// Simulation only: the world ended with a verdict, whose text this is.
    WorldEnded(String),
}

const WAYS_OUT: &str = "await the future instead, or run it on a thread with a loop of its own, or \
                        move the blocking call to a blocking job";

impl fmt::Display for LoopError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadyRunning { outer, here } => write!(
                f,
                "This event loop is already running (run at {outer}, run again at {here}): {WAYS_OUT}"
            ),
            Self::AnotherLoopRunning { outer, here } => {
                f.write_str("Cannot run the event loop while another loop is running (the other ")?;
                match outer {
                    Some(outer) => write!(f, "runs at {outer}")?,
                    None => f.write_str("is a runtime of tokio's own")?,
                }
                write!(f, ", this one was to run at {here}): {WAYS_OUT}")
            }
            Self::Closed => Closed.fmt(f),
            Self::NoCurrentLoop(none) => none.fmt(f),
            Self::NotOnLoopThread {
                asked,
                thread,
                here,
            } => {
                let next = match *asked {
                    "spawn_local" => {
                        "call it there, from a callback or a local task, or make the future Send \
                         and use spawn"
                    }
                    _ => "do it there, or let the local tasks end first",
                };
                write!(
                    f,
                    "Non-thread-safe operation invoked on an event loop other than the current one: \
                     {asked} on thread '{here}', but the local tasks of this loop live on thread \
                     '{thread}': {next}"
                )
            }
            Self::StoppedEarly => f.write_str("Event loop stopped before Future completed."),
            Self::CloseWhileRunning { outer } => {
                write!(
                    f,
                    "Cannot close a running event loop (run at {outer}): stop it first"
                )
            }
            Self::RunnerInsideLoop { outer, here } => write!(
                f,
                "Runner.run() cannot be called from a running event loop (run at {outer}, called \
                 at {here}): {WAYS_OUT}"
            ),
            Self::RunnerClosed => f.write_str("Runner is closed"),
            Self::Shutdown(error) => error.fmt(f),
            Self::Interrupted => f.write_str(
                "KeyboardInterrupt: SIGINT came, and main was asked to finish and has ended",
            ),
            Self::SetTooLate { setting, started } => write!(
                f,
                "Cannot set {setting} after the event loop has run (first at {started}): set it \
                 before the first run, or where the loop is made"
            ),
            Self::BadSetting {
                setting,
                given,
                allowed,
            } => write!(f, "{setting} = {given} cannot be: allowed is {allowed}"),
            Self::Unavailable(why) => write!(f, "The event loop could not be built: {why}"),
            Self::WorldEnded(verdict) => write!(f, "The simulated world ended: {verdict}"),
        }
    }
}

impl std::error::Error for LoopError {}

impl From<Closed> for LoopError {
    fn from(_: Closed) -> Self {
        Self::Closed
    }
}

impl From<ShutdownError> for LoopError {
    fn from(error: ShutdownError) -> Self {
        match error {
            ShutdownError::Closed => Self::Closed,
            other => Self::Shutdown(other),
        }
    }
}

impl From<NoCurrentLoop> for LoopError {
    fn from(none: NoCurrentLoop) -> Self {
        Self::NoCurrentLoop(none)
    }
}
