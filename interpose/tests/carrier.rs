//! The thread under a simulated one: parked past the gate, bound to a CPU, and gone without a trace
//! but its stack.
#![cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
#![allow(
    clippy::disallowed_methods,
    reason = "real time is tested here, or bounds the test"
)]

mod world;

use std::fs;
use std::mem::{self, MaybeUninit};
use std::os::unix::thread::JoinHandleExt;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use interpose::{Parking, ThreadToken, enter, pin_to_current_cpu, vanish};
use world::Foretold;

/// Only one test of this file counts the process's threads at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn within_20_seconds(mut so: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while !so() {
        if start.elapsed() > Duration::from_secs(20) {
            return false;
        }
        thread::sleep(Duration::from_millis(1));
    }
    true
}

fn cpus() -> Vec<usize> {
    let mut set = MaybeUninit::<libc::cpu_set_t>::zeroed();
    // SAFETY: a set for writing of the size given.
    let set = unsafe {
        let size = size_of::<libc::cpu_set_t>();
        assert_eq!(libc::sched_getaffinity(0, size, set.as_mut_ptr()), 0);
        set.assume_init()
    };
    // SAFETY: each is within the set.
    (0..1024)
        .filter(|&cpu| unsafe { libc::CPU_ISSET(cpu, &set) })
        .collect()
}

/// The threads that the kernel knows of this process by that name.
fn threads_called(name: &str) -> usize {
    let all = fs::read_dir("/proc/self/task").unwrap();
    let names = all.filter_map(|task| fs::read_to_string(task.unwrap().path().join("comm")).ok());
    names.filter(|comm| comm.trim_end() == name).count()
}

fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.unwrap()
        .split_whitespace()
        .nth(1)
        .unwrap()
        .parse()
        .unwrap()
}

#[test]
fn two_threads_take_turns_in_real_time_inside_a_world() {
    let _alone = alone();
    const TURNS: u32 = 2000;
    let places = [Parking::new(), Parking::new()];
    let turn = AtomicU32::new(0);
    let play = |who: usize| {
        let _world = enter(Foretold::seeded(1));
        for round in 0..TURNS {
            if round > 0 || who == 1 {
                places[who].park();
            }
            assert_eq!(turn.fetch_add(1, Ordering::Relaxed), round * 2 + who as u32);
            places[1 - who].unpark();
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| play(1));
        play(0);
    });
    assert_eq!(turn.into_inner(), TURNS * 2);
}

#[test]
fn a_word_that_came_early_is_kept_and_two_are_one() {
    let place = Parking::new();
    place.unpark();
    place.unpark();
    place.park();
    thread::scope(|scope| {
        let waiter = scope.spawn(|| place.park());
        thread::sleep(Duration::from_millis(20));
        assert!(
            !waiter.is_finished(),
            "the second word was used up with the first"
        );
        place.unpark();
    });
}

#[test]
fn a_signal_handler_does_not_end_a_wait() {
    extern "C" fn handler(_: i32) {}
    // SAFETY: the handler does nothing.
    unsafe { libc::signal(libc::SIGUSR1, handler as *const () as usize) };
    let place = Parking::new();
    let id = AtomicU32::new(0);
    thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            // SAFETY: names the calling thread.
            id.store(unsafe { libc::gettid() } as u32, Ordering::Release);
            place.park();
        });
        assert!(within_20_seconds(|| id.load(Ordering::Acquire) != 0));
        for _ in 0..20 {
            // SAFETY: a signal that has a handler, to a thread of this process.
            unsafe {
                libc::syscall(
                    libc::SYS_tgkill,
                    libc::getpid(),
                    id.load(Ordering::Relaxed),
                    libc::SIGUSR1,
                )
            };
            thread::sleep(Duration::from_millis(1));
        }
        assert!(!waiter.is_finished());
        place.unpark();
    });
}

#[test]
fn a_thread_is_bound_while_the_guard_lives() {
    let before = cpus();
    let pinned = pin_to_current_cpu();
    assert!(pinned.is_pinned());
    let bound = cpus();
    assert_eq!(bound.len(), 1);
    assert!(before.contains(&bound[0]));
    assert_eq!(
        thread::spawn(cpus).join().unwrap(),
        bound,
        "threads made meanwhile are too"
    );
    let again = pin_to_current_cpu();
    drop(again);
    assert_eq!(cpus(), bound);
    drop(pinned);
    assert_eq!(cpus(), before);
}

struct Loud(Arc<AtomicU32>);
impl Drop for Loud {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_vanished_thread_runs_no_destructor_and_leaves_its_stack() {
    let _alone = alone();
    thread_local! {
        static LOCAL: std::cell::RefCell<Option<Loud>> = const { std::cell::RefCell::new(None) };
    }
    let dropped = Arc::new(AtomicU32::new(0));
    let kernel = Foretold::seeded(1);
    let found: Arc<AtomicPtr<u64>> = Arc::default();
    let (on_stack, in_local) = (Loud(dropped.clone()), Loud(dropped.clone()));
    let (theirs, place) = (kernel.clone(), found.clone());
    let handle = thread::Builder::new()
        .name("to-vanish".into())
        .spawn(move || {
            let _on_stack = on_stack;
            LOCAL.set(Some(in_local));
            let _world = enter(theirs.clone());
            let _nested = enter(theirs);
            let _closed = interpose::suspend();
            let mut value = 0x5ee_u64;
            place.store(&mut value, Ordering::Release);
            vanish()
        });
    assert!(within_20_seconds(|| !found
        .load(Ordering::Acquire)
        .is_null()));
    assert!(
        within_20_seconds(|| threads_called("to-vanish") == 0),
        "the kernel has it yet"
    );
    // The worlds that it was in are left.
    assert_eq!(Arc::strong_count(&kernel), 1);
    assert_eq!(dropped.load(Ordering::Relaxed), 0);
    // SAFETY: the value is on a stack that is never freed, and nobody writes to it any more.
    assert_eq!(unsafe { found.load(Ordering::Relaxed).read() }, 0x5ee);
    // To libc it goes on: its handle cannot be joined, and to let it go frees nothing.
    let handle = handle.unwrap().into_pthread_t();
    // SAFETY: a handle that was never joined or let go, without a place for a value.
    unsafe {
        assert_eq!(
            libc::pthread_join(handle, std::ptr::null_mut()),
            libc::ESRCH
        );
        assert_eq!(libc::pthread_detach(handle), 0);
    }
    // The stack is still there, and no new thread has it.
    for _ in 0..50 {
        thread::spawn(|| std::hint::black_box([7u8; 4096]).len())
            .join()
            .unwrap();
    }
    // SAFETY: as above.
    assert_eq!(unsafe { found.load(Ordering::Relaxed).read() }, 0x5ee);
}

#[test]
fn many_vanished_threads_leave_a_healthy_process() {
    let _alone = alone();
    const MANY: usize = 500;
    let before = resident_kib();
    for _ in 0..MANY {
        let handle = thread::Builder::new().name("one-of-many".into()).spawn(|| {
            let _world = enter(Foretold::seeded(1));
            vanish()
        });
        mem::drop(handle.unwrap());
    }
    assert!(within_20_seconds(|| threads_called("one-of-many") == 0));
    let each = resident_kib().saturating_sub(before) / MANY as u64;
    assert!(each < 64, "{each} KiB each");
    assert_eq!(thread::spawn(|| 5).join().unwrap(), 5);
    assert_ne!(
        Ok(ThreadToken::current()),
        thread::spawn(ThreadToken::current).join().map_err(drop)
    );
}
