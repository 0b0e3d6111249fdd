//! The interposed libc functions, for Linux on x86-64 with glibc.
//!
//! A definition in an ordinary dependency wins over libc's at link time, for the standard library
//! and for `dlsym(RTLD_DEFAULT)` too. Each function asks the thread's gate: inside a world the
//! [`Kernel`] answers, outside it libc's own function does.

mod carrier;

use std::arch::{asm, naked_asm};
use std::ffi::{CStr, c_int, c_long, c_uint, c_void};
use std::hint::black_box;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::time::Duration;
use std::{mem, slice};

use libc::{clockid_t, size_t, ssize_t, time_t, timespec, timeval};

use crate::gate::ask;
use crate::kernel::{ClockId, Kernel};

pub(crate) use carrier::{Cpus, Place, exit, pin, unpin};

pub(crate) const SUPPORTED: bool = true;

/// Makes whoever can enter a world link these functions: a linker takes an object out of an archive
/// only when something in it is asked for.
#[inline]
pub(crate) fn keep() {
    black_box(clock_gettime as ClockGettime);
}

// ---- The symbols. None may unwind: a panic of the kernel ends the process at the `extern "C"`.

/// # Safety
/// As of `clock_gettime(3)`: `time` is for writing one `timespec`.
#[unsafe(no_mangle)]
unsafe extern "C" fn clock_gettime(clock: clockid_t, time: *mut timespec) -> c_int {
    // SAFETY: `time` is the caller's promise.
    match ask(|kernel| unsafe { simulate_clock(kernel, clock, time, Pointers::AsVdso) }) {
        Some(done) => finish(done) as c_int,
        // SAFETY: the same arguments under the same contract.
        None => unsafe { (CLOCK_GETTIME.function())(clock, time) },
    }
}

