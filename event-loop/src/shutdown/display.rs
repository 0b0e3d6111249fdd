//! A shutdown's report as text.

use std::fmt;

use super::report::{HookEnd, HookReport, ShutdownReport, Stage, StageReport, TaskEnd, TaskReport};

impl fmt::Display for ShutdownReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shutdown by {} took {:?}: ", self.cause, self.took)?;
        match self.complaints().as_slice() {
            [] => f.write_str("clean")?,
            some => write!(f, "NOT CLEAN: {}", some.join(", "))?,
        }
        if let Some((stage, at)) = self.escalated {
            write!(
                f,
                "\n  escalated  in stage {stage}, at {at:?} of the loop's clock"
            )?;
        }
        let stages: Vec<_> = self.stages.iter().map(ToString::to_string).collect();
        write!(f, "\n  stages     {}", stages.join(" | "))?;
        write!(f, "\n  listeners  {} closed", self.listeners)?;
        let done = self.hooks.iter().filter(|hook| hook.is_done()).count();
        write!(f, "\n  hooks      {done} of {} done", self.hooks.len())?;
        for hook in self.hooks.iter().filter(|hook| !hook.is_done()) {
            write!(f, "\n    {hook}")?;
        }
        write!(f, "\n  tasks      {}", self.counts())?;
        for task in self.tasks.iter().filter(|task| !task.is_in_order()) {
            write!(f, "\n    {task}")?;
        }
        for job in &self.executor.running {
            write!(f, "\n  job        RUNNING {job}")?;
        }
        for job in &self.executor.dropped {
            write!(f, "\n  job        NEVER BEGUN {job}")?;
        }
        for error in &self.errors {
            let text = error.to_string().replace('\n', "\n    ");
            write!(f, "\n  error      {text}")?;
        }
        Ok(())
    }
}

impl ShutdownReport {
    /// What was not in order, in a few words each.
    fn complaints(&self) -> Vec<String> {
        let hooks = self.hooks.iter().filter(|hook| !hook.is_done()).count();
        let running = self.running().count();
        let counted = [
            (hooks, "hook not done", "hooks not done"),
            (self.cut().count(), "task cut", "tasks cut"),
            (running, "task still running", "tasks still running"),
            (
                self.executor.running.len(),
                "job still running",
                "jobs still running",
            ),
            (
                self.executor.dropped.len(),
                "job never begun",
                "jobs never begun",
            ),
            (self.errors.len(), "error", "errors"),
            (self.callbacks, "callback left", "callbacks left"),
        ];
        let counted = counted.into_iter().filter(|(n, ..)| *n > 0);
        let counted = counted.map(|(n, one, many)| {
            let what = if n == 1 { one } else { many };
            format!("{n} {what}")
        });
        let escalated = self.escalated.map(|_| "escalated".to_owned());
        escalated.into_iter().chain(counted).collect()
    }

    fn running(&self) -> impl Iterator<Item = &TaskReport> {
        let running = |task: &&TaskReport| task.end == TaskEnd::Running;
        self.tasks.iter().filter(running)
    }

    fn counts(&self) -> String {
        let count = |end: TaskEnd| self.tasks.iter().filter(|task| task.end == end).count();
        let parts = [
            (count(TaskEnd::Done), "ended before they were asked"),
            (count(TaskEnd::Finished), "ended when asked"),
            (self.cut().count(), "cut"),
            (count(TaskEnd::Running), "still running"),
            (count(TaskEnd::Awaiting), "awaiting this report"),
        ];
        let parts = parts.into_iter().filter(|(n, _)| *n > 0);
        let parts: Vec<_> = parts.map(|(n, what)| format!("{n} {what}")).collect();
        let all = self.tasks.len();
        match parts.is_empty() {
            true => all.to_string(),
            false => format!("{all}: {}", parts.join(", ")),
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StopAccepting => "stop accepting",
            Self::Hooks => "hooks",
            Self::Cancel => "cancel",
            Self::Grace => "grace",
            Self::Abort => "abort",
            Self::Executor => "executor",
        })
    }
}

impl fmt::Display for StageReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.stage, self.took)?;
        match self.bound {
            Some(bound) => write!(f, " of {bound:?}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for HookReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            registered_at,
            took,
            end,
        } = self;
        write!(f, "\"{name}\" ")?;
        match end {
            HookEnd::Done => write!(f, "done after {took:?}")?,
            HookEnd::Failed(error) => write!(f, "FAILED after {took:?}: {error}")?,
            HookEnd::Panicked(text) => write!(f, "PANICKED after {took:?}: {text}")?,
            HookEnd::TimedOut => write!(f, "TIMED OUT after {took:?}")?,
            HookEnd::CutShort => write!(f, "CUT SHORT after {took:?}")?,
        }
        write!(f, ", registered at {registered_at}")
    }
}

impl fmt::Display for TaskReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.end {
            TaskEnd::Done => f.write_str("done ")?,
            TaskEnd::Finished => f.write_str("finished ")?,
            TaskEnd::Cut { .. } => f.write_str("CUT ")?,
            TaskEnd::Running => f.write_str("RUNNING ")?,
            TaskEnd::Awaiting => f.write_str("awaiting ")?,
        }
        write!(f, "{}", self.id)?;
        if let Some(name) = &self.name {
            write!(f, " \"{name}\"")?;
        }
        write!(f, " spawned at {}", self.spawned_at)?;
        match &self.end {
            TaskEnd::Cut { at: Some(at) } => write!(f, ", at {at}"),
            _ => Ok(()),
        }
    }
}
