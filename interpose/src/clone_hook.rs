//! A waker that wakes nobody and tells when a copy of it is kept: who polls with it learns where a
//! future waits.

use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::task::{RawWaker, RawWakerVTable, Waker};

/// A waker that wakes nobody, and calls `on_clone` whenever it is cloned, on the thread and within
/// the frames that clone it: a future that waits keeps a clone of its waker.
///
/// It is no waker that a future knows already, so [`Waker::will_wake`] does not keep a future from
/// cloning it.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU32, Ordering};
///
/// let clones = Arc::new(AtomicU32::new(0));
/// let counted = clones.clone();
/// let waker = interpose::clone_hook(move || {
///     counted.fetch_add(1, Ordering::Relaxed);
/// });
/// let kept = waker.clone();
/// kept.wake();
/// assert_eq!(clones.load(Ordering::Relaxed), 1);
/// ```
pub fn clone_hook(on_clone: impl Fn() + Send + Sync + 'static) -> Waker {
    let hook = Arc::new(Hook {
        on_clone: Box::new(on_clone),
    });
    // SAFETY: the pointer is an `Arc<Hook>`'s with a reference of its own, as every function of the
    // table takes it to be; and `Hook` is `Send` and `Sync`, as a waker has to be.
    unsafe { Waker::from_raw(raw(Arc::into_raw(hook))) }
}

struct Hook {
    on_clone: Box<dyn Fn() + Send + Sync>,
}

/// A waker that owns one reference of the hook behind `hook`.
fn raw(hook: *const Hook) -> RawWaker {
    static TABLE: RawWakerVTable = RawWakerVTable::new(clone, release, ignore, release);
    RawWaker::new(hook.cast(), &TABLE)
}

/// # Safety
/// `hook` is of [`raw`], and its waker lives.
unsafe fn clone(hook: *const ()) -> RawWaker {
    // SAFETY: the waker that is cloned owns a reference. It keeps it: what is made of the pointer
    // here is not dropped, not even by a panic of the hook's.
    let known = ManuallyDrop::new(unsafe { Arc::from_raw(hook.cast::<Hook>()) });
    (known.on_clone)();
    raw(Arc::into_raw(Arc::clone(&known)))
}

/// A wake wakes nobody: it gives its reference back, as a drop does.
///
/// # Safety
/// `hook` is of [`raw`], and its waker is used up by this.
unsafe fn release(hook: *const ()) {
    // SAFETY: the waker that ends owned a reference, and hands it over here.
    drop(unsafe { Arc::from_raw(hook.cast::<Hook>()) });
}

/// # Safety
/// None is needed: it looks at nothing.
unsafe fn ignore(_: *const ()) {}
