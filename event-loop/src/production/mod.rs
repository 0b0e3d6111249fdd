//! The loops of production: tokio's two runtimes behind the interface.

pub(crate) mod local;
mod registry;
pub(crate) mod task;

use std::future::Future;
use std::io;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::runtime::{Builder, Handle, Runtime, RuntimeFlavor};

use crate::blocking::threads::Threads;
use crate::context;
use crate::handle::Inner;
use crate::task::Output;
use crate::time::Instant;
use crate::{Closed, Description, EventLoop, LoopConfig, LoopError, TaskId, TaskInfo};
use local::Locals;
use registry::Registry;
use task::{TokioTask, TokioTaskHandle};

/// A loop that polls its tasks on the thread that runs it.
///
/// # Errors
/// [`LoopError::Unavailable`] if the operating system refuses (too many open files), and
/// [`LoopError::BadSetting`] if the configuration asks for more than one worker.
pub fn current_thread(config: LoopConfig) -> Result<EventLoop, LoopError> {
    if let Some(given @ (0 | 2..)) = config.worker_threads {
        return Err(LoopError::BadSetting {
            setting: "worker_threads",
            given,
            allowed: "1: a current-thread loop polls its tasks on the thread that runs it",
        });
    }
    build(Builder::new_current_thread(), config, "current-thread", 1)
}

/// A loop that polls its tasks on a pool of threads, beside the one that runs it.
///
/// # Errors
/// [`LoopError::Unavailable`] if the operating system refuses (no threads, too many open files),
/// and [`LoopError::BadSetting`] if the configuration asks for no worker.
pub fn multi_thread(config: LoopConfig) -> Result<EventLoop, LoopError> {
    let available = || std::thread::available_parallelism().map_or(1, usize::from);
    let workers = config.worker_threads.unwrap_or_else(available);
    if workers == 0 {
        return Err(LoopError::BadSetting {
            setting: "worker_threads",
            given: 0,
            allowed: "1 and more: somebody has to poll the tasks",
        });
    }
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(workers);
    build(builder, config, "multi-thread", workers)
}

fn build(
    mut builder: Builder,
    config: LoopConfig,
    profile: &str,
    workers: usize,
) -> Result<EventLoop, LoopError> {
    config.settings.pool.check()?;
    let name = config.name.unwrap_or_else(|| "loop".to_owned());
    let runtime = builder
        .enable_all()
        .thread_name(format!("{name}-worker"))
        .build()
        .map_err(|why: io::Error| LoopError::Unavailable(why.to_string()))?;
    let inner = Inner::Tokio(TokioLoop {
        handle: runtime.handle().clone(),
        runtime: Mutex::new(Some(Arc::new(runtime))),
        threads: Threads::new(&name),
        description: Description::new(name, "tokio", profile, workers),
        serials: AtomicU64::new(0),
        registry: Registry::new(),
        locals: Box::default(),
    });
    Ok(EventLoop::new(inner, config.settings))
}

