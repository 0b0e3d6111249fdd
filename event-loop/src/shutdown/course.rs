//! The course of a shutdown: its stages, one after the other, each within its time.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use super::hooks::Hook;
use super::report::{HookEnd, HookReport, ShutdownReport, Stage, StageReport};
use super::{CancelOrder, ShutdownPolicy};
use crate::exception::told;
use crate::handle::Inner;
use crate::time::{Instant, Sleep};
use crate::{ErrorContext, EventLoop, ExecutorReport, TaskError, TaskId};

/// A shutdown under way, as the task sees it that carries it out.
pub(super) struct Course {
    ev: EventLoop,
    policy: ShutdownPolicy,
    began: Instant,
    stages: Vec<StageReport>,
}

/// What ended a wait.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waited {
    Done,
    TimedOut,
    Escalated,
}

impl Course {
    /// Shuts the loop down, as a task of its own, and leaves the report with the loop.
    pub(super) async fn run(ev: EventLoop, policy: ShutdownPolicy, cause: String) {
        let began = ev.now();
        let mut course = Self {
            ev,
            policy,
            began,
            stages: Vec::new(),
        };
        let progress = &course.ev.shared.shutdown;
        if let Some(own) = crate::task::try_id() {
            progress.disown(own);
        }
        progress.begin(|| course.ev.all_tasks());
        let listeners = course.stop_accepting();
        let hooks = course.run_hooks().await;
        course.ask_tasks();
        course.grant_grace().await;
        course.abort_tasks().await;
        let executor = course.end_jobs().await;
        course.tell(cause, listeners, hooks, executor);
    }

    fn stop_accepting(&mut self) -> usize {
        let since = self.enter(Stage::StopAccepting);
        let closed = self.ev.shared.shutdown.stop_accepting();
        self.leave(Stage::StopAccepting, since, None);
        closed
    }

    async fn run_hooks(&mut self) -> Vec<HookReport> {
        let since = self.enter(Stage::Hooks);
        let bound = self.bound(self.policy.hooks);
        let until = since + bound;
        let mut reports = Vec::new();
        while let Some((hook, left)) = self.ev.shared.shutdown.next_hook() {
            let share = until.duration_since(self.ev.now()) / left;
            reports.push(self.run_hook(hook, share).await);
        }
        self.leave(Stage::Hooks, since, Some(bound));
        reports
    }

    async fn run_hook(&self, hook: Hook, share: Duration) -> HookReport {
        let Hook {
            name,
            registered_at,
            run,
            ..
        } = hook;
        let since = self.ev.now();
        let end = if self.is_escalated() {
            HookEnd::CutShort
        } else {
            let task = format!("shutdown hook \"{name}\"");
            let mut task = self.ev.spawn_named(&task, async move { run().await });
            if let Some(id) = task.id() {
                self.ev.shared.shutdown.disown(id);
            }
            let mut ended = None;
            let ends = |cx: &mut Context<'_>| ready_into(&mut ended, Pin::new(&mut task).poll(cx));
            let waited = self.wait(since + share, ends).await;
            match (ended, waited) {
                (Some(outcome), _) => how(outcome),
                (None, Waited::Escalated) => {
                    task.abort();
                    HookEnd::CutShort
                }
                (None, Waited::Done | Waited::TimedOut) => {
                    task.abort();
                    HookEnd::TimedOut
                }
            }
        };
        let report = HookReport {
            name,
            registered_at,
            took: self.ev.now().duration_since(since),
            end,
        };
        self.complain(&report);
        report
    }

    /// A hook that failed may be all that tells of it where nobody reads the report.
    fn complain(&self, hook: &HookReport) {
        let (message, error) = match &hook.end {
            HookEnd::Failed(error) => ("Error in shutdown hook", error),
            HookEnd::Panicked(text) => ("Exception in shutdown hook", text),
            HookEnd::Done | HookEnd::TimedOut | HookEnd::CutShort => return,
        };
        let message = format!("{message} \"{}\"", hook.name);
        let mut context = ErrorContext::new(&self.ev, &message, error.clone());
        context.created_at = Some(hook.registered_at);
        self.ev.tell(self.ev.handler_slot(), &context);
    }

    fn ask_tasks(&mut self) {
        let since = self.enter(Stage::Cancel);
        // Who is to end now need not be asked.
        if !self.is_escalated() {
            for id in self.in_order(self.ev.shared.shutdown.remaining()) {
                self.ev.shared.shutdown.note_asked(id);
                self.ev.request_cancel_of(id);
            }
        }
        self.leave(Stage::Cancel, since, None);
    }

    fn in_order(&self, mut tasks: Vec<TaskId>) -> Vec<TaskId> {
        match (self.policy.order, self.ev.backend()) {
            (CancelOrder::Reverse, _) => tasks.reverse(),
            (CancelOrder::Seeded, Some(backend)) => {
                for place in 0..tasks.len().saturating_sub(1) {
                    let left = (tasks.len() - place) as u64;
                    let chosen = backend.choose("shutdown asks next", left);
                    tasks.swap(place, place + chosen as usize);
                }
            }
            (CancelOrder::Registration | CancelOrder::Seeded, _) => {}
        }
        tasks
    }

