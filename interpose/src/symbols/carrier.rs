//! What Linux has for a thread that carries a simulated one.

use std::mem;
use std::sync::atomic::{AtomicU32, Ordering};

use super::raw;

/// Whether a word is there is the futex's value.
#[derive(Default)]
pub(crate) struct Place(AtomicU32);

impl Place {
    pub(crate) const fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    #[inline]
    pub(crate) fn park(&self) {
        while self.0.swap(0, Ordering::Acquire) == 0 {
            self.futex(libc::FUTEX_WAIT, 0);
        }
    }

    #[inline]
    pub(crate) fn unpark(&self) {
        if self.0.swap(1, Ordering::Release) == 0 {
            self.futex(libc::FUTEX_WAKE, 1);
        }
    }

    fn futex(&self, operation: i32, value: usize) {
        let word = self.0.as_ptr().addr();
        let operation = (operation | libc::FUTEX_PRIVATE_FLAG) as usize;
        // SAFETY: the word lives as long as this borrow, and the kernel only reads it. Whatever
        // the call answers, the caller looks at the word again.
        let _ = unsafe { raw(libc::SYS_futex, [word, operation, value, 0]) };
    }
}

pub(crate) fn exit() -> ! {
    loop {
        // SAFETY: takes no memory along: the stack stays mapped, for libc frees it only in its
        // own way of ending a thread.
        let _ = unsafe { raw(libc::SYS_exit, [0]) };
    }
}

pub(crate) type Cpus = libc::cpu_set_t;

pub(crate) fn pin() -> Option<Cpus> {
    // SAFETY: a set of CPUs is bits, and none of them set is a set too.
    let (mut before, mut one): (Cpus, Cpus) = unsafe { mem::zeroed() };
    // SAFETY: the sets are for writing and of the size given; 0 is the calling thread.
    unsafe {
        let cpu = usize::try_from(libc::sched_getcpu()).ok()?;
        // Not what a world says of it.
        raw(
            libc::SYS_sched_getaffinity,
            [0, size_of::<Cpus>(), (&raw mut before).addr()],
        )
        .ok()?;
        libc::CPU_SET(cpu, &mut one);
        (libc::sched_setaffinity(0, size_of::<Cpus>(), &one) == 0).then_some(before)
    }
}

pub(crate) fn unpin(before: &Cpus) {
    // SAFETY: the set is for reading and of the size given; 0 is the calling thread.
    unsafe { libc::sched_setaffinity(0, size_of::<Cpus>(), before) };
}
