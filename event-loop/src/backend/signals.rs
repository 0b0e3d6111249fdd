//! How a world's hosts get signals.

use std::sync::Arc;
use std::task::{Poll, Waker};

pub use crate::signal::SignalHandler;
use crate::signal::{Signal, SignalError};

/// Who listens to signals, on behalf of a loop. That a signal can be caught at all is seen to.
pub trait Signals {
    /// From here on the signal goes to `listener`, and the default disposition is off.
    fn signal_listen(&self, signal: Signal, listener: Listener) -> Result<SignalKey, SignalError>;
    /// Takes what has come for a stream since it was last asked; `None` once nothing more can.
    /// While there is nothing, `waker` is woken once there is.
    fn signal_poll(&self, key: SignalKey, waker: &Waker) -> Poll<Option<()>>;
    /// Who listened does no more. What has come for a stream and was not taken takes the default
    /// disposition if nobody else listens.
    fn signal_close(&self, key: SignalKey);
    /// How many listen to a signal in this process.
    fn signal_listeners(&self, signal: Signal) -> usize;
    /// The process sends itself a signal.
    fn signal_raise(&self, signal: Signal) -> Result<(), SignalError>;
}

/// Who listens.
#[derive(Clone, Debug)]
pub enum Listener {
    /// A stream, which is polled.
    Stream,
    /// A callback, scheduled anew for each signal that is not made one with the last.
    Handler(Arc<SignalHandler>),
}

/// Somebody who listens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SignalKey(pub u64);
