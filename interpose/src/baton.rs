//! A cell shared by threads that take turns: only the thread that holds the baton can open it.
//!
//! A world is reached by several threads, but never by two at once. A mutex would pay for a race
//! that cannot happen and would hide the one that should be reported; a `RefCell` is tied to one
//! thread. The baton is both checks in one word: the holder's token, with a bit for "open".

use std::cell::{Cell, UnsafeCell};
use std::fmt;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};

/// A value that one thread at a time can open, and that the thread itself hands to the next.
///
/// Every access is checked: a thread that does not hold the baton is refused, and so is the holder
/// when it has the cell open already.
///
/// ```
/// use interpose::{Baton, ThreadToken};
///
/// let world = Baton::new(vec![1]);
/// std::thread::scope(|scope| {
///     let (report, token) = std::sync::mpsc::channel();
///     let world = &world;
///     let main = ThreadToken::current();
///     scope.spawn(move || {
///         report.send(ThreadToken::current()).unwrap();
///         while !world.is_held() {
///             std::thread::yield_now();
///         }
///         world.with(|list| list.push(2));
///         world.pass_to(main).unwrap();
///     });
///     world.pass_to(token.recv().unwrap()).unwrap();
///     while !world.is_held() {
///         std::thread::yield_now();
///     }
/// });
/// assert_eq!(world.into_inner(), [1, 2]);
/// ```
pub struct Baton<T> {
    /// The holder's token, with `OPEN` added while the holder is inside; `FREE` if nobody holds it.
    turn: AtomicU64,
    value: UnsafeCell<T>,
}

// SAFETY: the value is only ever reached through `&mut` by the thread whose token is in `turn`, and
// a turn passes from thread to thread by a release store and an acquire load, through `FREE` by an
// exchange that one thread wins. So sharing the cell moves the value between threads but never
// shares it: `T: Send` is what that needs.
unsafe impl<T: Send> Sync for Baton<T> {}

/// Names one thread for as long as the process lives; no two threads ever have the same one.
///
/// ```
/// use interpose::ThreadToken;
///
/// let here = ThreadToken::current();
/// assert_eq!(here, ThreadToken::current());
/// assert_ne!(Ok(here), std::thread::spawn(ThreadToken::current).join().map_err(drop));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ThreadToken(NonZeroU64);

/// Why a baton did not open or could not be passed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BatonError {
    /// The calling thread does not hold the baton.
    NotHeld,
    /// The calling thread holds the baton and is inside the cell already.
    Reentered,
}

const OPEN: u64 = 1 << 63;
/// Where a token would be, while no thread holds the baton; above every token.
const FREE: u64 = 1 << 62;

impl<T> Baton<T> {
    /// A cell with `value` in it, held by the calling thread.
    pub fn new(value: T) -> Self {
        Self {
            turn: AtomicU64::new(ThreadToken::current().0.get()),
            value: UnsafeCell::new(value),
        }
    }

