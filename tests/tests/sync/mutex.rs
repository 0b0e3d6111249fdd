//! [`Mutex`]: one at a time, first come first served.

use std::sync::Arc;

use event_loop::sync::{Mutex, MutexGuard, OwnedMutexGuard};
use event_loop::{spawn, yield_now};

use crate::waiting::{dropped_while_waiting, everywhere};

static COUNTED: Mutex<u64> = Mutex::const_new(0);

#[test]
fn one_at_a_time_even_across_awaits() {
    everywhere(|| async {
        let counter = Arc::new(Mutex::new(0_u32));
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let counter = counter.clone();
                spawn(async move {
                    for _ in 0..10 {
                        let mut locked = counter.lock().await;
                        let before = *locked;
                        yield_now().await;
                        *locked = before + 1;
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*counter.lock().await, 80);
        assert_eq!(Arc::into_inner(counter).unwrap().into_inner(), 80);
    });
}

#[test]
fn who_waits_is_served_before_who_comes_later() {
    everywhere(|| async {
        let mutex = Mutex::new(Vec::new());
        let first = mutex.lock().await;
        let wait = |who| {
            let mutex = &mutex;
            async move { mutex.lock().await.push(who) }
        };
        let release = async {
            drop(first);
            // The mutex is the waiters' already.
            assert!(mutex.try_lock().is_err());
        };
        futures::join!(wait("a"), wait("b"), wait("c"), release);
        assert_eq!(mutex.into_inner(), ["a", "b", "c"]);
    });
}

#[test]
fn a_waiter_that_is_dropped_leaves_nothing_locked() {
    everywhere(|| async {
        let mutex = Mutex::new(());
        let guard = mutex.lock().await;
        dropped_while_waiting(mutex.lock(), async {}).await;
        // This one is dropped when the mutex is its own already.
        dropped_while_waiting(mutex.lock(), async { drop(guard) }).await;
        drop(mutex.try_lock().expect("nobody has it"));

        let mutex = Arc::new(mutex);
        let guard = mutex.clone().lock_owned().await;
        dropped_while_waiting(mutex.clone().lock_owned(), async { drop(guard) }).await;
        drop(mutex.try_lock().expect("nobody has it"));
    });
}

#[test]
fn an_owned_guard_outlives_the_scope_that_locked() {
    everywhere(|| async {
        let mutex = Arc::new(Mutex::new(1));
        let mut guard = mutex.clone().lock_owned().await;
        assert!(mutex.clone().try_lock_owned().is_err());
        let waiting = spawn({
            let mutex = mutex.clone();
            async move { *mutex.lock_owned().await }
        });
        let adding = spawn(async move {
            yield_now().await;
            *guard += 1;
            Arc::ptr_eq(
                OwnedMutexGuard::mutex(&guard),
                OwnedMutexGuard::mutex(&guard),
            )
        });
        assert!(adding.await.unwrap());
        assert_eq!(waiting.await.unwrap(), 2);
        assert_eq!(*mutex.try_lock_owned().unwrap(), 2);
    });
}

#[test]
fn a_part_can_be_kept_locked() {
    everywhere(|| async {
        let mutex = Mutex::new((1, Some("text")));
        let part = MutexGuard::map(mutex.lock().await, |pair| &mut pair.1);
        assert!(mutex.try_lock().is_err());
        let text = event_loop::sync::MappedMutexGuard::try_map(part, Option::as_mut);
        assert_eq!(*text.unwrap(), "text");
        let whole = mutex.try_lock().expect("the parts are gone");
        let whole = MutexGuard::try_map(whole, |pair| pair.1.as_mut().filter(|_| false));
        assert_eq!(whole.unwrap_err().0, 1);
    });
}

#[test]
fn unsized_values_can_be_locked() {
    everywhere(|| async {
        let mutex: Arc<Mutex<[u8]>> = Arc::new(Mutex::new([1, 2, 3]));
        mutex.lock().await.reverse();
        assert_eq!(*mutex.lock_owned().await, [3, 2, 1]);
    });
}

#[test]
fn a_mutex_in_a_static_serves_one_world_after_another() {
    let before = *COUNTED.try_lock().unwrap();
    let runs = std::sync::atomic::AtomicU64::new(0);
    crate::backends::on(crate::backends::Backends::Everywhere, |backend| {
        runs.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let ev = backend.make();
        let counting = ev.run_until_complete(async {
            let tasks: Vec<_> = (0..4)
                .map(|_| {
                    spawn(async {
                        let mut counted = COUNTED.lock().await;
                        yield_now().await;
                        *counted += 1;
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
        });
        counting.unwrap();
        // A world that ends while a task has it leaves it unlocked.
        ev.close().unwrap();
    });
    let counted = *COUNTED.try_lock().unwrap() - before;
    assert_eq!(counted, 4 * runs.into_inner());
}
