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
        let found = context::with_current(|ev| match ev {
            None if this.home.closed.load(Ordering::Acquire) => Found::Nowhere,
            None => Found::Home,
            Some(ev) if Arc::ptr_eq(&ev.shared, this.home) => Found::Home,
            Some(ev) => match &ev.shared.inner {
                Inner::Tokio(_) if ev.closed_flag() => Found::Home,
                Inner::Tokio(tokio) => {
                    Found::Elsewhere(ev.shared.clone(), tokio.sleep_until(deadline))
                }
                Inner::Other(_) => Found::InWorld(ev.unowned()),
            },
        });
        let home = || EventLoop::unowned_of(this.home.clone());
        match found {
            Found::Home => {}
            Found::Elsewhere(home, sleep) => {
                this.sleep.set(sleep);
                *this.home = home;
            }
            Found::InWorld(here) => refuse(&home(), &here),
            Found::Nowhere => panic!(
                "Event loop is closed: this sleep is of \"{}\", and there is no current event \
                 loop to wait on",
                home().describe().name
            ),
        }
    }
}

/// Where a sleep is polled.
enum Found {
    /// On its loop, or where it may stay there.
    Home,
    /// On another loop of production, with a sleep of that one's.
    Elsewhere(Arc<Shared>, tokio::time::Sleep),
    /// In a world, whose clock is another.
    InWorld(EventLoop),
    /// On no loop, and its own is closed.
    Nowhere,
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
