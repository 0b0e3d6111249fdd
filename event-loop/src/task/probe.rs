//! A poll of which nothing may come but the knowledge where a future waits.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Waker};

use crate::exception::drop_quietly;

/// Polls the future with `waker`. If it is ready, or panics, it is dropped with what it came to,
/// and that is all that is told.
pub(crate) fn is_over<F: Future>(mut slot: Pin<&mut Option<F>>, waker: &Waker) -> bool {
    let poll = AssertUnwindSafe(|| {
        let future = slot.as_mut().as_pin_mut();
        future.is_some_and(|future| future.poll(&mut Context::from_waker(waker)).is_ready())
    });
    let over = catch_unwind(poll).unwrap_or_else(|payload| {
        drop_quietly(payload);
        true
    });
    if over && let Err(payload) = catch_unwind(AssertUnwindSafe(|| slot.set(None))) {
        drop_quietly(payload);
    }
    over
}