    async fn grant_grace(&mut self) {
        let since = self.enter(Stage::Grace);
        let bound = self.bound(self.policy.grace);
        self.wait_for_tasks(since + bound, true).await;
        self.leave(Stage::Grace, since, Some(bound));
    }

    async fn abort_tasks(&mut self) {
        let since = self.enter(Stage::Abort);
        let bound = self.bound(self.policy.abort);
        let remaining = self.ev.shared.shutdown.remaining();
        if !remaining.is_empty() {
            let tasks = self.ev.all_tasks().into_iter();
            let mut waits: BTreeMap<_, _> = tasks.map(|task| (task.id, task.waits_on)).collect();
            for id in remaining {
                let at = waits.remove(&id).flatten();
                self.ev.shared.shutdown.note_cut(id, at);
                self.ev.abort_of(id);
            }
            self.wait_for_tasks(since + bound, false).await;
        }
        self.leave(Stage::Abort, since, Some(bound));
    }

    async fn end_jobs(&mut self) -> ExecutorReport {
        let since = self.enter(Stage::Executor);
        let bound = self.bound(self.policy.executor);
        let mut ended = None;
        if !self.is_escalated() {
            let mut ending = pin!(self.ev.shutdown_executor(bound));
            let ends = |cx: &mut Context<'_>| ready_into(&mut ended, ending.as_mut().poll(cx));
            self.wait(since + bound, ends).await;
        }
        let report = match ended {
            Some(report) => report,
            None => self.ev.shutdown_executor(Duration::ZERO).await,
        };
        self.leave(Stage::Executor, since, Some(bound));
        report
    }

    fn tell(
        self,
        cause: String,
        listeners: usize,
        hooks: Vec<HookReport>,
        executor: ExecutorReport,
    ) {
        let progress = &self.ev.shared.shutdown;
        let dump = self.ev.dump();
        let (tasks, errors) = progress.end();
        progress.tell(ShutdownReport {
            cause,
            began: self.began,
            took: self.ev.now().duration_since(self.began),
            stages: self.stages,
            listeners,
            hooks,
            tasks,
            executor,
            errors,
            callbacks: dump.callbacks_timed,
            escalated: progress.escalated(),
        });
    }

    /// Until no task is left but those that wait for the report.
    async fn wait_for_tasks(&self, until: Instant, heeds_escalation: bool) {
        let progress = &self.ev.shared.shutdown;
        progress.reconcile(|| self.ev.all_tasks());
        let mut alarm = pin!(Sleep::new(&self.ev, until));
        poll_fn(|cx| {
            if progress.is_drained(cx.waker()) || heeds_escalation && self.is_escalated() {
                return Poll::Ready(());
            }
            alarm.as_mut().poll(cx)
        })
        .await;
        progress.reconcile(|| self.ev.all_tasks());
    }

    /// Until `done`, the time, or an escalation, whichever is first.
    async fn wait(&self, until: Instant, mut done: impl FnMut(&mut Context<'_>) -> bool) -> Waited {
        let progress = &self.ev.shared.shutdown;
        let mut alarm = pin!(Sleep::new(&self.ev, until));
        poll_fn(|cx| {
            // Whoever escalates wakes the same waker as the last task.
            progress.is_drained(cx.waker());
            if done(cx) {
                return Poll::Ready(Waited::Done);
            }
            if self.is_escalated() {
                return Poll::Ready(Waited::Escalated);
            }
            alarm.as_mut().poll(cx).map(|()| Waited::TimedOut)
        })
        .await
    }

    fn is_escalated(&self) -> bool {
        self.ev.shared.shutdown.escalated().is_some()
    }

    /// What a stage may take, within the time for all of them.
    fn bound(&self, part: Duration) -> Duration {
        let end = self.began + self.policy.total;
        part.min(end.duration_since(self.ev.now()))
    }

    fn enter(&self, stage: Stage) -> Instant {
        self.ev.shared.shutdown.enter(stage);
        self.ev.now()
    }

    fn leave(&mut self, stage: Stage, since: Instant, bound: Option<Duration>) {
        self.stages.push(StageReport {
            stage,
            took: self.ev.now().duration_since(since),
            bound,
        });
    }
}

/// Whether something is ready; it is kept.
fn ready_into<T>(kept: &mut Option<T>, polled: Poll<T>) -> bool {
    if let Poll::Ready(value) = polled {
        *kept = Some(value);
    }
    kept.is_some()
}

/// How a hook's task ended.
fn how(outcome: Result<Option<String>, TaskError>) -> HookEnd {
    match outcome {
        Ok(None) => HookEnd::Done,
        Ok(Some(error)) => HookEnd::Failed(error),
        Err(error) => match error.try_into_panic() {
            Ok(payload) => HookEnd::Panicked(told(payload)),
            Err(_) => HookEnd::CutShort,
        },
    }
}

impl EventLoop {
    fn request_cancel_of(&self, id: TaskId) {
        match &self.shared.inner {
            Inner::Tokio(tokio) => {
                if let Some(task) = tokio.task(id) {
                    task.request_cancel();
                }
            }
            Inner::Other(backend) => backend.request_cancel(id),
        }
    }

    fn abort_of(&self, id: TaskId) {
        match &self.shared.inner {
            Inner::Tokio(tokio) => {
                if let Some(task) = tokio.task(id) {
                    task.abort();
                }
            }
            Inner::Other(backend) => backend.abort(id),
        }
    }
}
