//! Threads that take turns in virtual time: whatever the standard library and others wait for each
//! other by is seen, and a thread is in its world from its first instruction to its last.
#![cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
#![allow(
    clippy::disallowed_methods,
    reason = "time is a world's here, and real where the test says so"
)]

mod world;

use std::cell::RefCell;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Barrier, Condvar, LazyLock, Mutex, Once, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use world::on_fresh_thread;
use world::turns::Turns;

const HOUR: Duration = Duration::from_hours(1);

/// Runs `body` as the first thread of a world, and says how much time passed in it.
fn in_turns(body: impl FnOnce(&Turns) + Send) -> Duration {
    on_fresh_thread(|| {
        let (turns, entered) = Turns::begin();
        body(&turns);
        drop(entered);
        turns.passed()
    })
}

#[test]
fn a_sleep_takes_virtual_time() {
    let real = Instant::now();
    let passed = in_turns(|_| {
        let start = Instant::now();
        thread::sleep(HOUR);
        assert_eq!(start.elapsed(), HOUR);
        thread::sleep(Duration::ZERO);
        // SAFETY: they have no contract.
        unsafe {
            assert_eq!(libc::usleep(1_500_000), 0);
            assert_eq!(libc::sleep(3), 0);
        }
        assert_eq!(start.elapsed(), HOUR + Duration::from_millis(4500));
    });
    assert_eq!(passed, HOUR + Duration::from_millis(4500));
    assert!(real.elapsed() < Duration::from_secs(60));
}

#[test]
fn threads_sleep_beside_each_other() {
    let passed = in_turns(|_| {
        let threads: Vec<_> = (1..=5)
            .map(|hours| {
                thread::spawn(move || {
                    let start = Instant::now();
                    thread::sleep(HOUR * hours);
                    start.elapsed()
                })
            })
            .collect();
        for (thread, hours) in threads.into_iter().zip(1..) {
            assert_eq!(thread.join().unwrap(), HOUR * hours);
        }
    });
    assert_eq!(passed, HOUR * 5);
}

#[test]
fn a_mutex_is_waited_for() {
    let passed = in_turns(|_| {
        let counted = Mutex::new(0);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut counted = counted.lock().unwrap();
                    thread::sleep(HOUR);
                    *counted += 1;
                });
            }
        });
        assert_eq!(counted.into_inner().unwrap(), 4);
    });
    assert_eq!(passed, HOUR * 4);
}

#[test]
fn readers_and_writers_wait_for_each_other() {
    let passed = in_turns(|_| {
        let value = RwLock::new(0);
        thread::scope(|scope| {
            let writer = value.write().unwrap();
            for _ in 0..3 {
                scope.spawn(|| {
                    let value = value.read().unwrap();
                    assert_eq!(*value, 1);
                    thread::sleep(HOUR);
                });
            }
            thread::sleep(HOUR);
            let mut writer = writer;
            *writer = 1;
            drop(writer);
        });
    });
    assert_eq!(passed, HOUR * 2);
}

#[test]
fn a_condition_is_waited_for_with_and_without_a_limit() {
    let passed = in_turns(|_| {
        let (ready, came) = (Mutex::new(false), Condvar::new());
        let limited = came.wait_timeout(ready.lock().unwrap(), HOUR).unwrap();
        assert!(limited.1.timed_out());
        drop(limited);
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(HOUR);
                *ready.lock().unwrap() = true;
                came.notify_all();
            });
            for _ in 0..2 {
                scope.spawn(|| drop(came.wait_while(ready.lock().unwrap(), |ready| !*ready)));
            }
            let ready = ready.lock().unwrap();
            let waited = came.wait_timeout_while(ready, HOUR * 9, |ready| !*ready);
            assert!(!waited.unwrap().1.timed_out());
        });
    });
    assert_eq!(passed, HOUR * 2);
}

#[test]
fn channels_are_waited_for_at_both_ends() {
    let passed = in_turns(|_| {
        let (sender, receiver) = mpsc::sync_channel(1);
        let timeout = receiver.recv_timeout(HOUR);
        assert_eq!(timeout, Err(RecvTimeoutError::Timeout));
        let thread = thread::spawn(move || {
            for number in 0..4 {
                sender.send(number).unwrap();
            }
        });
        for expected in 0..4 {
            thread::sleep(HOUR);
            assert_eq!(receiver.recv(), Ok(expected));
        }
        assert!(receiver.recv().is_err());
        thread.join().unwrap();
    });
    assert_eq!(passed, HOUR * 5);
}

#[test]
fn a_parked_thread_is_unparked() {
    let passed = in_turns(|_| {
        let parked = thread::spawn(|| {
            thread::park_timeout(HOUR);
            thread::park();
        });
        thread::sleep(HOUR * 3);
        assert!(!parked.is_finished());
        parked.thread().unpark();
        parked.join().unwrap();
    });
    assert_eq!(passed, HOUR * 3);
}

#[test]
fn what_is_done_once_is_waited_for() {
    static ONCE: Once = Once::new();
    static LAZY: LazyLock<u32> = LazyLock::new(|| {
        thread::sleep(HOUR);
        7
    });
    let passed = in_turns(|_| {
        let barrier = Barrier::new(3);
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    barrier.wait();
                    ONCE.call_once(|| thread::sleep(HOUR));
                    assert_eq!(*LAZY, 7);
                });
            }
        });
    });
    assert_eq!(passed, HOUR * 2);
}

