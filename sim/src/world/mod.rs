//! One run: a world of hosts, tasks and a network, driven until its root is ready or a verdict
//! falls.
//!
//! The state sits in a [`Baton`] cell that only the thread whose turn it is can open. The rule of
//! the house: with the core open no code of the test runs. Wakers, tasks and results are taken out
//! and used, or dropped, with the core closed.

mod aside;
pub(crate) mod blocking;
pub(crate) mod choices;
pub(crate) mod core;
mod decider;
mod diagnosis;
mod draws;
mod drive;
mod ending;
pub(crate) mod entry;
pub(crate) mod here;
pub(crate) mod hosts;
mod inbox;
pub(crate) mod intervention;
pub(crate) mod iterations;
mod judging;
pub(crate) mod kernel;
mod limits;
pub(crate) mod network;
pub(crate) mod plans;
mod pool;
mod presence;
pub(crate) mod properties;
mod ready;
pub(crate) mod recording;
mod root_turn;
pub(crate) mod rules;
pub(crate) mod siblings;
mod signals;
mod slow;
pub(crate) mod sockets;
mod tasks;
pub(crate) mod threads;
mod timers;
mod uvloop;
pub(crate) mod verdict;
pub(crate) mod waits;
pub(crate) mod watchers;

use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use event_loop::backend::{Runnable, current_task};
use event_loop::{BlockingQueue, TaskId};
use interpose::{Baton, BatonError};
use virtual_time::HostClock;

use self::blocking::OnStuck;
use self::core::Core;
pub(crate) use self::drive::Drive;
pub(crate) use self::ending::Remains;
use self::inbox::Inbox;
use self::presence::Presence;
use self::ready::Ready;
use self::threads::{Seat, ThreadId};
use self::verdict::VerdictKind;
use crate::config::Config;
use crate::run::outcome::Account;
use crate::run::panics;
use crate::run::plan::Plan;

/// A world; shared by everything in it.
pub(crate) struct World {
    me: Weak<Self>,
    core: Baton<Core>,
    /// Threads that the operating system is about to start.
    arrivals: Mutex<Vec<(ThreadId, u32, Arc<Seat>)>>,
    /// The thread that drives is bound to a CPU for this world.
    pinned: AtomicBool,
    inbox: Inbox,
    /// The world's time for whoever reads a clock while the core is open.
    now: AtomicU64,
    /// Polls so far, for the watchdog.
    polls: AtomicU64,
    /// The world is closed, and nothing is left in it.
    over: AtomicBool,
    recording: bool,
    profile: crate::Profile,
    slow_callback: Option<Duration>,
    blocking_threads: Option<usize>,
    blocking_queue: BlockingQueue,
    on_blocking: crate::OnBlocking,
    /// Some host has a clock of its own.
    own_clocks: AtomicBool,
    /// What the hosts and their loops read, where that is not the world's time.
    machine_clock: Option<Box<HostClock>>,
    loop_clock: Option<Box<HostClock>>,
    /// In a run that is recorded: where the task that is being polled was spawned.
    polled: Mutex<Option<&'static Location<'static>>>,
    /// The account of a run that has failed and is being looked into, should that never end.
    failed: Mutex<Option<Box<Account>>>,
    /// What becomes of the run if its thread is stuck.
    stuck: Mutex<OnStuck>,
}

/// What a call of the test's says that comes from a thread outside the world.
pub(crate) const OUTSIDE: &str = "this thread is not of the world, which only its own tasks may ask: do its \
                       work in a task of the world";

