//! What can be done with tasks beyond the contract's clauses, on every loop there is.

#[allow(dead_code, reason = "the contract uses all of it")]
#[path = "../contract/backends.rs"]
mod backends;
#[allow(dead_code, reason = "the contract uses all of it")]
#[path = "../contract/log.rs"]
mod log;

mod abort_handles;
mod failures;
mod groups;
mod join_sets;
mod local_tasks;
mod twins;

use std::time::Duration;

use event_loop::{ErrorContext, EventLoop, time::sleep};

use backends::Backend;
use log::Log;

const TICK: Duration = Duration::from_millis(1);

/// What the exception handler of a loop is told from now on.
fn reports(ev: &EventLoop) -> Log<ErrorContext> {
    let reports = Log::new();
    let told = reports.clone();
    ev.set_exception_handler(Some(move |_: &EventLoop, context: &ErrorContext| {
        told.note(context.clone());
    }));
    reports
}

/// Waits, in polls and then in time, for what another task does.
async fn until(mut happened: impl FnMut() -> bool) {
    while !happened() {
        sleep(TICK).await;
    }
}

/// What happened in an order that follows from timers: two workers that are held up may serve two
/// timers the other way round.
fn timed<T: Ord>(backend: Backend, mut happened: Vec<T>) -> Vec<T> {
    if backend == Backend::MultiThread {
        happened.sort_unstable();
    }
    happened
}
