//! A set of tasks, read as they end.

use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::resume_unwind;
use std::task::{Context, Poll};

use super::members::Members;
use super::{AbortHandle, TaskError, TaskHandle, TaskId, spawn, spawn_blocking, spawn_local};
use crate::EventLoop;

/// A set of tasks whose outcomes are read in the order in which they end. Dropping it aborts them
/// all, in the order in which they were started.
///
/// It has the shape of tokio's.
///
/// ```
/// # use std::time::Duration;
/// # use event_loop::{production, time::sleep, LoopConfig};
/// use event_loop::task::JoinSet;
/// # let ev = production::current_thread(LoopConfig::default()).unwrap();
/// # ev.run_borrowed(async {
/// let mut set = JoinSet::new();
/// for n in [20, 0, 10] {
///     set.spawn(async move {
///         sleep(Duration::from_millis(n)).await;
///         n
///     });
/// }
/// let mut ended = Vec::new();
/// while let Some(n) = set.join_next().await {
///     ended.push(n.unwrap());
/// }
/// assert_eq!(ended, [0, 10, 20]);
/// # }).unwrap();
/// ```
#[must_use = "a set that is dropped aborts its tasks"]
pub struct JoinSet<T> {
    members: Members<T>,
}

impl<T> JoinSet<T> {
    /// An empty set.
    pub fn new() -> Self {
        Self {
            members: Members::new(),
        }
    }

    /// How many tasks there are whose outcome was not read.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether every outcome was read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Starts a task of the set on the current loop.
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[track_caller]
    pub fn spawn<F>(&mut self, future: F) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        self.insert(spawn(future))
    }

    /// Starts a task of the set on `ev`. If that is closed, the task's outcome says so.
    #[track_caller]
    pub fn spawn_on<F>(&mut self, future: F, ev: &EventLoop) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        self.insert(ev.spawn(future))
    }

    /// Starts a task of the set on the current loop that need not be [`Send`].
    ///
    /// # Panics
    /// As [`spawn_local`](super::spawn_local()).
    #[track_caller]
    pub fn spawn_local<F>(&mut self, future: F) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
        T: 'static,
    {
        self.insert(spawn_local(future))
    }

    /// Runs `f`, which may block, on the current loop's pool of threads, as a member of the set: see
    /// [`run_blocking`](crate::run_blocking). Dropping the set takes it back only if it has not
    /// begun.
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[track_caller]
    pub fn spawn_blocking<F>(&mut self, f: F) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.insert(spawn_blocking(f))
    }

    /// As [`spawn_blocking`](Self::spawn_blocking), on the pool of `ev`.
    #[track_caller]
    pub fn spawn_blocking_on<F>(&mut self, f: F, ev: &EventLoop) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.insert(TaskHandle::from(ev.run_blocking(f)))
    }

    /// Takes a task in that was started already.
    pub fn insert(&mut self, task: TaskHandle<T>) -> AbortHandle {
        let end = task.abort_handle();
        self.members.insert(task);
        end
    }

    /// The outcome of the next task that ends; `None` if the set is empty. Nothing is lost if the
    /// wait is given up.
    pub async fn join_next(&mut self) -> Option<Result<T, TaskError>> {
        poll_fn(|cx| self.poll_join_next(cx)).await
    }

    /// As [`join_next`](Self::join_next), with the task's identity.
    pub async fn join_next_with_id(&mut self) -> Option<Result<(TaskId, T), TaskError>> {
        poll_fn(|cx| self.poll_join_next_with_id(cx)).await
    }

    /// The outcome of the next task that has ended, if one has.
    pub fn try_join_next(&mut self) -> Option<Result<T, TaskError>> {
        let (_, _, outcome) = self.members.try_next()?;
        Some(outcome)
    }

    /// As [`try_join_next`](Self::try_join_next), with the task's identity.
    pub fn try_join_next_with_id(&mut self) -> Option<Result<(TaskId, T), TaskError>> {
        let (_, id, outcome) = self.members.try_next()?;
        Some(with_id(id, outcome))
    }

    /// Polls for the outcome of the next task that ends: ready with `None` if the set is empty.
    pub fn poll_join_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, TaskError>>> {
        let ended = self.members.poll_next(cx);
        ended.map(|ended| ended.map(|(_, _, outcome)| outcome))
    }

    /// As [`poll_join_next`](Self::poll_join_next), with the task's identity.
    pub fn poll_join_next_with_id(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<(TaskId, T), TaskError>>> {
        let ended = self.members.poll_next(cx);
        ended.map(|ended| ended.map(|(_, id, outcome)| with_id(id, outcome)))
    }

    /// Waits for all tasks, and gives their values in the order in which they ended.
    ///
    /// # Panics
    /// With a task's panic, or if a task was aborted; the others are then aborted.
    pub async fn join_all(mut self) -> Vec<T> {
        let mut values = Vec::with_capacity(self.len());
        while let Some(outcome) = self.join_next().await {
            match outcome.map_err(TaskError::try_into_panic) {
                Ok(value) => values.push(value),
                Err(Ok(payload)) => resume_unwind(payload),
                Err(Err(error)) => panic!("{error}"),
            }
        }
        values
    }

    /// Aborts all tasks and waits until each has ended.
    pub async fn shutdown(&mut self) {
        self.abort_all();
        while self.join_next().await.is_some() {}
    }

    /// Aborts all tasks, in the order in which they were started. They stay in the set until
    /// their outcomes are read.
    pub fn abort_all(&mut self) {
        self.members.running().for_each(|(_, task)| task.abort());
    }

    /// Lets all tasks run on with nobody waiting for them: the set is empty.
    pub fn detach_all(&mut self) {
        self.members = Members::new();
    }
}

fn with_id<T>(id: Option<TaskId>, outcome: Result<T, TaskError>) -> Result<(TaskId, T), TaskError> {
    let value = outcome?;
    Ok((id.expect("a task with a value has run"), value))
}

impl<T> Drop for JoinSet<T> {
    fn drop(&mut self) {
        self.abort_all();
    }
}

impl<T> Default for JoinSet<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for JoinSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JoinSet({} tasks)", self.len())
    }
}

/// Starts each future as a task of the set on the current loop.
///
/// # Panics
/// If this thread has no current loop.
impl<T, F> FromIterator<F> for JoinSet<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    fn from_iter<I: IntoIterator<Item = F>>(futures: I) -> Self {
        let mut set = Self::new();
        for future in futures {
            set.spawn(future);
        }
        set
    }
}
