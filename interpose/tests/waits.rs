//! Sleeps and futexes, call by call: a world answers what the machine's kernel answers, and a wake
//! finds who waits in the world and who waits outside.
#![cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
#![allow(
    clippy::disallowed_methods,
    reason = "time is a world's here, and real where the test says so"
)]

mod world;

use std::backtrace::Backtrace;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use interpose::{ClockId, Deadline, FutexWait, Interrupted, Kernel, enter};
use libc::timespec;
use world::turns::Turns;
use world::{Foretold, errno, on_fresh_thread};

const PRIVATE: i32 = libc::FUTEX_PRIVATE_FLAG;
const ANY: i32 = libc::FUTEX_BITSET_MATCH_ANY;

const fn time(tv_sec: i64, tv_nsec: i64) -> timespec {
    timespec { tv_sec, tv_nsec }
}

fn answer(result: i64) -> Result<i64, i32> {
    if result == -1 {
        Err(errno())
    } else {
        Ok(result)
    }
}

fn futex(
    word: *const u32,
    operation: i32,
    value: u32,
    time: *const timespec,
    bitset: i32,
) -> Result<i64, i32> {
    let other: *const u32 = ptr::null();
    // SAFETY: a system call that checks its arguments; the tests give it words that live.
    answer(unsafe { libc::syscall(libc::SYS_futex, word, operation, value, time, other, bitset) })
}

/// Mapped, but neither readable nor writable.
fn forbidden_page() -> usize {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a new anonymous mapping.
    let page = unsafe { libc::mmap(ptr::null_mut(), 4096, libc::PROT_NONE, flags, -1, 0) };
    assert_ne!(page, libc::MAP_FAILED);
    page.addr()
}

/// The times that a call may be given, none of which is in the future.
fn times() -> Vec<(&'static str, *const timespec)> {
    static TIMES: [(&str, timespec); 8] = [
        ("nothing", time(0, 0)),
        ("a nanosecond", time(0, 1)),
        ("before all", time(-1, 0)),
        ("before all, by a part", time(0, -1)),
        ("more than a second of parts", time(0, 1_000_000_000)),
        ("the last part, past", time(-1, 999_999_999)),
        ("no time at all", time(i64::MIN, i64::MIN)),
        ("a part too far", time(i64::MAX, i64::MAX)),
    ];
    let mut times: Vec<_> = TIMES
        .iter()
        .map(|(name, time)| (*name, &raw const *time))
        .collect();
    times.push(("a forbidden page", forbidden_page() as *const timespec));
    times
}

#[test]
fn a_wait_is_judged_as_by_the_kernel() {
    let words = [7, 8];
    let page = forbidden_page();
    let all = || {
        let mut answers = Vec::new();
        let middle = words.as_ptr().wrapping_byte_add(2);
        let places = [&raw const words[0], middle, ptr::null(), page as *const u32];
        for (at, &word) in places.iter().enumerate() {
            for command in [libc::FUTEX_WAIT, libc::FUTEX_WAIT_BITSET] {
                for flags in [0, PRIVATE, libc::FUTEX_CLOCK_REALTIME | PRIVATE] {
                    for bitset in [ANY, 1, 0] {
                        for value in [7, 9] {
                            for (name, time) in times() {
                                let answer = futex(word, command | flags, value, time, bitset);
                                answers.push((at, command, flags, bitset, value, name, answer));
                            }
                        }
                        // Another value, or it would wait for good.
                        let answer = futex(word, command | flags, 9, ptr::null(), bitset);
                        answers.push((at, command, flags, bitset, 9, "none", answer));
                    }
                }
            }
        }
        answers
    };
    let outside = all();
    for error in [
        libc::EAGAIN,
        libc::ETIMEDOUT,
        libc::EFAULT,
        libc::EINVAL,
        libc::ENOSYS,
    ] {
        let found = outside.iter().filter(|answers| answers.6 == Err(error));
        assert!(found.count() > 5, "no case for {error}");
    }
    let inside = on_fresh_thread(|| {
        let (_turns, _world) = Turns::begin();
        all()
    });
    for (inside, outside) in inside.into_iter().zip(outside) {
        assert_eq!(inside, outside);
    }
}

