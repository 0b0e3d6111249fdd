//! Graceful shutdown: a loop stops to accept, runs its hooks, asks its tasks to finish, aborts what
//! has not, and tells what became of everything.
//!
//! It is written once, on the loop's own interface, and is the same in production and in a world.
//!
//! ```
//! use std::time::Duration;
//! use event_loop::shutdown::ShutdownPolicy;
//! use event_loop::{production, LoopConfig};
//!
//! let ev = production::current_thread(LoopConfig::default()).unwrap();
//! let here = ev.unowned();
//! let report = ev.run_until_complete(async move {
//!     let worker = event_loop::spawn_named("worker", async {
//!         event_loop::cancelled().await;
//!         // What it holds is put away here; this may await.
//!     });
//!     event_loop::yield_now().await;
//!     let report = here.shutdown(ShutdownPolicy::new().grace(Duration::from_secs(3))).await;
//!     worker.await.unwrap();
//!     report
//! }).unwrap().unwrap();
//! assert!(report.is_clean(), "{report}");
//! ```
//!
//! # What it cannot do
//! A shutdown is itself a task of the loop. Work that blocks the thread which polls it keeps it,
//! and everybody else, from running: the stages of a current-thread loop are not bounded then. On a
//! multi-thread loop they are, while one of its workers is free, and the task that does not return
//! is in the report as [`Running`](TaskEnd::Running). Move what blocks to the executor.

mod course;
mod display;
mod hooks;
mod listeners;
mod policy;
mod progress;
mod report;
mod signals;

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

pub use hooks::{HookResult, ShutdownHook};
pub use listeners::ShuttingDown;
pub use policy::{CancelOrder, PolicyError, SecondSignal, ShutdownPolicy};
pub use report::{HookEnd, HookReport, ShutdownReport, Stage, StageReport, TaskEnd, TaskReport};

pub(crate) use listeners::Accepting;
pub(crate) use progress::Progress;

use crate::backend::current_task;
use crate::waiters::Place;
use crate::{EventLoop, SignalError, context};
use course::Course;

impl EventLoop {
    /// Shuts the loop down: begins at once, and goes on whether or not anybody awaits it.
    ///
    /// The stages are, in this order:
    ///
    /// 1. *stop accepting*: every listener of the loop is closed. New connects are refused, those
    ///    that nobody has accepted are reset, and who waits in `accept` gets [`ShuttingDown`].
    ///    Connections that were accepted go on.
    /// 2. *hooks*: those of [`on_shutdown`](Self::on_shutdown), the last registered first.
    /// 3. *cancel*: every task is asked to finish, as
    ///    [`request_cancel`](crate::TaskHandle::request_cancel) does.
    /// 4. *grace*: they may, until the time is over or none is left. Tasks that are spawned from
    ///    here on are not asked, and share what is left of the grace.
    /// 5. *abort*: those that are left are dropped where they stand.
    /// 6. *executor*: jobs may end, as with [`shutdown_executor`](Self::shutdown_executor).
    ///
    /// Then the report is made, nothing can be spawned any more, and the loop closes with the end
    /// of the run under way.
    ///
    /// A task that awaits the report itself is neither asked nor aborted; who awaits such a task
    /// is. Where the loop is shut down already, the report is that of the first time, and this
    /// policy is not looked at.
    ///
    /// # Errors
    /// [`ShutdownError::Policy`] and [`ShutdownError::Closed`], told to who awaits; the latter also
    /// if the loop is closed before the shutdown is over.
    pub fn shutdown(&self, policy: ShutdownPolicy) -> Shutdown {
        self.shutdown_because("shutdown()", policy)
    }

    /// Makes a shutdown under way short: hooks are dropped, nobody is given any more time, and
    /// what is left is aborted. True for the one call that did it.
    pub fn escalate(&self) -> bool {
        self.shared.shutdown.escalate(self.now())
    }

    /// The report of the shutdown that is under way, or over; `None` if nobody has asked for one.
    #[must_use]
    pub fn shutdown_under_way(&self) -> Option<Shutdown> {
        let claimed = self.shared.shutdown.is_claimed();
        claimed.then(|| Shutdown::of(self))
    }

    /// Whether somebody has read the report; the caller does now.
    pub(crate) fn shutdown_was_read(&self) -> bool {
        self.shared.shutdown.read()
    }

    /// What the shutdown came to, if it is over.
    pub(crate) fn shutdown_outcome(&self) -> Option<Result<ShutdownReport, ShutdownError>> {
        let outcome = self.shared.shutdown.outcome()?;
        Some(outcome.map(|report| (*report).clone()))
    }