#[test]
fn parking_lots_locks_are_waited_for() {
    let passed = in_turns(|_| {
        let (ready, came) = (parking_lot::Mutex::new(0), parking_lot::Condvar::new());
        assert!(came.wait_for(&mut ready.lock(), HOUR).timed_out());
        let held = ready.lock();
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let mut ready = ready.lock();
                    thread::sleep(HOUR);
                    *ready += 1;
                    came.notify_one();
                });
            }
            thread::sleep(HOUR);
            drop(held);
            let mut ready = ready.lock();
            while *ready < 3 {
                came.wait(&mut ready);
            }
        });
    });
    assert_eq!(passed, HOUR * 5);
}

#[test]
fn the_same_threads_take_the_same_turns() {
    let log = || {
        let mut log = Vec::new();
        in_turns(|turns| {
            let (sender, receiver) = mpsc::channel();
            let total = Arc::new(Mutex::new(0));
            for number in 0..6u32 {
                let (sender, total) = (sender.clone(), total.clone());
                thread::spawn(move || {
                    thread::sleep(HOUR * (number % 3));
                    for _ in 0..3 {
                        *total.lock().unwrap() += 1;
                        thread::yield_now();
                    }
                    sender.send(number).unwrap();
                });
            }
            drop(sender);
            while receiver.recv().is_ok() {}
            log = turns.log();
        });
        log
    };
    let first = log();
    assert!(first.len() > 40, "{first:#?}");
    for _ in 0..5 {
        assert_eq!(log(), first);
    }
}

#[test]
fn a_thread_ends_after_its_thread_locals() {
    struct Slow(Arc<AtomicU32>);
    impl Drop for Slow {
        fn drop(&mut self) {
            assert!(interpose::in_world());
            thread::sleep(HOUR);
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    thread_local! {
        static SLOW: RefCell<Option<Slow>> = const { RefCell::new(None) };
    }
    let dropped = Arc::new(AtomicU32::new(0));
    let mut log = Vec::new();
    let passed = in_turns(|turns| {
        let theirs = dropped.clone();
        let thread = thread::spawn(move || SLOW.set(Some(Slow(theirs))));
        thread.join().unwrap();
        assert_eq!(dropped.load(Ordering::Relaxed), 1);
        log = turns.log();
    });
    assert_eq!(passed, HOUR);
    assert_eq!(log.last().unwrap(), "3600s #1 ends");
}

#[test]
fn a_panic_ends_a_thread_in_order() {
    let passed = in_turns(|_| {
        let mutex = Arc::new(Mutex::new(()));
        let theirs = mutex.clone();
        let thread = thread::Builder::new()
            .name("to panic".into())
            .spawn(move || {
                let _held = theirs.lock();
                thread::sleep(HOUR);
                std::panic::resume_unwind(Box::new("on purpose"));
            })
            .unwrap();
        thread::yield_now();
        assert!(mutex.lock().is_err(), "poisoned");
        let panic = thread.join().unwrap_err();
        assert_eq!(panic.downcast_ref(), Some(&"on purpose"));
    });
    assert_eq!(passed, HOUR);
}

#[test]
fn a_dropped_handle_lets_a_thread_go() {
    let ended = Arc::new(AtomicBool::new(false));
    in_turns(|turns| {
        let theirs = ended.clone();
        drop(thread::spawn(move || {
            thread::sleep(HOUR);
            theirs.store(true, Ordering::Relaxed);
        }));
        thread::sleep(HOUR * 2);
        let log = turns.log();
        assert_eq!(log[1], "0ns #0 lets #1 go");
        assert!(log.contains(&"3600s #1 ends".into()), "{log:#?}");
    });
    assert!(ended.load(Ordering::Relaxed));
}

#[test]
fn a_world_may_refuse_threads() {
    in_turns(|turns| {
        turns.refuse_threads();
        let error = thread::Builder::new().spawn(|| ()).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EAGAIN));
    });
}

#[test]
fn the_world_is_told_of_a_thread_that_the_machine_refuses() {
    in_turns(|turns| {
        // More than there are addresses.
        let error = thread::Builder::new().stack_size(1 << 50).spawn(|| ());
        assert_eq!(error.unwrap_err().raw_os_error(), Some(libc::EAGAIN));
        assert_eq!(turns.log(), ["0ns #0 makes #1", "0ns #0 did not make #1"]);
    });
}

#[test]
fn the_cpus_are_the_worlds_bound_or_not() {
    // std's own count looks at the quotas of the process's group too.
    let count = || {
        let mut set = MaybeUninit::<libc::cpu_set_t>::uninit();
        // SAFETY: a set for writing of the size given.
        unsafe {
            let size = size_of::<libc::cpu_set_t>();
            assert_eq!(libc::sched_getaffinity(0, size, set.as_mut_ptr()), 0);
            libc::CPU_COUNT(set.assume_init_ref())
        }
    };
    let real = count();
    in_turns(|_| {
        assert_eq!(count(), 11);
        let pinned = interpose::pin_to_current_cpu();
        assert_eq!(count(), 11);
        let outside = interpose::suspend();
        assert_eq!(count(), 1);
        drop(outside);
        drop(pinned);
        assert_eq!(count(), 11);
        let _outside = interpose::suspend();
        assert_eq!(count(), real);
    });
    assert_eq!(count(), real);
}

#[test]
fn a_suspended_thread_makes_real_ones_and_waits_for_them() {
    let passed = in_turns(|turns| {
        let outside = interpose::suspend();
        let (sender, receiver) = mpsc::channel();
        let real = thread::spawn(move || {
            assert!(!interpose::in_world());
            thread::sleep(Duration::from_millis(20));
            sender.send(()).unwrap();
        });
        receiver.recv().unwrap();
        drop(outside);
        // Made outside, it is waited for outside.
        real.join().unwrap();
        assert!(turns.log().is_empty());
    });
    assert_eq!(passed, Duration::ZERO);
}