#[test]
fn a_wake_is_judged_as_by_the_kernel() {
    let words = [7, 8];
    let page = forbidden_page();
    let all = || {
        let mut answers = Vec::new();
        let middle = words.as_ptr().wrapping_byte_add(2);
        let places = [&raw const words[0], middle, ptr::null(), page as *const u32];
        for (at, &word) in places.iter().enumerate() {
            for command in [
                libc::FUTEX_WAKE,
                libc::FUTEX_WAKE_BITSET,
                libc::FUTEX_REQUEUE,
                77,
            ] {
                for flags in [0, PRIVATE, libc::FUTEX_CLOCK_REALTIME | PRIVATE] {
                    for (bitset, count) in [(ANY, 1), (0, 1), (ANY, 0), (1, u32::MAX)] {
                        let answer = futex(word, command | flags, count, ptr::null(), bitset);
                        answers.push((at, command, flags, bitset, count, answer));
                    }
                }
            }
        }
        answers
    };
    let outside = all();
    let inside = on_fresh_thread(|| {
        let (_turns, _world) = Turns::begin();
        all()
    });
    assert_eq!(inside, outside);
}

#[test]
fn a_sleep_is_judged_as_by_the_kernel() {
    type Sleep = (
        &'static str,
        fn(i32, i32, *const timespec) -> Result<i64, i32>,
    );
    let calls: [Sleep; 4] = [
        ("clock_nanosleep", |clock, flags, time| {
            // SAFETY: a call that checks its arguments.
            Ok(unsafe { libc::clock_nanosleep(clock, flags, time, ptr::null_mut()) }.into())
        }),
        ("its system call", |clock, flags, time| {
            let left: *mut timespec = ptr::null_mut();
            // SAFETY: a system call that checks its arguments.
            answer(unsafe { libc::syscall(libc::SYS_clock_nanosleep, clock, flags, time, left) })
        }),
        ("nanosleep", |_, _, time| {
            // SAFETY: a call that checks its arguments.
            answer(unsafe { libc::nanosleep(time, ptr::null_mut()) }.into())
        }),
        ("its system call", |_, _, time| {
            let left: *mut timespec = ptr::null_mut();
            // SAFETY: a system call that checks its arguments.
            answer(unsafe { libc::syscall(libc::SYS_nanosleep, time, left) })
        }),
    ];
    let all = || {
        let mut answers = Vec::new();
        for (name, call) in calls {
            for clock in (-8..16).chain([i32::MIN, i32::MAX]) {
                let alarm = [libc::CLOCK_REALTIME_ALARM, libc::CLOCK_BOOTTIME_ALARM];
                if alarm.contains(&clock) {
                    // Exists only where there is a hardware alarm.
                    continue;
                }
                for flags in [0, libc::TIMER_ABSTIME, 2, !libc::TIMER_ABSTIME] {
                    // The machine would wait until the process has used CPU time.
                    let of_cpu = clock == libc::CLOCK_PROCESS_CPUTIME_ID || clock < 0;
                    let valid = if of_cpu { 2 } else { 0 };
                    for (given, time) in times().into_iter().skip(valid) {
                        answers.push((name, clock, flags, given, call(clock, flags, time)));
                    }
                    let none = call(clock, flags, ptr::null());
                    answers.push((name, clock, flags, "none", none));
                }
            }
        }
        answers
    };
    let outside = all();
    let inside = on_fresh_thread(|| {
        let (_turns, _world) = Turns::begin();
        all()
    });
    for (inside, outside) in inside.into_iter().zip(outside) {
        assert_eq!(inside, outside);
    }
}

#[test]
fn a_sleep_until_a_time_ends_then_and_not_before() {
    on_fresh_thread(|| {
        let (turns, _world) = Turns::begin();
        for (clock, time) in [
            (libc::CLOCK_MONOTONIC, time(1_000_010, 5)),
            (libc::CLOCK_REALTIME, time(1_000_020, 6)),
            (libc::CLOCK_BOOTTIME, time(1_000_030, 7)),
            (libc::CLOCK_BOOTTIME, time(3, 7)),
        ] {
            // SAFETY: a time for reading.
            let done = unsafe {
                libc::clock_nanosleep(clock, libc::TIMER_ABSTIME, &time, ptr::null_mut())
            };
            assert_eq!(done, 0);
        }
        assert_eq!(turns.passed(), Duration::new(30, 7));
        assert_eq!(
            turns.log()[1],
            "10.000000005s #0 sleeps by Realtime until 20.000000006s"
        );
    });
}

