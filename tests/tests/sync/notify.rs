//! [`Notify`]: one notification is kept, and none that a waiter got is lost with it.

use std::pin::pin;
use std::sync::Arc;

use event_loop::spawn;
use event_loop::sync::Notify;
use futures::FutureExt;

use crate::waiting::{a_while, dropped_while_waiting, everywhere};

#[test]
fn one_notification_is_kept_for_who_comes_later() {
    everywhere(|| async {
        let notify = Notify::new();
        notify.notify_one();
        notify.notify_one();
        notify.notified().await;
        assert_eq!(notify.notified().now_or_never(), None);
    });
}

#[test]
fn the_first_or_the_last_who_waits_is_notified() {
    everywhere(|| async {
        let notify = Notify::const_new();
        let (mut first, mut second, mut third) = (
            pin!(notify.notified()),
            pin!(notify.notified()),
            pin!(notify.notified()),
        );
        // The order is that of the polls, or of `enable`.
        assert!(!third.as_mut().enable());
        assert!(!first.as_mut().enable());
        assert!(!second.as_mut().enable());
        notify.notify_last();
        assert!(second.as_mut().now_or_never().is_some());
        notify.notify_one();
        assert!(first.as_mut().now_or_never().is_none());
        assert!(third.as_mut().now_or_never().is_some());
        notify.notify_waiters();
        first.await;
    });
}

#[test]
fn all_who_were_there_are_notified_and_nobody_later() {
    everywhere(|| async {
        let notify = Arc::new(Notify::new());
        let early = notify.notified();
        let early_owned = notify.clone().notified_owned();
        let waiting: Vec<_> = (0..40)
            .map(|_| {
                let notified = notify.clone().notified_owned();
                spawn(notified)
            })
            .collect();
        a_while().await;
        notify.notify_waiters();
        for waiting in waiting {
            waiting.await.unwrap();
        }
        // Made before, polled after.
        early.await;
        early_owned.await;
        assert_eq!(notify.notified().now_or_never(), None);
        assert_eq!(notify.notified_owned().now_or_never(), None);
    });
}

#[test]
fn a_waiter_that_is_dropped_passes_its_notification_on() {
    everywhere(|| async {
        let notify = Arc::new(Notify::new());
        dropped_while_waiting(notify.notified(), async { notify.notify_one() }).await;
        notify.notified().await;
        let owned = notify.clone().notified_owned();
        dropped_while_waiting(owned, async { notify.notify_one() }).await;
        notify.notified().await;
    });
}
