//! The signal handler that reads crash notes. Everything in it is async-signal-safe.

use std::ffi::{c_int, c_long, c_ulong, c_void};
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use std::{mem, ptr};

use super::{CrashCommand, NEWEST, PREFIX};

/// Installs the handler, unless it is in place.
#[inline]
pub(super) fn arm() {
    if !ARMED.load(Ordering::Relaxed) {
        install();
    }
}

/// The signals a crash ends with.
const CRASHES: [c_int; 5] = [
    libc::SIGABRT,
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGILL,
    libc::SIGFPE,
];

static ARMED: AtomicBool = AtomicBool::new(false);

/// Set when a signal goes on to its default action, which nothing survives: from then on another
/// thread that installs the handler again would only get in the way.
static DYING: AtomicBool = AtomicBool::new(false);

/// What each signal did before, by its place in `CRASHES`. Never freed: a handler may be reading
/// one while another thread installs the handler anew.
static BEFORE: [AtomicPtr<libc::sigaction>; 5] =
    [const { AtomicPtr::new(ptr::null_mut()) }; CRASHES.len()];

#[cold]
fn install() {
    static INSTALLING: Mutex<()> = Mutex::new(());
    // The simulator's own doing, also when called inside a world.
    let _real = crate::suspend();
    let _one_at_a_time = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    if ARMED.load(Ordering::Relaxed) || DYING.load(Ordering::Relaxed) {
        return;
    }
    for (signal, before) in CRASHES.into_iter().zip(&BEFORE) {
        let current = action_of(signal);
        if !is_ours(&current) {
            // In place before the handler that will look for it.
            before.store(Box::leak(Box::new(current)), Ordering::Release);
            set_action(signal, &ours());
        }
    }
    ARMED.store(true, Ordering::Relaxed);
}

extern "C" fn on_crash(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: `__errno_location` points to this thread's errno.
    let errno = unsafe { *libc::__errno_location() };
    let real = crate::suspend();
    if speak() {
        // What comes next may raise a second signal (the standard library aborts after telling of
        // a stack overflow) with little of the alternate stack left. There is nothing more to say.
        disarm();
    }
    drop(real);
    // SAFETY: the kernel's own arguments.
    unsafe { go_on(signal, info, context) };
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = errno };
}

/// Writes the thread's notes and runs the newest command, each once; says whether there were any.
fn speak() -> bool {
    let mut command = None;
    let mut spoke = false;
    let mut link = NEWEST.get();
    // SAFETY: null or a note that is alive, for this thread, which is here, has not dropped it.
    while let Some(note) = unsafe { link.as_ref() } {
        let line = &note.lines[note.current.load(Ordering::Relaxed)];
        let len = line.len.replace(0);
        if len > 0 {
            spoke = true;
            let bytes = line.bytes.get().cast::<u8>();
            // SAFETY: `len` bytes were written after the prefix, and `update` is not writing here,
            // for this line is the current one.
            write_all(unsafe { bytes.add(PREFIX) }, len);
            if let (None, Some(found)) = (command, &note.command) {
                command = Some(found);
                // SAFETY: as above; the last byte is the line feed, which ends the C string now.
                unsafe { bytes.add(PREFIX + len - 1).write(0) };
                if found.prefix_len > 0 {
                    let room = &found.env_pointers[found.env_pointers.len() - 2];
                    // SAFETY: the prefix is the bytes before the line.
                    room.set(unsafe { bytes.add(PREFIX - found.prefix_len) }.cast());
                }
            }
        }
        link = note.older.get();
    }
    if let Some(command) = command {
        run(command);
    }
    spoke
}

fn write_all(mut bytes: *const u8, mut len: usize) {
    while len > 0 {
        // SAFETY: the caller's bytes; write is async-signal-safe.
        match unsafe { libc::write(libc::STDERR_FILENO, bytes.cast(), len) } {
            written @ 1.. => {
                len -= written as usize;
                // SAFETY: at most one past the end.
                bytes = unsafe { bytes.add(written as usize) };
            }
            // SAFETY: this thread's errno.
            -1 if unsafe { *libc::__errno_location() } == libc::EINTR => {}
            // Nobody is left to tell.
            _ => return,
        }
    }
}

/// Runs the command in a child and waits for its end.
fn run(command: &CrashCommand) {
    // Not `fork`, which takes the allocator's locks, and the thread may have crashed inside it.
    // SAFETY: a plain fork: the child has a copy of everything, and makes only system calls.
    let child = unsafe {
        let (none, flags): (c_ulong, _) = (0, libc::SIGCHLD as c_ulong);
        libc::syscall(libc::SYS_clone, flags, none, none, none, none)
    };
    match child {
        -1 => {}
        0 => become_command(command),
        // SAFETY: waits for our own child and stores no status. `__WALL`: whatever it ends with.
        child => unsafe {
            while libc::waitpid(child as c_int, ptr::null_mut(), libc::__WALL) == -1
                && *libc::__errno_location() == libc::EINTR
            {}
        },
    }
}

