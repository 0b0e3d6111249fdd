//! Blocking: jobs on a pool of threads, and what a blocking call on a loop's thread means.

#[allow(dead_code, reason = "the contract needs more of it")]
#[path = "../contract/backends.rs"]
mod backends;
#[allow(dead_code, reason = "the contract needs more of it")]
#[path = "../contract/log.rs"]
mod log;

#[expect(clippy::disallowed_methods, reason = "its sleeps are what is tested")]
mod policy;
#[expect(
    clippy::disallowed_methods,
    clippy::await_holding_lock,
    reason = "its sleeps and its locks are what is tested"
)]
mod policy_locks;
mod pool;
mod queue;
mod shutdown;
mod stats;
mod sync;
mod worlds;

use std::sync::{Condvar, Mutex};
use std::thread;
use std::time::Duration;

use event_loop::{BlockingQueue, ErrorContext, EventLoop};

use backends::Backend;
use log::Log;

/// A loop whose pool has so many threads.
fn with_threads(backend: Backend, threads: usize, queue: BlockingQueue) -> EventLoop {
    let ev = backend.make();
    ev.set_blocking_threads(threads).unwrap();
    ev.set_blocking_queue(queue).unwrap();
    ev
}

/// What the exception handler of a loop is told from now on.
fn reports(ev: &EventLoop) -> Log<ErrorContext> {
    let reports = Log::new();
    let told = reports.clone();
    ev.set_exception_handler(Some(move |_: &EventLoop, context: &ErrorContext| {
        told.note(context.clone());
    }));
    reports
}

/// Blocks the thread, as a job does.
#[expect(clippy::disallowed_methods, reason = "what jobs are for")]
fn block(span: Duration) {
    thread::sleep(span);
}

/// A gate that jobs wait at until it is opened, for good.
#[derive(Default)]
struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    fn pass(&self) {
        let mut open = self.open.lock().unwrap();
        while !*open {
            open = self.opened.wait(open).unwrap();
        }
    }

    fn open(&self) {
        *self.open.lock().unwrap() = true;
        self.opened.notify_all();
    }
}
