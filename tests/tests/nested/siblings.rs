//! Loops beside a loop: made by its factory, run after it or on a thread, closed by their owners.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use event_loop::time::sleep;
use event_loop::{EventLoop, LoopError, Runner, production};
use sim::{Config, Profile};

use super::loops;

#[test]
fn a_loop_beside_one_of_production_is_of_its_kind_and_configuration() {
    let configured = event_loop::LoopConfig::default()
        .name("api")
        .debug(true)
        .slow_callback(Duration::from_millis(7));
    for ev in [
        production::current_thread(configured.clone()).unwrap(),
        production::multi_thread(configured.worker_threads(3)).unwrap(),
    ] {
        let beside = ev.factory()().unwrap();
        assert!(!beside.same_loop(&ev));
        assert_eq!(beside.describe(), ev.describe());
    }
}

/// Everything a loop does, done by one beside another.
#[test]
fn a_loop_beside_another_runs_tasks_callbacks_and_timers() {
    for (name, ev) in loops() {
        let beside = ev.factory()().unwrap();
        let here = beside.unowned();
        let began = beside.now();
        let told = beside.run_until_complete(async move {
            let current = event_loop::current().unwrap();
            assert!(current.same_loop(&here));
            let (called, call) = event_loop::sync::oneshot::channel();
            here.call_later(Duration::from_millis(5), move || {
                called.send("called").unwrap()
            })
            .unwrap();
            let slept = event_loop::spawn(async {
                sleep(Duration::from_millis(10)).await;
                event_loop::yield_now().await;
                "slept"
            });
            (call.await.unwrap(), slept.await.unwrap())
        });
        assert_eq!(told.unwrap(), ("called", "slept"), "{name}");
        assert!(beside.now() - began >= Duration::from_millis(10), "{name}");
        // The first is as good as ever, and so is the other.
        ev.run_until_complete(async {}).unwrap();
        beside.run_borrowed(async {}).unwrap();
        beside.stop();
        beside.run_forever().unwrap();
    }
}

#[test]
fn its_tasks_are_its_own_and_are_dropped_by_its_close_in_creation_order() {
    struct Told(Arc<Mutex<Vec<u32>>>, u32);
    impl Drop for Told {
        fn drop(&mut self) {
            self.0.lock().unwrap().push(self.1);
        }
    }
    for (name, ev) in loops() {
        let multi_thread = ev.describe().workers > 1;
        let beside = ev.factory()().unwrap();
        let dropped = Arc::<Mutex<Vec<u32>>>::default();
        let pending = |n| {
            let told = Told(dropped.clone(), n);
            async move {
                let _told = told;
                std::future::pending::<()>().await;
            }
        };
        let of_the_first = ev.spawn(pending(0));
        let tasks: Vec<_> = (1..=4).map(|n| beside.spawn(pending(n))).collect();
        beside
            .run_until_complete(async { sleep(Duration::from_millis(1)).await })
            .unwrap();
        tasks[1].abort();
        beside
            .run_until_complete(async { sleep(Duration::from_millis(1)).await })
            .unwrap();
        assert_eq!(*dropped.lock().unwrap(), [2], "{name}");
        assert_eq!(beside.all_tasks().len(), 3, "{name}");
        assert_eq!(ev.all_tasks().len(), 1, "{name}");
        beside.close().unwrap();
        let mut order = dropped.lock().unwrap().clone();
        if multi_thread {
            order.sort_unstable();
            assert_eq!(order, [1, 2, 3, 4], "{name}");
        } else {
            assert_eq!(order, [2, 1, 3, 4], "{name}");
        }
        assert!(tasks.iter().all(event_loop::TaskHandle::is_finished));
        assert!(!of_the_first.is_finished(), "{name}");
        assert_eq!(beside.run_forever(), Err(LoopError::Closed));
        ev.run_until_complete(async {}).unwrap();
    }
}

#[test]
fn a_loop_that_nobody_closes_goes_with_its_world() {
    for profile in Profile::ALL {
        let dropped = Arc::new(());
        let held = dropped.clone();
        let run = sim::run_loop(&Config::new().profile(profile), 3, move |ev| {
            let beside = ev.factory()().unwrap();
            let pending = |held: Arc<()>| async move {
                let _held = held;
                std::future::pending::<()>().await;
            };
            // One is queued and was never polled, the other waits.
            beside.spawn(pending(held.clone())).detach();
            beside
                .run_until_complete(async { event_loop::yield_now().await })
                .unwrap();
            beside.spawn(pending(held)).detach();
            ev.close().unwrap();
            beside
        });
        assert_eq!(Arc::strong_count(&dropped), 1, "{profile}");
        let beside = run.value.unwrap();
        assert!(beside.is_closed());
        assert!(matches!(beside.run_forever(), Err(LoopError::Closed)));
        assert!(matches!(beside.factory()(), Err(LoopError::Closed)));
    }
}

#[test]
fn its_runs_are_the_seed_s() {
    let hash = |seed| {
        let main = |ev: EventLoop| {
            let mut runner = Runner::new(ev.factory());
            runner
                .run(async {
                    for n in 0..5 {
                        event_loop::spawn(async move { sleep(Duration::from_millis(n)).await })
                            .await
                            .unwrap();
                    }
                })
                .unwrap();
        };
        let run = sim::run_loop(&Config::new(), seed, main);
        assert_eq!(run.verdict, None);
        run.hash
    };
    assert_eq!(hash(5), hash(5));
    assert_ne!(hash(5), hash(6));
}
