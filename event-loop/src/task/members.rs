//! Handles of many tasks, given back in the order in which the tasks end.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use super::{TaskError, TaskHandle, TaskId};

/// Tasks that somebody waits for together. Dropping it detaches them.
///
/// Each handle is polled once as it comes in, with a waker of its own, so that a task which ends is
/// in line from then on: the order is that in which they end, whoever looks when. (The ready queue
/// of futures' `FuturesUnordered` begins with those that were never polled.)
pub(super) struct Members<T> {
    /// In the order in which they came in.
    tasks: BTreeMap<u64, Member<T>>,
    last: u64,
    line: Arc<Line>,
}

enum Member<T> {
    Running(TaskHandle<T>, Waker),
    Over(Option<TaskId>, Result<T, TaskError>),
}

/// A task that has ended: its number among the members, who it was, and its outcome.
pub(super) type Ended<T> = (u64, Option<TaskId>, Result<T, TaskError>);

impl<T> Members<T> {
    pub(super) fn new() -> Self {
        Self {
            tasks: BTreeMap::new(),
            last: 0,
            line: Arc::default(),
        }
    }

    /// Takes a task in; its number is that of its coming, from 1.
    pub(super) fn insert(&mut self, mut task: TaskHandle<T>) -> u64 {
        self.last += 1;
        let key = self.last;
        let line = self.line.clone();
        let waker = Waker::from(Arc::new(Call { key, line }));
        let polled = task.poll_unnoted(&mut Context::from_waker(&waker));
        let member = match polled {
            Poll::Pending => Member::Running(task, waker),
            Poll::Ready(outcome) => {
                waker.wake();
                Member::Over(task.id(), outcome)
            }
        };
        self.tasks.insert(key, member);
        key
    }

    /// The next that has ended; `None` if there is none left.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Ended<T>>> {
        if self.tasks.is_empty() {
            return Poll::Ready(None);
        }
        while let Some(key) = self.line.pop_or_wait(cx.waker()) {
            match self.take(key) {
                Taken::Ended(ended) => return Poll::Ready(Some(ended)),
                Taken::NotYet => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Taken::Gone => {}
            }
        }
        self.note_join();
        Poll::Pending
    }

    /// Tells a world that the current task waits for these.
    pub(super) fn note_join(&self) {
        if let Some((_, task)) = self.running().next() {
            task.note_join();
        }
    }

    /// Where its members stand in line, to wait there without holding the members.
    pub(super) fn line(&self) -> Arc<Line> {
        self.line.clone()
    }

    /// The next that has ended, if one has; who waits in [`poll_next`](Self::poll_next) still does.
    pub(super) fn try_next(&mut self) -> Option<Ended<T>> {
        let in_line = self.line.queue().keys.len();
        for _ in 0..in_line {
            let key = self.line.queue().keys.pop_front()?;
            if let Taken::Ended(ended) = self.take(key) {
                return Some(ended);
            }
        }
        None
    }

    pub(super) fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Those whose outcome nobody has taken yet, in the order in which they came in.
    pub(super) fn running(&self) -> impl Iterator<Item = (u64, &TaskHandle<T>)> {
        self.tasks.iter().filter_map(|(key, member)| match member {
            Member::Running(task, _) => Some((*key, task)),
            Member::Over(..) => None,
        })
    }

    /// The outcome of a member that was in line.
    pub(super) fn take(&mut self, key: u64) -> Taken<T> {
        let Some(member) = self.tasks.get_mut(&key) else {
            return Taken::Gone;
        };
        if let Member::Running(task, waker) = member {
            match task.poll_unnoted(&mut Context::from_waker(waker)) {
                Poll::Pending => return Taken::NotYet,
                Poll::Ready(outcome) => *member = Member::Over(task.id(), outcome),
            }
        }
        match self.tasks.remove(&key) {
            Some(Member::Over(id, outcome)) => Taken::Ended((key, id, outcome)),
            _ => Taken::Gone,
        }
    }
}

/// What is found of a member that was in line.
pub(super) enum Taken<T> {
    Ended(Ended<T>),
    /// Tokio's budget is spent, and its wake has put the task into the line again.
    NotYet,
    Gone,
}

/// Those who were woken, first woken first, and who waits for one of them.
#[derive(Default)]
pub(super) struct Line {
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    keys: VecDeque<u64>,
    waker: Option<Waker>,
    /// How many keep who waits from being woken, and whether that was to happen.
    holds: usize,
    called: bool,
}

impl Line {
    /// The first in line; if there is none, `waker` is woken when one comes.
    pub(super) fn pop_or_wait(&self, waker: &Waker) -> Option<u64> {
        {
            let mut queue = self.queue();
            let key = queue.keys.pop_front();
            let known = queue.waker.as_ref().is_some_and(|w| w.will_wake(waker));
            if key.is_some() || known {
                return key;
            }
        }
        // Others' wakers are cloned and dropped with the lock free: theirs is any code.
        let fresh = waker.clone();
        let (key, outgrown) = {
            let mut queue = self.queue();
            let outgrown = queue.waker.replace(fresh);
            (queue.keys.pop_front(), outgrown)
        };
        drop(outgrown);
        key
    }

    /// Wakes who waits, for nobody in particular.
    pub(super) fn call(&self) {
        let waiting = {
            let mut queue = self.queue();
            queue.called = queue.holds > 0;
            if queue.called {
                return;
            }
            queue.waker.take()
        };
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }

    /// Nobody is woken until [`release`](Self::release): for who holds a lock that the woken may
    /// want, whose waker is any code.
    pub(super) fn hold(&self) {
        self.queue().holds += 1;
    }

    pub(super) fn release(&self) {
        let called = {
            let mut queue = self.queue();
            queue.holds -= 1;
            queue.holds == 0 && queue.called
        };
        if called {
            self.call();
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What wakes one member: a place in the line.
struct Call {
    key: u64,
    line: Arc<Line>,
}

impl Wake for Call {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.line.queue().keys.push_back(self.key);
        self.line.call();
    }
}
