//! Waiting until an instant.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::Instant;
use super::home::AtHome;
use crate::backend::{BackendLoop, TimerId};
use crate::handle::Inner;
use crate::{EventLoop, LoopError, context, coop, production};

/// Waits for `span`. Never ready at its first poll, not even for zero. The timers of tokio, and so
/// of the profiles that stand for it, round up to the next millisecond.
///
/// # Panics
/// If this thread has no current loop.
#[track_caller]
pub fn sleep(span: Duration) -> Sleep {
    match context::with_current(|ev| ev.map(|ev| Sleep::new(ev, ev.now() + span))) {
        Some(sleep) => sleep,
        None => sleep_until(context::expect_current().now() + span),
    }
}

/// Waits until `deadline` of the current loop's clock. Never ready at its first poll, not even
/// for a deadline in the past.
///
/// # Panics
/// If this thread has no current loop.
#[track_caller]
pub fn sleep_until(deadline: Instant) -> Sleep {
    Sleep::new(&context::expect_current(), deadline)
}

/// [`sleep`] without its panic.
///
/// # Errors
/// [`LoopError::NoCurrentLoop`] and [`LoopError::Closed`].
pub fn try_sleep(span: Duration) -> Result<Sleep, LoopError> {
    let ev = open_loop()?;
    Ok(Sleep::new(&ev, ev.now() + span))
}

/// [`sleep_until`] without its panic.
///
/// # Errors
/// [`LoopError::NoCurrentLoop`] and [`LoopError::Closed`].
pub fn try_sleep_until(deadline: Instant) -> Result<Sleep, LoopError> {
    Ok(Sleep::new(&open_loop()?, deadline))
}

/// The future of [`sleep`].
///
/// It may be awaited on another loop of production than it was made on: it waits on the loop that
/// it is awaited on. The clocks of worlds are their own, so there it panics.
#[must_use = "a sleep does nothing unless awaited"]
pub struct Sleep {
    deadline: Instant,
    timer: Timer,
}

enum Timer {
    Tokio {
        /// With its loop in one box, to keep the sleeps of worlds small.
        sleep: Pin<Box<AtHome>>,
        stage: Stage,
    },
    World {
        ev: BackendLoop,
        armed: Option<TimerId>,
        fired: bool,
    },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Not polled yet.
    Fresh,
    Waiting,
    Over,
}

impl Sleep {
    pub(crate) fn new(ev: &EventLoop, deadline: Instant) -> Self {
        let timer = match &ev.shared.inner {
            Inner::Tokio(tokio) => Timer::Tokio {
                sleep: Box::pin(AtHome::new(ev, tokio, deadline)),
                stage: Stage::Fresh,
            },
            Inner::Other(_) => Timer::World {
                ev: BackendLoop::of_other(ev),
                armed: None,
                fired: false,
            },
        };
        Self { deadline, timer }
    }

    /// When it ends.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Whether its time has come since it was first polled or reset.
    #[must_use]
    pub fn is_elapsed(&self) -> bool {
        match &self.timer {
            Timer::Tokio { sleep, stage } => *stage == Stage::Over || sleep.is_elapsed(),
            Timer::World { ev, armed, fired } => {
                *fired || armed.is_some_and(|timer| ev.backend().timer_fired(timer))
            }
        }
    }

    /// Lets it end at `deadline` instead, whether it has ended or not. It is pending at its next
    /// poll.
    ///
    /// A `Sleep` is [`Unpin`]; the receiver is what tokio's has.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use event_loop::time::{Instant, sleep};
    /// # let ev = event_loop::production::current_thread(Default::default()).unwrap();
    /// # ev.run_borrowed(async {
    /// let mut idle = std::pin::pin!(sleep(Duration::from_millis(1)));
    /// idle.as_mut().await;
    /// idle.as_mut().reset(Instant::now() + Duration::from_millis(1));
    /// idle.await;
    /// # }).unwrap();
    /// ```
    pub fn reset(mut self: Pin<&mut Self>, deadline: Instant) {
        self.deadline = deadline;
        match &mut self.timer {
            Timer::Tokio { sleep, stage } => {
                sleep.as_mut().reset(production::tokio_instant(deadline));
                *stage = Stage::Fresh;
            }
            Timer::World { ev, armed, fired } => {
                if let Some(timer) = armed.take() {
                    ev.backend().timer_cancel(timer);
                }
                *fired = false;
            }
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let deadline = self.deadline;
        match &mut self.timer {
            Timer::Tokio { sleep, stage } => poll_tokio(sleep.as_mut(), stage, deadline, cx),
            Timer::World { fired: true, .. } => Poll::Ready(()),
            Timer::World { ev, armed, fired } => {
                let Some(timer) = *armed else {
                    ev.expect_here();
                    // On a closed loop there is no time to wait for: pending for ever, and the
                    // task that waits is about to be dropped.
                    *armed = ev.backend().timer_start(deadline, cx.waker()).ok();
                    return Poll::Pending;
                };
                let polled = coop::poll_leaf(cx, |cx| {
                    if ev.backend().timer_poll(timer, cx.waker()) {
                        return Poll::Ready(());
                    }
                    ev.expect_here();
                    Poll::Pending
                });
                if polled.is_ready() {
                    (*armed, *fired) = (None, true);
                }
                polled
            }
        }
    }
}

/// Tokio's is ready at once if its time is past; ours takes an iteration.
fn poll_tokio(
    mut sleep: Pin<&mut AtHome>,
    stage: &mut Stage,
    deadline: Instant,
    cx: &mut Context<'_>,
) -> Poll<()> {
    if *stage == Stage::Over {
        return Poll::Ready(());
    }
    sleep.as_mut().follow_the_task(deadline);
    if sleep.poll(cx).is_pending() {
        *stage = Stage::Waiting;
        return Poll::Pending;
    }
    if std::mem::replace(stage, Stage::Over) == Stage::Fresh {
        cx.waker().wake_by_ref();
        return Poll::Pending;
    }
    Poll::Ready(())
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Timer::World {
            ev,
            armed: Some(timer),
            ..
        } = &self.timer
        {
            ev.backend().timer_cancel(*timer);
        }
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sleep(until {:?})", self.deadline)
    }
}

/// The current loop, if there is time to wait for on it.
pub(super) fn open_loop() -> Result<EventLoop, LoopError> {
    let ev = context::try_current()?;
    if ev.is_closed() {
        return Err(LoopError::Closed);
    }
    Ok(ev)
}