impl World {
    pub(crate) fn new(config: &Config, plan: Plan) -> Arc<Self> {
        panics::install();
        let (recording, seed) = (plan.record, plan.seed);
        Arc::new_cyclic(|me| Self {
            me: me.clone(),
            arrivals: Mutex::default(),
            pinned: AtomicBool::new(false),
            core: Baton::new(Core::new(config, plan)),
            inbox: Inbox::default(),
            now: AtomicU64::new(0),
            polls: AtomicU64::new(0),
            over: AtomicBool::new(false),
            recording,
            profile: config.profile,
            slow_callback: config.slow_callback,
            blocking_threads: config.blocking_threads,
            blocking_queue: config.blocking_queue,
            on_blocking: config.on_blocking,
            own_clocks: AtomicBool::new(false),
            machine_clock: config.machine_clock(),
            loop_clock: config.coarse_loop_clock(),
            polled: Mutex::new(None),
            failed: Mutex::default(),
            stuck: Mutex::new(blocking::end_process(seed)),
        })
    }

    fn arc(&self) -> Arc<Self> {
        self.me.upgrade().expect("who calls keeps it")
    }

    /// Opens the core.
    ///
    /// # Panics
    /// If it is open already, or it is another thread's turn: an error of the simulator's.
    #[inline]
    pub(crate) fn core<R>(&self, f: impl FnOnce(&mut Core) -> R) -> R {
        self.core.with(f)
    }

    /// Leaves the world to whichever thread drives or closes it next: that of a loop, not of a
    /// test. Between two runs any thread may ask it, one at a time.
    pub(crate) fn leave(&self) {
        // Who has made the world holds it and is not inside.
        let left = self.core.release();
        debug_assert_eq!(left, Ok(()));
    }

