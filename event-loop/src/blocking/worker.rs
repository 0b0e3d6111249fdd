//! What a thread of the pool does, whoever made the thread.

use std::fmt;
use std::sync::Arc;

use super::job::Work;
use super::{JobId, Pool};
use crate::EventLoop;
use crate::handle::Inner;

/// A job with a thread to run it on, and after it whatever else there is to do.
#[doc(hidden)]
pub struct Worker {
    ev: EventLoop,
    pool: Arc<Pool>,
    first: Arc<dyn Work>,
}

impl Worker {
    pub(super) fn new(ev: EventLoop, pool: Arc<Pool>, first: Arc<dyn Work>) -> Self {
        Self { ev, pool, first }
    }

    /// The job it begins with.
    #[must_use]
    pub fn job(&self) -> JobId {
        self.first.id()
    }

    /// Runs jobs on this thread until none is left.
    pub fn run(self) {
        let Self { ev, pool, first } = self;
        let work = || {
            let _entered = ev.enter();
            let mut job = first;
            while let Some(next) = run_job(&ev, &pool, &*job) {
                if let Some(backend) = ev.backend() {
                    backend.between_jobs();
                }
                job = next;
            }
        };
        match &ev.shared.inner {
            Inner::Tokio(tokio) => tokio.within(work),
            Inner::Other(_) => work(),
        }
    }
}

/// Runs one job and gives the next one. The thread is known to be free, or to have its next job,
/// before anybody hears of the end of this one: who waited for it may ask for another at once.
fn run_job(ev: &EventLoop, pool: &Pool, job: &dyn Work) -> Option<Arc<dyn Work>> {
    let id = job.id();
    if !pool.begin(id, ev.now()) {
        let (next, told) = pool.next();
        told.tell();
        return next;
    }
    if let Some(backend) = ev.backend() {
        backend.job_began(id);
    }
    let mut next = None;
    job.run(&mut |panicked| {
        if let Some(backend) = ev.backend() {
            backend.job_ended(id);
        }
        let ended = pool.end(id, panicked);
        let (then, has_room) = pool.next();
        next = then;
        ended.and(has_room)
    });
    next
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Worker(job {})", self.first.id())
    }
}
