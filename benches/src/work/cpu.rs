//! CPU time of this process: a contender that starts threads pays for them too.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Does `work` and gives the CPU time it took, system time included.
pub(crate) fn time_of(work: impl FnOnce()) -> Duration {
    let before = now();
    work();
    now() - before
}

/// CPU time so far.
pub(crate) fn now() -> Duration {
    // rustix calls the kernel itself: madsim replaces libc's symbol, and panics for this clock.
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(time).expect("CPU time is never negative")
}
