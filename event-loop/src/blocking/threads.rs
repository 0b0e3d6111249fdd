//! The threads of a production loop's pool: made when they are needed, kept for a while.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::{BlockingError, Worker};

/// As tokio has it.
const KEPT_IDLE: Duration = Duration::from_secs(10);

/// The threads of one loop. They do not keep it alive, and nobody waits for them: a thread that runs
/// a job when its loop closes ends with the job.
pub(crate) struct Threads {
    name: String,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    alive: usize,
    idle: usize,
    /// Work that a thread is to take.
    given: VecDeque<Worker>,
    closed: bool,
}

impl Threads {
    pub(crate) fn new(loop_name: &str) -> Self {
        Self {
            name: format!("{loop_name}-blocking"),
            shared: Arc::default(),
        }
    }

    /// Has a thread run `worker`; no more than `limit` workers come at a time.
    pub(crate) fn run(&self, worker: Worker, limit: usize) -> Result<(), BlockingError> {
        let id = worker.job();
        {
            let mut state = self.shared.state();
            state.given.push_back(worker);
            if state.idle >= state.given.len() {
                self.shared.changed.notify_one();
                return Ok(());
            }
            if state.alive >= limit {
                // One of them is about to look for work.
                return Ok(());
            }
            state.alive += 1;
        }
        let shared = self.shared.clone();
        let made = thread::Builder::new()
            .name(self.name.clone())
            .spawn(move || shared.serve());
        let Err(why) = made else {
            return Ok(());
        };
        let taken_back = {
            let mut state = self.shared.state();
            state.alive -= 1;
            // Another thread will take it, or has.
            if state.alive > 0 {
                return Ok(());
            }
            let mine = state.given.iter().position(|worker| worker.job() == id);
            mine.and_then(|at| state.given.remove(at))
        };
        match taken_back {
            Some(_) => Err(BlockingError::NoThread(why.to_string())),
            None => Ok(()),
        }
    }

    /// How many threads have nothing to do.
    pub(crate) fn idle(&self) -> usize {
        let state = self.shared.state();
        state.idle.saturating_sub(state.given.len())
    }

    /// Lets the idle threads end, and the others once their job has.
    pub(crate) fn close(&self) {
        self.shared.state().closed = true;
        self.shared.changed.notify_all();
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    fn serve(&self) {
        while let Some(worker) = self.next() {
            worker.run();
        }
    }

    /// The next work; `None` ends the thread.
    fn next(&self) -> Option<Worker> {
        let mut state = self.state();
        state.idle += 1;
        loop {
            if let Some(worker) = state.given.pop_front() {
                state.idle -= 1;
                return Some(worker);
            }
            if state.closed {
                break;
            }
            let (woken, waited) = self
                .changed
                .wait_timeout(state, KEPT_IDLE)
                .unwrap_or_else(PoisonError::into_inner);
            state = woken;
            if waited.timed_out() && state.given.is_empty() {
                break;
            }
        }
        state.idle -= 1;
        state.alive -= 1;
        None
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
