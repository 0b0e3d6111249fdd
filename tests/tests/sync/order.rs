//! In a world the order of wakes follows from the seed, whatever the process did before.

use std::sync::Arc;
use std::thread;

use event_loop::spawn;
use event_loop::sync::{Barrier, Notify, RwLock, Semaphore, broadcast, watch};
use sim::{Config, Profile, Sim};

use crate::waiting::a_while;

/// Tasks that wait for one event each time, so that who is woken first shows in the trace.
async fn crowds(_sim: Sim) {
    const TASKS: usize = 12;
    let (level, levels) = watch::channel(0);
    let (quotes, first) = broadcast::channel::<u8>(4);
    let barrier = Arc::new(Barrier::new(TASKS));
    let notify = Arc::new(Notify::new());
    let lock = Arc::new(RwLock::new(0));
    let permits = Arc::new(Semaphore::new(2));
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let (mut levels, mut items) = (levels.clone(), first.resubscribe());
            let (barrier, notify) = (barrier.clone(), notify.clone());
            let (lock, permits) = (lock.clone(), permits.clone());
            spawn(async move {
                levels.changed().await.unwrap();
                drop(levels.wait_for(|level| *level == 2).await.unwrap());
                barrier.wait().await;
                barrier.wait().await;
                notify.notified().await;
                drop(permits.acquire().await.unwrap());
                *lock.write().await += 1;
                assert!(items.recv().await.is_ok());
            })
        })
        .collect();
    for n in 1..=2 {
        a_while().await;
        level.send(n).unwrap();
    }
    for _ in 0..TASKS {
        a_while().await;
        notify.notify_waiters();
    }
    a_while().await;
    quotes.send(1).unwrap();
    for task in tasks {
        task.await.unwrap();
    }
}

fn hash(profile: Profile, seed: u64) -> u64 {
    let run = sim::run_once(&Config::new().profile(profile), seed, crowds);
    assert!(run.verdict.is_none(), "{:?}", run.verdict);
    run.hash
}

#[test]
fn the_same_seed_gives_the_same_run_after_thousands_of_others() {
    for profile in Profile::ALL {
        let hashes = || (0..10).map(|seed| hash(profile, seed)).collect::<Vec<_>>();
        let first = hashes();
        assert_eq!(first, hashes());
        for seed in 10..1_010 {
            hash(profile, seed);
        }
        assert_eq!(first, hashes());
        assert_eq!(
            first,
            thread::scope(|scope| scope.spawn(hashes).join().unwrap())
        );
    }
}

#[test]
fn recording_changes_nothing() {
    for seed in 0..10 {
        let recorded = sim::record_once(&Config::new(), seed, crowds).hash;
        assert_eq!(recorded, hash(Profile::default(), seed));
    }
}

/// Tokio's own budget would run out under the world, and its waker would be tokio's to wake.
#[test]
fn a_world_inside_a_task_of_tokio_s_has_no_budget_but_its_own() {
    let outside = hash(Profile::Exact, 3);
    let runtime = event_loop::production::current_thread(Default::default()).unwrap();
    let inside = runtime
        .run_until_complete(async { (0..20).map(|_| hash(Profile::Exact, 3)).collect::<Vec<_>>() });
    assert_eq!(inside.unwrap(), [outside; 20]);
}
