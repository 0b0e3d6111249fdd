//! The real process where the system has no signals: nobody listens, and nobody can.

use std::convert::Infallible;
use std::task::{Context, Poll};

use super::{Signal, SignalError};

/// Listens to one signal of the process.
pub(crate) struct Ear(Infallible);

/// A signal that came and that nobody has heard.
pub(crate) struct Unheard(Infallible);

impl Ear {
    pub(crate) fn open(_: Signal) -> Result<Self, SignalError> {
        Err(unsupported())
    }

    pub(crate) fn how_many(_: Signal) -> usize {
        0
    }

    pub(super) async fn hears(&self) -> bool {
        match self.0 {}
    }

    pub(super) fn poll(&self, _: &mut Context<'_>) -> Poll<bool> {
        match self.0 {}
    }

    pub(super) fn close(&self) -> Option<Unheard> {
        match self.0 {}
    }
}

impl Unheard {
    pub(super) fn take_default(self) {
        match self.0 {}
    }
}

pub(super) fn raise(_: Signal) -> Result<(), SignalError> {
    Err(unsupported())
}

fn unsupported() -> SignalError {
    SignalError::Unsupported {
        host: "this system".into(),
    }
}
