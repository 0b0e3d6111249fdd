//! The operating system's thread under a simulated one: parked and unparked past the gate, pinned to
//! one CPU, and ended without coming back.

use std::fmt;
use std::marker::PhantomData;

use crate::{gate, symbols};

/// A place where one thread waits in real time for another's word, whatever world both are in.
///
/// A word that comes before the thread waits is kept; two are as good as one. Nothing of it is seen
/// by a [`Kernel`](crate::Kernel).
///
/// ```
/// use interpose::Parking;
///
/// let place = Parking::new();
/// std::thread::scope(|scope| {
///     scope.spawn(|| place.unpark());
///     place.park();
/// });
/// ```
#[derive(Default)]
pub struct Parking {
    place: symbols::Place,
}

impl Parking {
    /// A place where nobody waits.
    pub const fn new() -> Self {
        Self {
            place: symbols::Place::new(),
        }
    }

    /// Waits until somebody has said [`unpark`](Self::unpark), and uses that word up.
    #[inline]
    pub fn park(&self) {
        self.place.park();
    }

    /// Lets the thread that waits here go on, or the next that comes.
    #[inline]
    pub fn unpark(&self) {
        self.place.unpark();
    }
}

impl fmt::Debug for Parking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parking").finish_non_exhaustive()
    }
}

/// Ends the calling thread where it stands: nothing unwinds, no destructor runs.
///
/// Its stack and its thread-locals stay as they are for good, because others may hold references
/// into them; that is some 10 KiB of memory. Its worlds are left, so what they alone kept is
/// dropped, on this thread. Nobody must wait for its end: to libc it goes on for ever.
///
/// Where the platform is not [`SUPPORTED`](crate::SUPPORTED) the thread is parked for good.
pub fn vanish() -> ! {
    symbols::vanishes();
    gate::leave_all();
    symbols::exit()
}

/// Binds the calling thread to the CPU it runs on for as long as the guard lives, and with it the
/// threads it makes meanwhile, which stay bound. Threads that take turns hand over faster on one.
///
/// Where the operating system does not allow that, and where the platform is not
/// [`SUPPORTED`](crate::SUPPORTED), it does nothing.
pub fn pin_to_current_cpu() -> Pinned {
    Pinned {
        before: symbols::pin(),
        _not_send: PhantomData,
    }
}

/// Keeps the calling thread on one CPU; made by [`pin_to_current_cpu`].
#[must_use = "the thread is bound to its CPU only while the guard lives"]
pub struct Pinned {
    /// The CPUs it might run on before; absent if nothing was changed.
    before: Option<symbols::Cpus>,
    // What it undoes is of the thread that made it.
    _not_send: PhantomData<*const ()>,
}

impl Pinned {
    /// Whether the thread is bound.
    pub fn is_pinned(&self) -> bool {
        self.before.is_some()
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            symbols::unpin(before);
        }
    }
}

impl fmt::Debug for Pinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pinned")
            .field("is_pinned", &self.is_pinned())
            .finish()
    }
}
