//! Local tasks beside tokio: an executor that the thread inside a loop's run polls.
//!
//! Tokio's own `LocalSet` cannot live in a handle that every thread may use. Here only the runnables
//! do, which async-task pins to the thread of their futures; the loop sees to it that no other
//! thread polls or drops them.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use async_task::{Builder, FallibleTask};
use pin_project_lite::pin_project;
use tokio::task::coop;

use super::TokioLoop;
use super::task::{InTask, Left, TokioTask};
use crate::coop::poll_leaf;
use crate::handle::Inner;
use crate::task::Output;
use crate::{EventLoop, TaskError, TaskId};

type Runnable = async_task::Runnable<Arc<LocalTask>>;

/// Who a local task is, and whether it is to be dropped at its next turn.
pub(crate) struct LocalTask {
    task: Arc<TokioTask>,
    aborted: AtomicBool,
}

impl TokioLoop {
    /// Starts a local task, which the caller has found to be on its thread.
    pub(crate) fn spawn_local<F, T>(
        &self,
        ev: &EventLoop,
        site: &'static Location<'static>,
        future: F,
    ) -> LocalTaskHandle<T>
    where
        F: Future<Output = Output<T>> + 'static,
        T: 'static,
    {
        let make = |id| TokioTask::new(ev.unowned(), id, None, site);
        let task = self.registry.add(self.next_serial(), make);
        ev.shared.shutdown.note_start(task.id(), None, site);
        let local = Arc::new(LocalTask {
            task: task.clone(),
            aborted: AtomicBool::new(false),
        });
        let here = local.clone();
        let future = Listed {
            future: InTask::new(task, future),
            entry: Entry(local.clone()),
        };
        let (runnable, task) = Builder::new()
            .metadata(local.clone())
            .spawn_local(move |_| future, schedule);
        self.locals().enlist(local, runnable.waker());
        runnable.schedule();
        LocalTaskHandle {
            task: task.fallible(),
            local: here,
        }
    }
}

/// A wake, from wherever it comes.
fn schedule(runnable: Runnable) {
    // The loop outlives the push, whatever the runnable's reference to it does meanwhile.
    let ev = runnable.metadata().task.event_loop().unowned();
    if let Inner::Tokio(tokio) = &ev.shared.inner {
        tokio.locals().push(runnable);
    }
}

impl LocalTask {
    pub(crate) fn id(&self) -> TaskId {
        self.task.id()
    }

    pub(crate) fn request_cancel(&self) {
        self.task.request_cancel();
    }

    pub(crate) fn abort(&self) {
        self.with_locals(|locals| locals.abort(self.serial()));
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.with_locals(|locals| !locals.state().live.contains_key(&self.serial()))
    }

    fn serial(&self) -> u64 {
        self.task.id().serial()
    }

    fn with_locals<R>(&self, f: impl FnOnce(&Locals) -> R) -> R {
        match &self.task.event_loop().shared.inner {
            Inner::Tokio(tokio) => f(tokio.locals()),
            Inner::Other(_) => unreachable!("local tasks of a world are the world's"),
        }
    }
}

/// The local tasks of one loop.
#[derive(Default)]
pub(crate) struct Locals {
    state: Mutex<State>,
    /// Something was pushed; only the close of the loop ever waits for it.
    pushed: Condvar,
}

#[derive(Default)]
struct State {
    ready: VecDeque<Runnable>,
    /// Those that have not ended, by their serials, and what brings each of them back.
    live: BTreeMap<u64, (Arc<LocalTask>, Waker)>,
    /// Of the run under way.
    driver: Option<Waker>,
    /// Nobody can ever poll or drop them.
    abandoned: bool,
}

impl Locals {
    /// Polls what is ready, once each; what is woken meanwhile has its turn in the next batch.
    /// True if that has used up tokio's budget for this poll: the rest goes on in the next.
    pub(crate) fn run_batch(&self, cx: &Context<'_>) -> bool {
        let (batch, outgrown) = {
            let mut state = self.state();
            let known = state
                .driver
                .as_ref()
                .is_some_and(|w| w.will_wake(cx.waker()));
            let outgrown = if known {
                None
            } else {
                state.driver.replace(cx.waker().clone())
            };
            (state.ready.len(), outgrown)
        };
        drop(outgrown);
        let mut spent = false;
        for _ in 0..batch {
            let Some(runnable) = self.state().ready.pop_front() else {
                break;
            };
            if runnable.metadata().aborted.load(Ordering::Acquire) {
                drop(runnable);
            } else {
                runnable.run();
            }
            spent = !coop::has_budget_remaining();
            if spent {
                break;
            }
        }
        // Who is pushed behind another wakes nobody.
        let more = !self.state().ready.is_empty();
        if more {
            cx.waker().wake_by_ref();
        }
        spent
    }

