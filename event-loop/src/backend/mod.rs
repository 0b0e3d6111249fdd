//! What a loop other than tokio's must supply: the seam between the handle and a simulated world.
//!
//! Nothing here is for applications, and nothing here is under the crate's promise of stability.
#![doc(hidden)]

mod blocking;
mod dns;
mod signals;
mod sockets;
mod tcp;
mod udp;
mod unix;

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, SystemTime};

pub use crate::callback::{Driver, ScheduledCall};
use crate::context;
pub use crate::context::{
    EnterGuard, OutsideTasks, Polled, Probed, as_task, current_task, drop_task, probe_task,
    run_task,
};
pub use crate::coop::{Budget, outside_tokio_s_budget, with_budget};
use crate::handle::{Inner, Shared};
pub use crate::properties::{Site, expect_worlds};
use crate::shutdown::Progress;
pub use crate::sync::record::Record;
pub use crate::task::CancelPlace;
use crate::time::{Instant, refuse_sleep};
use crate::{
    Closed, Description, ErrorContext, EventLoop, LoopError, SlowCallback, TaskId, TaskInfo,
};
pub use blocking::{Blocking, JobId, Worker};
pub use dns::{Dns, Lookup};
pub use signals::{Listener, SignalHandler, SignalKey, Signals};
pub use sockets::{Slot, Sockets};
pub use tcp::{Tcp, TcpOption, TcpOptions};
pub use udp::{Group, Receiving, Udp, UdpBinding, UdpOption, UdpOptions};
pub use unix::{Unix, UnixKind};

/// A task of a backend that can run.
pub struct Runnable(pub(crate) async_task::Runnable<Head>);

/// What a task carries in its own allocation.
///
/// The backend is in here, and not in a closure that schedules the task, because a schedule
/// function without captures saves async-task two atomic operations a wake.
pub(crate) struct Head {
    pub(crate) meta: TaskMeta,
    pub(crate) ev: BackendLoop,
}

/// A loop that is not tokio's: one word in every task and timer, where its `Arc<dyn Backend>`
/// would be two.
#[derive(Clone)]
pub(crate) struct BackendLoop(Arc<Shared>);

/// Who a task is; the backend says so in [`Backend::admit`].
#[derive(Clone, Copy, Debug)]
pub struct TaskMeta {
    /// The stable identity in traces, and its place in the backend's table.
    pub id: TaskId,
    /// The call that spawned it.
    pub site: &'static Location<'static>,
    /// The host it belongs to.
    pub host: u32,
}

/// A pending timer of the backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerId(pub std::num::NonZeroU64);

/// A socket of the backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketKey(pub u64);

