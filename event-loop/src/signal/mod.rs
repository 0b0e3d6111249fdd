//! Signals: streams of them, handlers, and tokio's names for both.
//!
//! A signal comes to a loop between two polls: as a callback of
//! [`EventLoop::add_signal_handler`](crate::EventLoop::add_signal_handler), or as an item of a
//! [`SignalStream`]. While nobody in the process listens, its
//! [default disposition](Signal::default_disposition) holds, also after somebody did. Two things
//! are not seen: what other code of the process, such as tokio's own `signal`, listens to beside
//! these, and that an `IO` whose last listener is gone is ignored where Linux would end the process.

mod error;
mod handler;
mod interrupt;
mod number;
#[cfg(unix)]
mod process;
#[cfg(not(unix))]
#[path = "no_process.rs"]
mod process;
mod stream;
pub mod unix;

use std::io;

pub use error::SignalError;
pub(crate) use handler::Handlers;
pub use handler::SignalHandler;
pub(crate) use interrupt::Interrupt;
pub use number::{Disposition, Signal};
pub(crate) use process::Ear;
pub use stream::SignalStream;

use crate::EventLoop;
use crate::context::expect_current;

/// Waits for the next Ctrl-C, or rather for the next INT that the process gets from here on.
///
/// # Errors
/// Those of [`EventLoop::signal`](crate::EventLoop::signal).
///
/// # Panics
/// If this thread has no current loop.
pub async fn ctrl_c() -> io::Result<()> {
    let mut interrupts = expect_current().signal(Signal::Int)?;
    interrupts.recv().await;
    Ok(())
}

/// The process sends itself a signal: in production the real one, in a world the host.
///
/// In a world a signal that ends the process does so when the poll under way returns.
///
/// # Errors
/// [`SignalError::Unsupported`] where there are no signals, and what the operating system says.
///
/// # Panics
/// If this thread has no current loop.
pub fn raise(signal: Signal) -> Result<(), SignalError> {
    raise_on(&expect_current(), signal)
}

/// Sends a signal to the process that a loop is in.
fn raise_on(ev: &EventLoop, signal: Signal) -> Result<(), SignalError> {
    match ev.backend() {
        None => process::raise(signal),
        Some(backend) => backend.signal_raise(signal),
    }
}
