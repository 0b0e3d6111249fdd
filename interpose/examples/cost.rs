//! What an interposed call costs, inside a world and outside, beside libc's own.
//!
//! `cargo run --release -p solipsism-interpose --example cost`

#![allow(clippy::disallowed_methods, reason = "measures in real time")]

use std::ffi::c_void;
use std::hint::black_box;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use interpose::{Baton, ClockId, Kernel, Parking, enter, note_crash, pin_to_current_cpu, suspend};

struct Fixed;

impl Kernel for Fixed {
    fn now(&self, _: ClockId) -> Duration {
        Duration::new(1, 2)
    }

    fn fill_random(&self, buf: &mut [u8]) {
        buf.fill(3);
    }
}

type ClockGettime = unsafe extern "C" fn(libc::clockid_t, *mut libc::timespec) -> i32;
type Time = unsafe extern "C" fn(*mut libc::time_t) -> libc::time_t;

fn main() {
    let outside = "outside";
    measure(
        "clock_gettime, libc's own",
        outside,
        clock(libcs(c"clock_gettime")),
    );
    measure("clock_gettime", outside, clock(libc::clock_gettime));
    measure("time, libc's own", outside, time(libcs(c"time")));
    measure("time", outside, time(libc::time));
    measure("Instant::now", outside, now);
    measure("getrandom of 16 bytes", outside, random);
    measure("syscall(SYS_getpid)", outside, getpid);

    let inside = "inside";
    measure("clock_gettime", inside, clock(libc::clock_gettime));
    measure("time", inside, time(libc::time));
    measure("Instant::now", inside, now);
    measure("getrandom of 16 bytes", inside, random);
    measure("syscall(SYS_getpid)", inside, getpid);
    measure("suspend and resume", inside, || drop(black_box(suspend())));

    measure("syscall(SYS_futex), a wake", outside, wake);
    measure("syscall(SYS_futex), a wake", inside, wake);
    measure_turns("two turns by Parking", false);
    measure_turns("two turns by Parking, pinned", true);

    let baton = Baton::new(0u64);
    let baton = black_box(&baton);
    measure("Baton::with", "", || {
        baton.with(|value| *value = black_box(*value + 1))
    });
    let mut note = note_crash(b"");
    let line = [b'x'; 64];
    measure("CrashNote::update of 64 bytes", "", || {
        note.update(black_box(&line))
    });
}

fn clock(function: ClockGettime) -> impl FnMut() {
    move || {
        let mut time = MaybeUninit::uninit();
        // SAFETY: a pointer for writing.
        unsafe { function(libc::CLOCK_MONOTONIC, time.as_mut_ptr()) };
        black_box(&time);
    }
}

fn time(function: Time) -> impl FnMut() {
    move || {
        // SAFETY: null is allowed.
        black_box(unsafe { function(ptr::null_mut()) });
    }
}

fn now() {
    black_box(Instant::now());
}

fn random() {
    let mut bytes = [0u8; 16];
    // SAFETY: 16 bytes for writing.
    unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), 16, 0) };
    black_box(&bytes);
}

fn getpid() {
    // SAFETY: touches no memory.
    black_box(unsafe { libc::syscall(libc::SYS_getpid) });
}

fn wake() {
    let word = 0u32;
    let operation = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
    // SAFETY: a word that lives.
    black_box(unsafe { libc::syscall(libc::SYS_futex, &word, operation, 1) });
}

/// Hands over to another thread and back.
fn measure_turns(what: &str, pinned: bool) {
    let _pinned = pinned.then(pin_to_current_cpu);
    let (there, here, over) = (Parking::new(), Parking::new(), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                there.park();
                here.unpark();
            }
        });
        measure(what, "", || {
            there.unpark();
            here.park();
        });
        over.store(true, Ordering::Relaxed);
        there.unpark();
    });
}

/// libc's function of that name, as a function pointer of type `F`.
fn libcs<F>(name: &std::ffi::CStr) -> F {
    const { assert!(size_of::<F>() == size_of::<*mut c_void>()) }
    // SAFETY: a C string, and the callers name the function's own signature.
    unsafe {
        let found = libc::dlsym(libc::RTLD_NEXT, name.as_ptr());
        assert!(!found.is_null());
        std::mem::transmute_copy(&found)
    }
}

/// Prints the best nanoseconds a call of 40 rounds.
fn measure(what: &str, place: &str, mut call: impl FnMut()) {
    const CALLS: u32 = 20_000;
    let mut best = Duration::MAX;
    for _ in 0..40 {
        let start = Instant::now();
        // The clocks of the rounds are the real ones.
        let world = (place == "inside").then(|| enter(Arc::new(Fixed)));
        for _ in 0..CALLS {
            call();
        }
        drop(world);
        best = best.min(start.elapsed());
    }
    let nanoseconds = best.as_nanos() as f64 / f64::from(CALLS);
    println!("{what:32}{place:9}{nanoseconds:8.1} ns");
}
