//! What libc answers to a pointer that is not for writing, a world answers too.
//!
//! Apart from the other tests because valgrind reports such pointers, as it should.
#![cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]

mod world;

use std::ffi::c_void;
use std::ptr;

use interpose::in_world;
use world::{errno, in_fresh_world};

fn syscall_clock_gettime(clock: libc::clockid_t, time: *mut libc::timespec) -> Result<(), i32> {
    // SAFETY: a system call that checks its arguments.
    match unsafe { libc::syscall(libc::SYS_clock_gettime, clock, time) } {
        0 => Ok(()),
        _ => Err(errno()),
    }
}

/// Mapped, but neither readable nor writable.
fn forbidden_page() -> *mut libc::c_void {
    // SAFETY: a new anonymous mapping.
    let page = unsafe {
        libc::mmap(
            ptr::null_mut(),
            4096,
            libc::PROT_NONE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    assert_ne!(page, libc::MAP_FAILED);
    page
}

#[test]
fn null_is_efault_and_not_a_crash() {
    in_fresh_world(1, || {
        for id in [
            libc::CLOCK_REALTIME,
            libc::CLOCK_MONOTONIC,
            libc::CLOCK_THREAD_CPUTIME_ID,
        ] {
            // SAFETY: null is what is tested.
            let result = unsafe { libc::clock_gettime(id, ptr::null_mut()) };
            assert_eq!((result, errno()), (-1, libc::EFAULT));
        }
    });
}

#[test]
fn a_bad_pointer_is_efault_wherever_libc_makes_a_system_call() {
    let page = forbidden_page() as usize;
    let check = move || {
        let page = page as *mut libc::timespec;
        for bad in [ptr::null_mut(), page] {
            for id in [
                libc::CLOCK_REALTIME,
                libc::CLOCK_MONOTONIC,
                libc::CLOCK_PROCESS_CPUTIME_ID,
            ] {
                assert_eq!(syscall_clock_gettime(id, bad), Err(libc::EFAULT));
            }
            // SAFETY: the CPU clocks are system calls, which check the pointer.
            let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, bad) };
            assert_eq!((result, errno()), (-1, libc::EFAULT));
        }
    };
    assert!(!in_world());
    check();
    in_fresh_world(1, check);
}

#[test]
fn requests_for_entropy_are_judged_as_by_libc() {
    // SAFETY: a new anonymous mapping of two pages, the second of which may not be touched.
    let pages = unsafe {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let pages = libc::mmap(ptr::null_mut(), 8192, protection, flags, -1, 0);
        assert_ne!(pages, libc::MAP_FAILED);
        assert_eq!(
            libc::mprotect(pages.byte_add(4096), 4096, libc::PROT_NONE),
            0
        );
        pages as usize
    };
    type Answer = (isize, i32);
    let getrandom = |buf: usize, len: usize, flags: u32| -> Answer {
        // SAFETY: a system call that checks its arguments.
        match unsafe { libc::getrandom(buf as *mut c_void, len, flags) } {
            -1 => (-1, errno()),
            filled => (filled, 0),
        }
    };
    let syscall = |buf: usize, len: usize, flags: u32| -> Answer {
        // SAFETY: a system call that checks its arguments.
        match unsafe { libc::syscall(libc::SYS_getrandom, buf, len, flags) } {
            -1 => (-1, errno()),
            filled => (filled as isize, 0),
        }
    };
    let getentropy = |buf: usize, len: usize, _: u32| -> Answer {
        // SAFETY: made of the same system call.
        match unsafe { libc::getentropy(buf as *mut c_void, len) } {
            -1 => (-1, errno()),
            filled => (filled as isize, 0),
        }
    };
    type Call<'a> = &'a (dyn Fn(usize, usize, u32) -> Answer + Sync);
    let calls: [Call<'_>; 3] = [&getrandom, &syscall, &getentropy];
    for (which, call) in calls.into_iter().enumerate() {
        for (buf, len, flags) in [
            (0, 16, 0),
            (0, 0, 0),
            (pages, 16, 0),
            (pages, 16, 0x80),
            (pages, 16, libc::GRND_RANDOM | libc::GRND_NONBLOCK),
            (pages + 4096, 16, 0),
            (pages + 4090, 16, 0),
            (usize::MAX - 8, 4, 0),
            (pages, 256, 0),
            (pages, 257, 0),
        ] {
            let inside = in_fresh_world(1, || call(buf, len, flags));
            let outside = call(buf, len, flags);
            assert_eq!(
                inside, outside,
                "call {which} with {buf:#x}, {len}, {flags:#x}"
            );
        }
    }
}
