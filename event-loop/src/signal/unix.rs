//! Signals by tokio's names.

use std::io;

pub use super::SignalStream as Signal;
use crate::context::expect_current;

/// Which signal is meant, by tokio's names; [`event_loop::Signal`](crate::Signal) is the same by
/// those of the system.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SignalKind(i32);

/// A stream of the signals of this kind, of the current loop.
///
/// Unlike with tokio's, the default disposition comes back once the last stream is dropped, and
/// real-time signals are refused.
///
/// ```
/// use event_loop::{production, LoopConfig};
/// use event_loop::signal::unix::{SignalKind, signal};
///
/// let ev = production::current_thread(LoopConfig::default()).unwrap();
/// let resized = ev.run_borrowed(async { signal(SignalKind::window_change()) });
/// assert!(resized.unwrap().is_ok());
/// ```
///
/// # Errors
/// A [`SignalError`](crate::SignalError).
///
/// # Panics
/// If this thread has no current loop.
pub fn signal(kind: SignalKind) -> io::Result<Signal> {
    let signal = crate::Signal::from_raw(kind.0)?;
    Ok(expect_current().signal(signal)?)
}

macro_rules! kinds {
    ($($name:ident: $signal:ident,)+) => {
        impl SignalKind {
            $(
                #[doc = concat!("[`Signal::", stringify!($signal), "`](crate::Signal::", stringify!($signal), ").")]
                #[must_use]
                pub const fn $name() -> Self {
                    Self(crate::Signal::$signal.as_raw())
                }
            )+
        }
    };
}

kinds! {
    alarm: Alrm,
    child: Chld,
    hangup: Hup,
    interrupt: Int,
    io: Io,
    pipe: Pipe,
    quit: Quit,
    terminate: Term,
    user_defined1: Usr1,
    user_defined2: Usr2,
    window_change: Winch,
}

impl SignalKind {
    /// The signal of this number; what is none is refused by [`signal`].
    #[must_use]
    pub const fn from_raw(signum: i32) -> Self {
        Self(signum)
    }

    /// Its number.
    #[must_use]
    pub const fn as_raw_value(&self) -> i32 {
        self.0
    }
}

impl From<i32> for SignalKind {
    fn from(signum: i32) -> Self {
        Self::from_raw(signum)
    }
}

impl From<SignalKind> for i32 {
    fn from(kind: SignalKind) -> Self {
        kind.as_raw_value()
    }
}

impl From<crate::Signal> for SignalKind {
    fn from(signal: crate::Signal) -> Self {
        Self(signal.as_raw())
    }
}
