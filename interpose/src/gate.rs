//! The gate of a thread: whether its libc calls go to the operating system or to a simulated kernel.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::Arc;
use std::{mem, ptr};

use crate::kernel::Kernel;
use crate::symbols;

/// Sends the calling thread's libc calls to `kernel` for as long as the guard lives.
///
/// Worlds nest: the inner one answers until its guard is dropped, then the outer one again. Guards
/// dropped out of order do no harm: a world whose guard is gone never answers again.
///
/// ```
/// use std::sync::Arc;
/// use std::time::{Duration, SystemTime};
///
/// struct Frozen;
/// impl interpose::Kernel for Frozen {
///     fn now(&self, _: interpose::ClockId) -> Duration {
///         Duration::from_secs(42)
///     }
///     fn fill_random(&self, buf: &mut [u8]) {
///         buf.fill(7);
///     }
/// }
///
/// let world = interpose::enter(Arc::new(Frozen));
/// if interpose::SUPPORTED {
///     assert_eq!(SystemTime::now(), SystemTime::UNIX_EPOCH + Duration::from_secs(42));
/// }
/// drop(world);
/// assert!(SystemTime::now() > SystemTime::UNIX_EPOCH + Duration::from_secs(42));
/// ```
#[must_use = "the thread leaves the world when the guard is dropped"]
pub fn enter(kernel: Arc<dyn Kernel>) -> Entered {
    symbols::keep();
    let frame = Rc::new(Frame {
        kernel,
        outer: INNERMOST.get(),
        closed: Cell::new(0),
        left: Cell::new(false),
        in_vain: RefCell::default(),
    });
    // The thread's stack of worlds owns a reference of its own, given back by `leave`.
    INNERMOST.set(Rc::into_raw(Rc::clone(&frame)));
    open_or_close();
    Entered { frame }
}

/// Lets the calling thread's libc calls through to the operating system while the guard lives, for
/// what the simulator itself does inside a world. Outside a world it does nothing.
///
/// Only the world the thread is in now is suspended: one entered under the guard answers as usual.
#[must_use = "the world answers again when the guard is dropped"]
pub fn suspend() -> Suspended {
    let innermost = INNERMOST.get();
    Suspended {
        // SAFETY: `INNERMOST` is null or has a reference of its own (see `enter`), and nothing in
        // this expression gives it back.
        frame: (!innermost.is_null()).then(|| unsafe { Closed::new(innermost) }),
        _not_send: PhantomData,
    }
}

/// Whether a simulated kernel answers the calling thread's libc calls at this moment: the thread
/// has entered a world and is neither suspended nor inside a method of its [`Kernel`].
///
/// Where the platform is not [`SUPPORTED`](crate::SUPPORTED) this says the same, though no call
/// ever asks.
#[inline]
pub fn in_world() -> bool {
    !OPEN.get().is_null()
}

/// Keeps the calling thread inside a world; made by [`enter`].
#[derive(Debug)]
#[must_use = "the thread leaves the world when the guard is dropped"]
pub struct Entered {
    frame: Rc<Frame>,
}

/// Keeps the calling thread's libc calls with the operating system; made by [`suspend`].
#[derive(Debug)]
#[must_use = "the world answers again when the guard is dropped"]
pub struct Suspended {
    // Never read: what it does, it does when dropped.
    #[expect(dead_code, reason = "held for its destructor")]
    frame: Option<Closed>,
    // Also when there is no world: the guard belongs to the thread that asked for it.
    _not_send: PhantomData<Rc<()>>,
}

#[allow(dead_code, reason = "on other platforms no thread begins in a world")]
impl Entered {
    pub(crate) fn kernel(&self) -> Arc<dyn Kernel> {
        Arc::clone(&self.frame.kernel)
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.frame.left.set(true);
        // Those who left before it was their turn go together with the one above them.
        loop {
            let innermost = INNERMOST.get();
            // SAFETY: null or owned by the stack (see `enter`), which still holds its reference.
            if !unsafe { innermost.as_ref() }.is_some_and(|frame| frame.left.get()) {
                break;
            }
            // SAFETY: the stack's own reference, made by `Rc::into_raw` in `enter`. Nothing else
            // gives it back, for the next line takes the frame off the stack.
            let frame = unsafe { Rc::from_raw(innermost) };
            INNERMOST.set(frame.outer);
            open_or_close();
            // Only now may the kernel be dropped: its destructor finds the gate in order.
            drop(frame);
        }
    }
}

