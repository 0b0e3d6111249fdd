//! Those who watch one socket of a world, and what they were told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Wake;

use crate::backend::{Backend, SocketKey};
use crate::io::Interest;
use crate::waiters::Waiters;

/// Any number of tasks that wait for a socket's next change; as a waker it wakes them all.
///
/// Tokio ends a wait for readiness with the event that it was for, even if by the time of the poll
/// somebody else has used that readiness up. So it is counted how often the socket was ready as the
/// watchers were woken.
pub(super) struct Watchers {
    waiters: Arc<Waiters>,
    backend: Arc<dyn Backend>,
    socket: SocketKey,
    /// Somebody will ask what was heard at the next change: others need not pay for it.
    listening: AtomicBool,
    readable: AtomicU64,
    writable: AtomicU64,
}

impl Watchers {
    pub(super) fn new(backend: Arc<dyn Backend>, socket: SocketKey) -> Self {
        Self {
            waiters: Arc::default(),
            backend,
            socket,
            listening: AtomicBool::new(false),
            readable: AtomicU64::new(0),
            writable: AtomicU64::new(0),
        }
    }

    pub(super) fn waiters(&self) -> &Arc<Waiters> {
        &self.waiters
    }

    /// How often it was ready for something of `interest` so far: another number later on says that
    /// it was meanwhile.
    pub(super) fn listen(&self, interest: Interest) -> u64 {
        self.listening.store(true, Ordering::Relaxed);
        let counts = [
            (interest.is_readable(), &self.readable),
            (interest.is_writable(), &self.writable),
        ];
        let asked = counts.into_iter().filter(|(asked, _)| *asked);
        asked.map(|(_, count)| count.load(Ordering::Relaxed)).sum()
    }

    fn hear(&self) {
        for (interest, count) in [
            (Interest::READABLE, &self.readable),
            (Interest::WRITABLE, &self.writable),
        ] {
            let ready = self.backend.readiness(self.socket, interest, None);
            if ready.is_ok_and(|ready| !ready.is_empty()) {
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

impl Wake for Watchers {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.listening.swap(false, Ordering::Relaxed) {
            self.hear();
        }
        self.waiters.wake_by_ref();
    }
}