#[test]
fn an_interrupted_sleep_says_what_was_left() {
    on_fresh_thread(|| {
        let (turns, _world) = Turns::begin();
        let ten = time(10, 0);
        let mut left = time(77, 0);
        turns.interrupt_next();
        // SAFETY: times for reading and writing.
        let result = unsafe { libc::nanosleep(&ten, &mut left) };
        assert_eq!((answer(result.into()), left.tv_sec), (Err(libc::EINTR), 5));
        turns.interrupt_next();
        // SAFETY: a time for reading; what is left need not be said.
        let result = unsafe { libc::nanosleep(&ten, ptr::null_mut()) };
        assert_eq!(answer(result.into()), Err(libc::EINTR));
        turns.interrupt_next();
        let page = forbidden_page() as *mut timespec;
        // SAFETY: a call that checks its arguments.
        let result = unsafe { libc::nanosleep(&ten, page) };
        assert_eq!(answer(result.into()), Err(libc::EFAULT));
        turns.interrupt_next();
        // SAFETY: times for reading and writing.
        let result = unsafe { libc::clock_nanosleep(1, 0, &ten, &mut left) };
        assert_eq!((result, left.tv_sec), (libc::EINTR, 5));
        turns.interrupt_next();
        let until = time(1_001_000, 0);
        left.tv_sec = 78;
        // SAFETY: times for reading and writing.
        let result = unsafe { libc::clock_nanosleep(1, libc::TIMER_ABSTIME, &until, &mut left) };
        assert_eq!(
            (result, left.tv_sec),
            (libc::EINTR, 78),
            "nothing is written"
        );
        // SAFETY: they have no contract.
        unsafe {
            turns.interrupt_next();
            assert_eq!(libc::sleep(9), 4);
            turns.interrupt_next();
            assert_eq!(answer(libc::usleep(9).into()), Err(libc::EINTR));
        }
        // The standard library goes on with what was left.
        let start = Instant::now();
        turns.interrupt_next();
        thread::sleep(Duration::from_secs(8));
        assert_eq!(start.elapsed(), Duration::from_secs(8));
        turns.interrupt_next();
        let word = 3;
        let result = futex(&word, libc::FUTEX_WAIT, 3, ptr::null(), 0);
        assert_eq!(result, Err(libc::EINTR));
    });
}

#[test]
fn a_wait_says_how_long_or_until_when() {
    on_fresh_thread(|| {
        let (turns, _world) = Turns::begin();
        let word = 3;
        let (wait, until) = (libc::FUTEX_WAIT, libc::FUTEX_WAIT_BITSET | PRIVATE);
        let realtime = until | libc::FUTEX_CLOCK_REALTIME;
        for (operation, time) in [
            (wait, time(10, 0)),
            (until, time(1_000_020, 0)),
            (realtime, time(1_000_030, 0)),
        ] {
            assert_eq!(futex(&word, operation, 3, &time, ANY), Err(libc::ETIMEDOUT));
        }
        let log = [
            "0ns #0 waits until 10s by Monotonic",
            "10s #0 waits until 20s by Monotonic",
            "20s #0 waits until 30s by Realtime",
        ];
        assert_eq!(turns.log(), log);
    });
}

#[test]
fn a_wake_is_for_its_bits_and_its_number() {
    on_fresh_thread(|| {
        let (_turns, _world) = Turns::begin();
        let word = AtomicU32::new(0);
        let address = word.as_ptr().cast_const();
        let operation = libc::FUTEX_WAKE_BITSET | PRIVATE;
        let wake = |bits, count| futex(address, operation, count, ptr::null(), bits);
        let woken = AtomicU32::new(0);
        thread::scope(|scope| {
            for bits in [1, 1, 2, 4] {
                let (word, woken) = (&word, &woken);
                scope.spawn(move || {
                    let operation = libc::FUTEX_WAIT_BITSET | PRIVATE;
                    let answer = futex(word.as_ptr(), operation, 0, ptr::null(), bits);
                    assert_eq!(answer, Ok(0));
                    woken.fetch_add(1, Ordering::Relaxed);
                });
            }
            thread::sleep(Duration::from_secs(1));
            assert_eq!(wake(8, 9), Ok(0));
            assert_eq!(wake(1, 1), Ok(1));
            thread::yield_now();
            assert_eq!(woken.load(Ordering::Relaxed), 1);
            assert_eq!(wake(2 | 4, 1), Ok(1));
            assert_eq!(wake(ANY, i32::MAX as u32), Ok(2));
        });
    });
}

