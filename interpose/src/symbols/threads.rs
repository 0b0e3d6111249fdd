//! Threads: `pthread_create`, `pthread_join` and its kin, `pthread_detach`.
//!
//! A thread made inside a world is in that world from its first instruction to its last: its
//! thread-locals' destructors run there too. A join waits for it in the world, and then for what
//! is left of it in real time.

use std::collections::BTreeMap;
use std::ffi::{c_int, c_void};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use libc::{pthread_attr_t, pthread_key_t, pthread_t, timespec};

use super::Libc;
use crate::gate::{Entered, Frame, ask, enter, suspend};
use crate::kernel::{ClockId, Kernel, ThreadId, ThreadJoin};

/// What a thread runs. It may unwind: `pthread_exit` does.
type Routine = unsafe extern "C-unwind" fn(*mut c_void) -> *mut c_void;

/// # Safety
/// As of `pthread_create(3)`.
#[unsafe(no_mangle)]
unsafe extern "C" fn pthread_create(
    handle: *mut pthread_t,
    attributes: *const pthread_attr_t,
    routine: Routine,
    argument: *mut c_void,
) -> c_int {
    // SAFETY: the caller's promise.
    let made = ask(|frame| unsafe { make(frame, handle, attributes, routine, argument) });
    match made.flatten() {
        Some(errno) => errno,
        // SAFETY: the same arguments under the same contract.
        None => unsafe { (CREATE.function())(handle, attributes, routine, argument) },
    }
}

/// # Safety
/// As of `pthread_join(3)`.
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn pthread_join(handle: pthread_t, value: *mut *mut c_void) -> c_int {
    // SAFETY: the same arguments under the same contract.
    unsafe { join(handle, value, None, || (JOIN.function())(handle, value)) }
}

/// # Safety
/// As of `pthread_tryjoin_np(3)`.
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn pthread_tryjoin_np(
    handle: pthread_t,
    value: *mut *mut c_void,
) -> c_int {
    let at_once = Some((ClockId::Monotonic, Duration::ZERO));
    // SAFETY: the same arguments under the same contract.
    match unsafe {
        join(handle, value, at_once, || {
            (TRYJOIN.function())(handle, value)
        })
    } {
        libc::ETIMEDOUT => libc::EBUSY,
        errno => errno,
    }
}

/// # Safety
/// As of `pthread_timedjoin_np(3)`.
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn pthread_timedjoin_np(
    handle: pthread_t,
    value: *mut *mut c_void,
    until: *const timespec,
) -> c_int {
    // SAFETY: the caller's promise.
    let deadline = unsafe { until.as_ref() }.map(|until| {
        let seconds = until.tv_sec.max(0) as u64;
        // What is no part of a second is the real call's to refuse, and so is a time that passed.
        let nanoseconds = until.tv_nsec.clamp(0, 999_999_999) as u32;
        (ClockId::Realtime, Duration::new(seconds, nanoseconds))
    });
    // SAFETY: the same arguments under the same contract.
    unsafe {
        join(handle, value, deadline, || {
            (TIMEDJOIN.function())(handle, value, until)
        })
    }
}

/// # Safety
/// As of `pthread_detach(3)`.
#[unsafe(no_mangle)]
unsafe extern "C" fn pthread_detach(handle: pthread_t) -> c_int {
    if let Some(made) = with_table(|table| table.remove(&handle)) {
        if made.vanished {
            // libc might think that it has ended, and free what must stay.
            return 0;
        }
        ask(|frame| {
            if made.is_of(frame) {
                frame.kernel().thread_detached(made.thread);
            }
        });
    }
    // SAFETY: the same argument under the same contract.
    unsafe { (DETACH.function())(handle) }
}

/// To be told on a thread that is about to end without libc's knowledge.
pub(crate) fn vanishes() {
    // SAFETY: names the calling thread.
    let handle = unsafe { libc::pthread_self() };
    with_table(|table| {
        // Whoever made it: a handle of it may be somewhere.
        let vanished = Made {
            world: 0,
            thread: ThreadId(0),
            vanished: true,
        };
        table.entry(handle).or_insert(vanished).vanished = true;
    });
}

// ---- Making and ending.

/// What a new thread of a world begins with.
struct Start {
    kernel: Arc<dyn Kernel>,
    thread: ThreadId,
    routine: Routine,
    argument: *mut c_void,
}

/// What a thread of a world ends with: the value of its [`last_key`].
struct Last {
    entered: Entered,
    thread: ThreadId,
    /// How often libc has run the destructors of its keys' values.
    rounds: c_int,
}