fn become_command(command: &CrashCommand) -> ! {
    // SAFETY: async-signal-safe functions with valid arguments: the pointer lists end in null and
    // point to C strings the command owns (see `CrashCommand::seal` and `speak`); `Cell` has the
    // layout of what is in it.
    unsafe {
        // What a handler blocks, and what this process ignores, would outlive execve.
        let mut nothing: libc::sigset_t = mem::zeroed();
        libc::sigemptyset(&mut nothing);
        libc::sigprocmask(libc::SIG_SETMASK, &nothing, ptr::null_mut());
        libc::signal(libc::SIGALRM, libc::SIG_DFL);
        let limit = libc::itimerval {
            it_interval: mem::zeroed(),
            it_value: timeval(command.time_limit),
        };
        // The timer outlives execve too, and that is the point.
        libc::syscall(
            libc::SYS_setitimer,
            c_long::from(ITIMER_REAL),
            &raw const limit,
            ptr::null_mut::<libc::itimerval>(),
        );
        libc::execve(
            command.argv[0].as_ptr(),
            command.argv_pointers.as_ptr(),
            command.env_pointers.as_ptr().cast(),
        );
        libc::_exit(127)
    }
}

/// From `setitimer(2)`.
const ITIMER_REAL: c_int = 0;

fn timeval(limit: Duration) -> libc::timeval {
    libc::timeval {
        tv_sec: limit.as_secs().try_into().unwrap_or(libc::time_t::MAX),
        tv_usec: limit.subsec_micros().into(),
    }
}

/// Gives the signal to whoever had it before.
///
/// # Safety
/// The arguments must be what the kernel gave a handler that has not returned yet.
unsafe fn go_on(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    let place = CRASHES.into_iter().position(|crash| crash == signal);
    let before = place.map_or(ptr::null_mut(), |at| BEFORE[at].load(Ordering::Acquire));
    // SAFETY: null or stored by `install`, and never freed.
    let before = unsafe { before.as_ref() };
    // A fault happens again on return, a signal somebody sent does not.
    // SAFETY: the kernel's `info`.
    let sent = unsafe { (*info).si_code } <= 0;
    let handler = before.map_or(libc::SIG_DFL, |before| before.sa_sigaction);
    match handler {
        libc::SIG_IGN if sent => {}
        libc::SIG_DFL | libc::SIG_IGN => {
            DYING.store(true, Ordering::Relaxed);
            let _real = crate::suspend();
            let mut default = ours();
            default.sa_sigaction = libc::SIG_DFL;
            default.sa_flags = 0;
            set_action(signal, &default);
            if sent {
                // Blocked until this handler returns, then the end.
                // SAFETY: sends a signal to this very thread.
                unsafe {
                    let thread = libc::syscall(libc::SYS_gettid);
                    libc::syscall(
                        libc::SYS_tgkill,
                        c_long::from(libc::getpid()),
                        thread,
                        c_long::from(signal),
                    );
                }
            }
        }
        function if before.is_some_and(|before| before.sa_flags & libc::SA_SIGINFO != 0) => {
            // SAFETY: neither of the two special values, so it is a handler, and the flag says
            // which of the two kinds.
            let function: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) =
                unsafe { mem::transmute(function) };
            function(signal, info, context);
        }
        function => {
            // SAFETY: as above.
            let function: extern "C" fn(c_int) = unsafe { mem::transmute(function) };
            function(signal);
        }
    }
}

/// Gives every signal back, save those somebody has taken from us since.
fn disarm() {
    for (signal, before) in CRASHES.into_iter().zip(&BEFORE) {
        // SAFETY: null or stored by `install`, and never freed.
        if let Some(before) = unsafe { before.load(Ordering::Acquire).as_ref() }
            && is_ours(&action_of(signal))
        {
            set_action(signal, before);
        }
    }
    ARMED.store(false, Ordering::Relaxed);
}

fn ours() -> libc::sigaction {
    // SAFETY: all zeros is a valid action: the default one, nothing blocked, no flags.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    action.sa_sigaction = on_crash as *const () as usize;
    // On the alternate stack, where there is one: after an overflow there is no other.
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    action
}

fn is_ours(action: &libc::sigaction) -> bool {
    action.sa_sigaction == on_crash as *const () as usize
}

fn action_of(signal: c_int) -> libc::sigaction {
    // SAFETY: all zeros is valid, see `ours`.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    // SAFETY: reads the action of a signal that exists, so it cannot fail.
    unsafe { libc::sigaction(signal, ptr::null(), &mut action) };
    action
}

fn set_action(signal: c_int, action: &libc::sigaction) {
    // SAFETY: a signal that may be handled, an action that is one of the two special values or a
    // handler of the kind its flags say.
    unsafe { libc::sigaction(signal, action, ptr::null_mut()) };
}