/// A thread outside of every world that waits at `word`, and is in the kernel by now.
fn real_waiter<'scope>(
    scope: &'scope thread::Scope<'scope, '_>,
    word: &'scope AtomicU32,
) -> thread::ScopedJoinHandle<'scope, ()> {
    let id = Arc::new(AtomicU32::new(0));
    let theirs = id.clone();
    let _outside = interpose::suspend();
    let thread = scope.spawn(move || {
        // SAFETY: names the calling thread.
        theirs.store(unsafe { libc::gettid() } as u32, Ordering::Release);
        let operation = libc::FUTEX_WAIT | PRIVATE;
        while word.load(Ordering::Acquire) == 0 {
            let _ = futex(word.as_ptr(), operation, 0, ptr::null(), 0);
        }
    });
    let waits = || {
        let id = id.load(Ordering::Acquire);
        let call = std::fs::read_to_string(format!("/proc/self/task/{id}/syscall"));
        call.is_ok_and(|call| call.starts_with("202 "))
    };
    let start = Instant::now();
    while !waits() {
        assert!(start.elapsed() < Duration::from_secs(20));
        thread::sleep(Duration::from_millis(1));
    }
    thread
}

#[test]
fn a_wake_goes_on_to_who_waits_outside() {
    let word = AtomicU32::new(0);
    thread::scope(|scope| {
        let real = real_waiter(scope, &word);
        let (_turns, world) = Turns::begin();
        let simulated = scope.spawn(|| {
            let waited = futex(word.as_ptr(), libc::FUTEX_WAIT | PRIVATE, 0, ptr::null(), 0);
            assert_eq!(waited, Ok(0));
        });
        thread::yield_now();
        let wake = |count| {
            futex(
                word.as_ptr(),
                libc::FUTEX_WAKE | PRIVATE,
                count,
                ptr::null(),
                0,
            )
        };
        assert_eq!(wake(1), Ok(1));
        thread::yield_now();
        assert!(simulated.is_finished(), "who waits in the world is first");
        word.store(1, Ordering::Release);
        assert_eq!(wake(5), Ok(1));
        drop(world);
        real.join().unwrap();
    });
}

#[test]
fn one_wake_reaches_both_sides() {
    let word = AtomicU32::new(0);
    thread::scope(|scope| {
        let real = real_waiter(scope, &word);
        let (_turns, world) = Turns::begin();
        let simulated = scope.spawn(|| {
            let waited = futex(word.as_ptr(), libc::FUTEX_WAIT | PRIVATE, 0, ptr::null(), 0);
            assert_eq!(waited, Ok(0));
        });
        thread::yield_now();
        word.store(1, Ordering::Release);
        let woken = futex(word.as_ptr(), libc::FUTEX_WAKE | PRIVATE, 2, ptr::null(), 0);
        assert_eq!(woken, Ok(2));
        simulated.join().unwrap();
        drop(world);
        real.join().unwrap();
    });
}

#[test]
fn a_static_lock_is_waited_for_in_real_time_first() {
    static SHARED: Mutex<u32> = Mutex::new(0);
    let (held, go) = (AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut shared = SHARED.lock().unwrap();
            held.store(true, Ordering::Release);
            while !go.load(Ordering::Acquire) {
                thread::yield_now();
            }
            thread::sleep(Duration::from_millis(20));
            *shared = 5;
        });
        while !held.load(Ordering::Acquire) {
            thread::yield_now();
        }
        let (turns, world) = Turns::begin();
        go.store(true, Ordering::Release);
        assert_eq!(*SHARED.lock().unwrap(), 5);
        assert!(
            turns.log().is_empty(),
            "the world had nothing to do with it"
        );
        drop(world);
    });
}

