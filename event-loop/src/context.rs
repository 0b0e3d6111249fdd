//! Which loop and which task this thread is inside.

use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Waker;

use async_task::ScheduleInfo;

use crate::backend::{Head, Runnable, TaskMeta};
use crate::production::task::TokioTask;
use crate::{EventLoop, NoCurrentLoop, TaskId};

/// A run under way on this thread.
#[derive(Clone, Copy)]
pub(crate) struct RunMark {
    pub(crate) site: &'static Location<'static>,
}

struct Context {
    current: RefCell<Option<EventLoop>>,
    run: Cell<Option<RunMark>>,
    world_task: Cell<Option<TaskMeta>>,
    finished: Cell<bool>,
    /// The world's task that is being polled, woken by its own poll.
    woken: Cell<Option<Runnable>>,
    /// The task that is being polled is looked into: see [`probe_task`].
    probe: Cell<Option<Probe>>,
    tokio_task: RefCell<Option<Arc<TokioTask>>>,
    /// A loop was entered within that task: it is current, and not the task's.
    entered_in_task: Cell<bool>,
}

thread_local! {
    static CONTEXT: Context = const {
        Context {
            current: RefCell::new(None),
            run: Cell::new(None),
            world_task: Cell::new(None),
            finished: Cell::new(false),
            woken: Cell::new(None),
            probe: Cell::new(None),
            tokio_task: RefCell::new(None),
            entered_in_task: Cell::new(false),
        }
    };
}

/// What runs the code of this thread, as far as a primitive that waits must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Surroundings {
    /// Tokio, or nobody.
    Production,
    World,
    /// A world whose run is recorded: who waits on what is noted.
    RecordedWorld,
}

thread_local! {
    /// Apart from the rest: what never needs a destructor is read in one instruction.
    static SURROUNDINGS: Cell<Surroundings> = const { Cell::new(Surroundings::Production) };
}

/// What the loop that this thread entered last is.
#[inline]
pub(crate) fn surroundings() -> Surroundings {
    SURROUNDINGS.get()
}

/// The loop this thread has entered: inside a task, a callback, a `run_*` call, or an
/// [`EventLoop::enter`] guard.
///
/// It never creates a loop, and a closed loop is not current. The handle does not keep the loop
/// open.
///
/// # Errors
/// [`NoCurrentLoop`] if there is none.
pub fn current() -> Result<EventLoop, NoCurrentLoop> {
    try_current().and_then(|ev| {
        if ev.is_closed() {
            return Err(NoCurrentLoop::here());
        }
        Ok(ev)
    })
}

/// The loop that is running on this thread right now: [`current`], but not a merely entered one,
/// which may be running elsewhere.
///
/// # Errors
/// [`NoCurrentLoop`] if none is running here.
pub fn running() -> Result<EventLoop, NoCurrentLoop> {
    current()
        .ok()
        .filter(EventLoop::runs_here)
        .ok_or_else(NoCurrentLoop::here)
}

/// The loop of an ambient function, which panics where there is none.
#[track_caller]
pub(crate) fn expect_current() -> EventLoop {
    match try_current() {
        Ok(ev) => ev,
        Err(none) => panic!("{none}"),
    }
}

/// Runs `f` with the current loop, without the reference count a clone would cost.
pub(crate) fn with_current<R>(f: impl FnOnce(Option<&EventLoop>) -> R) -> R {
    with_context(|context| {
        let Some(context) = context else {
            return f(None);
        };
        let task = context.tokio_task.borrow();
        match &*task {
            Some(task) if !context.entered_in_task.get() => f(Some(task.event_loop())),
            _ => f(context.current.borrow().as_ref()),
        }
    })
}

/// Runs `f` with what this thread is inside: nothing, once its thread-locals are being dropped.
#[inline]
fn with_context<R>(f: impl FnOnce(Option<&Context>) -> R) -> R {
    let mut f = Some(f);
    let mut call = |context: Option<&Context>| f.take().map(|f| f(context));
    let called = CONTEXT.try_with(|context| call(Some(context)));
    let called = called.unwrap_or_else(|_gone| call(None));
    called.expect("it is called once")
}

/// The current loop, be it closed.
pub(crate) fn try_current() -> Result<EventLoop, NoCurrentLoop> {
    with_current(|ev| ev.cloned()).ok_or_else(NoCurrentLoop::here)
}

/// Makes a loop current on this thread until dropped.
#[derive(Debug)]
pub struct EnterGuard {
    previous: Option<EventLoop>,
    entered_in_task: bool,
    surroundings: Surroundings,
    not_send: PhantomData<*const ()>,
}

