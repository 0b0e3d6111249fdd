//! Synchronisation between tasks, with tokio's names, signatures and errors.
//!
//! The primitives are tokio's own, in production and in a simulated world alike, so that what they
//! promise is the same. In a world they take part in its cooperative budget, wake their waiters in
//! an order that follows from the seed, and are known to the table of who waits on what when a run
//! is stuck: where each was made, and by whom it is held.
//!
//! A service moves here by an import swap, but for this: owned guards of locks ask for `'static`
//! values that are `Send`, allocate, and are neither mapped nor downgraded. What blocks a thread
//! (`blocking_lock` and its like) is for blocking jobs and threads of one's own, as in tokio.
//!
//! ```
//! use event_loop::sync::{mpsc, oneshot};
//!
//! enum Command {
//!     Get { reply: oneshot::Sender<u32> },
//!     Add(u32),
//! }
//!
//! # let ev = event_loop::production::current_thread(Default::default()).unwrap();
//! # ev.run_until_complete(async {
//! let (commands, mut inbox) = mpsc::channel(16);
//! let counter = event_loop::spawn(async move {
//!     let mut sum = 0;
//!     while let Some(command) = inbox.recv().await {
//!         match command {
//!             Command::Add(n) => sum += n,
//!             Command::Get { reply } => drop(reply.send(sum)),
//!         }
//!     }
//! });
//! commands.send(Command::Add(41)).await.ok();
//! commands.send(Command::Add(1)).await.ok();
//! let (reply, answer) = oneshot::channel();
//! commands.send(Command::Get { reply }).await.ok();
//! assert_eq!(answer.await, Ok(42));
//! drop(commands);
//! counter.await.unwrap();
//! # }).unwrap();
//! ```

/// A guard prints what it guards.
macro_rules! shown_as_its_value {
    ($guard:ty) => {
        impl<T: ?Sized + fmt::Debug> fmt::Debug for $guard {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                (**self).fmt(f)
            }
        }

        impl<T: ?Sized + fmt::Display> fmt::Display for $guard {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                (**self).fmt(f)
            }
        }
    };
}

mod barrier;
pub mod broadcast;
mod leaf;
pub mod mpsc;
mod mutex;
mod notify;
mod once_cell;
pub mod oneshot;
pub(crate) mod record;
mod rwlock;
mod semaphore;
mod set_once;
pub mod watch;

pub use barrier::{Barrier, BarrierWaitResult};
pub use mutex::{MappedMutexGuard, Mutex, MutexGuard, OwnedMutexGuard};
pub use notify::Notify;
pub use once_cell::OnceCell;
pub use rwlock::{
    OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock, RwLockMappedWriteGuard, RwLockReadGuard,
    RwLockWriteGuard,
};
pub use semaphore::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
pub use set_once::SetOnce;
pub use tokio::sync::{AcquireError, SetError, SetOnceError, TryAcquireError, TryLockError};

/// Named future types.
pub mod futures {
    pub use super::notify::{Notified, OwnedNotified};
}
