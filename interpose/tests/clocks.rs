//! Inside a world every clock is the kernel's, with libc's answers to nonsense.
#![cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
#![allow(
    clippy::disallowed_methods,
    reason = "real time is tested here, or bounds the test"
)]

mod world;

use std::mem::MaybeUninit;
use std::ptr;
use std::time::{Duration, Instant, SystemTime};

use interpose::{ClockId, enter};
use world::{Foretold, errno, in_fresh_world, reading};

fn clock_gettime(clock: libc::clockid_t) -> Result<Duration, i32> {
    let mut time = MaybeUninit::uninit();
    // SAFETY: a pointer for writing a `timespec`.
    match unsafe { libc::clock_gettime(clock, time.as_mut_ptr()) } {
        // SAFETY: success means it was written.
        0 => Ok(duration(unsafe { time.assume_init() })),
        _ => Err(errno()),
    }
}

fn syscall_clock_gettime(clock: libc::clockid_t, time: *mut libc::timespec) -> Result<(), i32> {
    // SAFETY: a system call that checks its arguments.
    match unsafe { libc::syscall(libc::SYS_clock_gettime, clock, time) } {
        0 => Ok(()),
        _ => Err(errno()),
    }
}

fn duration(time: libc::timespec) -> Duration {
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[test]
fn the_standard_clocks_are_the_worlds() {
    let kernel = Foretold::seeded(1);
    let before = Instant::now();
    let world = enter(kernel.clone());
    let (instant, wall) = (Instant::now(), SystemTime::now());
    assert_eq!(kernel.asked(), 2);
    assert_eq!(Instant::now(), instant);
    assert_eq!(wall, SystemTime::UNIX_EPOCH + reading(ClockId::Realtime));
    drop(world);
    assert_eq!(kernel.asked(), 3);
    assert!(Instant::now() >= before);
    assert!(SystemTime::now() > wall);
}

#[test]
fn every_clock_id_is_one_of_the_worlds_clocks() {
    in_fresh_world(1, || {
        for (id, clock) in [
            (libc::CLOCK_REALTIME, ClockId::Realtime),
            (libc::CLOCK_REALTIME_COARSE, ClockId::Realtime),
            (libc::CLOCK_REALTIME_ALARM, ClockId::Realtime),
            (libc::CLOCK_TAI, ClockId::Realtime),
            (libc::CLOCK_MONOTONIC, ClockId::Monotonic),
            (libc::CLOCK_MONOTONIC_RAW, ClockId::Monotonic),
            (libc::CLOCK_MONOTONIC_COARSE, ClockId::Monotonic),
            (libc::CLOCK_BOOTTIME, ClockId::Boottime),
            (libc::CLOCK_BOOTTIME_ALARM, ClockId::Boottime),
            (libc::CLOCK_PROCESS_CPUTIME_ID, ClockId::ProcessCpu),
            (libc::CLOCK_THREAD_CPUTIME_ID, ClockId::ThreadCpu),
        ] {
            assert_eq!(clock_gettime(id), Ok(reading(clock)), "clock {id}");
            let mut time = MaybeUninit::uninit();
            assert_eq!(syscall_clock_gettime(id, time.as_mut_ptr()), Ok(()));
            // SAFETY: success means it was written.
            let time = unsafe { time.assume_init() };
            assert_eq!(duration(time), reading(clock), "clock {id} by syscall");
        }
    });
}

#[test]
fn cpu_clocks_of_processes_and_threads_are_the_worlds() {
    in_fresh_world(1, || {
        let (mut process, mut thread) = (0, 0);
        // SAFETY: pointers for writing a clock id each, of ourselves.
        unsafe {
            assert_eq!(libc::clock_getcpuclockid(0, &mut process), 0);
            let this = libc::pthread_self();
            assert_eq!(libc::pthread_getcpuclockid(this, &mut thread), 0);
        }
        assert_eq!(clock_gettime(process), Ok(reading(ClockId::ProcessCpu)));
        assert_eq!(clock_gettime(thread), Ok(reading(ClockId::ThreadCpu)));
    });
}

#[test]
fn a_clock_that_does_not_exist_is_einval() {
    // 10 was a clock once; -5 is the clock of the device behind descriptor 0; the last belongs to a
    // process that cannot exist.
    let no_process = (!0x0fff_ffff << 3) | 2;
    for id in [10, 12, 64, i32::MAX, -5, no_process] {
        let outside = clock_gettime(id);
        let inside = in_fresh_world(1, || clock_gettime(id));
        assert_eq!(
            (inside, outside),
            (Err(libc::EINVAL), Err(libc::EINVAL)),
            "clock {id}"
        );
    }
}

#[test]
fn gettimeofday_is_the_worlds_wall_clock() {
    let now = reading(ClockId::Realtime);
    let zone = in_fresh_world(1, || {
        let mut time = MaybeUninit::uninit();
        let mut zone = [-1i32; 2];
        // SAFETY: null or for writing; a `timezone` is two integers.
        unsafe {
            assert_eq!(libc::gettimeofday(ptr::null_mut(), ptr::null_mut()), 0);
            let zone = (&raw mut zone).cast();
            assert_eq!(libc::gettimeofday(time.as_mut_ptr(), zone), 0);
            let time = time.assume_init();
            assert_eq!(time.tv_sec as u64, now.as_secs());
            assert_eq!(time.tv_usec as u32, now.subsec_micros());
        }
        zone
    });
    assert_eq!(zone, [0, 0]);
}

#[test]
fn time_is_the_worlds_wall_clock() {
    in_fresh_world(1, || {
        let now = reading(ClockId::Realtime).as_secs() as libc::time_t;
        let mut stored = 0;
        // SAFETY: null or for writing.
        unsafe {
            assert_eq!(libc::time(ptr::null_mut()), now);
            assert_eq!(libc::time(&mut stored), now);
        }
        assert_eq!(stored, now);
    });
}

#[test]
fn success_leaves_errno_alone() {
    in_fresh_world(1, || {
        // SAFETY: this thread's errno.
        unsafe { *libc::__errno_location() = 77 };
        clock_gettime(libc::CLOCK_MONOTONIC).unwrap();
        clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID).unwrap();
        assert_eq!(errno(), 77);
    });
}