/// Makes a thread that is the world's; `None` if the world will not have it.
///
/// # Safety
/// As of `pthread_create(3)`.
unsafe fn make(
    frame: &Frame,
    handle: *mut pthread_t,
    attributes: *const pthread_attr_t,
    routine: Routine,
    argument: *mut c_void,
) -> Option<c_int> {
    let kernel = frame.kernel();
    // SAFETY: the caller's promise.
    let detached = unsafe { is_detached(attributes) };
    let thread = match kernel.thread_making(detached)? {
        Ok(thread) => thread,
        Err(errno) => return Some(errno),
    };
    let Some(_) = last_key() else {
        kernel.thread_not_made(thread);
        return Some(libc::EAGAIN);
    };
    let start = Box::into_raw(Box::new(Start {
        kernel: Arc::clone(kernel),
        thread,
        routine,
        argument,
    }));
    let errno = with_table(|table| {
        // Until it is in there, no one can ask for it: not even the new thread, which may let itself
        // go.
        // SAFETY: the caller's promise; and `run` is given what it takes.
        let errno = unsafe { (CREATE.function())(handle, attributes, run, start.cast()) };
        if errno == 0 && !detached {
            let made = Made {
                world: world(frame),
                thread,
                vanished: false,
            };
            // SAFETY: the call has written the handle there.
            table.insert(unsafe { *handle }, made);
        }
        errno
    });
    if errno != 0 {
        // SAFETY: made a moment ago, and no thread came to have it.
        drop(unsafe { Box::from_raw(start) });
        kernel.thread_not_made(thread);
    }
    Some(errno)
}

unsafe extern "C" {
    // The `libc` crate has it not.
    fn pthread_attr_getdetachstate(attributes: *const pthread_attr_t, state: *mut c_int) -> c_int;
}

/// # Safety
/// `attributes` is null or of `pthread_attr_init(3)`.
unsafe fn is_detached(attributes: *const pthread_attr_t) -> bool {
    let mut state = libc::PTHREAD_CREATE_JOINABLE;
    if !attributes.is_null() {
        // SAFETY: the caller's promise, and an integer for writing.
        unsafe { pthread_attr_getdetachstate(attributes, &mut state) };
    }
    state == libc::PTHREAD_CREATE_DETACHED
}

/// The whole of a world's thread. It has nothing to drop while the routine runs, which may leave by
/// unwinding.
///
/// # Safety
/// `start` is a [`Start`] of this thread's own; its routine may be called.
unsafe extern "C-unwind" fn run(start: *mut c_void) -> *mut c_void {
    // SAFETY: the caller's promise.
    unsafe {
        let (routine, argument) = begin(start.cast());
        routine(argument)
    }
}

/// # Safety
/// `start` is a [`Start`] of this thread's own.
unsafe fn begin(start: *mut Start) -> (Routine, *mut c_void) {
    // SAFETY: the caller's promise.
    let start = unsafe { Box::from_raw(start) };
    let last = Box::into_raw(Box::new(Last {
        entered: enter(start.kernel),
        thread: start.thread,
        rounds: 0,
    }));
    set_last(last);
    ask(|frame| frame.kernel().thread_began(start.thread));
    (start.routine, start.argument)
}

/// The destructor of the [`last_key`]'s value.
///
/// # Safety
/// `last` is a [`Last`] of this thread's own.
unsafe extern "C" fn end(last: *mut c_void) {
    let last = last.cast::<Last>();
    // SAFETY: the caller's promise.
    let rounds = unsafe {
        (*last).rounds += 1;
        (*last).rounds
    };
    // Others' destructors run in the same round after this, or set values that have a destructor.
    if rounds < LAST_ROUND {
        set_last(last);
        return;
    }
    // SAFETY: the caller's promise, and nobody has it after the last round.
    let Last {
        entered, thread, ..
    } = *unsafe { Box::from_raw(last) };
    let kernel = entered.kernel();
    drop(entered);
    // From a world that the thread entered itself and never left.
    let _outside = suspend();
    kernel.thread_ended(thread);
}

/// `PTHREAD_DESTRUCTOR_ITERATIONS`: how often libc looks for values that have a destructor.
const LAST_ROUND: c_int = 4;

/// The key whose destructor ends a thread; `None` if there is no key to be had.
fn last_key() -> Option<pthread_key_t> {
    static KEY: OnceLock<Option<pthread_key_t>> = OnceLock::new();
    *KEY.get_or_init(|| {
        let mut key = 0;
        // SAFETY: a key for writing; what it has for a value is of `set_last`.
        let errno = unsafe { libc::pthread_key_create(&mut key, Some(end)) };
        (errno == 0).then_some(key)
    })
}

fn set_last(last: *mut Last) {
    let key = last_key().expect("there was a key when the thread was made");
    // SAFETY: the key is never deleted, and its destructor is for values such as this.
    let errno = unsafe { libc::pthread_setspecific(key, last.cast()) };
    // libc wants memory for it once a program has had dozens of keys.
    assert_eq!(errno, 0, "no memory for a thread's last word");
}

// ---- Joining.

/// A thread that somebody may join or detach.
#[derive(Clone, Copy)]
struct Made {
    /// Which world, by its kernel's address.
    world: usize,
    thread: ThreadId,
    /// Whether it has ended without libc's knowledge.
    vanished: bool,
}

impl Made {
    fn is_of(&self, frame: &Frame) -> bool {
        self.world == world(frame)
    }
}

