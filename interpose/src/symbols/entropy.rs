//! Entropy: `getrandom`, `getentropy`.

use std::ffi::{c_int, c_long, c_uint, c_void};
use std::slice;

use libc::{size_t, ssize_t};

use super::{Libc, finish, raw};
use crate::gate::ask;
use crate::kernel::Kernel;

/// # Safety
/// As of `getrandom(2)`: any pointer will do, a bad one is `EFAULT`.
#[unsafe(no_mangle)]
unsafe extern "C" fn getrandom(buf: *mut c_void, len: size_t, flags: c_uint) -> ssize_t {
    // SAFETY: any arguments will do.
    match ask(|frame| unsafe { simulate_random(&**frame.kernel(), buf, len, flags) }) {
        Some(done) => finish(done) as ssize_t,
        // SAFETY: the same arguments under the same contract.
        None => unsafe { (GETRANDOM.function())(buf, len, flags) },
    }
}

/// # Safety
/// As of `getentropy(3)`: any pointer will do, a bad one is `EFAULT`.
#[unsafe(no_mangle)]
unsafe extern "C" fn getentropy(buf: *mut c_void, len: size_t) -> c_int {
    let answer = ask(|frame| {
        if len > GETENTROPY_MAX {
            return Err(libc::EIO);
        }
        // SAFETY: any arguments will do.
        match unsafe { simulate_random(&**frame.kernel(), buf, len, 0) }? as size_t {
            filled if filled < len => Err(libc::EFAULT),
            _ => Ok(0),
        }
    });
    match answer {
        Some(done) => finish(done) as c_int,
        // SAFETY: the same arguments under the same contract.
        None => unsafe { (GETENTROPY.function())(buf, len) },
    }
}

type Getrandom = unsafe extern "C" fn(*mut c_void, size_t, c_uint) -> ssize_t;
type Getentropy = unsafe extern "C" fn(*mut c_void, size_t) -> c_int;

static GETRANDOM: Libc<Getrandom> = Libc::new(c"getrandom", raw_getrandom as *mut c_void);
static GETENTROPY: Libc<Getentropy> = Libc::new(c"getentropy", raw_getentropy as *mut c_void);

pub(super) fn resolve() {
    GETRANDOM.resolve();
    GETENTROPY.resolve();
}

/// What a program that has this object has of it.
pub(super) fn anchor() -> *const c_void {
    getrandom as *const c_void
}

/// # Safety
/// None beyond `buf` not being memory that Rust holds a reference to: the real call judges it.
pub(super) unsafe fn simulate_random(
    kernel: &dyn Kernel,
    buf: *mut c_void,
    len: size_t,
    flags: c_uint,
) -> Result<c_long, c_int> {
    /// As much as one system call ever moves.
    const MOST: size_t = 0x7fff_f000;
    let len = len.min(MOST);
    // The real call judges the flags and how far the buffer can be written, as nothing cheaper can;
    // what it wrote is overwritten. A signal may cut it short, which must not show in a world.
    let mut writable = 0;
    loop {
        let at = buf.addr() + writable;
        // SAFETY: getrandom checks all its arguments.
        match unsafe { raw(libc::SYS_getrandom, [at, len - writable, flags as usize]) } {
            Ok(0) => break,
            Ok(more) => writable += more as size_t,
            Err(libc::EINTR) => {}
            Err(errno) if writable == 0 => return Err(errno),
            Err(_) => break,
        }
        if writable == len {
            break;
        }
    }
    if writable > 0 {
        // SAFETY: the system call has just written all of it, so it is initialised and writable,
        // and the caller lent it to us for this call.
        kernel.fill_random(unsafe { slice::from_raw_parts_mut(buf.cast(), writable) });
    }
    Ok(writable as c_long)
}

const GETENTROPY_MAX: size_t = 256;

unsafe extern "C" fn raw_getrandom(buf: *mut c_void, len: size_t, flags: c_uint) -> ssize_t {
    // SAFETY: getrandom checks its arguments.
    finish(unsafe { raw(libc::SYS_getrandom, [buf.addr(), len, flags as usize]) }) as ssize_t
}

unsafe extern "C" fn raw_getentropy(buf: *mut c_void, len: size_t) -> c_int {
    if len > GETENTROPY_MAX {
        return finish(Err(libc::EIO)) as c_int;
    }
    // SAFETY: getrandom checks its arguments. Requests this small are never cut short.
    finish(unsafe { raw(libc::SYS_getrandom, [buf.addr(), len]) }.map(|_| 0)) as c_int
}
