//! What a shutdown came to: each stage, each hook, each task, and what was left.

use std::panic::Location;
use std::time::Duration;

use crate::time::Instant;
use crate::{ErrorContext, ExecutorReport, TaskId, TaskInfo};

/// What became of everything when a loop was shut down. `Display` prints it for who is woken at
/// night: first whether it was clean, then what was not.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// What began it: a signal's name, or `shutdown()`.
    pub cause: String,
    /// When it began, by the loop's clock.
    pub began: Instant,
    /// How long it took.
    pub took: Duration,
    /// The stages, in order.
    pub stages: Vec<StageReport>,
    /// How many listeners it closed.
    pub listeners: usize,
    /// The hooks, in the order in which they ran.
    pub hooks: Vec<HookReport>,
    /// Every task that lived when it began or was started since, but for its own, in creation
    /// order.
    pub tasks: Vec<TaskReport>,
    /// The jobs of the executor that had not ended.
    pub executor: ExecutorReport,
    /// What the exception handler was told meanwhile, in order; hooks tell for themselves.
    pub errors: Vec<ErrorContext>,
    /// How many callbacks wait for a time that will not come.
    pub callbacks: usize,
    /// Where it stood when it was told to make it short, and when.
    pub escalated: Option<(Stage, Instant)>,
}

/// A part of a shutdown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Stage {
    /// The listeners are closed.
    StopAccepting,
    /// The hooks run.
    Hooks,
    /// The tasks are asked to finish.
    Cancel,
    /// They may do so.
    Grace,
    /// Those that have not are dropped where they stand.
    Abort,
    /// Jobs of the executor may end.
    Executor,
}

/// How long a stage took.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StageReport {
    /// Which.
    pub stage: Stage,
    /// How long it took.
    pub took: Duration,
    /// How long it might have, if it waits for anything.
    pub bound: Option<Duration>,
}

/// What became of a hook.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HookReport {
    /// Its name.
    pub name: String,
    /// The call that registered it.
    pub registered_at: &'static Location<'static>,
    /// How long it ran.
    pub took: Duration,
    /// How it ended.
    pub end: HookEnd,
}

/// How a hook ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HookEnd {
    /// By itself.
    Done,
    /// By itself, with an error, whose text this is.
    Failed(String),
    /// It panicked, with this text.
    Panicked(String),
    /// It was dropped at its await when its time was over.
    TimedOut,
    /// It was dropped at its await, or never began, because the shutdown escalated.
    CutShort,
}

/// What became of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskReport {
    /// Who it is.
    pub id: TaskId,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// Where it was spawned.
    pub spawned_at: &'static Location<'static>,
    /// How it ended.
    pub end: TaskEnd,
}

/// How a task ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TaskEnd {
    /// It was over before it was asked to finish.
    Done,
    /// It was asked, and was over within the grace.
    Finished,
    /// It was aborted when the grace was over: only its destructors ran from there on.
    Cut {
        /// What it waited for when it was aborted, if that was a timer or a socket of a world.
        /// In production nobody keeps this: it is `None` there.
        at: Option<String>,
    },
    /// It was aborted and is still there: a poll of it does not end.
    Running,
    /// It waits for this report.
    Awaiting,
}

impl ShutdownReport {
    /// Whether all ended in order: no hook that failed, no task that was cut or is still there, no
    /// job or callback left, no error on the way, no escalation.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.escalated.is_none()
            && self.errors.is_empty()
            && self.executor.is_clean()
            && self.callbacks == 0
            && self.hooks.iter().all(HookReport::is_done)
            && self.tasks.iter().all(TaskReport::is_in_order)
    }

    /// How long a stage took; `None` if it came to none of it.
    #[must_use]
    pub fn stage(&self, stage: Stage) -> Option<&StageReport> {
        self.stages.iter().find(|report| report.stage == stage)
    }

    /// The tasks that were cut, in creation order.
    pub fn cut(&self) -> impl Iterator<Item = &TaskReport> {
        let cut = |task: &&TaskReport| matches!(task.end, TaskEnd::Cut { .. });
        self.tasks.iter().filter(cut)
    }
}

impl HookReport {
    /// Whether it ran to its end without an error.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.end == HookEnd::Done
    }
}

impl TaskReport {
    pub(super) fn new(info: &TaskInfo, end: TaskEnd) -> Self {
        Self {
            id: info.id,
            name: info.name.clone(),
            spawned_at: info.spawned_at,
            end,
        }
    }

    /// Whether it ended by itself, or waits for the report.
    #[must_use]
    pub fn is_in_order(&self) -> bool {
        !matches!(self.end, TaskEnd::Cut { .. } | TaskEnd::Running)
    }
}