/// The threads of all worlds, and all that vanished, by their handles. A handle is no other thread's
/// until the thread has been joined or detached, and then it is no longer here.
fn with_table<R>(f: impl FnOnce(&mut BTreeMap<pthread_t, Made>) -> R) -> R {
    static TABLE: Mutex<BTreeMap<pthread_t, Made>> = Mutex::new(BTreeMap::new());
    // Its lock is every world's, and no world's business.
    let _outside = suspend();
    f(&mut TABLE.lock().unwrap_or_else(PoisonError::into_inner))
}

fn world(frame: &Frame) -> usize {
    Arc::as_ptr(frame.kernel()).addr()
}

/// Joins in the world first, and then what is left of the thread; outside by `real` alone.
///
/// # Safety
/// As of `pthread_join(3)`.
unsafe fn join(
    handle: pthread_t,
    value: *mut *mut c_void,
    deadline: Option<(ClockId, Duration)>,
    real: impl FnOnce() -> c_int,
) -> c_int {
    let made = with_table(|table| table.get(&handle).copied());
    // SAFETY: names the calling thread. To join oneself is for libc to refuse.
    let made = made.filter(|_| handle != unsafe { libc::pthread_self() });
    let in_world = made.and_then(|made| {
        let joined = ask(|frame| {
            let ours = made.is_of(frame);
            ours.then(|| frame.kernel().thread_join(made.thread, deadline))?
        });
        joined.flatten()
    });
    match (in_world, made) {
        (Some(ThreadJoin::TimedOut), _) => libc::ETIMEDOUT,
        (Some(ThreadJoin::Ended), _) => {
            // First, for the handle may be another's as soon as it is joined.
            with_table(|table| table.remove(&handle));
            // SAFETY: the caller's promise.
            unsafe { (JOIN.function())(handle, value) }
        }
        // It will never end, and libc might think that it has.
        (None, Some(Made { vanished: true, .. })) => libc::ESRCH,
        (None, Some(made)) => {
            with_table(|table| table.remove(&handle));
            let errno = real();
            if errno != 0 {
                with_table(|table| table.insert(handle, made));
            }
            errno
        }
        (None, None) => real(),
    }
}

// ---- libc's own.

type Create =
    unsafe extern "C" fn(*mut pthread_t, *const pthread_attr_t, Routine, *mut c_void) -> c_int;
type Join = unsafe extern "C-unwind" fn(pthread_t, *mut *mut c_void) -> c_int;
type TimedJoin = unsafe extern "C-unwind" fn(pthread_t, *mut *mut c_void, *const timespec) -> c_int;
type Detach = unsafe extern "C" fn(pthread_t) -> c_int;

static CREATE: Libc<Create> = Libc::new(c"pthread_create", first_create as *mut c_void);
static JOIN: Libc<Join> = Libc::new(c"pthread_join", first_join as *mut c_void);
static TRYJOIN: Libc<Join> = Libc::new(c"pthread_tryjoin_np", first_tryjoin as *mut c_void);
static TIMEDJOIN: Libc<TimedJoin> =
    Libc::new(c"pthread_timedjoin_np", first_timedjoin as *mut c_void);
static DETACH: Libc<Detach> = Libc::new(c"pthread_detach", first_detach as *mut c_void);

pub(super) fn resolve() {
    CREATE.resolve();
    JOIN.resolve();
    TRYJOIN.resolve();
    TIMEDJOIN.resolve();
    DETACH.resolve();
}

/// What a program that has this object has of it.
pub(super) fn anchor() -> *const c_void {
    pthread_create as *const c_void
}

// Until they are resolved, these look for libc's own at once: there are no threads without it.

unsafe extern "C" fn first_create(
    handle: *mut pthread_t,
    attributes: *const pthread_attr_t,
    routine: Routine,
    argument: *mut c_void,
) -> c_int {
    if !CREATE.resolve() {
        return libc::EAGAIN;
    }
    // SAFETY: the same arguments under the same contract.
    unsafe { (CREATE.function())(handle, attributes, routine, argument) }
}

unsafe extern "C-unwind" fn first_join(handle: pthread_t, value: *mut *mut c_void) -> c_int {
    if !JOIN.resolve() {
        return libc::ESRCH;
    }
    // SAFETY: the same arguments under the same contract.
    unsafe { (JOIN.function())(handle, value) }
}

unsafe extern "C-unwind" fn first_tryjoin(handle: pthread_t, value: *mut *mut c_void) -> c_int {
    if !TRYJOIN.resolve() {
        return libc::ESRCH;
    }
    // SAFETY: the same arguments under the same contract.
    unsafe { (TRYJOIN.function())(handle, value) }
}

unsafe extern "C-unwind" fn first_timedjoin(
    handle: pthread_t,
    value: *mut *mut c_void,
    until: *const timespec,
) -> c_int {
    if !TIMEDJOIN.resolve() {
        return libc::ESRCH;
    }
    // SAFETY: the same arguments under the same contract.
    unsafe { (TIMEDJOIN.function())(handle, value, until) }
}

unsafe extern "C" fn first_detach(handle: pthread_t) -> c_int {
    if !DETACH.resolve() {
        return libc::ESRCH;
    }
    // SAFETY: the same argument under the same contract.
    unsafe { (DETACH.function())(handle) }
}
