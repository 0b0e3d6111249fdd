//! The clocks: `clock_gettime`, `gettimeofday`, `time`.

use std::ffi::{c_int, c_long, c_void};

use libc::{clockid_t, time_t, timespec, timeval};

use super::{Libc, c_time, finish, raw};
use crate::gate::ask;
use crate::kernel::{ClockId, Kernel};

/// # Safety
/// As of `clock_gettime(3)`: `time` is for writing one `timespec`.
#[unsafe(no_mangle)]
unsafe extern "C" fn clock_gettime(clock: clockid_t, time: *mut timespec) -> c_int {
    // SAFETY: `time` is the caller's promise.
    match ask(|frame| unsafe { simulate_clock(&**frame.kernel(), clock, time, Pointers::AsVdso) }) {
        Some(done) => finish(done) as c_int,
        // SAFETY: the same arguments under the same contract.
        None => unsafe { (CLOCK_GETTIME.function())(clock, time) },
    }
}

/// # Safety
/// As of `gettimeofday(2)`: each pointer is null or for writing one value of its type.
#[unsafe(no_mangle)]
unsafe extern "C" fn gettimeofday(time: *mut timeval, zone: *mut Timezone) -> c_int {
    let answer = ask(|frame| {
        let now = frame.kernel().now(ClockId::Realtime);
        if !time.is_null() {
            let tv_usec = now.subsec_micros().into();
            // SAFETY: not null, so the caller promised it for writing.
            unsafe {
                time.write(timeval {
                    tv_sec: c_time(now).tv_sec,
                    tv_usec,
                })
            }
        }
        if !zone.is_null() {
            // SAFETY: not null, so the caller promised it for writing.
            unsafe { zone.write([0, 0]) }
        }
    });
    match answer {
        Some(()) => 0,
        // SAFETY: the same arguments under the same contract.
        None => unsafe { (GETTIMEOFDAY.function())(time, zone) },
    }
}

/// # Safety
/// As of `time(2)`: `time` is null or for writing one `time_t`.
#[unsafe(no_mangle)]
unsafe extern "C" fn time(time: *mut time_t) -> time_t {
    match ask(|frame| c_time(frame.kernel().now(ClockId::Realtime)).tv_sec) {
        Some(now) => {
            if !time.is_null() {
                // SAFETY: not null, so the caller promised it for writing.
                unsafe { time.write(now) }
            }
            now
        }
        // SAFETY: the same argument under the same contract.
        None => unsafe { (TIME.function())(time) },
    }
}

type ClockGettime = unsafe extern "C" fn(clockid_t, *mut timespec) -> c_int;
type Gettimeofday = unsafe extern "C" fn(*mut timeval, *mut Timezone) -> c_int;
type Time = unsafe extern "C" fn(*mut time_t) -> time_t;

static CLOCK_GETTIME: Libc<ClockGettime> =
    Libc::new(c"clock_gettime", raw_clock_gettime as *mut c_void);
static GETTIMEOFDAY: Libc<Gettimeofday> =
    Libc::new(c"gettimeofday", raw_gettimeofday as *mut c_void);
static TIME: Libc<Time> = Libc::new(c"time", raw_time as *mut c_void);

pub(super) fn resolve() {
    CLOCK_GETTIME.resolve();
    GETTIMEOFDAY.resolve();
    TIME.resolve();
}

/// What a program that has this object has of it.
pub(super) fn anchor() -> *const c_void {
    clock_gettime as *const c_void
}

/// What becomes of a pointer that is not for writing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Pointers {
    /// What libc does through the vDSO: it writes in user mode, where a bad pointer is a fault.
    AsVdso,
    /// What a system call does: it answers `EFAULT`.
    AsSyscall,
}

