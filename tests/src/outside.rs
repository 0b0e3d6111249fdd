//! A thread outside of every world, for what becomes of one that touches a world: what a test's body
//! spawns is a thread of its world.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

/// A thread that was made outside.
#[derive(Debug, Clone)]
pub struct Outside {
    jobs: Sender<Job>,
}

struct Job(Box<dyn FnOnce() + Send>);

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Job")
    }
}

impl Outside {
    /// Starts it; not inside of a world.
    #[must_use]
    pub fn start() -> Self {
        let (jobs, work) = channel::<Job>();
        let run = move || work.iter().for_each(|job| (job.0)());
        let named = thread::Builder::new().name("outsider".to_owned());
        named.spawn(run).expect("there is a thread");
        Self { jobs }
    }

    /// Has it run `work`, and waits for that in real time, as no world does.
    ///
    /// # Errors
    /// The payload, if `work` panics.
    pub fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> thread::Result<T> {
        let (done, value) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(None)));
        let (tells, stores) = (done.clone(), value.clone());
        let job = Job(Box::new(move || {
            let end = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
            *stores.lock().expect("nobody panics with it") = Some(end);
            drop(stores);
            tells.store(true, Ordering::Release);
        }));
        self.jobs.send(job).expect("it goes on for ever");
        while !done.load(Ordering::Acquire) {
            std::hint::spin_loop();
        }
        let end = value.lock().expect("nobody panics with it").take();
        end.expect("it was stored")
    }
}
