//! Clauses as futures, and futures that are dropped while they wait.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use event_loop::yield_now;

use crate::backends::Backends::Everywhere;
use crate::backends::on;

/// Runs a clause on every loop.
#[track_caller]
pub(crate) fn everywhere<F>(clause: impl Fn() -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    on(Everywhere, |backend| {
        let ev = backend.make();
        ev.run_until_complete(clause()).expect("the clause ends");
        ev.close().expect("the loop closes");
    });
}

/// Polls `waiter` once, finds it waiting, and gives it to `meanwhile`; then drops it.
pub(crate) async fn dropped_while_waiting<F: Future>(
    waiter: F,
    meanwhile: impl Future<Output = ()>,
) {
    let mut waiter = pin!(waiter);
    poll_fn(|cx| {
        assert!(waiter.as_mut().poll(cx).is_pending(), "it has to wait");
        Poll::Ready(())
    })
    .await;
    meanwhile.await;
}

/// Lets others run for a while.
pub(crate) async fn a_while() {
    for _ in 0..20 {
        yield_now().await;
    }
}
