//! Where wakes wait that come while the core cannot be opened.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::ready::Ready;

/// Wakes from destructors that run while the core is open, and from threads whose turn it is not.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    any: AtomicBool,
    mail: Mutex<Mail>,
}

#[derive(Debug, Default)]
struct Mail {
    ready: Vec<Ready>,
    foreign: Option<String>,
}

impl Inbox {
    /// Whether there is anything; one load, for every turn of the driver.
    #[inline]
    pub(crate) fn has_any(&self) -> bool {
        self.any.load(Ordering::Relaxed)
    }

    pub(crate) fn put(&self, ready: Ready, foreign: bool) {
        if foreign {
            self.intrusion();
        }
        self.mail().ready.push(ready);
        self.any.store(true, Ordering::Release);
    }

    /// A thread outside the world has touched it.
    pub(crate) fn intrusion(&self) {
        let thread = std::thread::current();
        let name = thread.name().unwrap_or("<unnamed>").to_owned();
        self.mail().foreign.get_or_insert(name);
        self.any.store(true, Ordering::Release);
    }

    /// The first foreign thread, once.
    pub(crate) fn foreign_thread(&self) -> Option<String> {
        self.mail().foreign.take()
    }

    /// What has come in.
    pub(crate) fn take(&self) -> Option<Vec<Ready>> {
        self.any
            .swap(false, Ordering::Acquire)
            .then(|| std::mem::take(&mut self.mail().ready))
    }

    fn mail(&self) -> MutexGuard<'_, Mail> {
        self.mail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
