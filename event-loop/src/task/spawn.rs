//! Starting tasks, on the current loop or on a given one.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::sync::Arc;

use async_task::WithInfo;

use super::handle::Repr;
use super::outcome::{Fallible, Plain};
use super::{Caught, Judge, TaskHandle};
use crate::backend::{Backend, BackendLoop, Head, Runnable};
use crate::handle::Inner;
use crate::{Closed, EventLoop, LoopError, context};

/// Starts a task on the current loop.
///
/// # Panics
/// If this thread has no current loop; [`try_spawn`] returns an error instead.
#[track_caller]
pub fn spawn<F>(future: F) -> TaskHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    expect_current(spawn_here::<F, Plain>(None, Location::caller(), future))
}

/// Starts a task with a name on the current loop.
///
/// # Panics
/// If this thread has no current loop; [`try_spawn_named`] returns an error instead.
#[track_caller]
pub fn spawn_named<F>(name: &str, future: F) -> TaskHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let site = Location::caller();
    expect_current(spawn_here::<F, Plain>(Some(name), site, future))
}

/// Starts a task on the current loop whose `Err` is a failure: if nobody reads it, the exception
/// handler is told "Task exception was never retrieved", as of a panic.
///
/// ```
/// # use event_loop::{production, ErrorContext, EventLoop, LoopConfig};
/// # let ev = production::current_thread(LoopConfig::default()).unwrap();
/// # let (told, tells) = std::sync::mpsc::channel();
/// ev.set_exception_handler(Some(move |_: &EventLoop, context: &ErrorContext| {
///     told.send(context.error.clone()).unwrap();
/// }));
/// ev.run_borrowed(async {
///     event_loop::spawn_fallible(async { "x".parse::<u32>() }).detach();
///     event_loop::yield_now().await;
/// }).unwrap();
/// assert_eq!(tells.recv().unwrap(), "invalid digit found in string");
/// ```
///
/// # Panics
/// If this thread has no current loop; [`try_spawn_fallible`] returns an error instead.
#[track_caller]
pub fn spawn_fallible<F, T, E>(future: F) -> TaskHandle<Result<T, E>>
where
    F: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: fmt::Display + Send + 'static,
{
    expect_current(spawn_here::<F, Fallible>(None, Location::caller(), future))
}

/// [`spawn`] without its panic.
///
/// # Errors
/// [`LoopError::NoCurrentLoop`] and [`LoopError::Closed`].
#[track_caller]
pub fn try_spawn<F>(future: F) -> Result<TaskHandle<F::Output>, LoopError>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    spawn_here::<F, Plain>(None, Location::caller(), future)
}

/// [`spawn_named`] without its panic.
///
/// # Errors
/// [`LoopError::NoCurrentLoop`] and [`LoopError::Closed`].
#[track_caller]
pub fn try_spawn_named<F>(name: &str, future: F) -> Result<TaskHandle<F::Output>, LoopError>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    spawn_here::<F, Plain>(Some(name), Location::caller(), future)
}

/// [`spawn_fallible`] without its panic.
///
/// # Errors
/// [`LoopError::NoCurrentLoop`] and [`LoopError::Closed`].
#[track_caller]
pub fn try_spawn_fallible<F, T, E>(future: F) -> Result<TaskHandle<Result<T, E>>, LoopError>
where
    F: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: fmt::Display + Send + 'static,
{
    spawn_here::<F, Fallible>(None, Location::caller(), future)
}

