//! The end of threads that do not end themselves: with their host, or with the run.

use interpose::{Parking, ThreadId};

use super::{Outcome, State, What};
use crate::world::World;

impl World {
    /// Ends the threads of these hosts. What waits for work ends in order; what is alive in a
    /// frame of the test's never returns: its stack stays as it is, for others may hold
    /// references into it.
    ///
    /// On the thread that drives, between two steps.
    pub(crate) fn end_threads(&self, of: impl Fn(u32) -> bool) {
        let all = self.core(|core| {
            let threads = core.threads.iter().flat_map(|threads| &threads.all);
            let ends = |thread: &super::Thread| {
                of(thread.host)
                    && !matches!(thread.what, What::Frame)
                    && !matches!(thread.state, State::Ended)
            };
            let ids = threads
                .filter(|(_, thread)| ends(thread))
                .map(|(id, _)| *id);
            ids.collect::<Vec<_>>()
        });
        for id in all {
            let idle = self.core(|core| {
                let Some(thread) = core.thread(id) else {
                    return false;
                };
                thread.outcome = Outcome::Over;
                thread.idle
            });
            if idle {
                self.resume(id);
            }
            self.vanish(id);
        }
    }

    /// Ends a thread where it stands, unless it has ended.
    fn vanish(&self, id: ThreadId) {
        let seat = self.core(|core| {
            let thread = core.thread(id)?;
            (!matches!(thread.state, State::Ended)).then(|| thread.seat.clone())
        });
        let Some(seat) = seat else { return };
        seat.vanish();
        let never_ends = self.core(|core| {
            let thread = core.thread(id)?;
            thread.detached = true;
            let handle = match &mut thread.what {
                What::Own(handle) => handle.take(),
                What::Made | What::Frame => None,
            };
            core.thread_over(id);
            handle
        });
        let _real = interpose::suspend();
        drop(never_ends);
    }

    /// The calling thread waits for what will never come, and there is nobody left to tell: it
    /// waits in real time, for good.
    pub(super) fn stuck(&self) -> ! {
        loop {
            Parking::new().park();
        }
    }
}
