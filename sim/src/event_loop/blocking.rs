//! Blocking jobs of a host's loop.

use std::panic::Location;

use event_loop::BlockingError;
use event_loop::backend::{Backend, Blocking, JobId, Worker};

use super::SimLoop;
use crate::trace::Kind;
use crate::world::waits::Wait;

impl Blocking for SimLoop {
    fn run_worker(&self, worker: Worker) -> Result<(), BlockingError> {
        if self.is_closed() {
            return Err(BlockingError::Closed);
        }
        self.world.run_worker(self.host, worker)
    }

    fn idle_workers(&self) -> usize {
        self.world.idle_workers(self.host)
    }

    fn between_jobs(&self) {
        self.world.give_way();
    }

    fn job_asked(&self, job: JobId, site: &'static Location<'static>, in_line: usize) {
        self.open(|core| {
            core.note_job(Kind::JobAsked, self.host, job);
            core.check_line(self.host, job, site, in_line);
        });
    }

    fn job_began(&self, job: JobId) {
        self.open(|core| core.note_job(Kind::JobBegan, self.host, job));
    }

    fn job_ended(&self, job: JobId) {
        self.open(|core| {
            core.note_job(Kind::JobEnded, self.host, job);
            core.progress();
        });
    }

    fn note_job_wait(&self, job: JobId, site: &'static Location<'static>) {
        self.note(|| Wait::Job(job.serial(), site));
    }

    fn is_on_loop_thread(&self) -> bool {
        self.world.is_on_loop_thread()
    }
}
