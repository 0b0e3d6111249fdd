//! Outside a world nothing changes: libc's own answers, at libc's own speed, and `syscall` as it was.
#![cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
#![allow(
    clippy::disallowed_methods,
    reason = "real time is tested here, or bounds the test"
)]

mod world;

use std::ffi::{CStr, c_void};
use std::mem::MaybeUninit;
use std::ptr;
use std::time::{Duration, Instant, SystemTime};

use world::{errno, in_fresh_world};

const NAMES: [&CStr; 17] = [
    c"clock_gettime",
    c"gettimeofday",
    c"time",
    c"getrandom",
    c"getentropy",
    c"syscall",
    c"sched_getaffinity",
    c"nanosleep",
    c"clock_nanosleep",
    c"usleep",
    c"sleep",
    c"sched_yield",
    c"pthread_create",
    c"pthread_join",
    c"pthread_tryjoin_np",
    c"pthread_timedjoin_np",
    c"pthread_detach",
];

/// The file a function was loaded from.
fn home(function: *const c_void) -> String {
    let mut info = MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: a pointer for writing; on success the file name is a C string that stays.
    unsafe {
        assert_ne!(libc::dladdr(function, info.as_mut_ptr()), 0);
        let name = CStr::from_ptr(info.assume_init().dli_fname);
        name.to_str().unwrap().to_owned()
    }
}

#[test]
fn the_symbols_are_linked_into_a_program_that_depends_on_the_crate() {
    // Whoever can call `enter` has them; nothing else in this file asks for it.
    assert!(!interpose::in_world());
    let ours = home(home as *const c_void);
    for name in NAMES {
        // SAFETY: a C string.
        let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
        assert_eq!(home(found), ours, "{name:?} at run time");
        // SAFETY: as above.
        let next = unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) };
        assert!(
            next.is_null() || home(next) != ours,
            "{name:?} is only once in the program"
        );
    }
    for linked in [
        libc::clock_gettime as *const c_void,
        libc::gettimeofday as *const c_void,
        libc::time as *const c_void,
        libc::getrandom as *const c_void,
        libc::getentropy as *const c_void,
        libc::syscall as *const c_void,
        libc::sched_getaffinity as *const c_void,
        libc::nanosleep as *const c_void,
        libc::clock_nanosleep as *const c_void,
        libc::usleep as *const c_void,
        libc::sleep as *const c_void,
        libc::sched_yield as *const c_void,
        libc::pthread_create as *const c_void,
        libc::pthread_join as *const c_void,
        libc::pthread_detach as *const c_void,
    ] {
        assert_eq!(home(linked), ours, "at link time");
    }
}

#[test]
fn the_clocks_are_libcs() {
    type ClockGettime = unsafe extern "C" fn(libc::clockid_t, *mut libc::timespec) -> i32;
    type Time = unsafe extern "C" fn(*mut libc::time_t) -> libc::time_t;
    // SAFETY: libc's own functions, with their signatures.
    let (libcs, libcs_time) = unsafe {
        let clock = libc::dlsym(libc::RTLD_NEXT, c"clock_gettime".as_ptr());
        let time = libc::dlsym(libc::RTLD_NEXT, c"time".as_ptr());
        let clock = std::mem::transmute::<*mut c_void, ClockGettime>(clock);
        (clock, std::mem::transmute::<*mut c_void, Time>(time))
    };
    let read = |function: ClockGettime, id| {
        let mut time = MaybeUninit::uninit();
        // SAFETY: a pointer for writing.
        let time: libc::timespec = unsafe {
            assert_eq!(function(id, time.as_mut_ptr()), 0);
            time.assume_init()
        };
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    };
    for id in 0..=9 {
        let alarm = matches!(id, libc::CLOCK_REALTIME_ALARM | libc::CLOCK_BOOTTIME_ALARM);
        if alarm {
            // Exists only where there is a hardware alarm.
            continue;
        }
        let (before, here, after) = (
            read(libcs, id),
            read(libc::clock_gettime, id),
            read(libcs, id),
        );
        assert!(
            before <= here && here <= after,
            "clock {id}: {before:?} {here:?} {after:?}"
        );
    }
    let wall = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap();
    let mut of_day = MaybeUninit::uninit();
    // SAFETY: pointers for writing, or null.
    unsafe {
        let (before, here) = (libcs_time(ptr::null_mut()), libc::time(ptr::null_mut()));
        assert!(here - before <= 1, "{before} {here}");
        assert_eq!(libc::gettimeofday(of_day.as_mut_ptr(), ptr::null_mut()), 0);
        assert!(of_day.assume_init().tv_sec as u64 - wall.as_secs() <= 1);
    }
}

