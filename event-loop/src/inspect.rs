//! What a loop looks like from outside: who is live, and what is scheduled.

use std::fmt;
use std::panic::Location;

use crate::handle::Inner;
use crate::time::Instant;
use crate::{Description, EventLoop, TaskId};

impl EventLoop {
    /// The live tasks, in creation order; none on a closed loop.
    ///
    /// ```
    /// # use event_loop::{production, LoopConfig};
    /// # let ev = production::current_thread(LoopConfig::default()).unwrap();
    /// let feed = ev.spawn_named("feed", std::future::pending::<()>());
    /// let tasks = ev.all_tasks();
    /// assert_eq!(tasks.len(), 1);
    /// assert_eq!((Some(tasks[0].id), tasks[0].name.as_deref()), (feed.id(), Some("feed")));
    /// ```
    ///
    /// Follows `asyncio.all_tasks`, which has no order.
    #[must_use]
    pub fn all_tasks(&self) -> Vec<TaskInfo> {
        match &self.shared.inner {
            Inner::Tokio(tokio) => tokio.tasks(),
            Inner::Other(backend) => backend.tasks(),
        }
    }

    /// What the loop is, who is live in it and what is scheduled, to be printed when something
    /// hangs.
    #[must_use]
    pub fn dump(&self) -> Dump {
        let (callbacks_ready, callbacks_timed, next_deadline) = match self.backends_callbacks() {
            Some(callbacks) => callbacks.scheduled(),
            None => self.callbacks().scheduled(),
        };
        Dump {
            description: self.describe(),
            now: self.now(),
            tasks: self.all_tasks(),
            callbacks_ready,
            callbacks_timed,
            next_deadline,
        }
    }
}

/// A live task.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskInfo {
    /// Its identity.
    pub id: TaskId,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// Where it was spawned.
    pub spawned_at: &'static Location<'static>,
    /// Simulation only: the timer or socket it waits for, if it is one of the loop's own.
    pub waits_on: Option<String>,
}

impl TaskInfo {
    /// For backends outside this crate.
    #[doc(hidden)]
    #[must_use]
    pub fn new(id: TaskId, name: Option<&str>, spawned_at: &'static Location<'static>) -> Self {
        Self {
            id,
            name: name.map(str::to_owned),
            spawned_at,
            waits_on: None,
        }
    }
}

impl fmt::Display for TaskInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.id)?;
        if let Some(name) = &self.name {
            write!(f, " \"{name}\"")?;
        }
        write!(f, " spawned at {}", self.spawned_at)?;
        match &self.waits_on {
            Some(what) => write!(f, ", waits on {what}"),
            None => Ok(()),
        }
    }
}

/// What a loop looked like when [`EventLoop::dump`] was called; `Display` prints it, a line a task.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Dump {
    /// What is in force in the loop.
    pub description: Description,
    /// The loop's time.
    pub now: Instant,
    /// The live tasks, in creation order.
    pub tasks: Vec<TaskInfo>,
    /// How many callbacks run in the next iteration.
    pub callbacks_ready: usize,
    /// How many callbacks wait for their time.
    pub callbacks_timed: usize,
    /// When the first of these is due.
    pub next_deadline: Option<Instant>,
}

impl fmt::Display for Dump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} at {:?}", self.description, self.now)?;
        let (ready, timed) = (self.callbacks_ready, self.callbacks_timed);
        write!(f, "callbacks: {ready} ready, {timed} timed")?;
        if let Some(next) = self.next_deadline {
            write!(f, ", the next at {next:?}")?;
        }
        write!(f, "\ntasks: {}", self.tasks.len())?;
        self.tasks
            .iter()
            .try_for_each(|task| write!(f, "\n  {task}"))
    }
}
