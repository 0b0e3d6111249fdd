//! Futexes: how the standard library, and most others, wait for another thread.
//!
//! libc's own `pthread_mutex_t` and `pthread_cond_t` wait inside of libc, past every symbol: they
//! stay real.

use std::ffi::{c_int, c_long};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use libc::timespec;

use super::{c_time, raw, read_time, statics};
use crate::gate::Frame;
use crate::kernel::{ClockId, FutexWait, Kernel};

/// How long a wait in the program's static data goes on in real time before the world has it.
const FOREIGN: Duration = Duration::from_millis(100);

const ANY: u32 = libc::FUTEX_BITSET_MATCH_ANY as u32;

/// The operations that wait and wake; `None` for the others, and where the world does not answer.
///
/// # Safety
/// As of `futex(2)`, which checks its arguments; and the word is not memory that Rust holds an
/// exclusive reference to.
pub(super) unsafe fn simulate_futex(
    frame: &Frame,
    arguments: [usize; 6],
) -> Option<Result<c_long, c_int>> {
    let [_, operation, value, _, _, bitset] = arguments;
    let (value, bitset) = (value as u32, bitset as u32);
    let real_time = operation as c_int & libc::FUTEX_CLOCK_REALTIME != 0;
    match operation as c_int & libc::FUTEX_CMD_MASK {
        // SAFETY: the caller's promise.
        libc::FUTEX_WAIT => unsafe { wait(frame, arguments, value, ANY) },
        // SAFETY: the caller's promise.
        libc::FUTEX_WAIT_BITSET => unsafe { wait(frame, arguments, value, bitset) },
        // A wake that the kernel would refuse finds nobody here, and is the kernel's.
        _ if real_time => None,
        // SAFETY: the caller's promise.
        libc::FUTEX_WAKE => unsafe { wake(&**frame.kernel(), arguments, value, ANY) },
        // SAFETY: the caller's promise.
        libc::FUTEX_WAKE_BITSET if bitset != 0 => unsafe {
            wake(&**frame.kernel(), arguments, value, bitset)
        },
        _ => None,
    }
}

/// # Safety
/// As of [`simulate_futex`].
unsafe fn wait(
    frame: &Frame,
    arguments: [usize; 6],
    value: u32,
    bitset: u32,
) -> Option<Result<c_long, c_int>> {
    let kernel = frame.kernel();
    // SAFETY: the caller's promise.
    let deadline = match unsafe { judge(&**kernel, arguments) } {
        Ok(deadline) => deadline,
        Err(errno) => return Some(Err(errno)),
    };
    let word = arguments[0];
    if statics::contains(word) && frame.waits_for_others(word) {
        // SAFETY: the caller's promise.
        match unsafe { wait_for_others(arguments, value, bitset) } {
            Err(libc::ETIMEDOUT) => frame.waited_in_vain(word),
            done => return Some(done),
        }
    }
    // SAFETY: the system call in `judge` has read it there, aligned; and who waits for a word keeps
    // it.
    let still = || unsafe { AtomicU32::from_ptr(word as *mut u32) }.load(Ordering::SeqCst) == value;
    Some(match kernel.futex_wait(word, bitset, deadline, &still)? {
        FutexWait::Woken => Ok(0),
        FutexWait::TimedOut => Err(libc::ETIMEDOUT),
        FutexWait::Interrupted => Err(libc::EINTR),
    })
}

/// # Safety
/// As of [`simulate_futex`].
unsafe fn wake(
    kernel: &dyn Kernel,
    arguments: [usize; 6],
    count: u32,
    bitset: u32,
) -> Option<Result<c_long, c_int>> {
    let [word, operation, ..] = arguments;
    // As the kernel has it, who asks for none gets one.
    let count = (count as c_int).max(1) as u32;
    let woken = kernel.futex_wake(word, bitset, count)?.min(count);
    if woken == count {
        return Some(Ok(woken.into()));
    }
    let more = [
        word,
        operation,
        (count - woken) as usize,
        0,
        0,
        bitset as usize,
    ];
    // SAFETY: the same arguments under the same contract, but for the number.
    let real = unsafe { raw(libc::SYS_futex, more) };
    Some(match real {
        Err(_) if woken > 0 => Ok(woken.into()),
        real => real.map(|real| real + c_long::from(woken)),
    })
}

/// What the kernel says of a wait before it waits: that the arguments are wrong, that the word has
/// another value, or nothing.
///
/// # Safety
/// As of [`simulate_futex`].
unsafe fn judge(
    kernel: &dyn Kernel,
    arguments: [usize; 6],
) -> Result<Option<(ClockId, Duration)>, c_int> {
    static NEVER_ONE: AtomicU32 = AtomicU32::new(0);
    let [word, operation, value, time, _, bitset] = arguments;
    let time = time as *const timespec;
    // The caller's own call, but for a word that has not the value.
    let other = NEVER_ONE.as_ptr().addr();
    // SAFETY: futex checks all its arguments.
    match unsafe {
        raw(
            libc::SYS_futex,
            [other, operation, 1, time.addr(), 0, bitset],
        )
    } {
        Err(libc::EAGAIN) => {}
        done => return Err(done.err().unwrap_or(libc::EINVAL)),
    }
    let private = operation & libc::FUTEX_PRIVATE_FLAG as usize;
    let compare = libc::FUTEX_CMP_REQUEUE as usize | private;
    // It compares the word, and then wakes and moves nobody.
    // SAFETY: futex checks all its arguments.
    unsafe { raw(libc::SYS_futex, [word, compare, 0, 0, word, value]) }?;
    if time.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller's promise.
    let time = unsafe { read_time(time) }?;
    let operation = operation as c_int;
    let clock = match operation & libc::FUTEX_CLOCK_REALTIME {
        0 => ClockId::Monotonic,
        _ => ClockId::Realtime,
    };
    Ok(Some(match operation & libc::FUTEX_CMD_MASK {
        // This one alone says how long.
        libc::FUTEX_WAIT => (clock, kernel.now(clock).saturating_add(time)),
        _ => (clock, time),
    }))
}

/// Waits as the caller would outside, but not for long.
///
/// # Safety
/// As of [`simulate_futex`].
unsafe fn wait_for_others(arguments: [usize; 6], value: u32, bitset: u32) -> Result<c_long, c_int> {
    let [word, operation, ..] = arguments;
    let private = operation & libc::FUTEX_PRIVATE_FLAG as usize;
    let operation = libc::FUTEX_WAIT_BITSET as usize | private;
    let until = c_time(now() + FOREIGN);
    let until = (&raw const until).addr();
    loop {
        let arguments = [word, operation, value as usize, until, 0, bitset as usize];
        // SAFETY: the same wait with a time of our own.
        match unsafe { raw(libc::SYS_futex, arguments) } {
            // A signal of the machine's is none of the world's.
            Err(libc::EINTR) => {}
            done => return done,
        }
    }
}

/// The machine's monotonic clock.
fn now() -> Duration {
    let mut now = c_time(Duration::ZERO);
    let clock = libc::CLOCK_MONOTONIC as usize;
    // SAFETY: the time is for writing.
    let _ = unsafe { raw(libc::SYS_clock_gettime, [clock, (&raw mut now).addr()]) };
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}
