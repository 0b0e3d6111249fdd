//! Who waits for one event: any number of wakers, each in a place that its owner frees.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

/// The wakers of those who wait, in the order in which they came.
///
/// As a waker itself it wakes them all: for events that know only one waker.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    wakers: BTreeMap<u64, Waker>,
    last: u64,
}

/// A place among the waiters, given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    waiters: Arc<Waiters>,
    ticket: u64,
}

impl Place {
    pub(crate) fn new(waiters: &Arc<Waiters>) -> Self {
        let ticket = {
            let mut queue = waiters.queue();
            queue.last += 1;
            queue.last
        };
        Self {
            waiters: waiters.clone(),
            ticket,
        }
    }

    /// Whether it is a place among these waiters.
    pub(crate) fn is_among(&self, waiters: &Arc<Waiters>) -> bool {
        Arc::ptr_eq(&self.waiters, waiters)
    }

    /// `waker` is woken at the next event.
    pub(crate) fn wait(&self, waker: &Waker) {
        let known = |queue: &Queue| {
            let known = queue.wakers.get(&self.ticket);
            known.is_some_and(|known| known.will_wake(waker))
        };
        if known(&self.waiters.queue()) {
            return;
        }
        // Others' wakers are cloned and dropped with the lock free: theirs is any code.
        let fresh = waker.clone();
        let outgrown = self.waiters.queue().wakers.insert(self.ticket, fresh);
        drop(outgrown);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let left = self.waiters.queue().wakers.remove(&self.ticket);
        drop(left);
    }
}

impl Waiters {
    /// Takes out everybody who waits, to be woken in this order.
    pub(crate) fn take(&self) -> impl Iterator<Item = Waker> + use<> {
        std::mem::take(&mut self.queue().wakers).into_values()
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.queue().wakers.len()
    }
}

impl Wake for Waiters {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.take().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn everybody_who_waits_is_woken_once() {
        let waiters = Arc::<Waiters>::default();
        let counts: Vec<_> = (0..3).map(|_| Arc::new(Count::default())).collect();
        let places: Vec<_> = counts.iter().map(|_| Place::new(&waiters)).collect();
        for (place, count) in places.iter().zip(&counts) {
            place.wait(&Waker::from(count.clone()));
            place.wait(&Waker::from(count.clone()));
        }
        for _ in 0..2 {
            Waker::from(waiters.clone()).wake();
            let woken: Vec<_> = counts.iter().map(|c| c.0.load(Ordering::Relaxed)).collect();
            assert_eq!(woken, [1, 1, 1]);
        }
    }

    #[test]
    fn a_place_that_is_given_back_keeps_no_waker() {
        let waiters = Arc::<Waiters>::default();
        let count = Arc::new(Count::default());
        let place = Place::new(&waiters);
        place.wait(&Waker::from(count.clone()));
        assert_eq!(waiters.len(), 1);
        drop(place);
        assert_eq!((waiters.len(), Arc::strong_count(&count)), (0, 1));
    }
}
