//! The graceful shutdown: clauses D1 to D5, and what E4 says of its errors.

pub(crate) mod accepting;
pub(crate) mod killed;
pub(crate) mod stages;
pub(crate) mod told;

use std::future::pending;
use std::net::SocketAddr;
use std::time::Duration;

use event_loop::net::TcpListener;
use event_loop::shutdown::{ShutdownPolicy, ShutdownReport, Stage, TaskEnd};
use event_loop::{EventLoop, cancelled};

use crate::backends::Backend;

pub(super) const TICK: Duration = Duration::from_millis(5);

/// Longer than any test waits.
pub(super) const LONG: Duration = Duration::from_secs(60);

/// Stages that last long enough for what is in order, on a machine that has much to do.
pub(super) fn policy() -> ShutdownPolicy {
    ShutdownPolicy::new()
        .hooks(LONG)
        .grace(LONG)
        .abort(LONG)
        .executor(LONG)
        .total(5 * LONG)
}

/// Runs `main` on a fresh loop, with a handle to it.
pub(super) fn on<F, T>(backend: Backend, main: impl FnOnce(EventLoop) -> F) -> T
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let ev = backend.make();
    let main = main(ev.unowned());
    ev.run_until_complete(main).unwrap()
}

/// A task that never ends by itself, nor when asked to.
pub(super) async fn deaf() {
    cancelled().await;
    pending::<()>().await;
}

/// What became of the tasks with names.
pub(super) fn ends(report: &ShutdownReport) -> Vec<(&str, &TaskEnd)> {
    let named = report.tasks.iter();
    let named = named.filter_map(|task| Some((task.name.as_deref()?, &task.end)));
    named.filter(|(name, _)| *name != "main").collect()
}

pub(super) fn took(report: &ShutdownReport, stage: Stage) -> Duration {
    report.stage(stage).expect("every stage is told of").took
}

pub(super) async fn local_listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}
