//! hyper's timer on the loop's clock.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::time::{self, Instant};

/// hyper's timer, where hyper's instants are the loop's as well.
///
/// It counts from where it was made, so that hyper never compares the clock of one loop with that
/// of another, nor, in a world, with the machine's.
#[derive(Clone, Copy, Debug)]
pub struct LoopTimer {
    /// The same moment, in hyper's terms and in the loop's.
    zero: (std::time::Instant, Instant),
}

impl LoopTimer {
    /// A timer of the current loop.
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[must_use]
    pub fn new() -> Self {
        #[allow(clippy::disallowed_methods, reason = "only the name of a moment")]
        let theirs = std::time::Instant::now();
        Self {
            zero: (theirs, Instant::now()),
        }
    }
}

impl Default for LoopTimer {
    fn default() -> Self {
        Self::new()
    }
}

impl hyper::rt::Timer for LoopTimer {
    fn sleep(&self, span: Duration) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(LoopSleep(time::sleep(span)))
    }

    fn sleep_until(&self, deadline: std::time::Instant) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(LoopSleep(time::sleep_until(self.on_the_loop(deadline))))
    }

    fn now(&self) -> std::time::Instant {
        let (theirs, ours) = self.zero;
        theirs + (Instant::now() - ours)
    }

    fn reset(&self, sleep: &mut Pin<Box<dyn hyper::rt::Sleep>>, deadline: std::time::Instant) {
        match sleep.as_mut().downcast_mut_pin::<LoopSleep>() {
            Some(known) => Pin::new(&mut known.get_mut().0).reset(self.on_the_loop(deadline)),
            None => *sleep = self.sleep_until(deadline),
        }
    }
}

impl LoopTimer {
    fn on_the_loop(&self, instant: std::time::Instant) -> Instant {
        let (theirs, ours) = self.zero;
        ours + instant.saturating_duration_since(theirs)
    }
}

struct LoopSleep(time::Sleep);

impl hyper::rt::Sleep for LoopSleep {}

impl Future for LoopSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx)
    }
}