    /// Opens the cell for `f`.
    ///
    /// # Panics
    /// If the calling thread does not hold the baton, or is inside the cell already. A panic of `f`
    /// goes on to the caller and leaves the cell closed and usable.
    #[inline]
    #[track_caller]
    pub fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        match self.open() {
            Some(mut open) => f(open.value()),
            None => refuse(self.refusal()),
        }
    }

    /// Opens the cell for `f`, or says why it cannot.
    ///
    /// # Errors
    /// [`BatonError::NotHeld`] if another thread holds the baton, [`BatonError::Reentered`] if the
    /// calling thread is inside the cell already.
    #[inline]
    pub fn try_with<R>(&self, f: impl FnOnce(&mut T) -> R) -> Result<R, BatonError> {
        match self.open() {
            Some(mut open) => Ok(f(open.value())),
            None => Err(self.refusal()),
        }
    }

    /// Hands the baton to `thread`. Everything done to the value so far is visible there as soon as
    /// [`is_held`](Self::is_held) says true; waking that thread is the caller's business.
    ///
    /// # Errors
    /// [`BatonError::NotHeld`] if the calling thread does not hold it, [`BatonError::Reentered`] if
    /// the calling thread is inside the cell.
    pub fn pass_to(&self, thread: ThreadToken) -> Result<(), BatonError> {
        self.hand_on(thread.0.get())
    }

    /// Lays the baton down: whichever thread comes first may [`claim`](Self::claim) it. Until then
    /// every thread may open the cell, one at a time, for the length of that access.
    ///
    /// ```
    /// use interpose::Baton;
    ///
    /// let list = Baton::new(vec![1]);
    /// list.release().unwrap();
    /// std::thread::scope(|scope| {
    ///     scope.spawn(|| {
    ///         list.with(|list| list.push(2));
    ///         assert_eq!(list.claim(), Ok(true));
    ///     });
    /// });
    /// assert!(list.try_with(|list| list.len()).is_err(), "the other thread has kept it");
    /// ```
    ///
    /// # Errors
    /// As [`pass_to`](Self::pass_to).
    pub fn release(&self) -> Result<(), BatonError> {
        self.hand_on(FREE)
    }

    /// Takes the baton if nobody holds it; whether the calling thread did not hold it before.
    ///
    /// # Errors
    /// [`BatonError::NotHeld`] if another thread holds it, or is inside the cell.
    pub fn claim(&self) -> Result<bool, BatonError> {
        if self.is_held() {
            return Ok(false);
        }
        if self.take_free(ThreadToken::current().0.get()) {
            Ok(true)
        } else {
            Err(BatonError::NotHeld)
        }
    }

    /// Whether the calling thread holds the baton, be the cell open or not.
    #[inline]
    pub fn is_held(&self) -> bool {
        self.turn.load(Ordering::Acquire) & !OPEN == assigned_token()
    }

    /// The value, taken out by whoever owns the cell alone.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }

    /// The value, for whoever has the cell to itself.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    #[inline]
    fn open(&self) -> Option<Open<'_, T>> {
        let here = assigned_token();
        // A thread without a token yet reads 0 here, which no baton ever says.
        if self.turn.load(Ordering::Acquire) != here {
            return self.open_free();
        }
        // Relaxed is enough: to every other thread the word says "not yours" before and after.
        self.turn.store(here | OPEN, Ordering::Relaxed);
        Some(Open {
            baton: self,
            after: here,
        })
    }

    /// Opens the cell of a baton that nobody holds, and that nobody will hold afterwards.
    #[cold]
    fn open_free(&self) -> Option<Open<'_, T>> {
        let here = ThreadToken::current().0.get();
        // Made only if it is open: its drop would give away what another thread holds.
        self.take_free(here | OPEN).then(|| Open {
            baton: self,
            after: FREE,
        })
    }

    fn take_free(&self, turn: u64) -> bool {
        let taken = self
            .turn
            .compare_exchange(FREE, turn, Ordering::Acquire, Ordering::Relaxed);
        taken.is_ok()
    }

    fn hand_on(&self, to: u64) -> Result<(), BatonError> {
        if self.turn.load(Ordering::Acquire) != assigned_token() {
            return Err(self.refusal());
        }
        self.turn.store(to, Ordering::Release);
        Ok(())
    }

    #[cold]
    fn refusal(&self) -> BatonError {
        if self.is_held() {
            BatonError::Reentered
        } else {
            BatonError::NotHeld
        }
    }
}

impl<T> fmt::Debug for Baton<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let turn = self.turn.load(Ordering::Relaxed);
        f.debug_struct("Baton")
            .field("holder", &(turn & !OPEN))
            .field("open", &(turn & OPEN != 0))
            .finish_non_exhaustive()
    }
}

impl ThreadToken {
    /// The calling thread's token.
    #[inline]
    pub fn current() -> Self {
        NonZeroU64::new(assigned_token()).map_or_else(assign_token, Self)
    }
}

impl fmt::Display for ThreadToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "thread {}", self.0)
    }
}

impl fmt::Display for BatonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotHeld => {
                "this thread does not hold the baton: only the thread whose turn it is may touch \
                 the world"
            }
            Self::Reentered => {
                "the baton's cell is open already: finish the first access before the next begins"
            }
        })
    }
}

impl std::error::Error for BatonError {}

/// Proof that the cell is open on this thread; closes it when dropped, also by a panic.
struct Open<'a, T> {
    baton: &'a Baton<T>,
    /// Whose turn it is afterwards: still this thread's, or nobody's.
    after: u64,
}

impl<T> Open<'_, T> {
    #[inline]
    fn value(&mut self) -> &mut T {
        // SAFETY: an `Open` exists only between the store of `here | OPEN`, or the exchange that set
        // it, and its drop. Meanwhile `open` refuses this thread (the bit) and every other (the
        // token, which is unique, is theirs as little as `FREE`), and `hand_on` refuses to change
        // the word. So this is the only reference, for as long as this
        // `Open` is borrowed, and `baton` keeps the cell alive.
        unsafe { &mut *self.baton.value.get() }
    }
}

impl<T> Drop for Open<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // For whoever takes a free baton next; to the holder any order would do.
        self.baton.turn.store(self.after, Ordering::Release);
    }
}

thread_local! {
    // Const and without a destructor: no lazy initialisation on the hot path, and still readable
    // while the thread's other thread-locals are being dropped.
    static TOKEN: Cell<u64> = const { Cell::new(0) };
}

/// The calling thread's token, 0 if it has never asked for one.
#[inline]
fn assigned_token() -> u64 {
    TOKEN.get()
}

#[cold]
fn assign_token() -> ThreadToken {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let token = NEXT.fetch_add(1, Ordering::Relaxed);
    // One a nanosecond would take 292 years to get here; past it, tokens would not be unique.
    assert!(token < FREE, "thread tokens are used up");
    TOKEN.set(token);
    ThreadToken(NonZeroU64::new(token).expect("tokens are counted from 1"))
}

#[cold]
#[track_caller]
fn refuse(error: BatonError) -> ! {
    panic!("{error}")
}
