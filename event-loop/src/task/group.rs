//! Structured concurrency: tasks that are started together, end together, and fail together.

use std::error::Error;
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::Location;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use super::AbortHandle;
use super::cancel::{CancelPlace, poll_request};
use super::group_error::{GroupEnded, MemberError, TaskGroupError};
use super::members::{Ended, Line, Members, Taken};
use super::outcome::Plain;
use super::spawn::{expect_current, spawn_on};
use crate::{Closed, EventLoop, LoopError, context};

type Failure = Box<dyn Error + Send + Sync>;

/// Runs `body`, and the tasks it starts in its [`TaskGroup`], to their end.
///
/// The body is a task of the group. The first of them that fails, by an `Err` or a panic, makes
/// the group request all others to finish ([`cancelled`](crate::cancelled) becomes ready in them),
/// and start no more; all are awaited, and all failures listed in the order in which they happened.
/// A request to the task that awaits the group goes to all of the group's. A task that was aborted
/// by its own handle has not failed.
///
/// Nothing happens until the group is awaited; dropping it then aborts its tasks, in the order in
/// which they were started.
///
/// Follows `asyncio.TaskGroup`.
///
/// ```
/// # use std::time::Duration;
/// # use event_loop::{production, task_group, time::sleep, LoopConfig};
/// # let ev = production::current_thread(LoopConfig::default()).unwrap();
/// # ev.run_borrowed(async {
/// async fn fetch(n: u64) -> Result<(), std::num::TryFromIntError> {
///     sleep(Duration::from_millis(n)).await;
///     u8::try_from(n * 100).map(drop)
/// }
///
/// let fetched = task_group(|group| async move {
///     for n in [1, 2, 3, 1_000] {
///         group.spawn(fetch(n))?;
///     }
///     Ok(())
/// });
/// let error = fetched.await.unwrap_err().to_string();
/// assert!(error.starts_with("unhandled errors in a TaskGroup (2 sub-exceptions)"), "{error}");
/// # }).unwrap();
/// ```
///
/// # Errors
/// [`TaskGroupError`] if any of its tasks failed.
///
/// # Panics
/// If it is first awaited where there is no current loop, or if `body` itself panics before it
/// returns its future.
#[track_caller]
pub fn task_group<B, F, T>(body: B) -> impl Future<Output = Result<T, TaskGroupError>>
where
    B: FnOnce(TaskGroup) -> F,
    F: Future<Output = Result<T, Failure>> + Send + 'static,
    T: Send + 'static,
{
    let site = Location::caller();
    async move {
        let ev = context::expect_current().unowned();
        let group = TaskGroup {
            shared: Arc::new(Shared {
                ev,
                state: Mutex::new(State {
                    members: Members::new(),
                    coming: 0,
                    phase: Phase::Open,
                }),
            }),
        };
        let mut running = Running {
            group,
            body: 0,
            request: CancelPlace::default(),
            requested: false,
            failures: Vec::new(),
        };
        let value = Arc::new(Mutex::new(None));
        let (body, result) = (body(running.group.clone()), value.clone());
        running.begin(site, async move {
            let value = body.await?;
            *result.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
            Ok(())
        });
        poll_fn(|cx| running.poll(cx)).await;
        let failures = std::mem::take(&mut running.failures);
        let value = value.lock().unwrap_or_else(PoisonError::into_inner).take();
        match value {
            Some(value) if failures.is_empty() => Ok(value),
            _ => Err(TaskGroupError::new(failures)),
        }
    }
}

/// Where the tasks of a [`task_group`] are started: by its body, by each other, from anywhere.
#[derive(Clone)]
pub struct TaskGroup {
    shared: Arc<Shared>,
}

struct Shared {
    ev: EventLoop,
    state: Mutex<State>,
}

struct State {
    members: Members<Result<(), Failure>>,
    /// How many are being started.
    coming: usize,
    phase: Phase,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    ShuttingDown,
    Ended,
}

/// What a task of a group may come to: nothing, or a `Result`.
pub trait MemberOutput: Send + 'static {
    /// The failure, if it is one.
    ///
    /// # Errors
    /// That failure.
    fn into_result(self) -> Result<(), Failure>;
}

impl MemberOutput for () {
    fn into_result(self) -> Result<(), Failure> {
        Ok(())
    }
}

impl<E: Into<Failure> + Send + 'static> MemberOutput for Result<(), E> {
    fn into_result(self) -> Result<(), Failure> {
        self.map_err(E::into)
    }
}

impl TaskGroup {
    /// Starts a task of the group, on the group's loop.
    ///
    /// # Errors
    /// [`GroupEnded`] once the group shuts down after a failure, or has ended; the future is given
    /// up.
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> Result<AbortHandle, GroupEnded>
    where
        F: Future + Send + 'static,
        F::Output: MemberOutput,
    {
        self.spawn_at(None, Location::caller(), future)
    }

    /// Starts a task of the group with a name, which traces, reports and errors show.
    ///
    /// # Errors
    /// As [`spawn`](Self::spawn).
    #[track_caller]
    pub fn spawn_named<F>(&self, name: &str, future: F) -> Result<AbortHandle, GroupEnded>
    where
        F: Future + Send + 'static,
        F::Output: MemberOutput,
    {
        self.spawn_at(Some(name), Location::caller(), future)
    }