/// # Safety
/// With [`Pointers::AsVdso`], `time` must be null or for writing.
pub(super) unsafe fn simulate_clock(
    kernel: &dyn Kernel,
    clock: clockid_t,
    time: *mut timespec,
    pointers: Pointers,
) -> Result<c_long, c_int> {
    let Read {
        id,
        real,
        by_syscall,
    } = read(clock).ok_or(libc::EINVAL)?;
    if by_syscall || pointers == Pointers::AsSyscall {
        // The real call judges the pointer, and whose CPU clock it is; its answer is overwritten.
        // SAFETY: clock_gettime checks both its arguments.
        unsafe { raw(libc::SYS_clock_gettime, [real as usize, time.addr()]) }?;
    } else if time.is_null() {
        return Err(libc::EFAULT);
    }
    let now = kernel.now(id);
    // SAFETY: the system call has just written there, or it is not null and the caller's promise.
    unsafe { time.write(c_time(now)) }
    Ok(0)
}

/// How a clock is read.
pub(super) struct Read {
    pub(super) id: ClockId,
    /// Which of the machine's clocks stands for it.
    pub(super) real: clockid_t,
    /// Whether libc asks the operating system for it.
    by_syscall: bool,
}

/// What a world has of a clock, if it is one.
pub(super) fn read(clock: clockid_t) -> Option<Read> {
    // Dynamic ids carry in their low bits what they are of: 0..=2 a CPU clock, 4 more if it is a
    // thread's, 3 the clock of a device behind a file descriptor.
    const DYNAMIC_KIND: clockid_t = 0b11;
    const DEVICE: clockid_t = 0b11;
    const OF_THREAD: clockid_t = 0b100;

    let (id, real, by_syscall) = match clock {
        libc::CLOCK_REALTIME | libc::CLOCK_REALTIME_COARSE | libc::CLOCK_TAI => {
            (ClockId::Realtime, clock, false)
        }
        libc::CLOCK_MONOTONIC | libc::CLOCK_MONOTONIC_RAW | libc::CLOCK_MONOTONIC_COARSE => {
            (ClockId::Monotonic, clock, false)
        }
        libc::CLOCK_BOOTTIME => (ClockId::Boottime, clock, false),
        // A machine has these only with a hardware alarm; a world always does.
        libc::CLOCK_REALTIME_ALARM => (ClockId::Realtime, libc::CLOCK_REALTIME, true),
        libc::CLOCK_BOOTTIME_ALARM => (ClockId::Boottime, libc::CLOCK_BOOTTIME, true),
        libc::CLOCK_PROCESS_CPUTIME_ID => (ClockId::ProcessCpu, clock, true),
        libc::CLOCK_THREAD_CPUTIME_ID => (ClockId::ThreadCpu, clock, true),
        dynamic if dynamic < 0 && dynamic & DYNAMIC_KIND != DEVICE => {
            let id = match dynamic & OF_THREAD {
                0 => ClockId::ProcessCpu,
                _ => ClockId::ThreadCpu,
            };
            (id, clock, true)
        }
        _ => return None,
    };
    Some(Read {
        id,
        real,
        by_syscall,
    })
}

/// C's `struct timezone`, minutes west of Greenwich and the kind of summer time; libc fills it with
/// zeros. (The `libc` crate has it as an opaque type.)
type Timezone = [c_int; 2];

unsafe extern "C" fn raw_clock_gettime(clock: clockid_t, time: *mut timespec) -> c_int {
    // SAFETY: clock_gettime checks its arguments.
    finish(unsafe { raw(libc::SYS_clock_gettime, [clock as usize, time.addr()]) }) as c_int
}

unsafe extern "C" fn raw_gettimeofday(time: *mut timeval, zone: *mut Timezone) -> c_int {
    // SAFETY: gettimeofday checks its arguments.
    finish(unsafe { raw(libc::SYS_gettimeofday, [time.addr(), zone.addr()]) }) as c_int
}

unsafe extern "C" fn raw_time(time: *mut time_t) -> time_t {
    // SAFETY: time checks its argument.
    finish(unsafe { raw(libc::SYS_time, [time.addr()]) })
}
