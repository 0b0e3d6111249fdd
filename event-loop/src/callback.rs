//! Callbacks: a FIFO of batches and a queue of deadlines, the same for every backend.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use crate::backend::{BackendLoop, TimerId};
use crate::context::{self, RunMark};
use crate::exception::told;
use crate::handle::{Inner, Shared};
use crate::time::{Instant, Sleep};
use crate::{ErrorContext, EventLoop, SlowCallback};

/// A scheduled callback, to be cancelled if need be. Dropping the handle does not cancel.
pub struct CallHandle {
    owner: Weak<Shared>,
    call: Arc<Call>,
    waiting: Option<Waiting>,
}

/// Where a callback waits for its deadline.
#[derive(Clone, Copy)]
pub(crate) enum Waiting {
    /// In the loop's own queue, as the n-th.
    Queue(u64),
    /// With the backend.
    Backend(TimerId),
}

impl CallHandle {
    pub(crate) fn new(ev: &EventLoop, call: Arc<Call>, waiting: Option<Waiting>) -> Self {
        Self {
            owner: Arc::downgrade(&ev.shared),
            call,
            waiting,
        }
    }

    /// Prevents the run, and frees the callback at once. False if it has run or was cancelled.
    pub fn cancel(&self) -> bool {
        let Some(callback) = self.call.take() else {
            return false;
        };
        if let (Some(shared), Some(waiting)) = (self.owner.upgrade(), self.waiting) {
            match (waiting, self.call.deadline, &shared.inner) {
                (Waiting::Queue(sequence), Some(deadline), _) => {
                    let queue = shared.callbacks.lock();
                    let mut queue = queue.unwrap_or_else(PoisonError::into_inner);
                    queue.timed.remove(&(deadline, sequence));
                }
                (Waiting::Backend(timer), _, Inner::Other(backend)) => backend.timer_cancel(timer),
                _ => {}
            }
        }
        drop(callback);
        true
    }

    /// The deadline, for one that has a deadline.
    #[must_use]
    pub fn when(&self) -> Option<Instant> {
        self.call.deadline
    }
}

impl fmt::Debug for CallHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CallHandle(scheduled at {})", self.call.site)
    }
}

pub(crate) type Callback = Box<dyn FnOnce() + Send>;

/// One scheduled callback; empty once it ran or was cancelled.
pub(crate) struct Call {
    callback: Mutex<Option<Callback>>,
    deadline: Option<Instant>,
    site: &'static Location<'static>,
}

impl Call {
    pub(crate) fn new(
        deadline: Option<Instant>,
        callback: Callback,
        site: &'static Location<'static>,
    ) -> Arc<Self> {
        Arc::new(Self {
            callback: Mutex::new(Some(callback)),
            deadline,
            site,
        })
    }

    fn run(&self, ev: &EventLoop) {
        let Some(callback) = self.take() else {
            return;
        };
        let watched = ev.slow_after().map(|slow| (slow, ev.now()));
        let ended = catch_unwind(AssertUnwindSafe(callback));
        if let Some((slow, began)) = watched {
            let took = ev.now() - began;
            if took >= slow {
                ev.report_slow(&SlowCallback::of_callback(self.site, took));
            }
        }
        if let Err(panic) = ended {
            self.report(ev, "Exception in callback", told(panic));
        }
    }

    /// Drops a callback that will not run. A destructor that panics is told of.
    fn drop_callback(&self, ev: &EventLoop) {
        let callback = self.take();
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(callback))) {
            let message = "Exception in the destructor of a callback that never ran";
            self.report(ev, message, told(panic));
        }
    }

    fn report(&self, ev: &EventLoop, message: &str, error: String) {
        let context = ErrorContext::new(ev, message, error);
        ev.call_exception_handler(&context.in_callback(self.site, self.deadline));
    }

    fn take(&self) -> Option<Callback> {
        self.callback().take()
    }

    fn is_pending(&self) -> bool {
        self.callback().is_some()
    }

    fn callback(&self) -> MutexGuard<'_, Option<Callback>> {
        self.callback.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A callback in the hands of a backend that runs callbacks in an order of its own.
pub struct ScheduledCall {
    ev: BackendLoop,
    call: Arc<Call>,
}

impl ScheduledCall {
    pub(crate) fn new(ev: &EventLoop, call: &Arc<Call>) -> Self {
        Self {
            ev: BackendLoop::of_other(ev),
            call: call.clone(),
        }
    }

