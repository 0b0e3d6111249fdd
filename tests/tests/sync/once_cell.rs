//! [`OnceCell`] and [`SetOnce`]: one value, made or set once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use event_loop::sync::{OnceCell, SetError, SetOnce};
use event_loop::{spawn, yield_now};

use crate::waiting::{a_while, dropped_while_waiting, everywhere};

#[test]
fn the_value_is_made_once_and_all_see_it() {
    everywhere(|| async {
        let (cell, made) = (Arc::new(OnceCell::new()), Arc::new(AtomicU32::new(0)));
        let tasks: Vec<_> = (0..6)
            .map(|i| {
                let (cell, made) = (cell.clone(), made.clone());
                spawn(async move {
                    let make = || async {
                        made.fetch_add(1, Ordering::SeqCst);
                        a_while().await;
                        i
                    };
                    *cell.get_or_init(make).await
                })
            })
            .collect();
        let mut values = Vec::new();
        for task in tasks {
            values.push(task.await.unwrap());
        }
        values.dedup();
        assert_eq!((values.len(), made.load(Ordering::SeqCst)), (1, 1));
        assert_eq!(cell.get(), values.first());
    });
}

#[test]
fn who_fails_or_is_dropped_leaves_it_to_the_next() {
    everywhere(|| async {
        let cell = OnceCell::const_new();
        let failed = cell.get_or_try_init(|| async { Err("no") }).await;
        assert_eq!(failed, Err("no"));
        let making = cell.get_or_init(std::future::pending);
        let meanwhile = async {
            assert_eq!(cell.set(1), Err(SetError::InitializingError(1)));
            // This one waits for the other, and is dropped while it does.
            dropped_while_waiting(cell.get_or_init(std::future::pending), async {}).await;
        };
        dropped_while_waiting(making, meanwhile).await;
        let made = cell.get_or_try_init(|| async {
            yield_now().await;
            Ok::<_, ()>(2)
        });
        assert_eq!(made.await, Ok(&2));
        assert_eq!(cell.set(3), Err(SetError::AlreadyInitializedError(3)));
        assert!(cell.initialized() && cell.clone() == cell);
        assert_eq!(cell.into_inner(), Some(2));
    });
}

#[test]
fn a_value_that_is_set_is_seen_by_all_who_wait() {
    everywhere(|| async {
        let cell = Arc::new(SetOnce::new());
        let waiting: Vec<_> = (0..3)
            .map(|_| {
                let cell = cell.clone();
                spawn(async move { *cell.wait().await })
            })
            .collect();
        a_while().await;
        dropped_while_waiting(cell.wait(), async {}).await;
        cell.set(7).unwrap();
        for waiting in waiting {
            assert_eq!(waiting.await.unwrap(), 7);
        }
        assert_eq!(cell.set(8).unwrap_err().0, 8);
        assert_eq!(cell.get(), Some(&7));
    });
}