    /// Makes this thread the world's; `None` if another one is.
    pub(crate) fn claim(&self) -> Option<Claim<'_>> {
        let fresh = self.core.claim().ok()?;
        Some(Claim {
            world: fresh.then_some(self),
        })
    }

    /// Opens the core for a call that came from outside: a verdict if it is not this thread's
    /// turn.
    #[inline]
    pub(crate) fn enter<R>(&self, f: impl FnOnce(&mut Core) -> R) -> Option<R> {
        match self.core.try_with(f) {
            Ok(value) => Some(value),
            Err(BatonError::Reentered) => None,
            Err(_) => {
                self.inbox.intrusion();
                None
            }
        }
    }

    /// Opens the core for a call that only the world's own tasks make, whose end is no answer.
    ///
    /// # Panics
    /// On a thread outside the world.
    #[track_caller]
    pub(crate) fn ask<R>(&self, f: impl FnOnce(&mut Core) -> R) -> R {
        match self.enter(f) {
            Some(answer) => answer,
            None => panic!("{OUTSIDE}"),
        }
    }

    pub(crate) fn is_recording(&self) -> bool {
        self.recording
    }

    pub(crate) fn profile(&self) -> crate::Profile {
        self.profile
    }

    /// Where the task that is being polled was spawned, if the run is recorded; readable from any
    /// thread.
    pub(crate) fn polled_site(&self) -> Option<&'static Location<'static>> {
        *self.polled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The account of a run that has failed and is being looked into; readable from any thread.
    pub(crate) fn failed(&self) -> Option<Account> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.as_deref().cloned()
    }

    /// Polls so far; readable from any thread.
    pub(crate) fn polls(&self) -> u64 {
        self.polls.load(Ordering::Relaxed)
    }

    /// Whether the run is over; readable from any thread.
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// A new task, to be polled when its turn comes; given back if the world is closed.
    pub(crate) fn start(&self, runnable: Runnable) -> Option<Runnable> {
        let mut waker = Some(runnable.waker());
        self.queue(runnable, |core, runnable| {
            core.tasks.set_waker(runnable.meta().id, &mut waker);
        })
    }

    /// A wake, from wherever it comes; the task is given back if the world is closed.
    #[inline]
    pub(crate) fn schedule(&self, runnable: Runnable) -> Option<Runnable> {
        self.queue(runnable, |_, _| ())
    }

    #[inline]
    fn queue(
        &self,
        runnable: Runnable,
        first: impl FnOnce(&mut Core, &Runnable),
    ) -> Option<Runnable> {
        let mut runnable = Some(runnable);
        let opened = self.core.try_with(|core| {
            if core.closed || core.late.is_some() {
                core.keep_late(&mut runnable);
                if core.closed {
                    return;
                }
            }
            if let Some(runnable) = runnable.take() {
                first(core, &runnable);
                core.push(Ready::Task(runnable));
            }
        });
        if let (Err(why), Some(runnable)) = (opened, runnable.take_if(|_| opened.is_err())) {
            let foreign = why == BatonError::NotHeld;
            self.inbox.put(Ready::Task(runnable), foreign);
        }
        runnable
    }

    /// Runs `f` in the world but outside any task, as `drive` would; for what the test's body
    /// leaves behind.
    pub(crate) fn inside(&self, presence: &mut Presence, host: u32, f: impl FnOnce()) {
        presence.entered.host(self, host);
        self.guarded(f);
    }

    /// The world's clock; readable while the core is open, and from any thread.
    pub(crate) fn now(&self) -> virtual_time::Instant {
        virtual_time::Instant::from_nanos(self.now.load(Ordering::Relaxed))
    }

    fn set_now(&self, now: virtual_time::Instant) {
        self.now.store(now.as_nanos(), Ordering::Relaxed);
    }

    /// What the clocks of the hosts read.
    pub(crate) fn machine_now(&self) -> virtual_time::Instant {
        let now = self.now();
        self.machine_clock
            .as_ref()
            .map_or(now, |clock| clock.monotonic(now))
    }

    /// What the clocks of the loops read.
    #[inline]
    pub(crate) fn loop_now(&self) -> virtual_time::Instant {
        let now = self.now();
        self.loop_clock
            .as_ref()
            .map_or(now, |clock| clock.monotonic(now))
    }

    /// A panic of the test's body, or of a destructor, ends the run.
    pub(crate) fn panicked(&self, kind: VerdictKind, payload: &(dyn std::any::Any + Send)) {
        let message = panics::text_of(payload);
        self.end(kind, message);
    }

    /// Ends the run with a verdict; if its text is that of a panic, it also tells where.
    pub(crate) fn end(&self, kind: VerdictKind, message: String) {
        let panic = message.clone();
        self.end_by(kind, message, &panic);
    }

    /// Ends the run with a verdict, for what may be the text of a panic.
    pub(crate) fn end_by(&self, kind: VerdictKind, message: String, panic: &str) {
        self.tell_intrusion();
        let (location, earlier) = (panics::location_of(panic), panics::before(panic));
        self.enter(|core| {
            if core.ended.is_some() {
                return;
            }
            core.end(kind, message);
            if let Some(verdict) = &mut core.ended {
                verdict.location = location;
                verdict.earlier_panics = earlier;
            }
        });
    }

    /// Runs destructors at the end of the world, whose panics fail the run.
    fn guarded(&self, destructors: impl FnOnce()) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(destructors)) {
            self.panicked(VerdictKind::Unread, &*payload);
        }
    }

    /// Fails the run if a thread outside the world has touched it. Asked before any other verdict
    /// falls, for what follows from the touch is not the cause.
    pub(crate) fn tell_intrusion(&self) {
        if !self.inbox.has_any() {
            return;
        }
        let Some(thread) = self.inbox.foreign_thread() else {
            return;
        };
        let message = format!(
            "thread '{thread}' touched the world from outside: when it does is not the seed's to \
             decide; do its work in a task of the world"
        );
        self.enter(|core| core.end(VerdictKind::ForeignThread, message));
    }
}

/// This thread is the world's, until dropped if it was not before.
pub(crate) struct Claim<'a> {
    world: Option<&'a World>,
}

impl Claim<'_> {
    /// Whether it was nobody's until now.
    pub(crate) fn is_fresh(&self) -> bool {
        self.world.is_some()
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if let Some(world) = self.world {
            world.leave();
        }
    }
}

/// The task that is being polled, for calls that only a task makes.
pub(crate) fn polled_task() -> Option<TaskId> {
    current_task().map(|meta| meta.id)
}