    /// Begins a shutdown for which `cause` is to blame.
    pub(crate) fn shutdown_because(&self, cause: &str, policy: ShutdownPolicy) -> Shutdown {
        if let Err(error) = policy.check() {
            return Shutdown::refused(self, error.into());
        }
        if self.is_closed() {
            return Shutdown::refused(self, ShutdownError::Closed);
        }
        let awaits = Shutdown::of(self);
        if self.shared.shutdown.claim() {
            let course = Course::run(self.unowned(), policy, cause.to_owned());
            self.spawn_named("shutdown", course).detach();
        }
        awaits
    }
}

/// A shutdown that somebody waits for: the future of its report. Dropping it changes nothing.
#[must_use = "its report tells what was left undone; drop it to let the shutdown go on unwatched"]
pub struct Shutdown {
    ev: EventLoop,
    refused: Option<ShutdownError>,
    place: Option<Place>,
    /// The task of the loop that awaits it.
    awaited_by: Option<u64>,
}

impl Shutdown {
    fn of(ev: &EventLoop) -> Self {
        Self {
            ev: ev.unowned(),
            refused: None,
            place: None,
            awaited_by: None,
        }
    }

    fn refused(ev: &EventLoop, error: ShutdownError) -> Self {
        let mut refused = Self::of(ev);
        refused.refused = Some(error);
        refused
    }

    /// The task that polls it is not to be cut by what it waits for.
    fn await_in(&mut self, task: Option<u64>) {
        if task == self.awaited_by {
            return;
        }
        let progress = &self.ev.shared.shutdown;
        if let Some(before) = std::mem::replace(&mut self.awaited_by, task) {
            progress.note_awaiting(before, false);
        }
        if let Some(now) = task {
            progress.note_awaiting(now, true);
        }
    }
}

impl Future for Shutdown {
    type Output = Result<ShutdownReport, ShutdownError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(error) = &self.refused {
            return Poll::Ready(Err(error.clone()));
        }
        let current = current_serial(&self.ev);
        self.await_in(current);
        let waiters = self.ev.shared.shutdown.waiters().clone();
        let place = self.place.get_or_insert_with(|| Place::new(&waiters));
        // Before it is asked: the report may come in between.
        place.wait(cx.waker());
        match self.ev.shutdown_outcome() {
            Some(outcome) => {
                self.ev.shared.shutdown.read();
                Poll::Ready(outcome)
            }
            None => Poll::Pending,
        }
    }
}

impl Drop for Shutdown {
    fn drop(&mut self) {
        self.await_in(None);
    }
}

impl fmt::Debug for Shutdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shutdown(of {})", self.ev.describe().name)
    }
}

/// Why a loop is not shut down as asked, or a hook not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ShutdownError {
    /// The loop is closed, or was before its shutdown was over.
    Closed,
    /// The hooks have run: one that is registered now would not.
    TooLate,
    /// The policy cannot be followed.
    Policy(PolicyError),
    /// A signal of the policy's cannot be listened to.
    Signal(SignalError),
}

impl fmt::Display for ShutdownError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str(
                "Event loop is closed: no shutdown can be finished on it. Await the report before \
                 the loop's run ends",
            ),
            Self::TooLate => f.write_str(
                "The event loop is shutting down, and its hooks have run: a hook must be \
                 registered before that",
            ),
            Self::Policy(error) => error.fmt(f),
            Self::Signal(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ShutdownError {}

impl From<PolicyError> for ShutdownError {
    fn from(error: PolicyError) -> Self {
        Self::Policy(error)
    }
}

impl From<SignalError> for ShutdownError {
    fn from(error: SignalError) -> Self {
        Self::Signal(error)
    }
}

impl From<ShutdownError> for io::Error {
    fn from(error: ShutdownError) -> Self {
        match error {
            ShutdownError::Signal(error) => error.into(),
            ShutdownError::Policy(_) => Self::new(io::ErrorKind::InvalidInput, error),
            ShutdownError::Closed | ShutdownError::TooLate => Self::other(error),
        }
    }
}

/// The task of this loop that is being polled.
fn current_serial(ev: &EventLoop) -> Option<u64> {
    let of_tokio = context::with_tokio_task(|task| {
        let task = task.filter(|task| task.event_loop().same_loop(ev))?;
        Some(task.id().serial())
    });
    of_tokio.or_else(|| {
        let here = context::with_current(|current| current.is_some_and(|c| c.same_loop(ev)));
        let task = current_task().filter(|_| here && ev.backend().is_some())?;
        Some(task.id.serial())
    })
}