/// The time of the process, the zero of which is the first time anybody asked.
pub(crate) fn process_now() -> Instant {
    let since = tokio::time::Instant::now().duration_since(zero());
    Instant::from_nanos(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

/// The same instant on tokio's clock.
pub(crate) fn tokio_instant(instant: Instant) -> tokio::time::Instant {
    let span = std::time::Duration::from_nanos(instant.as_nanos());
    // Tokio's own idea of far away, where its instants end earlier than ours.
    let far = || tokio::time::Instant::now() + std::time::Duration::from_hours(24 * 365 * 30);
    zero().checked_add(span).unwrap_or_else(far)
}

/// Whether this thread is inside a runtime of tokio's that lets nobody block.
///
/// A runtime may also be merely entered, and its blocking jobs may block: only an attempt tells
/// them apart, at the cost of tokio's words on standard error where it is refused.
pub(crate) fn inside_another_runtime() -> bool {
    let Ok(handle) = Handle::try_current() else {
        return false;
    };
    catch_unwind(AssertUnwindSafe(|| handle.block_on(async {}))).is_err()
}

/// Lets a current-thread runtime poll each of `tasks` that is queued.
async fn turns(tasks: usize) {
    /// Tokio polls no fewer tasks, 61 of them, between two polls of the root.
    const BATCH: usize = 32;
    for _ in 0..tasks / BATCH + 2 {
        tokio::task::yield_now().await;
    }
}

/// One zero for all loops of the process, so that their instants compare.
fn zero() -> tokio::time::Instant {
    static ZERO: OnceLock<tokio::time::Instant> = OnceLock::new();
    *ZERO.get_or_init(tokio::time::Instant::now)
}

/// One tokio runtime.
pub(crate) struct TokioLoop {
    handle: Handle,
    runtime: Mutex<Option<Arc<Runtime>>>,
    description: Description,
    /// How many tasks there ever were.
    serials: AtomicU64,
    registry: Registry,
    locals: Box<Locals>,
    threads: Threads,
}

impl TokioLoop {
    pub(crate) fn now(&self) -> Instant {
        process_now()
    }

    pub(crate) fn describe(&self) -> Description {
        self.description.clone()
    }

    pub(crate) fn block_on(&self, root: impl Future<Output = ()>) {
        let runtime = self
            .runtime
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some(runtime) = runtime {
            runtime.block_on(root);
        }
    }

    pub(crate) fn spawn<F, T>(
        &self,
        ev: &EventLoop,
        name: Option<&str>,
        site: &'static Location<'static>,
        future: F,
    ) -> Result<TokioTaskHandle<T>, Closed>
    where
        F: Future<Output = Output<T>> + Send + 'static,
        T: Send + 'static,
    {
        if ev.takes_no_tasks() {
            return Err(Closed);
        }
        let make = |id| TokioTask::new(ev.unowned(), id, name, site);
        let task = self.registry.add(self.next_serial(), make);
        ev.shared.shutdown.note_start(task.id(), name, site);
        Ok(TokioTaskHandle::spawn(&self.handle, task, future))
    }

    pub(crate) fn tasks(&self) -> Vec<TaskInfo> {
        self.registry.tasks()
    }

    /// The record of a live task.
    pub(crate) fn task(&self, id: TaskId) -> Option<Arc<TokioTask>> {
        self.registry.get(id)
    }

    /// The task is over.
    pub(crate) fn forget(&self, task: &TokioTask) {
        self.registry.remove(task.id());
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    pub(crate) fn locals(&self) -> &Locals {
        &self.locals
    }

    pub(crate) fn threads(&self) -> &Threads {
        &self.threads
    }

    fn next_serial(&self) -> u64 {
        self.serials.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn sleep_until(&self, deadline: Instant) -> tokio::time::Sleep {
        let _context = self.handle.enter();
        tokio::time::sleep_until(tokio_instant(deadline))
    }

    /// Runs `f` where tokio's own constructors find this runtime.
    pub(crate) fn within<R>(&self, f: impl FnOnce() -> R) -> R {
        let _context = self.handle.enter();
        f()
    }

    /// Drops the local tasks; where they may not be, on another thread than theirs, leaves them.
    pub(crate) fn close_locals(&self, may_drop: bool) {
        if may_drop {
            // In a thread-local's destructor tokio may have no context left to enter.
            let gone = Handle::try_current().is_err_and(|why| why.is_thread_local_destroyed());
            let _context = (!gone).then(|| self.handle.enter());
            self.locals.close();
        } else {
            self.locals.abandon();
        }
    }

    pub(crate) fn close(&self) {
        self.threads.close();
        let runtime = self
            .runtime
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(runtime) = runtime.and_then(Arc::into_inner) else {
            return;
        };
        let outside = Handle::try_current().err();
        if let Some(outside) = outside.filter(|_| context::run_mark().is_none()) {
            // Among the last destructors of a thread tokio can run nothing any more.
            if outside.is_missing_context()
                && self.handle.runtime_flavor() == RuntimeFlavor::CurrentThread
            {
                self.drop_in_order(&runtime);
            }
            // Waits for the workers.
            return drop(runtime);
        }
        // Nobody may be kept waiting here, and tokio would panic.
        match self.handle.runtime_flavor() {
            // Drops the tasks on this thread, and has no workers to wait for.
            RuntimeFlavor::CurrentThread => runtime.shutdown_background(),
            _ => self.join_elsewhere(runtime),
        }
    }

    /// Lets a current-thread runtime drop the tasks in creation order, before it would in its own.
    fn drop_in_order(&self, runtime: &Runtime) {
        let tasks = self.registry.live();
        if tasks.is_empty() {
            return;
        }
        // What is queued would be dropped ahead of its turn. A poll takes it from the queue, and
        // on a closed loop nothing of a task is run by it.
        runtime.block_on(turns(tasks.len()));
        tasks.iter().for_each(|task| task.abort());
        runtime.block_on(turns(tasks.len()));
    }

    /// Lets a helper thread stop the workers, which drop the tasks, and wait for them.
    fn join_elsewhere(&self, runtime: Runtime) {
        let runtime = Arc::new(Mutex::new(Some(runtime)));
        let take = |from: &Mutex<Option<Runtime>>| {
            from.lock().unwrap_or_else(PoisonError::into_inner).take()
        };
        let joined = runtime.clone();
        let name = format!("{}-closing", self.description.name);
        let helper = std::thread::Builder::new().name(name);
        if let Err(why) = helper.spawn(move || drop(take(&joined)))
            && let Some(runtime) = take(&runtime)
        {
            let name = &self.description.name;
            eprintln!("Event loop {name} is closed without waiting for its workers: {why}");
            runtime.shutdown_background();
        }
    }
}

impl Drop for TokioLoop {
    fn drop(&mut self) {
        self.close();
    }
}
