//! A stream of signals.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use futures_core::Stream;

use super::{Ear, Signal, SignalError};
use crate::backend::{BackendLoop, Listener, SignalKey};
use crate::handle::Inner;
use crate::{EventLoop, coop};

/// The signals of one kind that the process gets, made by [`EventLoop::signal`].
///
/// Each stream gets every signal. While one lives, the default disposition of its signal is off;
/// once the last is dropped, a signal takes the default again, and so does one that had come and
/// that the last stream was not asked for: it is not lost. Where the loop is shutting down or has
/// shut down, a signal to end that had come is spent: it asked for what is being done.
#[must_use = "streams do nothing unless polled"]
pub struct SignalStream {
    signal: Signal,
    repr: Repr,
}

enum Repr {
    Production { ev: EventLoop, ear: Ear },
    World { ev: BackendLoop, key: SignalKey },
}

impl EventLoop {
    /// A stream of the signals of one kind that the process gets from here on.
    ///
    /// Signals that come before the stream is asked again may be one item, as with tokio's.
    ///
    /// ```no_run
    /// use event_loop::{Signal, current};
    ///
    /// # async fn serve() -> Result<(), event_loop::SignalError> {
    /// let mut terms = current().expect("it is called in a task").signal(Signal::Term)?;
    /// terms.recv().await;
    /// println!("asked to end");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`SignalError`].
    pub fn signal(&self, signal: Signal) -> Result<SignalStream, SignalError> {
        signal.expect_catchable()?;
        if self.is_closed() {
            return Err(SignalError::Closed);
        }
        let repr = match &self.shared.inner {
            Inner::Tokio(tokio) => Repr::Production {
                ear: tokio.within(|| Ear::open(signal))?,
                ev: self.unowned(),
            },
            Inner::Other(backend) => Repr::World {
                key: backend.signal_listen(signal, Listener::Stream)?,
                ev: BackendLoop::of_other(self),
            },
        };
        Ok(SignalStream { signal, repr })
    }
}

impl SignalStream {
    /// The next signal; `None` once no more can come, for the loop is closed.
    ///
    /// A future of it that is dropped loses nothing.
    pub async fn recv(&mut self) -> Option<()> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// [`recv`](Self::recv), polled.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<()>> {
        match &self.repr {
            Repr::Production { ear, .. } => ear.poll(cx).map(|heard| heard.then_some(())),
            Repr::World { ev, key } => {
                coop::poll_leaf(cx, |cx| ev.backend().signal_poll(*key, cx.waker()))
            }
        }
    }

    /// Which signal it is of.
    #[must_use]
    pub fn kind(&self) -> Signal {
        self.signal
    }
}

impl Stream for SignalStream {
    type Item = ();

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<()>> {
        self.poll_recv(cx)
    }
}

impl Drop for SignalStream {
    fn drop(&mut self) {
        match &self.repr {
            Repr::Production { ev, ear } => {
                if let Some(unheard) = ear.close()
                    && !ev.ends_as_asked_by(self.signal)
                {
                    unheard.take_default();
                }
            }
            Repr::World { ev, key } => {
                if ev.unowned().ends_as_asked_by(self.signal) {
                    let heard = || ev.backend().signal_poll(*key, Waker::noop());
                    while let Poll::Ready(Some(())) = heard() {}
                }
                ev.backend().signal_close(*key);
            }
        }
    }
}

impl fmt::Debug for SignalStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignalStream({})", self.signal)
    }
}
