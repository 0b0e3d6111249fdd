//! The interposed libc functions, for Linux on x86-64 with glibc.
//!
//! A definition in an ordinary dependency wins over libc's at link time, for the standard library
//! and for `dlsym(RTLD_DEFAULT)` too. Each function asks the thread's gate: inside a world the
//! [`Kernel`](crate::Kernel) answers, outside it libc's own function does.

mod carrier;
mod clocks;
mod cpus;
mod entropy;
mod futex;
mod sleep;
mod statics;
mod syscall;
mod threads;

use std::arch::asm;
use std::array;
use std::ffi::{CStr, c_int, c_long, c_void};
use std::hint::black_box;
use std::marker::PhantomData;
use std::mem;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use std::time::Duration;

use libc::{time_t, timespec};

pub(crate) use carrier::{Cpus, Place, exit, pin, unpin};
pub(crate) use threads::vanishes;

pub(crate) const SUPPORTED: bool = true;

/// Makes whoever can enter a world link these functions: a linker takes an object out of an archive
/// only when something in it is asked for.
#[inline]
pub(crate) fn keep() {
    black_box([
        clocks::anchor(),
        cpus::anchor(),
        entropy::anchor(),
        sleep::anchor(),
        syscall::anchor(),
        threads::anchor(),
    ]);
}

/// Runs before `main` and before the program's other constructors, while there is one thread.
///
/// Not at the first call: `dlsym` takes a lock and may allocate, which a signal handler, an
/// allocator or the child of a fork must not do, and all of them may ask for the time.
#[used]
#[unsafe(link_section = ".init_array.00101")]
static RESOLVE: extern "C" fn() = resolve;

extern "C" fn resolve() {
    clocks::resolve();
    cpus::resolve();
    entropy::resolve();
    sleep::resolve();
    threads::resolve();
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

    /// Whether there is one.
    fn resolve(&self) -> bool {
        // SAFETY: the name is a C string; `RTLD_NEXT` looks in what was loaded after this object,
        // and calls the resolver of an indirect function (`time`, `gettimeofday`).
        let found = unsafe { libc::dlsym(libc::RTLD_NEXT, self.name.as_ptr()) };
        if !found.is_null() {
            self.function.store(found, Ordering::Relaxed);
        }
        !found.is_null()
    }
}

/// A system call of up to six arguments; the rest are zeros.
///
/// # Safety
/// As of the system call.
#[inline]
unsafe fn raw<const N: usize>(number: c_long, arguments: [usize; N]) -> Result<c_long, c_int> {
    const { assert!(N <= 6) }
    let [a, b, c, d, e, f] = array::from_fn(|at| arguments.get(at).copied().unwrap_or(0));
    let result: c_long;
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

/// The time at `time`, as a system call reads what a sleep or a wait is given.
///
/// # Safety
/// None beyond `time` not being memory that another thread writes: the real call judges it.
unsafe fn read_time(time: *const timespec) -> Result<Duration, c_int> {
    static NEVER_ONE: AtomicU32 = AtomicU32::new(0);
    if time.is_null() {
        return Err(libc::EFAULT);
    }
    let operation = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
    // A wait that looks at its time first, and then finds nothing to wait for.
    let word = NEVER_ONE.as_ptr().addr();
    // SAFETY: futex checks all its arguments.
    match unsafe { raw(libc::SYS_futex, [word, operation as usize, 1, time.addr()]) } {
        Err(libc::EAGAIN) => {}
        Ok(_) => return Err(libc::EINVAL),
        Err(errno) => return Err(errno),
    }
    // SAFETY: the system call has just read it, and found its parts in range.
    let time = unsafe { time.read() };
    Ok(Duration::new(time.tv_sec as u64, time.tv_nsec as u32))
}

/// As C has it, at most as late as it can say.
fn c_time(time: Duration) -> timespec {
    timespec {
        tv_sec: time.as_secs().try_into().unwrap_or(time_t::MAX),
        tv_nsec: time.subsec_nanos().into(),
    }
}