    /// Nobody polls them from here on.
    pub(crate) fn detach_driver(&self) {
        let driver = self.state().driver.take();
        drop(driver);
    }

    /// Drops every task, in creation order, on the thread they live on.
    pub(super) fn close(&self) {
        let mut woken = BTreeMap::new();
        loop {
            let first = {
                let state = self.state();
                let first = state.live.first_key_value();
                first.map(|(serial, (_, waker))| (*serial, waker.clone()))
            };
            let Some((serial, waker)) = first else {
                break;
            };
            // A task is reached through its waker, unless it is woken already; then another thread
            // may still be on its way to push it.
            waker.wake();
            let runnable = {
                let mut state = self.state();
                loop {
                    woken.extend(state.ready.drain(..).map(|r| (r.metadata().serial(), r)));
                    if let Some(runnable) = woken.remove(&serial) {
                        break runnable;
                    }
                    let waited = self.pushed.wait(state);
                    state = waited.unwrap_or_else(PoisonError::into_inner);
                }
            };
            drop(runnable);
            // It has left the list by its own end, unless somebody has leaked its future.
            let left = self.state().live.remove(&serial);
            drop(left);
        }
    }

    /// The loop is closed on a thread that may not drop them: they stay for ever.
    pub(super) fn abandon(&self) {
        let (ready, live) = {
            let mut state = self.state();
            state.abandoned = true;
            (mem::take(&mut state.ready), mem::take(&mut state.live))
        };
        ready.into_iter().for_each(mem::forget);
        live.into_values().for_each(mem::forget);
    }

    fn enlist(&self, task: Arc<LocalTask>, waker: Waker) {
        self.state().live.insert(task.serial(), (task, waker));
    }

    /// At its next turn the task is dropped, if it has not ended.
    pub(super) fn abort(&self, serial: u64) {
        let waker = self.state().live.get(&serial).map(|(task, waker)| {
            task.aborted.store(true, Ordering::Release);
            waker.clone()
        });
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn push(&self, runnable: Runnable) {
        let driver = {
            let mut state = self.state();
            if state.abandoned {
                return mem::forget(runnable);
            }
            let first = state.ready.is_empty();
            state.ready.push_back(runnable);
            state.driver.as_ref().filter(|_| first).cloned()
        };
        self.pushed.notify_one();
        if let Some(driver) = driver {
            driver.wake();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A task's entry in the list of those that have not ended.
struct Entry(Arc<LocalTask>);

impl Drop for Entry {
    fn drop(&mut self) {
        let serial = self.0.serial();
        let waker = self
            .0
            .with_locals(|locals| locals.state().live.remove(&serial));
        drop(waker);
    }
}

pin_project! {
    /// A local task's future, listed until it is gone.
    struct Listed<F> {
        #[pin]
        future: InTask<F>,
        entry: Entry,
    }
}

impl<F: Future> Future for Listed<F> {
    type Output = Left<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().future.poll(cx)
    }
}

/// A started local task. Dropping it aborts; see [`detach`](Self::detach).
pub(crate) struct LocalTaskHandle<T> {
    task: FallibleTask<Left<Output<T>>, Arc<LocalTask>>,
    local: Arc<LocalTask>,
}

impl<T> LocalTaskHandle<T> {
    pub(crate) fn task(&self) -> &Arc<LocalTask> {
        &self.local
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.task.is_finished()
    }

    pub(crate) fn detach(self) {
        self.task.detach();
    }
}

impl<T> Future for LocalTaskHandle<T> {
    type Output = Result<T, TaskError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let id = self.local.id();
        poll_leaf(cx, |cx| {
            Pin::new(&mut self.task)
                .poll(cx)
                .map(|output| match output {
                    Some(left) => left.take().read(id),
                    None => Err(TaskError::aborted(id)),
                })
        })
    }
}
