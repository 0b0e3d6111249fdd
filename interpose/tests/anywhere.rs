//! The interposed functions may be called wherever libc's may: before `main`, in a signal handler,
//! inside the allocator.
#![cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
#![allow(
    clippy::disallowed_methods,
    reason = "real time is tested here, or bounds the test"
)]

mod world;

use std::alloc::{GlobalAlloc, Layout, System};
use std::ffi::c_int;
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use interpose::{ClockId, Kernel, enter, in_world};
use world::{Foretold, in_fresh_world, reading};

fn seconds() -> u64 {
    let mut time = MaybeUninit::uninit();
    // SAFETY: a pointer for writing.
    unsafe {
        assert_eq!(
            libc::clock_gettime(libc::CLOCK_REALTIME, time.as_mut_ptr()),
            0
        );
        let time: libc::timespec = time.assume_init();
        time.tv_sec as u64
    }
}

/// An allocator that reads the clock and draws entropy, as a profiling one does.
struct Watching;

static READINGS: AtomicU64 = AtomicU64::new(0);

// SAFETY: the system's allocator, with calls beside it that do not allocate.
unsafe impl GlobalAlloc for Watching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let mut bytes = [0u8; 8];
        // SAFETY: 8 bytes for writing.
        let drawn = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), 8, 0) };
        assert_eq!(drawn, 8);
        READINGS.fetch_add(u64::from(seconds() > 0), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Watching = Watching;

#[test]
fn inside_the_allocator() {
    // A kernel that allocates in its methods: the allocator must not ask it again.
    struct Allocating(Arc<AtomicU64>);
    impl Kernel for Allocating {
        fn now(&self, _: ClockId) -> Duration {
            assert!(!in_world());
            drop(std::hint::black_box(Box::new(1)));
            self.0.fetch_add(1, Ordering::Relaxed);
            Duration::from_secs(1)
        }
        fn fill_random(&self, buf: &mut [u8]) {
            drop(std::hint::black_box(vec![1; buf.len()]));
            buf.fill(0);
        }
    }

    let asked = Arc::new(AtomicU64::new(0));
    let before = READINGS.load(Ordering::Relaxed);
    let world = enter(Arc::new(Allocating(asked.clone())));
    drop(std::hint::black_box(Box::new(2)));
    drop(world);
    assert_eq!(asked.load(Ordering::Relaxed), 1, "the allocator's reading");
    assert!(READINGS.load(Ordering::Relaxed) > before);
}

static EARLY: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];

extern "C" fn first_of_all() {
    EARLY[0].store(seconds(), Ordering::Relaxed);
}

extern "C" fn last_before_main() {
    EARLY[1].store(seconds(), Ordering::Relaxed);
}

#[used]
#[unsafe(link_section = ".init_array.00001")]
static FIRST_OF_ALL: extern "C" fn() = first_of_all;

#[used]
#[unsafe(link_section = ".init_array")]
static LAST_BEFORE_MAIN: extern "C" fn() = last_before_main;

#[test]
fn before_main() {
    let now = seconds();
    for early in &EARLY {
        let early = early.load(Ordering::Relaxed);
        assert!(early > 1_700_000_000 && early <= now, "{early}");
    }
}

#[test]
fn in_a_signal_handler() {
    static SEEN: AtomicU64 = AtomicU64::new(0);
    extern "C" fn handler(_: c_int) {
        SEEN.store(seconds(), Ordering::Relaxed);
    }
    let raise = || {
        // SAFETY: a signal to this thread, whose handler only reads a clock.
        unsafe { libc::raise(libc::SIGUSR1) };
        SEEN.load(Ordering::Relaxed)
    };

    // SAFETY: the handler calls nothing that is not async-signal-safe.
    unsafe { libc::signal(libc::SIGUSR1, handler as *const () as usize) };
    assert!(raise() > 1_700_000_000);
    assert_eq!(
        in_fresh_world(1, raise),
        reading(ClockId::Realtime).as_secs()
    );
}

/// Runs `body` while another thread sends this one SIGUSR2 all the time, whose handler asks for the
/// time; says how many arrived.
fn under_signals(body: impl FnOnce(&AtomicU64)) -> u64 {
    static HANDLED: AtomicU64 = AtomicU64::new(0);
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    extern "C" fn handler(_: c_int) {
        std::hint::black_box(seconds());
        HANDLED.fetch_add(1, Ordering::Relaxed);
    }

    let _one_at_a_time = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    HANDLED.store(0, Ordering::Relaxed);
    // SAFETY: the handler calls nothing that is not async-signal-safe.
    unsafe { libc::signal(libc::SIGUSR2, handler as *const () as usize) };
    // SAFETY: names the calling thread.
    let target = unsafe { libc::pthread_self() } as usize;
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                // SAFETY: the thread outlives this scope, and has a handler.
                unsafe { libc::pthread_kill(target as libc::pthread_t, libc::SIGUSR2) };
                std::thread::yield_now();
            }
        });
        // A panic must end the signals too, or the scope waits for ever.
        let result = catch_unwind(AssertUnwindSafe(|| body(&HANDLED)));
        done.store(true, Ordering::Relaxed);
        result.unwrap_or_else(|panic| resume_unwind(panic));
    });
    HANDLED.load(Ordering::Relaxed)
}

#[test]
fn in_a_signal_handler_that_interrupts_a_call() {
    let kernel = Foretold::seeded(1);
    let handled = under_signals(|handled| {
        let start = Instant::now();
        while handled.load(Ordering::Relaxed) < 200 && start.elapsed() < Duration::from_secs(20) {
            let world = enter(kernel.clone());
            for _ in 0..1000 {
                assert_eq!(seconds(), reading(ClockId::Realtime).as_secs());
                drop(interpose::suspend());
            }
            drop(world);
        }
    });
    assert!(handled >= 200);
    assert!(!in_world());
    assert_eq!(Arc::strong_count(&kernel), 1);
}

#[test]
fn under_signals_that_would_cut_a_request_short() {
    const LEN: usize = 1 << 20;
    let mut bytes = vec![0u8; LEN];
    let handled = under_signals(|handled| {
        let start = Instant::now();
        while handled.load(Ordering::Relaxed) < 100 && start.elapsed() < Duration::from_secs(20) {
            let _world = enter(Foretold::seeded(1));
            // SAFETY: `LEN` bytes for writing.
            let filled = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), LEN, 0) };
            assert_eq!(filled, LEN as isize);
        }
    });
    assert!(handled >= 100);
}