impl EventLoop {
    /// Starts a task. On a closed loop the task never runs, its handle reports
    /// [`TaskError::is_closed`](crate::TaskError::is_closed).
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> TaskHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        spawn_on::<F, Plain>(self, None, Location::caller(), future)
            .unwrap_or_else(|Closed| TaskHandle::closed())
    }

    /// Starts a task with a name, which traces, reports and errors show.
    #[track_caller]
    pub fn spawn_named<F>(&self, name: &str, future: F) -> TaskHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        spawn_on::<F, Plain>(self, Some(name), Location::caller(), future)
            .unwrap_or_else(|Closed| TaskHandle::closed())
    }

    /// Starts a task whose `Err` is a failure: if nobody reads it, the exception handler is told
    /// "Task exception was never retrieved", as of a panic.
    #[track_caller]
    pub fn spawn_fallible<F, T, E>(&self, future: F) -> TaskHandle<Result<T, E>>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: fmt::Display + Send + 'static,
    {
        spawn_on::<F, Fallible>(self, None, Location::caller(), future)
            .unwrap_or_else(|Closed| TaskHandle::closed())
    }

    /// Starts a task, or says that the loop is closed.
    ///
    /// # Errors
    /// [`Closed`].
    #[track_caller]
    pub fn try_spawn<F>(&self, future: F) -> Result<TaskHandle<F::Output>, Closed>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        spawn_on::<F, Plain>(self, None, Location::caller(), future)
    }
}

pub(super) fn spawn_on<F, J>(
    ev: &EventLoop,
    name: Option<&str>,
    site: &'static Location<'static>,
    future: F,
) -> Result<TaskHandle<F::Output>, Closed>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
    J: Judge<F::Output>,
{
    let repr = match &ev.shared.inner {
        Inner::Tokio(tokio) => {
            let future = Caught::<F, J>::new(future);
            Repr::Tokio(tokio.spawn(ev, name, site, future)?)
        }
        Inner::Other(backend) => spawn_admitted::<F, J>(admit(ev, backend, name, site)?, future),
    };
    Ok(TaskHandle::new(repr))
}

/// Starts a task on the current loop, as an ambient function does.
fn spawn_here<F, J>(
    name: Option<&str>,
    site: &'static Location<'static>,
    future: F,
) -> Result<TaskHandle<F::Output>, LoopError>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
    J: Judge<F::Output>,
{
    // The future is built, or dropped, with the current loop free to be changed by its code.
    let admitted = context::with_current(|ev| {
        let (ev, backend) = (ev?, ev?.backend()?);
        Some(admit(ev, backend, name, site))
    });
    match admitted {
        Some(head) => Ok(TaskHandle::new(spawn_admitted::<F, J>(head?, future))),
        None => Ok(spawn_on::<F, J>(
            &context::try_current()?,
            name,
            site,
            future,
        )?),
    }
}

/// What an ambient function gives: only where there is no loop at all, it panics.
#[track_caller]
pub(super) fn expect_current<T>(spawned: Result<TaskHandle<T>, LoopError>) -> TaskHandle<T> {
    match spawned {
        Ok(task) => task,
        Err(LoopError::Closed) => TaskHandle::closed(),
        Err(error) => panic!("{error}"),
    }
}

/// A new task of a loop that is not tokio's.
pub(super) fn admit(
    ev: &EventLoop,
    backend: &Arc<dyn Backend>,
    name: Option<&str>,
    site: &'static Location<'static>,
) -> Result<Head, Closed> {
    // A loop that is closing drops its callbacks before its backend closes.
    if ev.takes_no_tasks() {
        return Err(Closed);
    }
    let meta = backend.admit(name, site)?;
    ev.shared.shutdown.note_start(meta.id, name, site);
    Ok(Head {
        meta,
        ev: BackendLoop::of_other(ev),
    })
}

fn spawn_admitted<F, J>(head: Head, future: F) -> Repr<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
    J: Judge<F::Output>,
{
    let id = head.meta.id;
    let ev = head.ev.clone();
    let (runnable, task) = async_task::Builder::new().metadata(head).spawn(
        |_| Caught::<F, J>::new(future),
        WithInfo(context::schedule_task),
    );
    // A task of a loop that was closed meanwhile is dropped here.
    drop(ev.backend().start(Runnable(runnable)));
    Repr::World {
        task: task.fallible(),
        id,
        ev,
    }
}
