//! Tokio's cooperative budget: what tokio counts as an operation is one here, on every loop.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;

use event_loop::sync::{Mutex, Notify, RwLock, Semaphore, broadcast, mpsc, oneshot, watch};
use event_loop::yield_now;
use sim::Profile;

use crate::backends::Backends::Everywhere;
use crate::backends::{Backend, on};

const COUNT: usize = 1_000;

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// How many polls a thousand ready operations take where tokio's budget is kept, and where not.
#[track_caller]
fn take_polls(budgeted: u32, work: impl Fn() -> Work) {
    on(Everywhere, |backend| {
        let work = work();
        let polls = backend.make().run_until_complete(async move {
            let mut work = pin!(work);
            let mut polls = 0;
            // From here on the budget is whole.
            yield_now().await;
            poll_fn(|cx| {
                polls += 1;
                work.as_mut().poll(cx)
            })
            .await;
            polls
        });
        let polls = polls.unwrap();
        match backend {
            // A task that another has woken gets what that one has left of its budget.
            Backend::MultiThread => assert!(polls >= budgeted, "{polls} polls"),
            Backend::Simulated { profile, .. } if !keeps_a_budget(profile) => assert_eq!(polls, 1),
            _ => assert_eq!(polls, budgeted),
        }
    });
}

fn keeps_a_budget(profile: Profile) -> bool {
    matches!(profile, Profile::TokioMt | Profile::TokioCt)
}

#[test]
fn a_thousand_items_take_eight_polls() {
    take_polls(8, || {
        let (sender, mut receiver) = mpsc::unbounded_channel();
        for i in 0..COUNT {
            sender.send(i).unwrap();
        }
        Box::pin(async move {
            for i in 0..COUNT {
                assert_eq!(receiver.recv().await, Some(i));
            }
        })
    });
}

#[test]
fn a_thousand_sent_take_eight_polls() {
    take_polls(8, || {
        let (sender, receiver) = mpsc::channel(COUNT);
        Box::pin(async move {
            for i in 0..COUNT {
                sender.send(i).await.unwrap();
            }
            assert_eq!(receiver.len(), COUNT);
        })
    });
}

#[test]
fn a_thousand_locks_take_eight_polls() {
    take_polls(8, || {
        let mutex = Arc::new(Mutex::new(0));
        Box::pin(async move {
            for _ in 0..COUNT / 2 {
                *mutex.lock().await += 1;
                *mutex.clone().lock_owned().await += 1;
            }
            assert_eq!(*mutex.try_lock().unwrap(), COUNT);
        })
    });
}

#[test]
fn a_thousand_permits_take_eight_polls() {
    take_polls(8, || {
        let semaphore = Arc::new(Semaphore::new(1));
        Box::pin(async move {
            for _ in 0..COUNT / 2 {
                drop(semaphore.acquire().await.unwrap());
                drop(semaphore.clone().acquire_owned().await.unwrap());
            }
        })
    });
}

#[test]
fn a_thousand_answers_take_eight_polls() {
    take_polls(8, || {
        Box::pin(async {
            for i in 0..COUNT {
                let (sender, receiver) = oneshot::channel();
                sender.send(i).unwrap();
                assert_eq!(receiver.await, Ok(i));
            }
        })
    });
}

#[test]
fn a_thousand_reads_and_writes_take_eight_polls() {
    take_polls(8, || {
        let lock = Arc::new(RwLock::new(0));
        Box::pin(async move {
            for _ in 0..COUNT / 4 {
                *lock.write().await += 1;
                drop(lock.read().await);
                *lock.clone().write_owned().await += 1;
                drop(lock.clone().read_owned().await);
            }
            assert_eq!(*lock.try_read().unwrap(), COUNT / 2);
        })
    });
}

#[test]
fn a_thousand_changes_take_eight_polls() {
    take_polls(8, || {
        let (sender, mut receiver) = watch::channel(0);
        Box::pin(async move {
            for i in 0..COUNT / 2 {
                sender.send(i).unwrap();
                receiver.changed().await.unwrap();
                drop(receiver.wait_for(|seen| *seen == i).await.unwrap());
            }
        })
    });
}

#[test]
fn a_thousand_items_for_all_take_eight_polls() {
    take_polls(8, || {
        let (sender, mut receiver) = broadcast::channel(1);
        Box::pin(async move {
            for i in 0..COUNT {
                sender.send(i).unwrap();
                assert_eq!(receiver.recv().await, Ok(i));
            }
        })
    });
}

#[test]
fn notifications_are_not_counted() {
    take_polls(1, || {
        Box::pin(async {
            let notify = Notify::new();
            for _ in 0..COUNT {
                notify.notify_one();
                notify.notified().await;
            }
        })
    });
}
