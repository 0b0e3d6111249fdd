//! Local tasks: those that never leave the thread they were started on.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::thread::{self, Thread};

use async_task::WithInfo;
use pin_project_lite::pin_project;

use super::handle::Repr;
use super::outcome::Plain;
use super::spawn::{admit, expect_current};
use super::{Caught, TaskHandle};
use crate::backend::Runnable;
use crate::handle::Inner;
use crate::{EventLoop, LoopError, context};

/// Starts a task on the current loop that need not be [`Send`]: it is polled and dropped on this
/// thread, beside the loop's callbacks.
///
/// All local tasks of a loop live on one thread. While the loop runs, that is the thread inside the
/// `run_*` call: local tasks can be started there by callbacks, by the future it runs, by other
/// local tasks, and on a current-thread loop and in a world by every task. While it does not run,
/// any thread can start the first one; as long as one is alive, only its thread can start others,
/// and run or close the loop. They live on between two runs.
///
/// ```
/// use std::rc::Rc;
/// # use event_loop::{production, LoopConfig};
/// # let ev = production::multi_thread(LoopConfig::default()).unwrap();
/// # ev.run_borrowed(async {
/// let shared = Rc::new(7);
/// let held = shared.clone();
/// let task = event_loop::spawn_local(async move {
///     event_loop::yield_now().await;
///     held
/// });
/// assert!(Rc::ptr_eq(&task.await.unwrap(), &shared));
/// # }).unwrap();
/// ```
///
/// # Panics
/// If this thread has no current loop, or is not that of its local tasks; [`try_spawn_local`]
/// returns an error instead.
#[track_caller]
pub fn spawn_local<F>(future: F) -> TaskHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    expect_current(spawn_local_here(Location::caller(), future))
}

/// [`spawn_local`] without its panic.
///
/// # Errors
/// [`LoopError::NoCurrentLoop`], [`LoopError::Closed`] and [`LoopError::NotOnLoopThread`].
#[track_caller]
pub fn try_spawn_local<F>(future: F) -> Result<TaskHandle<F::Output>, LoopError>
where
    F: Future + 'static,
    F::Output: 'static,
{
    spawn_local_here(Location::caller(), future)
}

impl EventLoop {
    /// Starts a task that need not be [`Send`]; see [`spawn_local`](crate::spawn_local) for where
    /// it can be. On a closed loop the task never runs, its handle reports
    /// [`TaskError::is_closed`](crate::TaskError::is_closed).
    ///
    /// # Panics
    /// On another thread than that of the loop's local tasks.
    #[track_caller]
    pub fn spawn_local<F>(&self, future: F) -> TaskHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        expect_current(spawn_local_on(self, Location::caller(), future))
    }

    /// Starts a task that need not be [`Send`], or says why not here.
    ///
    /// # Errors
    /// [`LoopError::Closed`] and [`LoopError::NotOnLoopThread`].
    #[track_caller]
    pub fn try_spawn_local<F>(&self, future: F) -> Result<TaskHandle<F::Output>, LoopError>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        spawn_local_on(self, Location::caller(), future)
    }
}

fn spawn_local_here<F>(
    site: &'static Location<'static>,
    future: F,
) -> Result<TaskHandle<F::Output>, LoopError>
where
    F: Future + 'static,
    F::Output: 'static,
{
    spawn_local_on(&context::try_current()?.unowned(), site, future)
}

fn spawn_local_on<F>(
    ev: &EventLoop,
    site: &'static Location<'static>,
    future: F,
) -> Result<TaskHandle<F::Output>, LoopError>
where
    F: Future + 'static,
    F::Output: 'static,
{
    // A world takes note here of a thread that is none of its own.
    if ev.is_closed() || ev.takes_no_tasks() {
        return Err(LoopError::Closed);
    }
    let lodger = Lodger::enter(ev)?;
    let repr = match &ev.shared.inner {
        Inner::Tokio(tokio) => {
            let future = Caught::<_, Plain>::new(Lodged { future, lodger });
            Repr::Local(tokio.spawn_local(ev, site, future))
        }
        Inner::Other(backend) => {
            let head = admit(ev, backend, None, site)?;
            let (id, ev) = (head.meta.id, head.ev.clone());
            let (runnable, task) = async_task::Builder::new().metadata(head).spawn_local(
                |_| Caught::<_, Plain>::new(Lodged { future, lodger }),
                WithInfo(context::schedule_task),
            );
            drop(ev.backend().start(Runnable(runnable)));
            let task = task.fallible();
            Repr::World { task, id, ev }
        }
    };
    Ok(TaskHandle::new(repr))
}

/// Where the local tasks of a loop live: on the thread that runs it, and on that of those there
/// are.
#[derive(Default)]
pub(crate) struct Home {
    state: Mutex<HomeState>,
}

#[derive(Default)]
struct HomeState {
    thread: Option<Thread>,
    running: bool,
    lodgers: usize,
}

impl Home {
    /// This thread is about to run the loop.
    pub(crate) fn begin_run(&self) -> Result<(), LoopError> {
        let mut state = self.state();
        state.settle("run")?;
        state.running = true;
        Ok(())
    }

    pub(crate) fn end_run(&self) {
        let mut state = self.state();
        state.running = false;
        state.move_out();
    }

    /// Whether this thread is inside a run of the loop.
    pub(crate) fn runs_here(&self) -> bool {
        let state = self.state();
        state.running && state.check("run").is_ok()
    }

    /// Whether this thread may drop the local tasks there are.
    pub(crate) fn may_close(&self) -> Result<(), LoopError> {
        self.state().check("close")
    }

    fn state(&self) -> MutexGuard<'_, HomeState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HomeState {
    fn check(&self, asked: &'static str) -> Result<(), LoopError> {
        let Some(home) = &self.thread else {
            return Ok(());
        };
        let here = thread::current();
        if home.id() == here.id() {
            return Ok(());
        }
        let name = |thread: &Thread| thread.name().unwrap_or("<unnamed>").to_owned();
        Err(LoopError::NotOnLoopThread {
            asked,
            thread: name(home),
            here: name(&here),
        })
    }

    fn settle(&mut self, asked: &'static str) -> Result<(), LoopError> {
        self.check(asked)?;
        self.thread.get_or_insert_with(thread::current);
        Ok(())
    }

    fn move_out(&mut self) {
        if !self.running && self.lodgers == 0 {
            self.thread = None;
        }
    }
}

/// One local task's claim to its thread, given back when dropped.
struct Lodger {
    ev: EventLoop,
}

impl Lodger {
    fn enter(ev: &EventLoop) -> Result<Self, LoopError> {
        let mut state = ev.shared.home.state();
        // Who closes the loop has said so before it asks who is at home.
        if ev.closed_flag() {
            return Err(LoopError::Closed);
        }
        state.settle("spawn_local")?;
        state.lodgers += 1;
        drop(state);
        Ok(Self { ev: ev.unowned() })
    }
}

impl Drop for Lodger {
    fn drop(&mut self) {
        let mut state = self.ev.shared.home.state();
        state.lodgers -= 1;
        state.move_out();
    }
}

pin_project! {
    /// A future whose claim to its thread ends with it.
    struct Lodged<F> {
        #[pin]
        future: F,
        lodger: Lodger,
    }
}

impl<F: Future> Future for Lodged<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().future.poll(cx)
    }
}
