//! [`RwLock`]: many readers or one writer, first come first served.

use std::sync::Arc;

use event_loop::sync::{
    OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock, RwLockReadGuard, RwLockWriteGuard,
};
use event_loop::{spawn, yield_now};

use crate::waiting::{a_while, dropped_while_waiting, everywhere};

#[test]
fn a_reader_never_sees_half_of_a_write() {
    everywhere(|| async {
        let lock = Arc::new(RwLock::new((0, 0)));
        let writers: Vec<_> = (0..3)
            .map(|_| {
                let lock = lock.clone();
                spawn(async move {
                    for _ in 0..5 {
                        let mut pair = lock.write().await;
                        pair.0 += 1;
                        yield_now().await;
                        pair.1 += 1;
                    }
                })
            })
            .collect();
        let readers: Vec<_> = (0..3)
            .map(|_| {
                let lock = lock.clone();
                spawn(async move {
                    for _ in 0..5 {
                        let pair = lock.clone().read_owned().await;
                        assert_eq!(pair.0, pair.1);
                        yield_now().await;
                        assert_eq!(pair.0, pair.1);
                    }
                })
            })
            .collect();
        for task in writers.into_iter().chain(readers) {
            task.await.unwrap();
        }
        assert_eq!(*lock.read().await, (15, 15));
    });
}

#[test]
fn readers_share_it_and_wait_behind_a_writer_that_waits() {
    everywhere(|| async {
        let lock = RwLock::new(0);
        let (one, two) = (lock.read().await, lock.try_read().unwrap());
        assert!(lock.try_write().is_err());
        let writing = async { *lock.write().await += 1 };
        let reading = async {
            // The writer waits by now.
            assert!(lock.try_read().is_err());
            *lock.read().await
        };
        let leaving = async { drop((one, two)) };
        let ((), seen, ()) = futures::join!(writing, reading, leaving);
        assert_eq!(seen, 1);
        assert_eq!(lock.into_inner(), 1);
    });
}

#[test]
fn no_more_than_so_many_readers() {
    everywhere(|| async {
        let mut lock = RwLock::with_max_readers(1, 2);
        {
            let _two = (lock.read().await, lock.read().await);
            assert!(lock.try_read().is_err());
        }
        *lock.get_mut() = 2;
        assert_eq!(
            *RwLock::const_with_max_readers(2, 1).read().await,
            *lock.read().await
        );
    });
}

#[test]
fn a_waiter_that_is_dropped_leaves_nothing_locked() {
    everywhere(|| async {
        let lock = Arc::new(RwLock::const_new(()));
        let reading = lock.read().await;
        dropped_while_waiting(lock.write(), async {}).await;
        dropped_while_waiting(lock.clone().write_owned(), async { drop(reading) }).await;
        let writing = lock.clone().try_write_owned().expect("nobody has it");
        dropped_while_waiting(lock.read(), async {}).await;
        dropped_while_waiting(lock.clone().read_owned(), async { drop(writing) }).await;
        drop(lock.try_write().expect("nobody has it"));
    });
}

#[test]
fn guards_are_mapped_and_downgraded() {
    everywhere(|| async {
        let lock = RwLock::new((1, "text"));
        let mut part = RwLockWriteGuard::map(lock.write().await, |pair| &mut pair.0);
        *part += 1;
        drop(part);
        let reading = lock.write().await.downgrade();
        assert!(lock.try_read().is_ok() && lock.try_write().is_err());
        let text = RwLockReadGuard::map(reading, |pair| &pair.1);
        assert_eq!(*text, "text");
        let text = RwLockReadGuard::try_map(text, |_| None::<&u8>);
        assert_eq!(*text.unwrap_err(), "text");
        let writing = lock.try_write().expect("nobody has it");
        let number = RwLockWriteGuard::downgrade_map(writing, |pair| &pair.0);
        assert_eq!(*number, 2);
    });
}

#[test]
fn owned_guards_outlive_the_scope_that_locked() {
    everywhere(|| async {
        let lock = Arc::new(RwLock::new(1));
        let mut writing = lock.clone().write_owned().await;
        let reading = spawn({
            let lock = lock.clone();
            async move {
                let guard = lock.read_owned().await;
                (
                    *guard,
                    OwnedRwLockReadGuard::rwlock(&guard).try_write().is_err(),
                )
            }
        });
        a_while().await;
        *writing += 1;
        assert!(Arc::ptr_eq(OwnedRwLockWriteGuard::rwlock(&writing), &lock));
        drop(writing);
        assert_eq!(reading.await.unwrap(), (2, true));
        assert_eq!(*lock.try_read_owned().unwrap(), 2);
    });
}