    fn spawn_at<F>(
        &self,
        name: Option<&str>,
        site: &'static Location<'static>,
        future: F,
    ) -> Result<AbortHandle, GroupEnded>
    where
        F: Future + Send + 'static,
        F::Output: MemberOutput,
    {
        self.state().admit()?;
        // With the state free: a loop that was closed drops the future, whose destructors may ask
        // for this very group.
        let member = async move { future.await.into_result() };
        let spawned = spawn_on::<_, Plain>(&self.shared.ev, name, site, member);
        let (end, phase, line) = {
            let mut state = self.state();
            state.coming -= 1;
            let line = state.members.line();
            line.hold();
            let end = spawned.map(|task| {
                let end = task.abort_handle();
                state.members.insert(task);
                end
            });
            (end, state.phase, line)
        };
        line.release();
        let Ok(end) = end else {
            // The group may have waited for this one.
            line.call();
            return Err(GroupEnded::LoopClosed);
        };
        // What came over the group meanwhile has not met this task.
        match phase {
            Phase::Open => {}
            Phase::ShuttingDown => end.request_cancel(),
            Phase::Ended => end.abort(),
        }
        Ok(end)
    }

    /// Refuses further tasks, and asks those there are to finish.
    fn shut_down(&self) {
        let ends = {
            let mut state = self.state();
            if state.phase == Phase::Open {
                state.phase = Phase::ShuttingDown;
            }
            state.ends()
        };
        ends.iter().for_each(AbortHandle::request_cancel);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        let state = self.shared.state.lock();
        state.unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn admit(&mut self) -> Result<(), GroupEnded> {
        match self.phase {
            Phase::Open => {}
            Phase::ShuttingDown => return Err(GroupEnded::ShuttingDown),
            Phase::Ended => return Err(GroupEnded::Finished),
        }
        self.coming += 1;
        Ok(())
    }

    /// Of all tasks that are running, in the order in which they were started.
    fn ends(&self) -> Vec<AbortHandle> {
        let running = self.members.running();
        running.map(|(_, task)| task.abort_handle()).collect()
    }
}

impl fmt::Debug for TaskGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        let phase = match state.phase {
            Phase::Open => "",
            Phase::ShuttingDown => ", shutting down",
            Phase::Ended => ", finished",
        };
        write!(f, "TaskGroup({} tasks{phase})", state.members.len())
    }
}

/// A group that is awaited; its tasks are aborted when it is dropped.
struct Running {
    group: TaskGroup,
    /// The body's number among the members.
    body: u64,
    request: CancelPlace,
    /// The awaiting task was asked to finish, and the group's were told.
    requested: bool,
    failures: Vec<MemberError>,
}

impl Running {
    fn begin<F>(&mut self, site: &'static Location<'static>, body: F)
    where
        F: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let spawned = spawn_on::<_, Plain>(&self.group.shared.ev, None, site, body);
        let body = expect_current(spawned.map_err(|Closed| LoopError::Closed));
        self.body = self.group.state().members.insert(body);
    }

    /// Ready once all tasks have ended.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.requested
            && let Some(Poll::Ready(())) = poll_request(&mut self.request, cx.waker())
        {
            self.requested = true;
            self.group.shut_down();
        }
        let line = self.group.state().members.line();
        loop {
            match ready!(self.poll_ended(&line, cx)) {
                Some(ended) => self.see(ended),
                None => return Poll::Ready(()),
            }
        }
    }

    /// As [`Members::poll_next`], but that nobody's waker is touched with the state held.
    fn poll_ended(
        &self,
        line: &Line,
        cx: &Context<'_>,
    ) -> Poll<Option<Ended<Result<(), Failure>>>> {
        while let Some(key) = line.pop_or_wait(cx.waker()) {
            let taken = self.group.state().members.take(key);
            match taken {
                Taken::Ended(ended) => return Poll::Ready(Some(ended)),
                Taken::NotYet => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Taken::Gone => {}
            }
        }
        let mut state = self.group.state();
        if state.members.len() + state.coming == 0 {
            state.phase = Phase::Ended;
            return Poll::Ready(None);
        }
        state.members.note_join();
        Poll::Pending
    }

    fn see(&mut self, (key, id, outcome): Ended<Result<(), Failure>>) {
        let failure = match outcome {
            Ok(Ok(())) => return,
            Ok(Err(failure)) => MemberError::failed(id, failure),
            // The body's end leaves no value to give.
            Err(error) if error.is_panic() || key == self.body => MemberError::lost(error),
            Err(_aborted) => return,
        };
        let first = self.failures.is_empty();
        self.failures.push(failure);
        if first {
            self.group.shut_down();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let (ends, members) = {
            let mut state = self.group.state();
            state.phase = Phase::Ended;
            let ends = state.ends();
            (ends, std::mem::replace(&mut state.members, Members::new()))
        };
        ends.iter().for_each(AbortHandle::abort);
        drop(members);
    }
}
