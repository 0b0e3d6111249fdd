//! Entering, nesting, suspending and leaving worlds.
#![cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
#![allow(
    clippy::disallowed_methods,
    reason = "real time is tested here, or bounds the test"
)]

mod world;

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime};

use interpose::{ClockId, Entered, Kernel, enter, in_world, suspend};
use world::{Foretold, on_fresh_thread};

/// A world whose wall clock says which one it is.
struct Named(u64);

impl Kernel for Named {
    fn now(&self, _: ClockId) -> Duration {
        Duration::from_secs(self.0)
    }

    fn fill_random(&self, buf: &mut [u8]) {
        buf.fill(0);
    }
}

fn named(name: u64) -> Entered {
    enter(Arc::new(Named(name)))
}

/// The name of the world this thread is in; 0 for the real one.
fn which() -> u64 {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let simulated = now < 1000;
    assert_eq!(in_world(), simulated);
    if simulated { now } else { 0 }
}

#[test]
fn worlds_nest() {
    assert_eq!(which(), 0);
    let one = named(1);
    assert_eq!(which(), 1);
    {
        let _two = named(2);
        assert_eq!(which(), 2);
    }
    assert_eq!(which(), 1);
    drop(one);
    assert_eq!(which(), 0);
}

#[test]
fn a_world_left_out_of_order_never_answers_again() {
    let one = named(1);
    let two = named(2);
    let three = named(3);
    drop(one);
    assert_eq!(which(), 3);
    drop(two);
    assert_eq!(which(), 3);
    drop(three);
    assert_eq!(which(), 0);
}

#[test]
fn a_forgotten_guard_keeps_its_kernel() {
    on_fresh_thread(|| {
        let kernel = Foretold::seeded(1);
        std::mem::forget(enter(kernel.clone()));
        assert!(in_world());
        assert_eq!(Arc::strong_count(&kernel), 2);
    });
}

#[test]
fn leaving_frees_the_kernel() {
    let kernel = Foretold::seeded(1);
    let outer = enter(kernel.clone());
    let inner = enter(kernel.clone());
    drop(suspend());
    assert_eq!(Arc::strong_count(&kernel), 3);
    drop(outer);
    drop(inner);
    assert_eq!(Arc::strong_count(&kernel), 1);
}

#[test]
fn a_suspended_thread_sees_the_real_world() {
    let _one = named(1);
    let outer = suspend();
    assert_eq!(which(), 0);
    let inner = suspend();
    drop(outer);
    assert_eq!(which(), 0, "until the last guard is gone");
    {
        let _two = named(2);
        assert_eq!(which(), 2, "a world entered meanwhile answers");
    }
    assert_eq!(which(), 0);
    drop(inner);
    assert_eq!(which(), 1);
}

#[test]
fn a_suspension_that_outlives_its_world_touches_no_other() {
    let one = named(1);
    let two = named(2);
    let suspended = suspend();
    drop(two);
    assert_eq!(which(), 1);
    drop(suspended);
    assert_eq!(which(), 1);
    drop(one);
    assert_eq!(which(), 0);
    drop(suspend());
    assert_eq!(which(), 0);
}

#[test]
fn other_threads_stay_outside() {
    let _one = named(1);
    thread::spawn(|| assert_eq!(which(), 0)).join().unwrap();
    assert_eq!(which(), 1);
}

#[test]
fn a_kernel_that_asks_for_the_time_gets_the_real_one() {
    struct Curious(Mutex<Vec<SystemTime>>);
    impl Kernel for Curious {
        fn now(&self, _: ClockId) -> Duration {
            assert!(!in_world());
            self.0.lock().unwrap().push(SystemTime::now());
            Duration::from_secs(5)
        }
        fn fill_random(&self, _: &mut [u8]) {}
    }

    let before = SystemTime::now();
    let kernel = Arc::new(Curious(Mutex::new(Vec::new())));
    let world = enter(kernel.clone());
    assert_eq!(which(), 5);
    drop(world);
    let asked = kernel.0.lock().unwrap();
    assert_eq!(asked.len(), 1);
    assert!(asked[0] >= before);
}

#[test]
fn a_kernel_may_enter_and_suspend_inside_its_own_method() {
    struct Nesting;
    impl Kernel for Nesting {
        fn now(&self, _: ClockId) -> Duration {
            let inner = named(9);
            assert_eq!(which(), 9);
            drop(inner);
            drop(suspend());
            assert_eq!(which(), 0, "the gate is closed until the method returns");
            Duration::from_secs(5)
        }
        fn fill_random(&self, _: &mut [u8]) {}
    }

    let _world = enter(Arc::new(Nesting));
    assert_eq!(which(), 5);
    assert_eq!(which(), 5);
}

#[test]
fn a_kernel_outlives_its_own_method() {
    thread_local! {
        static GUARD: RefCell<Option<Entered>> = const { RefCell::new(None) };
    }
    struct Leaving {
        name: Box<u64>,
        dropped: Arc<AtomicBool>,
    }
    impl Kernel for Leaving {
        fn now(&self, _: ClockId) -> Duration {
            drop(GUARD.take());
            assert!(!self.dropped.load(Ordering::Relaxed));
            Duration::from_secs(*self.name)
        }
        fn fill_random(&self, _: &mut [u8]) {}
    }
    impl Drop for Leaving {
        fn drop(&mut self) {
            self.dropped.store(true, Ordering::Relaxed);
        }
    }

    let dropped = Arc::new(AtomicBool::new(false));
    let kernel = Arc::new(Leaving {
        name: Box::new(5),
        dropped: dropped.clone(),
    });
    GUARD.set(Some(enter(kernel)));
    let asked = SystemTime::now();
    assert_eq!(asked, SystemTime::UNIX_EPOCH + Duration::from_secs(5));
    assert!(dropped.load(Ordering::Relaxed));
    assert_eq!(which(), 0);
}

#[test]
fn a_thread_that_ends_inside_a_world_may_still_ask() {
    struct Last;
    impl Drop for Last {
        fn drop(&mut self) {
            assert_eq!(which(), 1);
        }
    }
    thread_local! {
        static LAST: Last = const { Last };
    }
    thread::spawn(|| {
        LAST.with(|_| std::mem::forget(named(1)));
    })
    .join()
    .unwrap();
}
