//! Sleeping: `nanosleep`, `clock_nanosleep`, `usleep`, `sleep`; and `sched_yield`.
//!
//! The first four are where libc cancels threads, which unwinds through them: outside a world they
//! let it.

use std::ffi::{c_int, c_long, c_uint, c_void};
use std::ptr;
use std::time::Duration;

use libc::{clockid_t, timespec};

use super::{Libc, c_time, clocks, finish, raw, read_time};
use crate::gate::ask;
use crate::kernel::{Deadline, Interrupted, Kernel};

/// # Safety
/// As of `nanosleep(2)`: any pointers will do, bad ones are `EFAULT`.
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn nanosleep(time: *const timespec, left: *mut timespec) -> c_int {
    // SAFETY: any pointers will do.
    let answer = ask(|frame| unsafe {
        simulate_sleep(&**frame.kernel(), libc::CLOCK_MONOTONIC, 0, time, left)
    });
    match answer.flatten() {
        Some(done) => finish(done) as c_int,
        // SAFETY: the same arguments under the same contract.
        None => unsafe { (NANOSLEEP.function())(time, left) },
    }
}

/// # Safety
/// As of `clock_nanosleep(2)`: any pointers will do, bad ones are `EFAULT`.
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn clock_nanosleep(
    clock: clockid_t,
    flags: c_int,
    time: *const timespec,
    left: *mut timespec,
) -> c_int {
    let answer = ask(|frame| {
        if clock == libc::CLOCK_THREAD_CPUTIME_ID {
            // libc does not ask the kernel, which has another word for it.
            return Some(Err(libc::EINVAL));
        }
        // SAFETY: any pointers will do.
        unsafe { simulate_sleep(&**frame.kernel(), clock, flags, time, left) }
    });
    match answer.flatten() {
        // This one answers with the error itself.
        Some(done) => done.err().unwrap_or(0),
        // SAFETY: the same arguments under the same contract.
        None => unsafe { (CLOCK_NANOSLEEP.function())(clock, flags, time, left) },
    }
}

/// # Safety
/// None: as of `usleep(3)`.
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn usleep(microseconds: c_uint) -> c_int {
    let time = Duration::from_micros(microseconds.into());
    match ask(|frame| sleep_for(&**frame.kernel(), time)).flatten() {
        Some(Ok(())) => 0,
        Some(Err(_)) => finish(Err(libc::EINTR)) as c_int,
        // SAFETY: it has no contract.
        None => unsafe { (USLEEP.function())(microseconds) },
    }
}

/// # Safety
/// None: as of `sleep(3)`.
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn sleep(seconds: c_uint) -> c_uint {
    let time = Duration::from_secs(seconds.into());
    match ask(|frame| sleep_for(&**frame.kernel(), time)).flatten() {
        Some(Ok(())) => 0,
        Some(Err(Interrupted { left })) => left.as_secs() as c_uint,
        // SAFETY: it has no contract.
        None => unsafe { (SLEEP.function())(seconds) },
    }
}

/// # Safety
/// None: as of `sched_yield(2)`.
#[unsafe(no_mangle)]
unsafe extern "C" fn sched_yield() -> c_int {
    match ask(|frame| frame.kernel().yield_now()) {
        Some(true) => 0,
        // SAFETY: it has no contract.
        Some(false) | None => finish(unsafe { raw(libc::SYS_sched_yield, []) }) as c_int,
    }
}

/// # Safety
/// None beyond the pointers not being memory that Rust holds other references to: the real calls
/// judge them.
pub(super) unsafe fn simulate_sleep(
    kernel: &dyn Kernel,
    clock: clockid_t,
    flags: c_int,
    time: *const timespec,
    left: *mut timespec,
) -> Option<Result<c_long, c_int>> {
    // SAFETY: the caller's promise.
    let (clock, until) = match unsafe { read_sleep(clock, flags, time) } {
        Ok(read) => read,
        Err(errno) => return Some(Err(errno)),
    };
    let Err(interrupted) = kernel.sleep(clock, until)? else {
        return Some(Ok(0));
    };
    if matches!(until, Deadline::After(_)) && !left.is_null() {
        let clock = libc::CLOCK_MONOTONIC as usize;
        // The real call judges the pointer; its answer is overwritten.
        // SAFETY: clock_gettime checks both its arguments.
        if let Err(errno) = unsafe { raw(libc::SYS_clock_gettime, [clock, left.addr()]) } {
            return Some(Err(errno));
        }
        // SAFETY: the system call has just written there.
        unsafe { left.write(c_time(interrupted.left)) };
    }
    Some(Err(libc::EINTR))
}

