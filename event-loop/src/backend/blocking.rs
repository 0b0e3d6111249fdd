//! How a world runs blocking jobs.

use std::panic::Location;

use crate::BlockingError;
pub use crate::blocking::{JobId, Worker};

/// The threads that a world's loop has for blocking jobs. Who gets one and who is queued is the
/// pool's business.
pub trait Blocking {
    /// Has a thread call [`Worker::run`]: an idle one, or a new one.
    fn run_worker(&self, worker: Worker) -> Result<(), BlockingError>;
    /// How many threads are idle.
    fn idle_workers(&self) -> usize;
    /// Called on a worker's thread between two jobs: others may go first.
    fn between_jobs(&self);
    /// A job was taken in, and is among `in_line` that have not begun.
    fn job_asked(&self, job: JobId, site: &'static Location<'static>, in_line: usize);
    /// Called on its thread.
    fn job_began(&self, job: JobId);
    /// Called on its thread, before anybody knows.
    fn job_ended(&self, job: JobId);
    /// The current task is about to wait for the end of a job that was asked for at `site`.
    fn note_job_wait(&self, job: JobId, site: &'static Location<'static>);
    /// Whether the calling thread runs the loop, so that a call that blocks it would stop the loop:
    /// tokio refuses such calls.
    fn is_on_loop_thread(&self) -> bool;
}
