//! How many CPUs there are: `sched_getaffinity`, behind `available_parallelism`.

use std::ffi::{c_int, c_void};
use std::slice;

use libc::{cpu_set_t, pid_t, size_t};

use super::{Libc, finish, raw};
use crate::gate::ask;

/// # Safety
/// As of `sched_getaffinity(2)`: `mask` is for writing `size` bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn sched_getaffinity(pid: pid_t, size: size_t, mask: *mut cpu_set_t) -> c_int {
    // In a world too: it judges the arguments, and its answer is overwritten.
    // SAFETY: the same arguments under the same contract.
    let done = unsafe { (SCHED_GETAFFINITY.function())(pid, size, mask) };
    if done == 0
        && let Some(Some(cpus)) = ask(|frame| frame.kernel().cpus())
    {
        // SAFETY: the call has just written all of it.
        let mask = unsafe { slice::from_raw_parts_mut(mask.cast::<u8>(), size) };
        for (at, bits) in mask.iter_mut().enumerate() {
            let left = cpus.saturating_sub(at as u32 * 8);
            *bits = if left < 8 { (1 << left) - 1 } else { u8::MAX };
        }
    }
    done
}

type SchedGetaffinity = unsafe extern "C" fn(pid_t, size_t, *mut cpu_set_t) -> c_int;

static SCHED_GETAFFINITY: Libc<SchedGetaffinity> =
    Libc::new(c"sched_getaffinity", raw_sched_getaffinity as *mut c_void);

pub(super) fn resolve() {
    SCHED_GETAFFINITY.resolve();
}

/// What a program that has this object has of it.
pub(super) fn anchor() -> *const c_void {
    sched_getaffinity as *const c_void
}

/// # Safety
/// As of `sched_getaffinity(2)`.
unsafe extern "C" fn raw_sched_getaffinity(
    pid: pid_t,
    size: size_t,
    mask: *mut cpu_set_t,
) -> c_int {
    let arguments = [pid as usize, size, mask.addr()];
    // SAFETY: sched_getaffinity checks its arguments.
    match unsafe { raw(libc::SYS_sched_getaffinity, arguments) } {
        Ok(written) => {
            let written = written as usize;
            // SAFETY: the caller's promise, for what the kernel has not written of it.
            unsafe {
                mask.cast::<u8>()
                    .add(written)
                    .write_bytes(0, size - written)
            };
            0
        }
        Err(errno) => finish(Err(errno)) as c_int,
    }
}
