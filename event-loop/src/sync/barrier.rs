//! Tasks that wait until all of them have come.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use super::leaf::Leaf;
use super::record::{Kind, Origin};

/// Lets tasks go on once `n` of them have come; then begins anew.
///
/// Not tokio's, whose wakes come in an order drawn at random: these come in the order in which the
/// tasks came.
///
/// ```
/// use std::sync::Arc;
/// use event_loop::sync::Barrier;
///
/// # let ev = event_loop::production::current_thread(Default::default()).unwrap();
/// # ev.run_until_complete(async {
/// let loaded = Arc::new(Barrier::new(2));
/// let other = event_loop::spawn({
///     let loaded = loaded.clone();
///     async move { loaded.wait().await.is_leader() }
/// });
/// let leader = loaded.wait().await.is_leader();
/// assert_ne!(leader, other.await.unwrap());
/// # }).unwrap();
/// ```
pub struct Barrier {
    n: usize,
    arrived: Mutex<usize>,
    all: tokio::sync::Notify,
    origin: Origin,
}

impl Barrier {
    /// A barrier for `n` tasks; zero is as one.
    #[must_use]
    #[track_caller]
    pub fn new(n: usize) -> Self {
        Self {
            n: n.max(1),
            arrived: Mutex::new(0),
            all: tokio::sync::Notify::new(),
            origin: Origin::here(Kind::Barrier),
        }
    }

    /// Waits until all have come. Who is dropped while waiting has come all the same.
    pub async fn wait(&self) -> BarrierWaitResult {
        let all_have_come = {
            let mut arrived = self.arrived.lock().unwrap_or_else(PoisonError::into_inner);
            *arrived += 1;
            if *arrived == self.n {
                *arrived = 0;
                self.all.notify_waiters();
                return BarrierWaitResult(true);
            }
            // Made under the lock, it hears of this round's end and of no earlier one.
            self.all.notified()
        };
        Leaf::new(all_have_come, || self.origin.note("the others at")).await;
        BarrierWaitResult(false)
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Barrier({})", self.n)
    }
}

/// What [`Barrier::wait`] tells.
#[derive(Clone, Debug)]
pub struct BarrierWaitResult(bool);

impl BarrierWaitResult {
    /// Whether this task came last: one of each round.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.0
    }
}
