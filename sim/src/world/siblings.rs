//! The other loops of a host: each runs on a thread of the program's own, which polls its tasks first
//! woken, first polled, as a loop of one thread does, on the clock and the network of its host.
//!
//! What such a loop waits for is the world's business; that its thread waits is seen by the thread's
//! parking, like any other.

use std::collections::{BTreeSet, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use event_loop::backend::{Polled, Runnable, TaskMeta, drop_task, run_task, with_budget};
use event_loop::{EventLoop, TaskId};

use super::World;
use super::core::{Core, Step};
use super::ready::Ready;

/// A loop that its own thread runs.
#[derive(Debug, Default)]
pub(crate) struct Sibling {
    /// What was woken and not yet polled.
    queue: VecDeque<Runnable>,
    /// Its live tasks.
    tasks: BTreeSet<TaskId>,
    /// Whoever runs it, while it has nothing to do.
    runner: Option<Waker>,
}

/// Which of a world's siblings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SiblingId(u32);

impl Core {
    pub(crate) fn add_sibling(&mut self) -> SiblingId {
        self.siblings.push(Sibling::default());
        SiblingId(self.siblings.len() as u32 - 1)
    }

    fn sibling(&mut self, id: SiblingId) -> &mut Sibling {
        &mut self.siblings[id.0 as usize]
    }

    /// A task was admitted that is of this loop.
    pub(crate) fn add_task_of_sibling(&mut self, id: SiblingId, task: TaskId) {
        self.sibling(id).tasks.insert(task);
    }

    /// Whether the task is of this loop; without one, of a host's first.
    pub(crate) fn is_task_of(&self, of: Option<SiblingId>, task: TaskId) -> bool {
        match of {
            Some(id) => self.siblings[id.0 as usize].tasks.contains(&task),
            None => self.siblings.iter().all(|one| !one.tasks.contains(&task)),
        }
    }

    /// The tasks that are queued and meet a condition, to be dropped.
    pub(super) fn take_queued_of_siblings(
        &mut self,
        wanted: impl Fn(&Runnable) -> bool,
    ) -> Vec<Runnable> {
        let mut taken = Vec::new();
        for sibling in &mut self.siblings {
            let (gone, kept) = sibling.queue.drain(..).partition(&wanted);
            sibling.queue = kept;
            taken.extend::<VecDeque<_>>(gone);
        }
        taken
    }

    /// The next of its tasks, to be polled or dropped.
    fn next_of_sibling(&mut self, id: SiblingId) -> Option<Step> {
        let runnable = self.sibling(id).queue.pop_front()?;
        self.take_here(Ready::Task(runnable))
    }
}

impl Core {
    /// Keeps a task that is to be dropped with its world; true if it is not to be queued.
    fn refuses(&mut self, runnable: &mut Option<Runnable>) -> bool {
        if self.closed || self.late.is_some() {
            self.keep_late(runnable);
        }
        self.closed || runnable.is_none()
    }
}

impl World {
    /// A task of this loop can be polled; given back if the world is closed.
    pub(crate) fn queue_at_sibling(
        &self,
        id: SiblingId,
        runnable: Runnable,
        fresh: Option<Waker>,
    ) -> Option<Runnable> {
        let (mut runnable, mut fresh) = (Some(runnable), fresh);
        let runner = self.enter(|core| {
            if core.refuses(&mut runnable) {
                return None;
            }
            if let (Some(task), true) = (&runnable, fresh.is_some()) {
                core.tasks.set_waker(task.meta().id, &mut fresh);
            }
            let sibling = core.sibling(id);
            sibling.queue.extend(runnable.take());
            sibling.runner.take()
        });
        if let Some(runner) = runner.flatten() {
            runner.wake();
        }
        runnable
    }

    /// Runs this loop, which is current, on a thread of the world's until `root` is ready.
    pub(crate) fn run_sibling(&self, id: SiblingId, root: Pin<&mut dyn Future<Output = ()>>) {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut cx = Context::from_waker(&waker);
        let mut turns = Turns::new(self, id, root, true);
        while Pin::new(&mut turns).poll(&mut cx).is_pending() {
            thread::park();
        }
    }

    /// What runs this loop, which is current now, to be polled by who drives the world.
    pub(crate) fn turns_of_sibling<'a>(
        &'a self,
        id: SiblingId,
        root: Pin<&'a mut dyn Future<Output = ()>>,
    ) -> impl Future<Output = ()> + 'a {
        Turns::new(self, id, root, false)
    }

    /// Drops the tasks of this loop, in creation order, on this thread.
    pub(crate) fn close_sibling(&self, id: SiblingId) {
        let tasks = self.enter(|core| {
            let mut live = core.tasks.in_creation_order(|_, _| true);
            live.retain(|(task, _)| core.sibling(id).tasks.contains(task));
            live
        });
        for (task, waker) in tasks.unwrap_or_default() {
            // It is reached through its waker, which queues it unless it is queued already.
            if let Some(waker) = waker {
                waker.wake();
            }
            let queued = self.core(|core| {
                let queue = &mut core.sibling(id).queue;
                let place = queue.iter().position(|one| one.meta().id == task)?;
                queue.remove(place)
            });
            if let Some(runnable) = queued {
                drop_task(runnable);
            }
            self.forget(id, task);
        }
    }

    /// Polls or drops the next of its tasks; false if there is none.
    fn turn_of_sibling(&self, id: SiblingId) -> bool {
        let (meta, polled): (TaskMeta, _) = match self.core(|core| core.next_of_sibling(id)) {
            Some(Step::Poll(runnable)) => {
                let meta = *runnable.meta();
                (
                    meta,
                    with_budget(self.profile.budget(), || run_task(runnable)),
                )
            }
            Some(Step::Drop(runnable)) => {
                let meta = *runnable.meta();
                drop_task(runnable);
                (meta, Polled::Finished(meta.id))
            }
            Some(_) | None => return false,
        };
        match polled {
            Polled::Pending => {}
            Polled::Woken(runnable) => drop(self.queue_at_sibling(id, runnable, None)),
            Polled::Finished(_) => self.forget(id, meta.id),
        }
        true
    }

    /// The task has ended.
    fn forget(&self, id: SiblingId, task: TaskId) {
        let left = self.core(|core| {
            core.sibling(id).tasks.remove(&task);
            core.finish(task)
        });
        drop(left);
    }
}

