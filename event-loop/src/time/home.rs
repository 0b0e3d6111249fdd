//! Sleeps that are awaited elsewhere than on the loop they were made on.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::Instant;
use crate::handle::{Inner, Shared};
use crate::production::TokioLoop;
use crate::{EventLoop, context};

pin_project! {
    /// A sleep of tokio's, and the loop whose timers it is among.
    pub(super) struct AtHome {
        home: Arc<Shared>,
        #[pin]
        sleep: tokio::time::Sleep,
    }
}

impl AtHome {
    pub(super) fn new(ev: &EventLoop, tokio: &TokioLoop, deadline: Instant) -> Self {
        Self {
            home: ev.shared.clone(),
            sleep: tokio.sleep_until(deadline),
        }
    }

    pub(super) fn is_elapsed(&self) -> bool {
        self.sleep.is_elapsed()
    }

    pub(super) fn reset(self: Pin<&mut Self>, deadline: tokio::time::Instant) {
        self.project().sleep.reset(deadline);
    }

    /// Moves to the current loop, which somebody runs: nobody may run the loop it was made on, and
    /// tokio panics when that one is closed. All loops of production share one clock.
    pub(super) fn follow_the_task(self: Pin<&mut Self>, deadline: Instant) {
        let mut this = self.project();
        let (moved, lost) = context::with_current(|ev| match ev {
            None => (None, this.home.closed.load(Ordering::Acquire)),
            Some(ev) if Arc::ptr_eq(&ev.shared, this.home) => (None, false),
            Some(ev) => match &ev.shared.inner {
                Inner::Tokio(_) if ev.closed_flag() => (None, false),
                Inner::Tokio(tokio) => {
                    let sleep = tokio.sleep_until(deadline);
                    (Some((ev.shared.clone(), sleep)), false)
                }
                Inner::Other(_) => {
                    let home = EventLoop::unowned_of(this.home.clone());
                    refuse(&home, ev)
                }
            },
        });
        if let Some((home, sleep)) = moved {
            this.sleep.set(sleep);
            *this.home = home;
        }
        if lost {
            let home = EventLoop::unowned_of(this.home.clone()).describe().name;
            panic!(
                "Event loop is closed: this sleep is of \"{home}\", and there is no current event \
                 loop to wait on"
            );
        }
    }
}

impl Future for AtHome {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.project().sleep.poll(cx)
    }
}

/// A timer of one clock says nothing on another.
#[cold]
pub(crate) fn refuse(home: &EventLoop, here: &EventLoop) -> ! {
    panic!(
        "This sleep is of the event loop \"{}\" and was awaited on \"{}\", which has another clock: \
         make it where it is awaited",
        home.describe(),
        here.describe()
    )
}
