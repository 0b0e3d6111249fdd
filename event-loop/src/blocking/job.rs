//! A job, from its asking to the reading of what it came to.

use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::pool::Told;
use super::{JobId, JobInfo, Pool};
use crate::exception::told;
use crate::task::Output;
use crate::time::Instant;
use crate::{ErrorContext, EventLoop, TaskError};

/// A job as its pool knows it.
pub(super) trait Work: Send + Sync {
    fn id(&self) -> JobId;
    fn info(&self, began: Option<Instant>) -> JobInfo;
    /// Runs it, calls `ended` with whether it panicked, and then tells who waits for it.
    fn run(&self, ended: &mut dyn FnMut(bool) -> Told);
    /// It never begins: drops its closure, and tells who waits for it.
    fn give_up(&self);
    /// There is room for it in the queue.
    fn has_room(&self);
    /// Takes it out of its pool, unless it has begun.
    fn abort(&self);
    fn is_finished(&self) -> bool;
}

/// A job as its handle knows it.
pub(super) trait Asked<T>: Work {
    fn poll(&self, cx: &Context<'_>) -> Poll<Result<T, TaskError>>;
    /// Ready once it does not wait for room any more.
    fn poll_room(&self, cx: &Context<'_>) -> Poll<()>;
    /// Nobody will read what it comes to.
    fn detach(&self);
    /// Tells a world that the current task waits for its end.
    fn note_wait(&self);
}

/// A job that calls `F` for a `T`.
pub(super) struct Job<F, T> {
    ev: EventLoop,
    pool: Arc<Pool>,
    id: JobId,
    name: Option<Box<str>>,
    site: &'static Location<'static>,
    state: Mutex<State<F, T>>,
}

struct State<F, T> {
    stage: Stage<F, T>,
    /// Who waits for its end.
    reader: Option<Waker>,
    /// Who waits for its room in the queue.
    in_line: Option<Waker>,
    detached: bool,
}

enum Stage<F, T> {
    Asked(F),
    Begun,
    Ended(Output<T>),
    GivenUp,
    /// What it came to was read, or nobody would have.
    Over,
}

impl<F, T> Job<F, T> {
    pub(super) fn new(
        ev: EventLoop,
        pool: Arc<Pool>,
        id: JobId,
        name: Option<&str>,
        site: &'static Location<'static>,
        f: F,
    ) -> Self {
        Self {
            ev,
            pool,
            id,
            name: name.map(Into::into),
            site,
            state: Mutex::new(State {
                stage: Stage::Asked(f),
                reader: None,
                in_line: None,
                detached: false,
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State<F, T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn error(&self, message: &str, error: String) -> ErrorContext {
        let mut context = ErrorContext::new(&self.ev, message, error);
        context.job = Some(self.id);
        context.job_name = self.name.as_deref().map(str::to_owned);
        context.created_at = Some(self.site);
        context
    }

    /// Runs somebody's code on behalf of the job, whose panic is told of.
    fn guarded(&self, message: &str, f: impl FnOnce()) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(f)) {
            let context = self.error(message, told(panic));
            self.ev.call_exception_handler(&context);
        }
    }

    fn wake(&self, wakers: [Option<Waker>; 2]) {
        for waker in wakers.into_iter().flatten() {
            self.guarded("Exception in the waker of a blocking job", || waker.wake());
        }
    }
}

impl<F, T> Work for Job<F, T>
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    fn id(&self) -> JobId {
        self.id
    }

    fn info(&self, began: Option<Instant>) -> JobInfo {
        JobInfo {
            id: self.id,
            name: self.name.as_deref().map(str::to_owned),
            asked_at: self.site,
            began,
        }
    }

    fn run(&self, ended: &mut dyn FnMut(bool) -> Told) {
        let f = {
            let mut state = self.state();
            match std::mem::replace(&mut state.stage, Stage::Begun) {
                Stage::Asked(f) => f,
                other => {
                    state.stage = other;
                    return;
                }
            }
        };
        let output = match catch_unwind(AssertUnwindSafe(f)) {
            Ok(value) => Output::value(value),
            Err(payload) => Output::panic_of(payload, &self.ev, |text| {
                self.error("Future exception was never retrieved", text)
            }),
        };
        let (unread, reader, told) = {
            let mut state = self.state();
            // With the job locked: who sees that the pool is done sees that the job is.
            let told = ended(output.is_panic());
            let unread = if state.detached {
                state.stage = Stage::Over;
                Some(output)
            } else {
                state.stage = Stage::Ended(output);
                None
            };
            (unread, state.reader.take(), told)
        };
        told.tell();
        drop(unread);
        self.wake([reader, None]);
    }

    fn give_up(&self) {
        let (f, wakers) = {
            let mut state = self.state();
            match std::mem::replace(&mut state.stage, Stage::GivenUp) {
                Stage::Asked(f) => (f, [state.reader.take(), state.in_line.take()]),
                other => {
                    state.stage = other;
                    return;
                }
            }
        };
        let _entered = self.ev.enter();
        let message = "Exception in the destructor of a blocking job that never ran";
        self.guarded(message, || drop(f));
        self.wake(wakers);
    }

    fn has_room(&self) {
        let waker = self.state().in_line.take();
        self.wake([waker, None]);
    }

    fn abort(&self) {
        self.pool.abort(self.id);
    }

    fn is_finished(&self) -> bool {
        !matches!(self.state().stage, Stage::Asked(_) | Stage::Begun)
    }
}

impl<F, T> Asked<T> for Job<F, T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    fn poll(&self, cx: &Context<'_>) -> Poll<Result<T, TaskError>> {
        // Wakers are cloned and dropped with the job unlocked: they are anybody's code.
        let mut waker = Some(cx.waker().clone());
        let output = {
            let mut state = self.state();
            match std::mem::replace(&mut state.stage, Stage::Over) {
                Stage::Ended(output) => output,
                Stage::GivenUp => return Poll::Ready(Err(TaskError::job_aborted(self.id))),
                Stage::Over => panic!("a job's outcome is read once"),
                pending => {
                    state.stage = pending;
                    std::mem::swap(&mut state.reader, &mut waker);
                    return Poll::Pending;
                }
            }
        };
        Poll::Ready(
            output
                .into_result()
                .map_err(|payload| TaskError::job_panicked(self.id, payload)),
        )
    }

    fn poll_room(&self, cx: &Context<'_>) -> Poll<()> {
        let mut waker = Some(cx.waker().clone());
        std::mem::swap(&mut self.state().in_line, &mut waker);
        // Asked afterwards: who makes room looks for the waker.
        match self.pool.is_outside(self.id) {
            true => Poll::Pending,
            false => Poll::Ready(()),
        }
    }

    fn detach(&self) {
        let unread = {
            let mut state = self.state();
            state.detached = true;
            match &state.stage {
                Stage::Ended(_) => Some(std::mem::replace(&mut state.stage, Stage::Over)),
                _ => None,
            }
        };
        if unread.is_some() {
            let _entered = self.ev.enter();
            drop(unread);
        }
    }

    fn note_wait(&self) {
        if let Some(backend) = self.ev.backend() {
            backend.note_job_wait(self.id, self.site);
        }
    }
}