/// Asks the world the calling thread is in, or returns `None` where the operating system answers. A
/// panic of the question's ends the process.
#[allow(dead_code, reason = "on other platforms no symbol is there to ask")]
#[inline]
pub(crate) fn ask<R>(question: impl FnOnce(&Frame) -> R) -> Option<R> {
    let frame = OPEN.get();
    if frame.is_null() {
        return None;
    }
    // SAFETY: `OPEN` is null or equal to `INNERMOST`, which has a reference of its own.
    let closed = unsafe { Closed::new(frame) };
    let no_way_out = NoWayOut;
    let answer = question(&closed.0);
    mem::forget(no_way_out);
    Some(answer)
}

/// Ends the process when a panic comes this way. What the panic said has been printed.
struct NoWayOut;

impl Drop for NoWayOut {
    fn drop(&mut self) {
        std::process::abort();
    }
}

/// Leaves every world of a thread that never comes back to one of its guards.
pub(crate) fn leave_all() {
    let mut innermost = INNERMOST.replace(ptr::null());
    open_or_close();
    // SAFETY: null or owned by the stack of worlds (see `enter`), whose references are not given back
    // here: guards on the thread's stack may have more, and are never dropped.
    while let Some(frame) = unsafe { innermost.as_ref() } {
        innermost = frame.outer;
        // SAFETY: nobody reads the frame again, for only this thread could, and it never returns to
        // a guard. So the kernel is moved out of it.
        drop(unsafe { ptr::read(&frame.kernel) });
        drop(frame.in_vain.take());
    }
}

/// One world on a thread's stack of worlds.
pub(crate) struct Frame {
    kernel: Arc<dyn Kernel>,
    /// The world this one was entered from, owned by the stack; null at the bottom.
    outer: *const Frame,
    /// How many guards keep the gate closed.
    closed: Cell<u32>,
    /// Whether its `Entered` is gone, and the frame only waits for those above it.
    left: Cell<bool>,
    /// Words that the thread has waited for in real time, and nobody came.
    in_vain: RefCell<Vec<usize>>,
}

#[allow(dead_code, reason = "on other platforms no symbol is there to ask")]
impl Frame {
    #[inline]
    pub(crate) fn kernel(&self) -> &Arc<dyn Kernel> {
        &self.kernel
    }

    /// Whether a thread outside of the world may be the one that wakes who waits there.
    pub(crate) fn waits_for_others(&self, word: usize) -> bool {
        !self.in_vain.borrow().contains(&word)
    }

    pub(crate) fn waited_in_vain(&self, word: usize) {
        self.in_vain.borrow_mut().push(word);
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame")
            .field("closed", &self.closed)
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}

/// Keeps one world's gate closed. It owns the frame too, so that a kernel is not freed under its
/// own method, whatever guards that method drops.
#[derive(Debug)]
struct Closed(Rc<Frame>);

impl Closed {
    /// # Safety
    /// `frame` must come from `Rc::into_raw` on this thread, with at least one reference alive.
    #[inline]
    unsafe fn new(frame: *const Frame) -> Self {
        // SAFETY: the caller's promise; the count goes up before the `Rc` that will take it down.
        let frame = unsafe {
            Rc::increment_strong_count(frame);
            Rc::from_raw(frame)
        };
        frame.closed.set(frame.closed.get() + 1);
        open_or_close();
        Self(frame)
    }
}

impl Drop for Closed {
    #[inline]
    fn drop(&mut self) {
        self.0.closed.set(self.0.closed.get() - 1);
        open_or_close();
    }
}

thread_local! {
    // Plain pointers, const and without destructors: readable from the first instruction of a
    // thread to its last, and in a signal handler.
    /// The top of the thread's stack of worlds, which owns a reference to each; null outside.
    static INNERMOST: Cell<*const Frame> = const { Cell::new(ptr::null()) };
    /// What a libc call looks at: `INNERMOST` while its gate is open, else null.
    static OPEN: Cell<*const Frame> = const { Cell::new(ptr::null()) };
}

#[inline]
fn open_or_close() {
    let innermost = INNERMOST.get();
    // SAFETY: null or owned by the stack of worlds (see `enter`).
    let open = unsafe { innermost.as_ref() }.is_some_and(|frame| frame.closed.get() == 0);
    OPEN.set(if open { innermost } else { ptr::null() });
}
