//! [`Semaphore`]: permits that are taken and given back, and none is lost.

use std::sync::Arc;

use event_loop::spawn;
use event_loop::sync::{Semaphore, TryAcquireError};

use crate::waiting::{a_while, dropped_while_waiting, everywhere};

#[test]
fn no_more_than_the_permits_run_at_once() {
    everywhere(|| async {
        let semaphore = Arc::new(Semaphore::new(3));
        let tasks: Vec<_> = (0..10)
            .map(|_| {
                let semaphore = semaphore.clone();
                spawn(async move {
                    let permit = semaphore.acquire_owned().await.unwrap();
                    let beside = permit.semaphore().available_permits();
                    a_while().await;
                    beside
                })
            })
            .collect();
        for task in tasks {
            assert!(task.await.unwrap() < 3);
        }
        assert_eq!(semaphore.available_permits(), 3);
    });
}

#[test]
fn who_waits_for_many_is_not_overtaken_by_who_waits_for_one() {
    everywhere(|| async {
        let semaphore = Semaphore::new(1);
        let one = semaphore.acquire().await.unwrap();
        let order = std::sync::Mutex::new(Vec::new());
        let many = async {
            let many = semaphore.acquire_many(3).await.unwrap();
            order.lock().unwrap().push(many.num_permits());
        };
        let late = async {
            let late = semaphore.acquire().await.unwrap();
            order.lock().unwrap().push(late.num_permits());
        };
        let giving = async {
            drop(one);
            assert_eq!(
                semaphore.try_acquire().unwrap_err(),
                TryAcquireError::NoPermits
            );
            semaphore.add_permits(2);
        };
        futures::join!(many, late, giving);
        assert_eq!(order.into_inner().unwrap(), [3, 1]);
        assert_eq!(semaphore.available_permits(), 3);
    });
}

#[test]
fn a_waiter_that_is_dropped_takes_no_permit_along() {
    everywhere(|| async {
        let semaphore = Arc::new(Semaphore::new(2));
        let held = semaphore.acquire().await.unwrap();
        // It has one of the three it wants when it is dropped.
        dropped_while_waiting(semaphore.acquire_many(3), async {}).await;
        assert_eq!(semaphore.available_permits(), 1);
        // It has all it wants, and was not polled since.
        let both = semaphore.clone().acquire_many_owned(2);
        dropped_while_waiting(both, async { drop(held) }).await;
        assert_eq!(semaphore.available_permits(), 2);
    });
}

#[test]
fn permits_are_split_merged_forgotten_and_added() {
    everywhere(|| async {
        let semaphore = Arc::new(Semaphore::new(5));
        let mut four = semaphore.try_acquire_many(4).unwrap();
        let mut one = four.split(1).unwrap();
        assert!(one.split(2).is_none());
        assert_eq!((four.num_permits(), one.num_permits()), (3, 1));
        four.merge(one);
        assert_eq!(four.num_permits(), 4);
        four.forget();
        assert_eq!(semaphore.available_permits(), 1);

        let mut owned = semaphore.clone().try_acquire_owned().unwrap();
        semaphore.add_permits(2);
        let more = semaphore.clone().try_acquire_many_owned(2).unwrap();
        owned.merge(more);
        let split = owned.split(1).unwrap();
        drop(owned);
        assert_eq!(semaphore.available_permits(), 2);
        assert_eq!(semaphore.forget_permits(10), 2);
        drop(split);
        assert_eq!(semaphore.available_permits(), 1);
    });
}

#[test]
fn closing_turns_away_who_waits_and_who_comes() {
    everywhere(|| async {
        let semaphore = Arc::new(Semaphore::new(0));
        let waiting = spawn({
            let semaphore = semaphore.clone();
            async move { semaphore.acquire().await.is_err() }
        });
        a_while().await;
        semaphore.close();
        assert!(waiting.await.unwrap());
        assert!(semaphore.acquire().await.is_err());
        assert!(semaphore.clone().acquire_owned().await.is_err());
        assert_eq!(
            semaphore.try_acquire().unwrap_err(),
            TryAcquireError::Closed
        );
        assert!(semaphore.is_closed());
    });
}

#[test]
#[should_panic(expected = "merging permits from different semaphore instances")]
fn permits_of_two_semaphores_are_not_merged() {
    let (a, b) = (Semaphore::const_new(1), Semaphore::const_new(1));
    let mut of_a = a.try_acquire().unwrap();
    of_a.merge(b.try_acquire().unwrap());
}