/// # Safety
/// As of `gettimeofday(2)`: each pointer is null or for writing one value of its type.
#[unsafe(no_mangle)]
unsafe extern "C" fn gettimeofday(time: *mut timeval, zone: *mut Timezone) -> c_int {
    let answer = ask(|kernel| {
        let now = kernel.now(ClockId::Realtime);
        if !time.is_null() {
            let tv_usec = now.subsec_micros().into();
            // SAFETY: not null, so the caller promised it for writing.
            unsafe {
                time.write(timeval {
                    tv_sec: seconds(now),
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
    match ask(|kernel| seconds(kernel.now(ClockId::Realtime))) {
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

/// # Safety
/// As of `getrandom(2)`: any pointer will do, a bad one is `EFAULT`.
#[unsafe(no_mangle)]
unsafe extern "C" fn getrandom(buf: *mut c_void, len: size_t, flags: c_uint) -> ssize_t {
    // SAFETY: any arguments will do.
    match ask(|kernel| unsafe { simulate_random(kernel, buf, len, flags) }) {
        Some(done) => finish(done) as ssize_t,
        // SAFETY: the same arguments under the same contract.
        None => unsafe { (GETRANDOM.function())(buf, len, flags) },
    }
}

/// # Safety
/// As of `getentropy(3)`: any pointer will do, a bad one is `EFAULT`.
#[unsafe(no_mangle)]
unsafe extern "C" fn getentropy(buf: *mut c_void, len: size_t) -> c_int {
    let answer = ask(|kernel| {
        if len > GETENTROPY_MAX {
            return Err(libc::EIO);
        }
        // SAFETY: any arguments will do.
        match unsafe { simulate_random(kernel, buf, len, 0) }? as size_t {
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
        "cmp rdi, {getrandom}",
        "je {simulated}",
        "cmp rdi, {clock_gettime}",
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
        getrandom = const libc::SYS_getrandom,
        clock_gettime = const libc::SYS_clock_gettime,
        simulated = sym simulated_syscall,
        finish = sym finish_syscall,
    )
}

// ---- Inside a world.

/// What becomes of a pointer that is not for writing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pointers {
    /// What libc does through the vDSO: it writes in user mode, where a bad pointer is a fault.
    AsVdso,
    /// What a system call does: it answers `EFAULT`.
    AsSyscall,
}

/// # Safety
/// With [`Pointers::AsVdso`], `time` must be null or for writing.
unsafe fn simulate_clock(
    kernel: &dyn Kernel,
    clock: clockid_t,
    time: *mut timespec,
    pointers: Pointers,
) -> Result<c_long, c_int> {
    // Dynamic ids carry in their low bits what they are of: 0..=2 a CPU clock, 4 more if it is a
    // thread's, 3 the clock of a device behind a file descriptor.
    const DYNAMIC_KIND: clockid_t = 0b11;
    const DEVICE: clockid_t = 0b11;
    const OF_THREAD: clockid_t = 0b100;

    // Which of the machine's clocks libc would read, and whether by a system call.
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
        _ => return Err(libc::EINVAL),
    };
    if by_syscall || pointers == Pointers::AsSyscall {
        // The real call judges the pointer, and whose CPU clock it is; its answer is overwritten.
        // SAFETY: clock_gettime checks both its arguments.
        unsafe {
            raw(
                libc::SYS_clock_gettime,
                [real as usize, time.addr(), 0, 0, 0, 0],
            )
        }?;
    } else if time.is_null() {
        return Err(libc::EFAULT);
    }
    let now = kernel.now(id);
    let tv_nsec = now.subsec_nanos().into();
    // SAFETY: the system call has just written there, or it is not null and the caller's promise.
    unsafe {
        time.write(timespec {
            tv_sec: seconds(now),
            tv_nsec,
        })
    }
    Ok(0)
}

/// # Safety
/// None beyond `buf` not being memory that Rust holds a reference to: the real call judges it.
unsafe fn simulate_random(
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
        match unsafe {
            raw(
                libc::SYS_getrandom,
                [at, len - writable, flags as usize, 0, 0, 0],
            )
        } {
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

/// Where [`syscall`] goes with the numbers a world may answer.
///
/// # Safety
/// As of the system call; both numbers have three arguments or fewer and check them all.
unsafe extern "C" fn simulated_syscall(number: c_long, a: usize, b: usize, c: usize) -> c_long {
    let answer = ask(|kernel| {
        if number == libc::SYS_getrandom {
            // SAFETY: any arguments will do.
            unsafe { simulate_random(kernel, a as *mut c_void, b, c as c_uint) }
        } else {
            let time = b as *mut timespec;
            // SAFETY: any pointer will do when asked as a system call.
            unsafe { simulate_clock(kernel, a as clockid_t, time, Pointers::AsSyscall) }
        }
    });
    // SAFETY: the same arguments under the same contract.
    finish(answer.unwrap_or_else(|| unsafe { raw(number, [a, b, c, 0, 0, 0]) }))
}

/// C's `struct timezone`, minutes west of Greenwich and the kind of summer time; libc fills it with
/// zeros. (The `libc` crate has it as an opaque type.)
type Timezone = [c_int; 2];

fn seconds(now: Duration) -> time_t {
    now.as_secs().try_into().unwrap_or(time_t::MAX)
}

// ---- Outside it.

type ClockGettime = unsafe extern "C" fn(clockid_t, *mut timespec) -> c_int;
type Gettimeofday = unsafe extern "C" fn(*mut timeval, *mut Timezone) -> c_int;
type Time = unsafe extern "C" fn(*mut time_t) -> time_t;
type Getrandom = unsafe extern "C" fn(*mut c_void, size_t, c_uint) -> ssize_t;
type Getentropy = unsafe extern "C" fn(*mut c_void, size_t) -> c_int;

static CLOCK_GETTIME: Libc<ClockGettime> =
    Libc::new(c"clock_gettime", raw_clock_gettime as *mut c_void);
static GETTIMEOFDAY: Libc<Gettimeofday> =
    Libc::new(c"gettimeofday", raw_gettimeofday as *mut c_void);
static TIME: Libc<Time> = Libc::new(c"time", raw_time as *mut c_void);
static GETRANDOM: Libc<Getrandom> = Libc::new(c"getrandom", raw_getrandom as *mut c_void);
static GETENTROPY: Libc<Getentropy> = Libc::new(c"getentropy", raw_getentropy as *mut c_void);

/// Runs before `main` and before the program's other constructors, while there is one thread.
///
/// Not at the first call: `dlsym` takes a lock and may allocate, which a signal handler, an
/// allocator or the child of a fork must not do, and all of them may ask for the time.
#[used]
#[unsafe(link_section = ".init_array.00101")]
static RESOLVE: extern "C" fn() = resolve;

extern "C" fn resolve() {
    CLOCK_GETTIME.resolve();
    GETTIMEOFDAY.resolve();
    TIME.resolve();
    GETRANDOM.resolve();
    GETENTROPY.resolve();
}

/// libc's own function of a name we took: the bare system call until [`RESOLVE`] has run (another
/// library's constructor, `dlsym` itself), and for good where there is nothing to find: an older
/// libc, or one that is linked statically.
struct Libc<F> {
    name: &'static CStr,
    function: AtomicPtr<c_void>,
    _signature: PhantomData<F>,
}

impl<F: Copy> Libc<F> {
    const fn new(name: &'static CStr, until_resolved: *mut c_void) -> Self {
        Self {
            name,
            function: AtomicPtr::new(until_resolved),
            _signature: PhantomData,
        }
    }

    #[inline]
    fn function(&self) -> F {
        const { assert!(size_of::<F>() == size_of::<*mut c_void>()) }
        let function = self.function.load(Ordering::Relaxed);
        // SAFETY: `F` is the type of a function pointer, and both functions that can be stored here,
        // ours and libc's of the same name, have that signature.
        unsafe { mem::transmute_copy::<*mut c_void, F>(&function) }
    }

    fn resolve(&self) {
        // SAFETY: the name is a C string; `RTLD_NEXT` looks in what was loaded after this object,
        // and calls the resolver of an indirect function (`time`, `gettimeofday`).
        let found = unsafe { libc::dlsym(libc::RTLD_NEXT, self.name.as_ptr()) };
        if !found.is_null() {
            self.function.store(found, Ordering::Relaxed);
        }
    }
}

const GETENTROPY_MAX: size_t = 256;

unsafe extern "C" fn raw_clock_gettime(clock: clockid_t, time: *mut timespec) -> c_int {
    // SAFETY: clock_gettime checks its arguments.
    finish(unsafe {
        raw(
            libc::SYS_clock_gettime,
            [clock as usize, time.addr(), 0, 0, 0, 0],
        )
    }) as c_int
}

unsafe extern "C" fn raw_gettimeofday(time: *mut timeval, zone: *mut Timezone) -> c_int {
    // SAFETY: gettimeofday checks its arguments.
    finish(unsafe {
        raw(
            libc::SYS_gettimeofday,
            [time.addr(), zone.addr(), 0, 0, 0, 0],
        )
    }) as c_int
}

unsafe extern "C" fn raw_time(time: *mut time_t) -> time_t {
    // SAFETY: time checks its argument.
    finish(unsafe { raw(libc::SYS_time, [time.addr(), 0, 0, 0, 0, 0]) })
}

unsafe extern "C" fn raw_getrandom(buf: *mut c_void, len: size_t, flags: c_uint) -> ssize_t {
    // SAFETY: getrandom checks its arguments.
    finish(unsafe {
        raw(
            libc::SYS_getrandom,
            [buf.addr(), len, flags as usize, 0, 0, 0],
        )
    }) as ssize_t
}

unsafe extern "C" fn raw_getentropy(buf: *mut c_void, len: size_t) -> c_int {
    if len > GETENTROPY_MAX {
        return finish(Err(libc::EIO)) as c_int;
    }
    // SAFETY: getrandom checks its arguments. Requests this small are never cut short.
    finish(unsafe { raw(libc::SYS_getrandom, [buf.addr(), len, 0, 0, 0, 0]) }.map(|_| 0)) as c_int
}

/// A system call, with zeros where it has fewer than six arguments.
///
/// # Safety
/// As of the system call.
#[inline]
unsafe fn raw(number: c_long, arguments: [usize; 6]) -> Result<c_long, c_int> {
    let result: c_long;
    let [a, b, c, d, e, f] = arguments;
    // SAFETY: the kernel's calling convention: it keeps every register but rax, rcx and r11. What
    // the call does is the caller's promise.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number => result,
            in("rdi") a,
            in("rsi") b,
            in("rdx") c,
            in("r10") d,
            in("r8") e,
            in("r9") f,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    // The kernel's errors are the last page of numbers; everything else is an answer.
    if (-4095..0).contains(&result) {
        Err(-result as c_int)
    } else {
        Ok(result)
    }
}

/// An answer in libc's manner: -1 and `errno` for an error.
#[inline]
fn finish(done: Result<c_long, c_int>) -> c_long {
    done.unwrap_or_else(|errno| {
        // SAFETY: `__errno_location` points to this thread's errno.
        unsafe { *libc::__errno_location() = errno };
        -1
    })
}

/// The end of [`syscall`], for a kernel's error.
extern "C" fn finish_syscall(result: c_long) -> c_long {
    finish(Err(-result as c_int))
}
