//! hyper's timer on the loop: what `TokioTimer` is on tokio.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use event_loop::time::{Sleep, sleep};

#[derive(Clone, Copy)]
pub(crate) struct LoopTimer;

impl LoopTimer {
    pub(crate) fn new() -> Self {
        Self
    }
}

impl hyper::rt::Timer for LoopTimer {
    fn sleep(&self, span: Duration) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(LoopSleep(sleep(span)))
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn hyper::rt::Sleep>> {
        // In a world std's clock is the world's.
        self.sleep(deadline.saturating_duration_since(self.now()))
    }
}

struct LoopSleep(Sleep);

impl hyper::rt::Sleep for LoopSleep {}

impl Future for LoopSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx)
    }
}
