//! What answers the libc calls of a thread inside a world, and the terms it is asked in.

use std::time::Duration;

/// What answers the libc calls of a thread that is inside a world.
///
/// While a method runs, the thread's gate is closed: what the method itself asks of libc (a log
/// line's clock, a lock, a file) is answered by the operating system. A method that blocks does so
/// for the calling thread, with the frames of who called libc below it: a backtrace taken there
/// names the call.
///
/// The methods with a body are those of a world with threads. As they stand they say 'not
/// simulated', and the call goes on to the operating system.
///
/// A method that panics ends the process with a message, for no panic may leave a libc function.
pub trait Kernel: Send + Sync {
    /// What `clock` reads: the time since the Unix epoch for [`ClockId::Realtime`], since an
    /// arbitrary start for the others.
    fn now(&self, clock: ClockId) -> Duration;

    /// Fills `buf` with the world's entropy.
    fn fill_random(&self, buf: &mut [u8]);

    /// How many CPUs a thread may run on, for `available_parallelism` and its kind; `None` for those
    /// of the machine.
    fn cpus(&self) -> Option<u32> {
        None
    }

    /// Blocks the calling thread until `clock` says `until`: all of libc's sleeps. `None` lets the
    /// thread sleep in real time.
    ///
    /// # Errors
    /// [`Interrupted`] if a signal handler ran meanwhile, which ends a sleep early.
    fn sleep(&self, clock: ClockId, until: Deadline) -> Option<Result<(), Interrupted>> {
        let _ = (clock, until);
        None
    }

    /// Blocks the calling thread until a wake at the address `word` with a bit of `bitset`, or
    /// until the deadline's clock says so. `None` lets it wait for a real one.
    ///
    /// The word had the value that the caller waits on a moment ago, and `still` says whether it
    /// has it now. Simulated threads that take turns need not ask; but a thread from outside may
    /// have changed it, whose wake finds no one here, so a world should ask before it gives a
    /// waiter up.
    fn futex_wait(
        &self,
        word: usize,
        bitset: u32,
        deadline: Option<(ClockId, Duration)>,
        still: &dyn Fn() -> bool,
    ) -> Option<FutexWait> {
        let _ = (word, bitset, deadline, still);
        None
    }

    /// Wakes up to `count` threads, longest waiting first, of those in
    /// [`futex_wait`](Self::futex_wait) at `word` with a bit of `bitset`, and says how many those
    /// were. If fewer than `count`, the rest is for real waiters. `None` is as `Some(0)`.
    fn futex_wake(&self, word: usize, bitset: u32, count: u32) -> Option<u32> {
        let _ = (word, bitset, count);
        None
    }

    /// Lets others run, as `sched_yield`; whether that was simulated.
    fn yield_now(&self) -> bool {
        false
    }

    /// The calling thread makes a thread, which will be the world's under the number that this
    /// answers. `detached` says that nobody can join it. `None` makes one outside of the world.
    ///
    /// What comes of it, the new thread says by [`thread_began`](Self::thread_began), or the maker
    /// by [`thread_not_made`](Self::thread_not_made).
    ///
    /// # Errors
    /// The `errno` that `pthread_create` shall fail with, `EAGAIN` for want of resources.
    fn thread_making(&self, detached: bool) -> Option<Result<ThreadId, i32>> {
        let _ = detached;
        None
    }

    /// The operating system refused the thread that [`thread_making`](Self::thread_making) was
    /// asked for: nothing of it will ever run.
    fn thread_not_made(&self, thread: ThreadId) {
        let _ = thread;
    }

    /// The first call of a new thread, on that thread: returns at its first turn, and then the
    /// thread's routine runs.
    fn thread_began(&self, thread: ThreadId) {
        let _ = thread;
    }

    /// The last call of a thread, on that thread, outside of every world: its routine has returned
    /// or called `pthread_exit`, and the destructors of its thread-locals have run. What is left
    /// is libc's own: it runs no code of the program, and is real.
    fn thread_ended(&self, thread: ThreadId) {
        let _ = thread;
    }

    /// Blocks the calling thread until `thread` has [ended](Self::thread_ended), or until the
    /// deadline's clock says so. `None` joins the real thread at once, as for a `thread` that this
    /// world does not know.
    fn thread_join(
        &self,
        thread: ThreadId,
        deadline: Option<(ClockId, Duration)>,
    ) -> Option<ThreadJoin> {
        let _ = (thread, deadline);
        None
    }

    /// Nobody will join `thread` any more: `pthread_detach`, or a dropped `JoinHandle`.
    fn thread_detached(&self, thread: ThreadId) {
        let _ = thread;
    }
}

/// The clocks of a process, as a world tells them apart.
///
/// Coarse, raw and alarm variants are the clock they vary, and `CLOCK_TAI` is `CLOCK_REALTIME`, as
/// on a kernel nobody has told the leap seconds. The clocks of other processes and threads
/// (`clock_getcpuclockid`, `pthread_getcpuclockid`) are the CPU clocks; clocks of devices do not
/// exist in a world.
///
/// The CPU clocks are asked of the world too, never of the machine, for what a program reads must
/// be a function of the world. A world that keeps no account of CPU time should answer them with
/// its monotonic clock: it never goes backwards, and a loop that waits for CPU time to pass ends as
/// soon as time does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ClockId {
    /// Wall-clock time, which may be set: `SystemTime`, `gettimeofday`, `time`.
    Realtime,
    /// Time that never goes backwards: `Instant`.
    Monotonic,
    /// Monotonic time that goes on while the machine sleeps.
    Boottime,
    /// CPU time used by the process.
    ProcessCpu,
    /// CPU time used by the thread.
    ThreadCpu,
}

/// When a sleep ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Deadline {
    /// This long after the call, whatever is done to the clock meanwhile.
    After(Duration),
    /// When the clock reads this, or more.
    At(Duration),
}

/// A sleep that a signal handler ended early.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Interrupted {
    /// How much of a [`Deadline::After`] was left; of no meaning for the other kind.
    pub left: Duration,
}

/// How a wait for a futex ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FutexWait {
    /// By a wake, or for no reason: both are 0 to the caller, who looks at the word again.
    Woken,
    /// By its deadline: `ETIMEDOUT`.
    TimedOut,
    /// By a signal handler: `EINTR`.
    Interrupted,
}

/// How a wait for a thread's end ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ThreadJoin {
    /// The thread has ended.
    Ended,
    /// By the deadline.
    TimedOut,
}

/// A thread's number in its world, as the world gave it out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ThreadId(pub u64);
