//! A request to finish: the future that sees it, and the record of who waits.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::backend::current_task;
use crate::waiters::{Place, Waiters};
use crate::{EventLoop, context};

/// Waits until the current task is asked to finish by [`TaskHandle::request_cancel`](crate::TaskHandle::request_cancel).
///
/// Ready at once if it was asked before. The task decides what to do about it: it may finish what
/// it holds, await its cleanup, or go on.
///
/// ```
/// # use std::time::Duration;
/// # use event_loop::{production, LoopConfig};
/// # let ev = production::current_thread(LoopConfig::default()).unwrap();
/// # ev.run_borrowed(async {
/// let worker = event_loop::spawn(async {
///     event_loop::cancelled().await;
///     event_loop::time::sleep(Duration::from_millis(1)).await; // cleanup may await
///     "flushed"
/// });
/// worker.request_cancel();
/// assert_eq!(worker.await.unwrap(), "flushed");
/// # }).unwrap();
/// ```
///
/// In the future of a [`run_borrowed`](crate::EventLoop::run_borrowed), which has no handle, nobody
/// can ask: there it waits for ever.
///
/// # Panics
/// Outside a loop.
pub fn cancelled() -> Cancelled {
    Cancelled {
        place: CancelPlace::default(),
    }
}

/// The future of [`cancelled`].
#[must_use = "futures do nothing unless awaited"]
pub struct Cancelled {
    place: CancelPlace,
}

impl Future for Cancelled {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match poll_request(&mut self.place, cx.waker()) {
            Some(polled) => polled,
            None => panic!("cancelled() was awaited outside a loop"),
        }
    }
}

/// Whether the current task was asked to finish; `waker` is woken once it is. A loop's root, which is
/// no task, never is. `None` outside a loop.
pub(super) fn poll_request(place: &mut CancelPlace, waker: &Waker) -> Option<Poll<()>> {
    if let Some(task) = current_task() {
        let ready = context::with_current(|ev| {
            let backend = ev.and_then(EventLoop::backend);
            backend.is_none_or(|backend| backend.poll_cancelled(task.id, place, waker))
        });
        return Some(if ready {
            Poll::Ready(())
        } else {
            Poll::Pending
        });
    }
    context::with_tokio_task(|task| task.map(|task| task.cancellation().poll(place, waker)))
        .or_else(|| context::run_mark().map(|_| Poll::Pending))
}

impl fmt::Debug for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cancelled")
    }
}

/// A request to finish, and who waits for it.
#[derive(Debug, Default)]
#[doc(hidden)]
pub struct Cancellation {
    state: Mutex<CancelState>,
}

#[derive(Debug, Default)]
struct CancelState {
    requested: bool,
    /// Made by the first who waits: few tasks ever do.
    waiters: Option<Arc<Waiters>>,
}

/// The place of a future among those who wait for a request, given back when dropped.
#[derive(Debug, Default)]
#[doc(hidden)]
pub struct CancelPlace(Option<Place>);

impl Cancellation {
    /// Makes the request and gives back who is to be woken.
    pub fn request(&self) -> Vec<Waker> {
        let waiters = {
            let mut state = self.state();
            state.requested = true;
            state.waiters.take()
        };
        waiters.map_or_else(Vec::new, |waiters| waiters.take().collect())
    }

    /// Ready once requested; `waker` is woken then.
    pub fn poll(&self, place: &mut CancelPlace, waker: &Waker) -> Poll<()> {
        let waiters = {
            let mut state = self.state();
            if state.requested {
                return Poll::Ready(());
            }
            state.waiters.get_or_insert_default().clone()
        };
        place.among(&waiters).wait(waker);
        // The request may have come before the waker was there.
        if self.state().requested {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    fn state(&self) -> MutexGuard<'_, CancelState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CancelPlace {
    /// A future may move to another task between its polls; it waits where it was polled last.
    fn among(&mut self, waiters: &Arc<Waiters>) -> &Place {
        if self
            .0
            .as_ref()
            .is_some_and(|place| !place.is_among(waiters))
        {
            self.0 = None;
        }
        self.0.get_or_insert_with(|| Place::new(waiters))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_keeps_only_those_who_still_wait() {
        let cancellation = Cancellation::default();
        let mut stays = CancelPlace::default();
        for _ in 0..100 {
            // Each of these has a waker of its own, as the futures of a set have.
            let waker = Waker::from(Arc::<Waiters>::default());
            let mut goes = CancelPlace::default();
            assert!(cancellation.poll(&mut stays, &waker).is_pending());
            assert!(cancellation.poll(&mut goes, &waker).is_pending());
        }
        assert_eq!(cancellation.request().len(), 1);
        assert!(cancellation.poll(&mut stays, Waker::noop()).is_ready());
    }

    #[test]
    fn who_waits_elsewhere_has_left_its_first_place() {
        let (first, second) = (Cancellation::default(), Cancellation::default());
        let mut moves = CancelPlace::default();
        for cancellation in [&first, &second] {
            assert!(cancellation.poll(&mut moves, Waker::noop()).is_pending());
        }
        assert_eq!((first.request().len(), second.request().len()), (0, 1));
    }
}
