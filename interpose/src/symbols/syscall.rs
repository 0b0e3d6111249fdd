//! `syscall`, behind which the standard library and others wait for each other.

use std::arch::naked_asm;
use std::ffi::{c_int, c_long, c_uint, c_void};

use libc::{clockid_t, timespec};

use super::clocks::{Pointers, simulate_clock};
use super::entropy::simulate_random;
use super::futex::simulate_futex;
use super::sleep::simulate_sleep;
use super::{finish, raw};
use crate::gate::{Frame, ask};

/// The function behind `libc::syscall`. C declares it variadic; with integers and pointers only,
/// its arguments are where those of a function of seven are.
///
/// Written in assembly because it must not read arguments the caller did not pass, and must be
/// exactly libc's function (which has no stack frame) for every number that is not simulated.
///
/// # Safety
/// As of the system call whose number is given.
#[unsafe(no_mangle)]
#[unsafe(naked)]
unsafe extern "C" fn syscall(number: c_long) -> c_long {
    naked_asm!(
        "cmp rdi, {futex}",
        "je {simulated}",
        "cmp rdi, {getrandom}",
        "je {simulated}",
        "cmp rdi, {clock_gettime}",
        "je {simulated}",
        "cmp rdi, {clock_nanosleep}",
        "je {simulated}",
        "cmp rdi, {nanosleep}",
        "je {simulated}",
        "cmp rdi, {sched_yield}",
        "je {simulated}",
        "mov rax, rdi",
        "mov rdi, rsi",
        "mov rsi, rdx",
        "mov rdx, rcx",
        "mov r10, r8",
        "mov r8, r9",
        "mov r9, [rsp + 8]",
        "syscall",
        "cmp rax, -4095",
        "jae 2f",
        "ret",
        "2:",
        "mov rdi, rax",
        "jmp {finish}",
        futex = const libc::SYS_futex,
        getrandom = const libc::SYS_getrandom,
        clock_gettime = const libc::SYS_clock_gettime,
        clock_nanosleep = const libc::SYS_clock_nanosleep,
        nanosleep = const libc::SYS_nanosleep,
        sched_yield = const libc::SYS_sched_yield,
        simulated = sym simulated_syscall,
        finish = sym finish_syscall,
    )
}

/// What a program that has this object has of it.
pub(super) fn anchor() -> *const c_void {
    syscall as *const c_void
}

/// Where [`syscall`] goes with the numbers a world may answer. What the caller did not pass is
/// whatever is in its place, as for libc's function, and looked at as little.
///
/// # Safety
/// As of the system call; all of these check their arguments.
unsafe extern "C" fn simulated_syscall(
    number: c_long,
    a: usize,
    b: usize,
    c: usize,
    d: usize,
    e: usize,
    f: usize,
) -> c_long {
    let arguments = [a, b, c, d, e, f];
    // SAFETY: the caller's promise.
    let answer = ask(|frame| unsafe { simulate(frame, number, arguments) });
    let done = match answer {
        Some(Some(done)) => done,
        // SAFETY: the same arguments under the same contract.
        None | Some(None) => unsafe { raw(number, arguments) },
    };
    finish(done)
}

/// What the world answers, if it does.
///
/// # Safety
/// As of the system call.
unsafe fn simulate(
    frame: &Frame,
    number: c_long,
    arguments: [usize; 6],
) -> Option<Result<c_long, c_int>> {
    let kernel = frame.kernel();
    let [a, b, c, d, ..] = arguments;
    match number {
        // SAFETY: the caller's promise.
        libc::SYS_futex => unsafe { simulate_futex(frame, arguments) },
        libc::SYS_getrandom => {
            // SAFETY: any arguments will do.
            Some(unsafe { simulate_random(&**kernel, a as *mut c_void, b, c as c_uint) })
        }
        libc::SYS_clock_gettime => {
            let (clock, time) = (a as clockid_t, b as *mut timespec);
            // SAFETY: any pointer will do when asked as a system call.
            Some(unsafe { simulate_clock(&**kernel, clock, time, Pointers::AsSyscall) })
        }
        libc::SYS_clock_nanosleep => {
            let (clock, flags) = (a as clockid_t, b as c_int);
            let (time, left) = (c as *const timespec, d as *mut timespec);
            // SAFETY: any pointers will do.
            unsafe { simulate_sleep(&**kernel, clock, flags, time, left) }
        }
        libc::SYS_nanosleep => {
            let (time, left) = (a as *const timespec, b as *mut timespec);
            // SAFETY: any pointers will do.
            unsafe { simulate_sleep(&**kernel, libc::CLOCK_MONOTONIC, 0, time, left) }
        }
        libc::SYS_sched_yield => kernel.yield_now().then_some(Ok(0)),
        _ => None,
    }
}

/// The end of [`syscall`], for a kernel's error.
extern "C" fn finish_syscall(result: c_long) -> c_long {
    finish(Err(-result as c_int))
}