/// # Safety
/// As of [`read_time`].
unsafe fn read_sleep(
    clock: clockid_t,
    flags: c_int,
    time: *const timespec,
) -> Result<(crate::ClockId, Deadline), c_int> {
    let read = clocks::read(clock);
    let real = read.as_ref().map_or(clock, |read| read.real);
    if !matches!(
        real,
        libc::CLOCK_REALTIME | libc::CLOCK_MONOTONIC | libc::CLOCK_BOOTTIME
    ) {
        // The real call says whether it can be slept on, and then finds no time to sleep for.
        // SAFETY: clock_nanosleep checks all its arguments.
        match unsafe { raw(libc::SYS_clock_nanosleep, [real as usize, 0, 0, 0]) } {
            Err(libc::EFAULT) => {}
            done => return Err(done.err().unwrap_or(libc::EINVAL)),
        }
    }
    // SAFETY: the caller's promise.
    let time = unsafe { read_time(time) }?;
    let until = match flags & libc::TIMER_ABSTIME {
        0 => Deadline::After(time),
        _ => Deadline::At(time),
    };
    // What has no such clock in a world has none to sleep on.
    Ok((read.ok_or(libc::EINVAL)?.id, until))
}

fn sleep_for(kernel: &dyn Kernel, time: Duration) -> Option<Result<(), Interrupted>> {
    kernel.sleep(crate::ClockId::Monotonic, Deadline::After(time))
}

type Nanosleep = unsafe extern "C-unwind" fn(*const timespec, *mut timespec) -> c_int;
type ClockNanosleep =
    unsafe extern "C-unwind" fn(clockid_t, c_int, *const timespec, *mut timespec) -> c_int;
type Usleep = unsafe extern "C-unwind" fn(c_uint) -> c_int;
type Sleep = unsafe extern "C-unwind" fn(c_uint) -> c_uint;

static NANOSLEEP: Libc<Nanosleep> = Libc::new(c"nanosleep", raw_nanosleep as *mut c_void);
static CLOCK_NANOSLEEP: Libc<ClockNanosleep> =
    Libc::new(c"clock_nanosleep", raw_clock_nanosleep as *mut c_void);
static USLEEP: Libc<Usleep> = Libc::new(c"usleep", raw_usleep as *mut c_void);
static SLEEP: Libc<Sleep> = Libc::new(c"sleep", raw_sleep as *mut c_void);

pub(super) fn resolve() {
    NANOSLEEP.resolve();
    CLOCK_NANOSLEEP.resolve();
    USLEEP.resolve();
    SLEEP.resolve();
}

/// What a program that has this object has of it.
pub(super) fn anchor() -> *const c_void {
    nanosleep as *const c_void
}

unsafe extern "C-unwind" fn raw_nanosleep(time: *const timespec, left: *mut timespec) -> c_int {
    // SAFETY: nanosleep checks its arguments.
    finish(unsafe { raw(libc::SYS_nanosleep, [time.addr(), left.addr()]) }) as c_int
}

unsafe extern "C-unwind" fn raw_clock_nanosleep(
    clock: clockid_t,
    flags: c_int,
    time: *const timespec,
    left: *mut timespec,
) -> c_int {
    let arguments = [clock as usize, flags as usize, time.addr(), left.addr()];
    // SAFETY: clock_nanosleep checks its arguments.
    let done = unsafe { raw(libc::SYS_clock_nanosleep, arguments) };
    done.err().unwrap_or(0)
}

unsafe extern "C-unwind" fn raw_usleep(microseconds: c_uint) -> c_int {
    let time = c_time(Duration::from_micros(microseconds.into()));
    // SAFETY: the time is there for reading.
    unsafe { raw_nanosleep(&time, ptr::null_mut()) }
}

unsafe extern "C-unwind" fn raw_sleep(seconds: c_uint) -> c_uint {
    let mut time = c_time(Duration::from_secs(seconds.into()));
    let time = &raw mut time;
    // SAFETY: the time is there for reading, and for writing what was left.
    unsafe {
        match raw_nanosleep(time, time) {
            0 => 0,
            _ => (*time).tv_sec as c_uint,
        }
    }
}