#[test]
fn reading_the_clock_makes_no_system_call() {
    type ClockGettime = unsafe extern "C" fn(libc::clockid_t, *mut libc::timespec) -> i32;
    unsafe extern "C" fn by_syscall(id: libc::clockid_t, time: *mut libc::timespec) -> i32 {
        // SAFETY: a system call that checks its arguments.
        unsafe { libc::syscall(libc::SYS_clock_gettime, id, time) as i32 }
    }
    // SAFETY: libc's own function, with its signature.
    let libcs = unsafe {
        let found = libc::dlsym(libc::RTLD_NEXT, c"clock_gettime".as_ptr());
        std::mem::transmute::<*mut c_void, ClockGettime>(found)
    };
    // The best of many rounds, which is the same on a busy machine.
    let best = |function: ClockGettime| {
        let of_one = || {
            let start = Instant::now();
            for _ in 0..1000 {
                let mut time = MaybeUninit::uninit();
                // SAFETY: a pointer for writing.
                unsafe { function(libc::CLOCK_MONOTONIC, time.as_mut_ptr()) };
            }
            start.elapsed()
        };
        (0..100).map(|_| of_one()).min().unwrap()
    };
    let (libcs, ours, syscall) = (best(libcs), best(libc::clock_gettime), best(by_syscall));
    if libcs > syscall / 3 {
        // This machine's clock cannot be read in user mode, by nobody.
        return;
    }
    assert!(
        ours < syscall / 2,
        "1000 readings: {ours:?}, by libc {libcs:?}, by system call {syscall:?}"
    );
}

#[test]
fn syscall_passes_six_arguments() {
    let check = || {
        // Six arguments that all matter: the second page of this program, mapped from its file.
        let file = std::fs::File::open("/proc/self/exe").unwrap();
        let fd = std::os::fd::AsRawFd::as_raw_fd(&file);
        let (protection, flags) = (libc::PROT_READ, libc::MAP_PRIVATE);
        // SAFETY: a new mapping, read within its bounds.
        unsafe {
            let none = ptr::null_mut::<c_void>();
            let map = |offset: i64| {
                libc::syscall(
                    libc::SYS_mmap,
                    none,
                    4096usize,
                    protection,
                    flags,
                    fd,
                    offset,
                )
            };
            let bytes = |address: i64| {
                assert!(address > 0, "{}", errno());
                std::slice::from_raw_parts(address as *const u8, 4096).to_vec()
            };
            let file = std::fs::read("/proc/self/exe").unwrap();
            assert!(bytes(map(0)) == file[..4096]);
            assert!(bytes(map(4096)) == file[4096..8192]);
        }
    };
    check();
    in_fresh_world(1, check);
}

#[test]
fn syscall_reports_errors_as_libc_does() {
    let check = || {
        // SAFETY: system calls that touch no memory.
        unsafe {
            assert_eq!(libc::syscall(libc::SYS_close, -1), -1);
            assert_eq!(errno(), libc::EBADF);
            assert_eq!(libc::syscall(100_000), -1);
            assert_eq!(errno(), libc::ENOSYS);
            *libc::__errno_location() = 77;
            assert_eq!(
                libc::syscall(libc::SYS_getpid),
                i64::from(std::process::id())
            );
            assert_eq!(errno(), 77);
        }
    };
    check();
    in_fresh_world(1, check);
}

#[test]
fn syscall_blocks_and_wakes() {
    // The call the standard library's locks are made of.
    let lock = std::sync::Mutex::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..1000 {
                    *lock.lock().unwrap() += 1;
                }
            });
        }
    });
    assert_eq!(lock.into_inner().unwrap(), 4000);
}
