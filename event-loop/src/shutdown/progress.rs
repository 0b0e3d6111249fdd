//! How far a loop's shutdown is, and what it has heard of: the record that spawns, ends and errors
//! are noted in while it lasts.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::Location;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use super::ShutdownError;
use super::hooks::Hook;
use super::listeners::{Accepting, Listeners, ShuttingDown};
use super::report::{ShutdownReport, Stage, TaskEnd, TaskReport};
use crate::time::Instant;
use crate::waiters::Waiters;
use crate::{ErrorContext, TaskId, TaskInfo};

/// What a loop knows of its shutdown.
#[derive(Default)]
pub(crate) struct Progress {
    /// Zero before it. Read at every spawn and end of a task, so it stands beside the lock.
    phase: AtomicU8,
    state: Mutex<State>,
    /// Who waits for the report.
    waiters: Arc<Waiters>,
}

/// What begins and ends is noted.
const UNDER_WAY: u8 = 1;
/// The report is made: nothing begins any more.
const OVER: u8 = 2;

#[derive(Default)]
struct State {
    claimed: bool,
    hooks: Vec<Hook>,
    last_hook: u64,
    no_more_hooks: bool,
    listeners: Listeners,
    /// By serial.
    tasks: BTreeMap<u64, Tracked>,
    /// How many of them live.
    live: usize,
    /// The shutdown's own, by serial, which are no part of the report.
    own: BTreeSet<u64>,
    /// Tasks that wait for the report, and how many times each.
    awaiting: BTreeMap<u64, usize>,
    stage: Option<Stage>,
    escalated: Option<(Stage, Instant)>,
    errors: Vec<ErrorContext>,
    /// Of the task that shuts the loop down.
    waker: Option<Waker>,
    outcome: Option<Outcome>,
    /// Somebody has the report.
    read: bool,
}

type Outcome = Result<Arc<ShutdownReport>, ShutdownError>;

struct Tracked {
    info: TaskInfo,
    /// Whether it was asked to finish.
    asked: bool,
    /// That it was aborted, and where it stood.
    cut: Option<Option<String>>,
    end: Option<TaskEnd>,
}

impl Progress {
    /// The first who asks shuts the loop down.
    pub(super) fn claim(&self) -> bool {
        !std::mem::replace(&mut self.state().claimed, true)
    }

    pub(super) fn is_claimed(&self) -> bool {
        self.state().claimed
    }

    /// Whether the report is made.
    #[inline]
    pub(crate) fn is_over(&self) -> bool {
        self.phase.load(Ordering::Relaxed) == OVER
    }

    pub(super) fn waiters(&self) -> &Arc<Waiters> {
        &self.waiters
    }

    pub(super) fn outcome(&self) -> Option<Outcome> {
        self.state().outcome.clone()
    }

    /// Whether somebody has the report; from here on somebody has.
    pub(super) fn read(&self) -> bool {
        std::mem::replace(&mut self.state().read, true)
    }

    /// A task was started, and has not been polled.
    #[inline]
    pub(crate) fn note_start(
        &self,
        id: TaskId,
        name: Option<&str>,
        site: &'static Location<'static>,
    ) {
        // Relaxed will do, here and below: who begins the shutdown says so before it takes the
        // lock of the table of tasks, which whoever asks has held for this task just before.
        if self.phase.load(Ordering::Relaxed) == UNDER_WAY {
            self.state().track(TaskInfo::new(id, name, site));
        }
    }

    /// A task is over.
    #[inline]
    pub(crate) fn note_end(&self, id: TaskId) {
        if self.phase.load(Ordering::Relaxed) == UNDER_WAY {
            self.end_of(id);
        }
    }

