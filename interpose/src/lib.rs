//! The libc symbols of a simulated thread, turned into calls on one trait, and the few unsafe cells
//! a simulator of threads cannot do without. The only crate of the workspace with unsafe code.
//!
//! Linking this crate changes nothing by itself: a thread's calls to libc's clocks, entropy, sleeps
//! and threads, to `syscall` and to `sched_getaffinity`, go on to libc, at the cost of one test of a thread-local. Inside
//! [`enter`], they are answered by a [`Kernel`]. So the standard library's clocks and hash keys,
//! and every library's entropy, become functions of the world.
//!
//! A kernel with threads of its own is asked too when a thread sleeps, waits, wakes, makes another
//! or joins it. Whatever waits by a futex is seen: the standard library's and parking_lot's locks,
//! conditions, channels, `park`, `Once`, `scope`. libc's own `pthread_mutex_t` and
//! `pthread_cond_t`, and every wait for a file or a socket, stay the machine's. What is under such
//! a thread is here as well: a place where it is really parked ([`Parking`]), a faster hand-over
//! ([`pin_to_current_cpu`]), and an end without a return ([`vanish`]).
//!
//! A lock in a static may be held by a thread that is in no world or in another: so a wait in the
//! program's static data goes on in real time for up to 100 ms, and becomes the world's after that.
//!
//! # Why it is safe to use
//! - A [`Baton`] opens only for the thread whose turn it is, checked at every access on every
//!   platform, and never twice at once.
//! - The stack of worlds of a thread owns what its libc calls look at; a guard dropped early, late
//!   or never leaves no dangling kernel behind.
//! - The interposed functions keep libc's contracts: they are callable before `main`, in a signal
//!   handler and from an allocator, set `errno` as libc does and never unwind but where libc does,
//!   to cancel a thread.
//! - A thread of a world is in it until its thread-locals are gone, and keeps its kernel as long; a
//!   thread that vanishes leaves its stack as it is, for good.
//! - A [`clone_hook`]'s waker owns a reference of its hook, as each of its clones does.
//! - The crash handler calls nothing but system calls, and passes every signal on.
#![deny(unsafe_op_in_unsafe_fn, clippy::undocumented_unsafe_blocks)]

mod baton;
mod carrier;
mod clone_hook;
mod crash;
mod gate;
mod kernel;

#[cfg(all(
    target_os = "linux",
    target_arch = "x86_64",
    target_pointer_width = "64",
    target_env = "gnu",
    // Miri has its own libc, which no symbol of ours should hide.
    not(miri),
))]
mod symbols;

#[cfg(not(all(
    target_os = "linux",
    target_arch = "x86_64",
    target_pointer_width = "64",
    target_env = "gnu",
    not(miri),
)))]
#[path = "elsewhere.rs"]
mod symbols;

pub use baton::{Baton, BatonError, ThreadToken};
pub use carrier::{Parking, Pinned, pin_to_current_cpu, vanish};
pub use clone_hook::clone_hook;
pub use crash::{CrashCommand, CrashNote, note_crash};
pub use gate::{Entered, Suspended, enter, in_world, suspend};
pub use kernel::{ClockId, Deadline, FutexWait, Interrupted, Kernel, ThreadId, ThreadJoin};

/// Whether this platform's libc calls are interposed: Linux on x86-64 with glibc. Elsewhere
/// [`enter`] keeps its books and no call ever asks the kernel.
pub const SUPPORTED: bool = symbols::SUPPORTED;
