//! What a clause looks at: who did what in which order, which values were dropped, and sentences
//! without their call sites.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// What happened, in order; shared by everybody in a clause.
pub(crate) struct Log<T>(Arc<Mutex<Vec<T>>>);

impl<T> Log<T> {
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    pub(crate) fn note(&self, entry: T) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(entry);
    }

    /// What was noted since the last time.
    pub(crate) fn take(&self) -> Vec<T> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A callback that notes `entry`.
    pub(crate) fn noting(&self, entry: T) -> impl FnOnce() + Send + 'static
    where
        T: Send + 'static,
    {
        let log = self.clone();
        move || log.note(entry)
    }
}

impl<T> Clone for Log<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// Runs a function when it is dropped.
pub(crate) struct OnDrop<F: FnOnce()>(Option<F>);

impl<F: FnOnce()> OnDrop<F> {
    pub(crate) fn new(f: F) -> Self {
        Self(Some(f))
    }
}

impl<F: FnOnce()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        if let Some(f) = self.0.take() {
            f();
        }
    }
}

/// The text of an error with `[site]` in place of every `file:line:column` of this suite.
pub(crate) fn sentence(error: impl fmt::Display) -> String {
    let text = error.to_string();
    let words = text.split(' ').map(|word| {
        let Some(at) = word.find("tests/") else {
            return word.to_owned();
        };
        let site = word[at..].trim_end_matches([')', ',', ':', ';', '.', '\n']);
        word.replace(site, "[site]")
    });
    words.collect::<Vec<_>>().join(" ")
}