    #[cold]
    fn end_of(&self, id: TaskId) {
        let waker = {
            let mut state = self.state();
            state.end(id);
            state.waker_if_drained()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The exception handler was told of something.
    pub(crate) fn note_error(&self, context: &ErrorContext) {
        if self.phase.load(Ordering::Relaxed) == UNDER_WAY {
            self.state().errors.push(context.clone());
        }
    }

    /// The loop's tasks are noted from here on, those that `live` knows to begin with.
    pub(super) fn begin(&self, live: impl FnOnce() -> Vec<TaskInfo>) {
        let mut state = self.state();
        self.phase.store(UNDER_WAY, Ordering::SeqCst);
        // Asked with the state held: the end of one of these is noted after it is in here.
        for info in live() {
            state.track(info);
        }
    }

    pub(super) fn enter(&self, stage: Stage) {
        self.state().stage = Some(stage);
    }

    /// A task of the shutdown's own.
    pub(super) fn disown(&self, id: TaskId) {
        let mut state = self.state();
        state.own.insert(id.serial());
        let tracked = state.tasks.remove(&id.serial());
        if tracked.is_some_and(|task| task.end.is_none()) {
            state.live -= 1;
        }
    }

    pub(super) fn add_hook(&self, hook: Hook) -> Result<u64, ShutdownError> {
        let mut state = self.state();
        if state.no_more_hooks {
            return Err(ShutdownError::TooLate);
        }
        state.last_hook += 1;
        let number = state.last_hook;
        state.hooks.push(Hook { number, ..hook });
        Ok(number)
    }

    pub(super) fn remove_hook(&self, number: u64) -> Option<Hook> {
        let mut state = self.state();
        let place = state.hooks.iter().position(|hook| hook.number == number)?;
        Some(state.hooks.remove(place))
    }

    /// The hook whose turn it is, and how many are left with it. Without one, none is taken in
    /// any more.
    pub(super) fn next_hook(&self) -> Option<(Hook, u32)> {
        let mut state = self.state();
        let left = u32::try_from(state.hooks.len()).unwrap_or(u32::MAX);
        let hook = state.hooks.pop();
        state.no_more_hooks = hook.is_none();
        hook.map(|hook| (hook, left))
    }

    pub(crate) fn add_listener(&self, listener: &Arc<dyn Accepting>) -> Result<(), ShuttingDown> {
        self.state().listeners.add(listener)
    }

    /// Closes every listener, and says how many there were.
    pub(super) fn stop_accepting(&self) -> usize {
        let listeners = self.state().listeners.stop();
        listeners.iter().filter(|listener| listener.stop()).count()
    }

    /// The tasks that live and do not wait for the report, in creation order.
    pub(super) fn remaining(&self) -> Vec<TaskId> {
        self.state().remaining().map(|task| task.info.id).collect()
    }

    /// Whether none of them is left; the `waker` is woken once that may be so, or the shutdown is
    /// to be made short.
    pub(super) fn is_drained(&self, waker: &Waker) -> bool {
        let mut state = self.state();
        let known = state.waker.as_ref().is_some_and(|w| w.will_wake(waker));
        if !known {
            // It is the waker of this crate's own task: neither its clone nor its end is any code.
            state.waker = Some(waker.clone());
        }
        state.is_drained()
    }

    /// Those that `live` does not know any more are over, whoever forgot to say so.
    pub(super) fn reconcile(&self, live: impl FnOnce() -> Vec<TaskInfo>) {
        let mut state = self.state();
        let live: BTreeSet<_> = live().iter().map(|info| info.id).collect();
        let over: Vec<_> = state.remaining().map(|task| task.info.id).collect();
        for id in over {
            if !live.contains(&id) {
                state.end(id);
            }
        }
    }

    pub(super) fn note_asked(&self, id: TaskId) {
        if let Some(task) = self.state().tasks.get_mut(&id.serial()) {
            task.asked = true;
        }
    }

    pub(super) fn note_cut(&self, id: TaskId, at: Option<String>) {
        if let Some(task) = self.state().tasks.get_mut(&id.serial()) {
            task.cut = Some(at);
        }
    }

    /// A task begins, or ceases, to wait for the report.
    pub(super) fn note_awaiting(&self, serial: u64, begins: bool) {
        let waker = {
            let mut state = self.state();
            let times = state.awaiting.entry(serial).or_default();
            if begins {
                *times += 1;
            } else {
                *times = times.saturating_sub(1);
                if *times == 0 {
                    state.awaiting.remove(&serial);
                }
            }
            state.waker_if_drained()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Makes a shutdown under way short. True for the first who asks.
    pub(super) fn escalate(&self, now: Instant) -> bool {
        let waker = {
            let mut state = self.state();
            if !state.claimed || state.outcome.is_some() || state.escalated.is_some() {
                return false;
            }
            let stage = state.stage.unwrap_or(Stage::StopAccepting);
            state.escalated = Some((stage, now));
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        true
    }

    pub(super) fn escalated(&self) -> Option<(Stage, Instant)> {
        self.state().escalated
    }

    /// What became of each task, and the errors so far. Nothing is noted, nor started, any more.
    pub(super) fn end(&self) -> (Vec<TaskReport>, Vec<ErrorContext>) {
        let mut state = self.state();
        self.phase.store(OVER, Ordering::SeqCst);
        let tasks = std::mem::take(&mut state.tasks);
        let awaiting = &state.awaiting;
        let tasks = tasks.into_iter().map(|(serial, task)| {
            let still = if awaiting.contains_key(&serial) {
                TaskEnd::Awaiting
            } else {
                TaskEnd::Running
            };
            TaskReport::new(&task.info, task.end.unwrap_or(still))
        });
        let tasks = tasks.collect();
        (tasks, std::mem::take(&mut state.errors))
    }

    pub(super) fn tell(&self, report: ShutdownReport) {
        self.settle(Ok(Arc::new(report)));
    }

    /// The loop is closed: what is left of its shutdown goes, and who waits for one hears of it.
    pub(crate) fn close(&self) {
        let (hooks, listeners) = {
            let mut state = self.state();
            state.no_more_hooks = true;
            (std::mem::take(&mut state.hooks), state.listeners.stop())
        };
        // Their sockets tell by themselves that the loop is closed.
        drop((hooks, listeners));
        self.settle(Err(ShutdownError::Closed));
    }

    fn settle(&self, outcome: Outcome) {
        self.state().outcome.get_or_insert(outcome);
        self.waiters.take().for_each(Waker::wake);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn track(&mut self, info: TaskInfo) {
        let serial = info.id.serial();
        if self.own.contains(&serial) || self.tasks.contains_key(&serial) {
            return;
        }
        let task = Tracked {
            info,
            asked: false,
            cut: None,
            end: None,
        };
        self.tasks.insert(serial, task);
        self.live += 1;
    }

    fn end(&mut self, id: TaskId) {
        let Some(task) = self.tasks.get_mut(&id.serial()) else {
            return;
        };
        if task.end.is_some() {
            return;
        }
        task.end = Some(match (task.cut.take(), task.asked) {
            (Some(at), _) => TaskEnd::Cut { at },
            (None, true) => TaskEnd::Finished,
            (None, false) => TaskEnd::Done,
        });
        self.live -= 1;
    }

    fn remaining(&self) -> impl Iterator<Item = &Tracked> {
        let lives = |(_, task): &(&u64, &Tracked)| task.end.is_none();
        let waits = |(serial, _): &(&u64, &Tracked)| self.awaiting.contains_key(serial);
        let tasks = self.tasks.iter().filter(lives);
        tasks.filter(move |task| !waits(task)).map(|(_, task)| task)
    }

    fn is_drained(&self) -> bool {
        let waits = |serial: &&u64| self.tasks.get(serial).is_some_and(|t| t.end.is_none());
        // Few ever wait for the report; of the others there may be many.
        self.live == self.awaiting.keys().filter(waits).count()
    }

    fn waker_if_drained(&mut self) -> Option<Waker> {
        if self.is_drained() {
            self.waker.take()
        } else {
            None
        }
    }
}
