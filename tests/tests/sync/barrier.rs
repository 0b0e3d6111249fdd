//! [`Barrier`]: nobody goes on before all have come, and one of them leads.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use event_loop::sync::Barrier;
use event_loop::{spawn, yield_now};

use crate::waiting::{dropped_while_waiting, everywhere};

#[test]
fn each_round_waits_for_all_and_has_one_leader() {
    everywhere(|| async {
        const TASKS: usize = 5;
        let (barrier, come) = (Arc::new(Barrier::new(TASKS)), Arc::new(AtomicUsize::new(0)));
        let tasks: Vec<_> = (0..TASKS)
            .map(|i| {
                let (barrier, come) = (barrier.clone(), come.clone());
                spawn(async move {
                    let mut led = 0;
                    for round in 1..=4 {
                        for _ in 0..i {
                            yield_now().await;
                        }
                        come.fetch_add(1, Ordering::SeqCst);
                        led += usize::from(barrier.wait().await.is_leader());
                        assert!(come.load(Ordering::SeqCst) >= TASKS * round);
                    }
                    led
                })
            })
            .collect();
        let mut led = 0;
        for task in tasks {
            led += task.await.unwrap();
        }
        assert_eq!(led, 4);
    });
}

#[test]
fn a_barrier_for_nobody_lets_everybody_pass() {
    everywhere(|| async {
        assert!(Barrier::new(0).wait().await.is_leader());
        let alone = Barrier::new(1);
        assert!(alone.wait().await.is_leader() && alone.wait().await.is_leader());
    });
}

#[test]
fn who_was_dropped_while_waiting_has_come() {
    everywhere(|| async {
        let barrier = Barrier::new(2);
        dropped_while_waiting(barrier.wait(), async {}).await;
        assert!(barrier.wait().await.is_leader());
        let rest = async { assert!(barrier.wait().await.is_leader()) };
        let (first, ()) = futures::join!(barrier.wait(), rest);
        assert!(!first.is_leader());
    });
}