impl EnterGuard {
    /// Makes `ev` current.
    #[doc(hidden)]
    #[must_use]
    pub fn new(ev: EventLoop) -> Self {
        let surroundings = SURROUNDINGS.replace(ev.shared.surroundings);
        let previous = with_context(|context| {
            let context = context?;
            let entered_in_task = context.entered_in_task.replace(true);
            Some((context.current.replace(Some(ev)), entered_in_task))
        });
        let (previous, entered_in_task) = previous.unwrap_or_default();
        Self {
            previous,
            entered_in_task,
            surroundings,
            not_send: PhantomData,
        }
    }
}

impl Drop for EnterGuard {
    fn drop(&mut self) {
        SURROUNDINGS.set(self.surroundings);
        // The loop that leaves is dropped outside the borrow: its end may run user code.
        let left = with_context(|context| {
            let context = context?;
            context.entered_in_task.set(self.entered_in_task);
            context.current.replace(self.previous.take())
        });
        drop(left);
    }
}

/// The run this thread is inside, if any. A task that is polled while no `run_*` call is under way,
/// by tokio or by a world, stands for one, with the place where it was spawned.
pub(crate) fn run_mark() -> Option<RunMark> {
    let of_world = || current_task().map(|TaskMeta { site, .. }| RunMark { site });
    let of_task = || {
        with_tokio_task(|task| {
            let task = task?;
            let beside = RunMark { site: task.site() };
            Some(task.event_loop().run_mark().unwrap_or(beside))
        })
    };
    let of_call = with_context(|context| context?.run.get());
    of_call.or_else(of_world).or_else(of_task)
}

/// Whether a tokio task of this loop is being polled on this thread.
pub(crate) fn in_tokio_task_of(ev: &EventLoop) -> bool {
    with_tokio_task(|task| task.is_some_and(|task| task.event_loop().same_loop(ev)))
}

/// Sets the run this thread is inside, and gives the previous one back.
pub(crate) fn set_run_mark(mark: Option<RunMark>) -> Option<RunMark> {
    with_context(|context| context?.run.replace(mark))
}

/// What a poll of a world's task has come to.
#[derive(Debug, Default)]
pub enum Polled {
    /// The task waits.
    #[default]
    Pending,
    /// The task was woken by its own poll: a wake that the backend has yet to queue.
    Woken(Runnable),
    /// The task has ended.
    Finished(TaskId),
}

/// Polls a world's task once as the current task.
#[inline]
pub fn run_task(runnable: Runnable) -> Polled {
    CONTEXT.with(|context| {
        let meta = *runnable.meta();
        let _leave = LeaveTask::enter(context, meta);
        runnable.0.run();
        if let Some(runnable) = context.woken.take() {
            Polled::Woken(runnable)
        } else if context.finished.replace(false) {
            let ev = context.current.borrow();
            if let Some(ev) = ev.as_ref() {
                ev.shared.shutdown.note_end(meta.id);
            }
            Polled::Finished(meta.id)
        } else {
            Polled::Pending
        }
    })
}

/// What a task came to that was polled to look into it.
#[derive(Debug)]
pub struct Probed {
    /// Whether its future is ready, or has panicked: then it is dropped, and so is what it came to.
    pub over: bool,
    /// The task, if it was woken by this poll.
    pub woken: Option<Runnable>,
}

/// A poll with another waker than the task's own.
struct Probe {
    waker: Waker,
    over: bool,
}

/// How many probes are under way in this process: elsewhere no poll has to look for one.
static PROBES: AtomicUsize = AtomicUsize::new(0);

/// Polls a world's task once with `waker` instead of its own, to see where it waits. Whatever comes
/// of it, nobody who awaits the task hears of it.
pub fn probe_task(runnable: Runnable, waker: Waker) -> Probed {
    CONTEXT.with(|context| {
        let _leave = LeaveTask::enter(context, *runnable.meta());
        context.probe.set(Some(Probe { waker, over: false }));
        PROBES.fetch_add(1, Ordering::Relaxed);
        runnable.0.run();
        PROBES.fetch_sub(1, Ordering::Relaxed);
        Probed {
            over: context.probe.take().is_some_and(|probe| probe.over),
            woken: context.woken.take(),
        }
    })
}

/// If the task that is being polled is looked into: polls it by `poll` with the waker of the one
/// who looks, and notes whether it is over. To async-task it stays pending.
#[inline]
pub(crate) fn probed(poll: impl FnOnce(&Waker) -> bool) -> bool {
    PROBES.load(Ordering::Relaxed) > 0 && probe_here(poll)
}

