//! The listeners of a loop, which a shutdown closes before anything else.

use std::sync::{Arc, Weak};
use std::{error, fmt, io};

/// Why a listener takes no connections any more, or never began to: its loop shuts down.
///
/// It comes as the inner error of an [`io::Error`]: [`caused`](Self::caused) tells it from others.
///
/// ```
/// # use event_loop::{production, LoopConfig};
/// use event_loop::net::TcpListener;
/// use event_loop::shutdown::{ShutdownPolicy, ShuttingDown};
///
/// # let ev = production::current_thread(LoopConfig::default()).unwrap();
/// let here = ev.unowned();
/// ev.run_until_complete(async move {
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     event_loop::spawn(async move { here.shutdown(ShutdownPolicy::new()).await }).detach();
///     match listener.accept().await {
///         Ok(_) => unreachable!("nobody connects"),
///         Err(error) if ShuttingDown::caused(&error) => Ok(()), // no more work: leave in order
///         Err(error) => Err(error),
///     }
/// }).unwrap().unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShuttingDown;

impl ShuttingDown {
    /// Whether the shutdown of a loop is the reason for `error`.
    #[must_use]
    pub fn caused(error: &io::Error) -> bool {
        error.get_ref().is_some_and(|inner| inner.is::<Self>())
    }
}

impl fmt::Display for ShuttingDown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("The event loop is shutting down: it takes no connections any more")
    }
}

impl error::Error for ShuttingDown {}

impl From<ShuttingDown> for io::Error {
    fn from(reason: ShuttingDown) -> Self {
        Self::other(reason)
    }
}

/// A listener as its loop knows it.
pub(crate) trait Accepting: Send + Sync {
    /// Closes the socket and tells those who wait for a connection. False if it was closed before.
    fn stop(&self) -> bool;
}

/// The listeners that were made on a loop, in that order. Those that are dropped leave an empty
/// place, which is reused in time.
#[derive(Default)]
pub(super) struct Listeners {
    known: Vec<Weak<dyn Accepting>>,
    stopped: bool,
}

impl Listeners {
    pub(super) fn add(&mut self, listener: &Arc<dyn Accepting>) -> Result<(), ShuttingDown> {
        if self.stopped {
            return Err(ShuttingDown);
        }
        if self.known.len() == self.known.capacity() {
            // Before it would grow, so that a listener costs the same however many there were.
            self.known.retain(|known| known.strong_count() > 0);
            let live = self.known.len();
            self.known.shrink_to(live.max(4) * 2);
        }
        self.known.push(Arc::downgrade(listener));
        Ok(())
    }

    /// From here on none is taken in. Those there are, to be closed with nothing locked.
    pub(super) fn stop(&mut self) -> Vec<Arc<dyn Accepting>> {
        self.stopped = true;
        let known = std::mem::take(&mut self.known);
        known.iter().filter_map(Weak::upgrade).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fake;

    impl Accepting for Fake {
        fn stop(&self) -> bool {
            true
        }
    }

    #[test]
    fn listeners_that_are_gone_leave_nothing() {
        let mut listeners = Listeners::default();
        let stays: Arc<dyn Accepting> = Arc::new(Fake);
        assert_eq!(listeners.add(&stays), Ok(()));
        for _ in 0..10_000 {
            let goes: Arc<dyn Accepting> = Arc::new(Fake);
            assert_eq!(listeners.add(&goes), Ok(()));
        }
        assert!(
            listeners.known.capacity() <= 16,
            "{}",
            listeners.known.capacity()
        );
        assert_eq!(listeners.stop().len(), 1);
        assert_eq!(listeners.add(&stays), Err(ShuttingDown));
    }
}
