//! The waker that tells when it is cloned: it counts right, frees its hook, and wakes nobody.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Waker};
use std::thread;

use interpose::clone_hook;

/// A waker that counts its clones, and what is left of the count once the hook is freed.
fn counting() -> (Waker, Weak<AtomicU32>) {
    let clones = Arc::new(AtomicU32::new(0));
    let seen = Arc::downgrade(&clones);
    let waker = clone_hook(move || {
        clones.fetch_add(1, Ordering::Relaxed);
    });
    (waker, seen)
}

fn count(seen: &Weak<AtomicU32>) -> Option<u32> {
    Some(seen.upgrade()?.load(Ordering::Relaxed))
}

#[test]
fn every_clone_is_told_and_every_way_to_end_frees_the_hook() {
    let (waker, seen) = counting();
    let (one, two) = (waker.clone(), waker.clone());
    let three = two.clone();
    assert_eq!(count(&seen), Some(3));
    waker.wake_by_ref();
    drop(waker);
    one.wake();
    two.wake_by_ref();
    drop(two);
    assert_eq!(count(&seen), Some(3));
    thread::spawn(move || three.wake()).join().unwrap();
    assert_eq!(count(&seen), None);
}

#[test]
fn a_clone_on_another_thread_is_told() {
    let (waker, seen) = counting();
    let there = thread::spawn(move || (waker.clone(), waker));
    let wakers = there.join().unwrap();
    assert_eq!(count(&seen), Some(1));
    drop(wakers);
    assert_eq!(count(&seen), None);
}

#[test]
fn a_hook_that_panics_loses_no_reference() {
    let kept = Arc::new(());
    let seen = Arc::downgrade(&kept);
    let waker = clone_hook(move || {
        let _kept = &kept;
        panic!("in the hook");
    });
    let clone = AssertUnwindSafe(|| waker.clone());
    assert!(catch_unwind(clone).is_err());
    assert!(seen.upgrade().is_some());
    drop(waker);
    assert!(seen.upgrade().is_none());
}

#[test]
fn a_future_that_waits_keeps_a_clone_though_it_has_another_waker() {
    let (sender, receiver) = std::sync::mpsc::channel::<Waker>();
    let mut known: Option<Waker> = None;
    let mut waits = pin!(std::future::poll_fn(move |cx| {
        if !known
            .as_ref()
            .is_some_and(|known| known.will_wake(cx.waker()))
        {
            known = Some(cx.waker().clone());
            sender.send(cx.waker().clone()).unwrap();
        }
        std::task::Poll::<()>::Pending
    }));
    let (waker, seen) = counting();
    for _ in 0..2 {
        let mut known = Context::from_waker(Waker::noop());
        assert!(waits.as_mut().poll(&mut known).is_pending());
    }
    let mut cx = Context::from_waker(&waker);
    assert!(waits.as_mut().poll(&mut cx).is_pending());
    assert_eq!(count(&seen), Some(2));
    assert_eq!(receiver.iter().take(2).count(), 2);
}