/// Polls the tasks of a loop, and its root after each batch of them.
struct Turns<'a> {
    world: &'a World,
    id: SiblingId,
    root: Pin<&'a mut dyn Future<Output = ()>>,
    /// Who drives the world has the host's first loop entered.
    ev: Option<EventLoop>,
    /// On a thread of its own, beside which others run between any two polls.
    yields: bool,
}

impl<'a> Turns<'a> {
    fn new(
        world: &'a World,
        id: SiblingId,
        root: Pin<&'a mut dyn Future<Output = ()>>,
        yields: bool,
    ) -> Self {
        Self {
            world,
            id,
            root,
            ev: event_loop::current().ok(),
            yields,
        }
    }
}

impl Future for Turns<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let (world, id) = (self.world, self.id);
        let ev = self.ev.clone();
        let _entered = ev.as_ref().map(EventLoop::enter);
        loop {
            // What is woken while nobody waits is seen by the look at the queue below.
            if self.root.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            let batch = world.core(|core| core.sibling(id).queue.len());
            if batch == 0 {
                let waker = cx.waker().clone();
                drop(world.core(|core| core.sibling(id).runner.replace(waker)));
                return Poll::Pending;
            }
            for _ in 0..batch {
                if !world.turn_of_sibling(id) {
                    break;
                }
                if self.yields {
                    thread::yield_now();
                }
            }
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}