    /// The deadline, for one that has a deadline.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.call.deadline
    }

    /// Where it was scheduled.
    #[must_use]
    pub fn site(&self) -> &'static Location<'static> {
        self.call.site
    }

    /// Whether it ran or was cancelled.
    #[must_use]
    pub fn is_spent(&self) -> bool {
        !self.call.is_pending()
    }

    /// Runs the callback, with its loop entered. A panic goes to the exception handler.
    pub fn run(self) {
        let site = self.call.site;
        // Where nobody runs the loop by a `run_*` call, the callback stands for one.
        let outer = context::set_run_mark(None);
        context::set_run_mark(outer.or(Some(RunMark { site })));
        self.call.run(&self.ev.unowned());
        context::set_run_mark(outer);
    }

    pub(crate) fn drop_callback(&self, ev: &EventLoop) {
        self.call.drop_callback(ev);
    }
}

impl fmt::Debug for ScheduledCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ScheduledCall(scheduled at {})", self.call.site)
    }
}

/// What is scheduled on one loop.
#[derive(Default)]
pub(crate) struct CallbackQueue {
    ready: VecDeque<Arc<Call>>,
    timed: BTreeMap<(Instant, u64), Arc<Call>>,
    sequence: u64,
    driver: Option<Waker>,
    adopted: bool,
}

impl CallbackQueue {
    pub(crate) fn push(&mut self, call: Arc<Call>) -> Option<Waiting> {
        let Some(deadline) = call.deadline else {
            self.ready.push_back(call);
            return None;
        };
        self.sequence += 1;
        self.timed.insert((deadline, self.sequence), call);
        Some(Waiting::Queue(self.sequence))
    }

    /// The waker of whoever runs the callbacks, if anybody does.
    pub(crate) fn driver_waker(&self) -> Option<Waker> {
        self.driver.clone()
    }

    /// True the first time: the caller has to see to a driver.
    pub(crate) fn adopt_driver(&mut self) -> bool {
        !std::mem::replace(&mut self.adopted, true)
    }

    /// From here on nobody runs the callbacks.
    pub(crate) fn detach_driver(&mut self) -> Option<Waker> {
        self.driver.take()
    }

    /// Takes everything out, for the end of the loop.
    pub(crate) fn clear(&mut self) -> Self {
        std::mem::take(self)
    }

    /// Drops what is scheduled, in the order it would have run; no destructor that panics keeps
    /// another from its turn.
    pub(crate) fn drop_calls(self, ev: &EventLoop) {
        for call in self.ready.into_iter().chain(self.timed.into_values()) {
            call.drop_callback(ev);
        }
    }

    /// Due timers behind what is ready, and that is the batch.
    fn take_batch(&mut self, now: Instant) -> VecDeque<Arc<Call>> {
        while let Some(entry) = self.timed.first_entry() {
            if entry.key().0 > now {
                break;
            }
            self.ready.push_back(entry.remove());
        }
        std::mem::take(&mut self.ready)
    }

    /// How many callbacks are ready and how many wait for their time, and the next of these times.
    pub(crate) fn scheduled(&self) -> (usize, usize, Option<Instant>) {
        let ready = self.ready.iter().filter(|call| call.is_pending()).count();
        (ready, self.timed.len(), self.next_deadline())
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.timed.first_key_value().map(|(key, _)| key.0)
    }
}

/// Runs a loop's callbacks, a batch a poll; ready once the loop is to stop.
pub struct Driver {
    ev: EventLoop,
    alarm: Option<(Instant, Sleep)>,
}

impl Driver {
    pub(crate) fn new(ev: EventLoop) -> Self {
        Self { ev, alarm: None }
    }

    /// Keeps one sleep armed for the earliest deadline.
    fn arm(&mut self, deadline: Option<Instant>, cx: &mut Context<'_>) {
        let Some(deadline) = deadline else {
            self.alarm = None;
            return;
        };
        if self
            .alarm
            .as_ref()
            .is_none_or(|(armed, _)| *armed != deadline)
        {
            self.alarm = Some((deadline, Sleep::new(&self.ev, deadline)));
        }
        if let Some((_, sleep)) = &mut self.alarm
            && Pin::new(sleep).poll(cx).is_ready()
        {
            self.alarm = None;
            cx.waker().wake_by_ref();
        }
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let now = self.ev.now();
        let (batch, outgrown) = {
            let mut queue = self.ev.callbacks();
            let known = queue
                .driver
                .as_ref()
                .is_some_and(|waker| waker.will_wake(cx.waker()));
            let outgrown = if known {
                None
            } else {
                queue.driver.replace(cx.waker().clone())
            };
            (queue.take_batch(now), outgrown)
        };
        drop(outgrown);
        batch.into_iter().for_each(|call| call.run(&self.ev));
        if self.ev.take_stop() {
            return Poll::Ready(());
        }
        let (more, deadline) = {
            let queue = self.ev.callbacks();
            (!queue.ready.is_empty(), queue.next_deadline())
        };
        if more {
            cx.waker().wake_by_ref();
        }
        self.arm(deadline, cx);
        Poll::Pending
    }
}
