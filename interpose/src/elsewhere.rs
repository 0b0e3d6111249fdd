//! Where no symbol is interposed: worlds can be entered, and no libc call asks them.

use std::sync::{Condvar, Mutex, PoisonError};

pub(crate) const SUPPORTED: bool = false;

pub(crate) const fn keep() {}

#[derive(Default)]
pub(crate) struct Place {
    word: Mutex<bool>,
    came: Condvar,
}

impl Place {
    pub(crate) const fn new() -> Self {
        Self {
            word: Mutex::new(false),
            came: Condvar::new(),
        }
    }

    pub(crate) fn park(&self) {
        let word = self.word.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.came.wait_while(word, |word| !*word);
        *waited.unwrap_or_else(PoisonError::into_inner) = false;
    }

    pub(crate) fn unpark(&self) {
        *self.word.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.came.notify_one();
    }
}

pub(crate) const fn vanishes() {}

pub(crate) fn exit() -> ! {
    loop {
        std::thread::park();
    }
}

pub(crate) enum Cpus {}

pub(crate) fn pin() -> Option<Cpus> {
    None
}

pub(crate) fn unpin(before: &Cpus) {
    match *before {}
}