#[test]
fn a_static_word_that_nobody_outside_wakes_is_the_worlds() {
    static WORD: AtomicU32 = AtomicU32::new(0);
    on_fresh_thread(|| {
        let (turns, _world) = Turns::begin();
        let wait = || {
            let real = interpose::suspend();
            let start = Instant::now();
            drop(real);
            let (operation, time) = (libc::FUTEX_WAIT | PRIVATE, time(3600, 0));
            let waited = futex(WORD.as_ptr(), operation, 0, &time, 0);
            assert_eq!(waited, Err(libc::ETIMEDOUT));
            let _real = interpose::suspend();
            start.elapsed()
        };
        assert!(wait() >= Duration::from_millis(100));
        // It was in vain, so it is not done again.
        let again: Vec<_> = (0..10).map(|_| wait()).collect();
        assert!(
            again.iter().min() < Some(&Duration::from_millis(50)),
            "{again:?}"
        );
        assert_eq!(turns.passed(), Duration::from_hours(11));
    });
}

#[test]
fn what_a_kernel_does_not_simulate_is_real() {
    let word = AtomicU32::new(0);
    thread::scope(|scope| {
        let waiter = real_waiter(scope, &word);
        let kernel = Foretold::seeded(1);
        let _world = enter(kernel);
        let wake = libc::FUTEX_WAKE | PRIVATE;
        word.store(1, Ordering::Release);
        assert_eq!(futex(word.as_ptr(), wake, 1, ptr::null(), 0), Ok(1));
        waiter.join().unwrap();
        let real = thread::spawn(|| assert!(!interpose::in_world()));
        real.join().unwrap();
        thread::yield_now();
        let outside = interpose::suspend();
        let start = Instant::now();
        drop(outside);
        thread::sleep(Duration::from_millis(10));
        // Relative to a clock of the world, and yet as long.
        let limit = time(0, 10_000_000);
        let waited = futex(word.as_ptr(), libc::FUTEX_WAIT | PRIVATE, 1, &limit, 0);
        assert_eq!(waited, Err(libc::ETIMEDOUT));
        let _outside = interpose::suspend();
        assert!(start.elapsed() >= Duration::from_millis(20));
    });
}

/// Takes a backtrace wherever it is asked to block.
#[derive(Default)]
struct Witness(Mutex<Vec<String>>);

impl Witness {
    fn seen(&self) {
        assert!(!interpose::in_world());
        self.0
            .lock()
            .unwrap()
            .push(Backtrace::force_capture().to_string());
    }
}

impl Kernel for Witness {
    fn now(&self, _: ClockId) -> Duration {
        Duration::from_secs(9)
    }

    fn fill_random(&self, buf: &mut [u8]) {
        buf.fill(0);
    }

    fn sleep(&self, _: ClockId, _: Deadline) -> Option<Result<(), Interrupted>> {
        self.seen();
        Some(Ok(()))
    }

    fn futex_wait(
        &self,
        _: usize,
        _: u32,
        _: Option<(ClockId, Duration)>,
        _: &dyn Fn() -> bool,
    ) -> Option<FutexWait> {
        self.seen();
        Some(FutexWait::TimedOut)
    }
}

#[test]
fn a_backtrace_in_the_kernel_names_who_blocks() {
    #[inline(never)]
    fn someone_sleeps() {
        thread::sleep(Duration::from_secs(1));
    }
    #[inline(never)]
    fn someone_parks() {
        thread::park_timeout(Duration::from_secs(1));
    }
    let witness = Arc::new(Witness::default());
    let world = enter(witness.clone());
    someone_sleeps();
    someone_parks();
    drop(world);
    let seen = witness.0.lock().unwrap();
    for (backtrace, frames) in seen.iter().zip([
        [
            "clock_nanosleep",
            "::sleep",
            "someone_sleeps",
            "names_who_blocks",
        ],
        [
            "simulated_syscall",
            "park_timeout",
            "someone_parks",
            "names_who_blocks",
        ],
    ]) {
        let mut rest = &**backtrace;
        for frame in frames {
            let at = rest.find(frame);
            let at = at.unwrap_or_else(|| panic!("no {frame} in its place in {backtrace}"));
            rest = &rest[at..];
        }
    }
    assert_eq!(seen.len(), 2);
}