#[cold]
fn probe_here(poll: impl FnOnce(&Waker) -> bool) -> bool {
    // Taken while it is polled: what it polls itself is none of the probe's.
    let Some(mut probe) = with_context(|context| context?.probe.take()) else {
        return false;
    };
    probe.over = poll(&probe.waker);
    with_context(|context| {
        if let Some(context) = context {
            context.probe.set(Some(probe));
        }
    });
    true
}

/// Runs `f` as the current task of a world: for the future a world is driven for, which is no
/// [`Runnable`].
pub fn as_task<R>(meta: TaskMeta, f: impl FnOnce() -> R) -> R {
    with_context(|context| {
        let _leave = context.map(|context| LeaveTask::enter(context, meta));
        f()
    })
}

/// Puts the task that is being polled on this thread out of sight until dropped: another world's
/// run is none of its doing.
#[derive(Debug)]
pub struct OutsideTasks {
    outer: Option<TaskMeta>,
    not_send: PhantomData<*const ()>,
}

impl OutsideTasks {
    /// From here on no task is current, until one is polled.
    #[must_use]
    pub fn begin() -> Self {
        Self {
            outer: with_context(|context| context?.world_task.replace(None)),
            not_send: PhantomData,
        }
    }
}

impl Drop for OutsideTasks {
    fn drop(&mut self) {
        // In a thread-local's destructor there is no task to come back to.
        let _ = CONTEXT.try_with(|context| context.world_task.set(self.outer));
    }
}

/// Drops a world's task, its future first, as the current task.
pub fn drop_task(runnable: Runnable) {
    with_context(|context| {
        let _leave = context.map(|context| LeaveTask::enter(context, *runnable.meta()));
        let (ev, id) = (runnable.0.metadata().ev.clone(), runnable.meta().id);
        drop(runnable);
        ev.shutdown().note_end(id);
    });
}

/// A wake of a world's task, from wherever it comes.
pub(crate) fn schedule_task(runnable: async_task::Runnable<Head>, info: ScheduleInfo) {
    let mut task = Some(Runnable(runnable));
    let refused = CONTEXT.try_with(|context| {
        if info.woken_while_running {
            // We are at the end of its poll, which `run_task` is about to leave.
            context.woken.set(task.take());
            return None;
        }
        // Mostly a task is woken where its loop is current: then no reference is counted.
        let current = context.current.borrow();
        let current = current.as_ref()?;
        if task.as_ref()?.0.metadata().ev.is(current) {
            return current.backend()?.schedule(task.take()?);
        }
        None
    });
    // Its destructors may make another loop current, so they run after the borrow.
    drop(refused);
    if let Some(task) = task {
        let ev = task.0.metadata().ev.clone();
        drop(ev.backend().schedule(task));
    }
}

/// Even if a destructor panics, the task is not current afterwards.
struct LeaveTask<'a> {
    context: &'a Context,
    outer: Option<TaskMeta>,
}

impl<'a> LeaveTask<'a> {
    #[inline]
    fn enter(context: &'a Context, meta: TaskMeta) -> Self {
        let outer = context.world_task.replace(Some(meta));
        Self { context, outer }
    }
}

impl Drop for LeaveTask<'_> {
    #[inline]
    fn drop(&mut self) {
        self.context.world_task.set(self.outer);
    }
}

/// The world's task that is being polled on this thread.
#[inline]
pub fn current_task() -> Option<TaskMeta> {
    with_context(|context| context?.world_task.get())
}

/// The future of the task being polled is ready. Only who polls a world's task asks afterwards, so
/// tokio's must not leave the mark to the next world on this thread.
pub(crate) fn mark_finished() {
    with_context(|context| {
        if let Some(context) = context.filter(|context| context.world_task.get().is_some()) {
            context.finished.set(true);
        }
    });
}

/// Makes `task` the tokio task being polled on this thread, or gives it back: what was current
/// before waits in its place meanwhile, which costs no reference count.
#[inline]
pub(crate) fn swap_tokio_task(task: &mut Option<Arc<TokioTask>>, entered_in_task: &mut bool) {
    // In a thread-local's destructor there is nothing to be current in.
    let _ = CONTEXT.try_with(|context| {
        std::mem::swap(&mut *context.tokio_task.borrow_mut(), task);
        *entered_in_task = context.entered_in_task.replace(*entered_in_task);
    });
}

/// Runs `f` with the tokio task being polled on this thread.
pub(crate) fn with_tokio_task<R>(f: impl FnOnce(Option<&Arc<TokioTask>>) -> R) -> R {
    with_context(|context| match context {
        Some(context) => f(context.tokio_task.borrow().as_ref()),
        None => f(None),
    })
}