/// A loop that is not tokio's. One trait object serves it all: its parts are supertraits.
pub trait Backend:
    Blocking + Dns + Signals + Sockets + Tcp + Udp + Unix + Send + Sync + 'static
{
    /// What is in force.
    fn describe(&self) -> Description;
    /// Another loop beside this one, on the same clock and network, for a thread to run.
    ///
    /// # Errors
    /// [`LoopError::Closed`].
    fn sibling(&self) -> Result<EventLoop, LoopError>;
    /// Which world it is of: a number that only says whether two are the same.
    fn world(&self) -> usize;
    /// The loop's monotonic clock.
    fn now(&self) -> Instant;
    /// The loop's wall clock.
    fn wall_now(&self) -> SystemTime;

    /// Polls `root` and everything else until `root` is ready. An error ends the loop for good and
    /// says why.
    fn run(&self, root: Pin<&mut dyn Future<Output = ()>>) -> Result<(), String>;
    /// Polls `driver`, the callbacks of a loop that nobody runs by a `run_*` call, until the loop
    /// closes.
    fn adopt_driver(&self, driver: Driver);
    /// The callbacks, if the backend runs them itself; else a [`Driver`] runs them in batches.
    fn callbacks(&self) -> Option<&dyn Callbacks> {
        None
    }
    /// Drops every pending task, in creation order. Called once.
    fn close(&self);
    /// Whether [`Backend::close`] was called, or the host is gone.
    fn is_closed(&self) -> bool;

    /// Gives a task its identity, before it is built.
    fn admit(
        &self,
        name: Option<&str>,
        site: &'static Location<'static>,
    ) -> Result<TaskMeta, Closed>;
    /// Takes the new task, to be polled first when its turn comes. Gives it back, to be dropped,
    /// if the loop was closed.
    fn start(&self, runnable: Runnable) -> Option<Runnable>;
    /// A wake, but for that of a task by its own poll: see [`Polled::Woken`]. Gives the task back,
    /// to be dropped, if the loop was closed. Calls no code of the task's.
    fn schedule(&self, runnable: Runnable) -> Option<Runnable>;
    /// Drops the task's future at its next turn, without polling it.
    fn abort(&self, task: TaskId);
    /// Whether the task has ended, in whichever way.
    fn is_finished(&self, task: TaskId) -> bool;
    /// Asks the task to finish.
    fn request_cancel(&self, task: TaskId);
    /// Whether the task was asked to finish; if not, `waker` is woken once it is.
    fn poll_cancelled(&self, task: TaskId, place: &mut CancelPlace, waker: &Waker) -> bool;
    /// The live tasks, in creation order.
    fn tasks(&self) -> Vec<TaskInfo>;
    /// The name of a live task that has one.
    fn task_name(&self, task: TaskId) -> Option<String>;
    /// `waiter` is about to wait for the end of `task`, for the table of who waits on what.
    fn note_join(&self, task: TaskId);
    /// Whether the run is recorded: only then is it told who waits on what.
    fn records(&self) -> bool;
    /// The current task is about to wait for `wanted` of a primitive, such as a permit.
    fn note_wait(&self, wanted: &'static str, of: &Arc<Record>);
    /// Blocks the world for `span`: its time passes, and nobody runs meanwhile.
    fn block_for(&self, span: Duration);
    /// From how long on a poll is to be told to [`EventLoop::report_slow`]; `None` is never.
    fn watch_polls(&self, threshold: Option<Duration>);
    /// Something was slow.
    fn note_slow(&self, slow: &SlowCallback);
    /// What happens to an error that no exception handler took.
    fn unhandled(&self, context: &ErrorContext);

    /// The code passed a place that states something, which was met or not. True if signals wait
    /// for that.
    fn property_met(&self, site: &'static Site, met: bool) -> bool;
    /// What a place states does not hold, with the code's own words for it.
    fn property_broken(&self, site: &'static Site, detail: &str);
    /// Whether the code is to misbehave at this place, and whether signals wait for it to pass.
    fn buggify(&self, site: &'static Site) -> (bool, bool);
    /// Delivers the signals that waited for this place.
    fn raise_at(&self, site: &'static Site);

    /// Arms a timer.
    fn timer_start(&self, deadline: Instant, waker: &Waker) -> Result<TimerId, Closed>;
    /// Whether the timer has fired; if not, `waker` is the one to wake.
    fn timer_poll(&self, timer: TimerId, waker: &Waker) -> bool;
    /// Whether the timer has fired, for who does not wait for it.
    fn timer_fired(&self, timer: TimerId) -> bool;
    /// Disarms a timer; nothing if it fired.
    fn timer_cancel(&self, timer: TimerId);

    /// A value of `0..n` that the code under test leaves open, 0 being what production would most
    /// likely do. `label` names it in traces and replays.
    fn choose(&self, label: &'static str, n: u64) -> u64;
}

/// The callbacks of a backend that runs them among its tasks, in an order of its own.
pub trait Callbacks {
    /// Takes a callback, to be run when its turn comes. One that waits for its deadline gets the
    /// timer to cancel it by.
    fn schedule(&self, call: ScheduledCall) -> Result<Option<TimerId>, Closed>;
    /// Ends the run under way, or else the next one, when the loop it stands for would.
    fn stop(&self);
    /// How many callbacks are ready and how many wait for their time, and the next of these times.
    fn scheduled(&self) -> (usize, usize, Option<Instant>);
    /// Takes everything out, in the order it would have run, for the end of the loop.
    fn take_calls(&self) -> Vec<ScheduledCall>;
}

impl Runnable {
    /// Who the task is.
    #[inline]
    #[must_use]
    pub fn meta(&self) -> &TaskMeta {
        &self.0.metadata().meta
    }

    /// A waker of the task.
    #[must_use]
    pub fn waker(&self) -> Waker {
        self.0.waker()
    }
}

impl fmt::Debug for Runnable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Runnable({})", self.meta().id)
    }
}

impl BackendLoop {
    /// The loop, known not to be tokio's.
    #[inline]
    pub(crate) fn of_other(ev: &EventLoop) -> Self {
        debug_assert!(ev.backend().is_some(), "a loop of tokio's has no backend");
        Self(ev.shared.clone())
    }

    #[inline]
    pub(crate) fn backend(&self) -> &dyn Backend {
        match &self.0.inner {
            Inner::Other(backend) => &**backend,
            Inner::Tokio(_) => unreachable!("`of_other` was told so"),
        }
    }

    pub(crate) fn unowned(&self) -> EventLoop {
        EventLoop::unowned_of(self.0.clone())
    }

    pub(crate) fn shutdown(&self) -> &Progress {
        &self.0.shutdown
    }

    /// A timer of this loop is of use only where its clock goes.
    ///
    /// # Panics
    /// If the current loop is of production or of another world.
    #[inline]
    pub(crate) fn expect_here(&self) {
        let elsewhere = context::with_current(|ev| {
            let ev = ev.filter(|ev| !self.is(ev))?;
            let same = ev
                .backend()
                .is_some_and(|b| b.world() == self.backend().world());
            (!same).then(|| ev.unowned())
        });
        if let Some(here) = elsewhere {
            refuse_sleep(&self.unowned(), &here);
        }
    }

    #[inline]
    pub(crate) fn is(&self, ev: &EventLoop) -> bool {
        Arc::ptr_eq(&self.0, &ev.shared)
    }
}
