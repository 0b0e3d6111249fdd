//! Signals of the real process: who listens, and the default disposition where nobody does.
//!
//! A handler of the operating system's, once installed, stays: other code of the process may be
//! behind the same one. So a signal that somebody listened to takes its default disposition by an
//! emulation, which the handler itself runs while nobody listens, whatever the loops are doing.
//!
//! Each listener has a pipe of its own that the handler writes to. What is in it has come and was
//! not heard, which nobody could say of tokio's registry, where a removal would lose it.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::os::unix::net::UnixStream as Pipe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use signal_hook::SigId;
use signal_hook::low_level;
use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::UnixStream;

use super::{Disposition, Signal, SignalError};

/// What the process does about the signals that somebody listens to, or has listened to.
static HEARD: Mutex<BTreeMap<Signal, Heard>> = Mutex::new(BTreeMap::new());

/// Who listens to one signal.
struct Heard {
    listeners: usize,
    /// Nobody: the handler does what the default would.
    by_default: Arc<AtomicBool>,
    emulated: bool,
}

/// Listens to one signal of the process.
pub(crate) struct Ear {
    signal: Signal,
    id: Mutex<Option<SigId>>,
    pipe: UnixStream,
}

/// A signal that came and that nobody has heard.
#[must_use = "it would be lost"]
pub(crate) struct Unheard(Signal);

impl Ear {
    /// Listens from here on. A signal that came before has taken the default.
    ///
    /// # Panics
    /// Outside a runtime of tokio's.
    pub(crate) fn open(signal: Signal) -> Result<Self, SignalError> {
        let open = || {
            let (reads, writes) = Pipe::pair()?;
            reads.set_nonblocking(true)?;
            let pipe = UnixStream::from_std(reads)?;
            let mut heard = heard();
            let heard = heard.entry(signal).or_default();
            heard.emulate_default(signal)?;
            let id = low_level::pipe::register(signal.as_raw(), writes)?;
            heard.listeners += 1;
            heard.by_default.store(false, Ordering::SeqCst);
            Ok(Self {
                signal,
                id: Mutex::new(Some(id)),
                pipe,
            })
        };
        open().map_err(|why: io::Error| SignalError::Refused(why.to_string()))
    }

    /// How many listen.
    pub(crate) fn how_many(signal: Signal) -> usize {
        heard().get(&signal).map_or(0, |heard| heard.listeners)
    }

    /// Waits for the next signal, or for several that came together; false once no more can come.
    pub(super) async fn hears(&self) -> bool {
        std::future::poll_fn(|cx| self.poll(cx)).await
    }

    /// [`hears`](Self::hears); one waits at a time.
    pub(super) fn poll(&self, cx: &mut Context<'_>) -> Poll<bool> {
        loop {
            if ready!(self.pipe.poll_read_ready(cx)).is_err() {
                // The runtime of the loop is gone.
                return Poll::Ready(false);
            }
            let take = || match self.take() {
                true => Ok(()),
                false => Err(io::ErrorKind::WouldBlock.into()),
            };
            if self.pipe.try_io(Interest::READABLE, take).is_ok() {
                return Poll::Ready(true);
            }
        }
    }

    /// Listens no more. What came before and was not heard is given back, unless somebody else has
    /// heard it.
    pub(super) fn close(&self) -> Option<Unheard> {
        let id = self
            .id
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()?;
        let mut heard = heard();
        let heard = heard.get_mut(&self.signal)?;
        heard.listeners -= 1;
        let last = heard.listeners == 0;
        // The default first: no signal may find neither.
        heard.by_default.store(last, Ordering::SeqCst);
        // Waits for a handler that is running, so that nothing comes later.
        low_level::unregister(id);
        (self.take() && last).then_some(Unheard(self.signal))
    }

    /// Whether a signal came since the last time, be it known to the runtime yet or not.
    fn take(&self) -> bool {
        let mut bytes = [0; 64];
        let mut any = false;
        let mut pipe = &*SockRef::from(&self.pipe);
        while let Ok(1..) = pipe.read(&mut bytes) {
            any = true;
        }
        any
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        if let Some(unheard) = self.close() {
            unheard.take_default();
        }
    }
}

impl Default for Heard {
    fn default() -> Self {
        Self {
            listeners: 0,
            by_default: Arc::new(AtomicBool::new(true)),
            emulated: false,
        }
    }
}

impl Heard {
    /// Has the handler do what the default would while nobody listens. It is told before any
    /// listener: one that hears of a signal and closes at once must not have that very signal take
    /// the default, too.
    fn emulate_default(&mut self, signal: Signal) -> io::Result<()> {
        if !self.emulated && signal.default_disposition() != Disposition::Ignore {
            let by_default = self.by_default.clone();
            signal_hook::flag::register_conditional_default(signal.as_raw(), by_default)?;
        }
        self.emulated = true;
        Ok(())
    }
}

impl Unheard {
    /// Does what the process would have done, had nobody listened. Mostly it does not return.
    pub(super) fn take_default(self) {
        if self.0.default_disposition() != Disposition::Ignore {
            // Refused only for signals unknown to it, which cannot be listened to.
            let _ = low_level::emulate_default_handler(self.0.as_raw());
        }
    }
}

/// The process sends itself a signal.
pub(super) fn raise(signal: Signal) -> Result<(), SignalError> {
    low_level::raise(signal.as_raw()).map_err(|why| SignalError::Refused(why.to_string()))
}

fn heard() -> MutexGuard<'static, BTreeMap<Signal, Heard>> {
    HEARD.lock().unwrap_or_else(PoisonError::into_inner)
}
