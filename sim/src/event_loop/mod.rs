//! The simulated backend of [`event_loop::EventLoop`]: one per host, all onto one world.

mod blocking;
mod inspect;
mod net;
mod signals;

use std::future::Future;
use std::num::NonZeroU64;
use std::panic::{Location, resume_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, SystemTime};

use event_loop::backend::{
    Backend, Callbacks, CancelPlace, Driver, Record, Runnable, ScheduledCall, Site, TaskMeta,
    TimerId,
};
use event_loop::time::Instant;
use event_loop::{
    Closed, Description, ErrorContext, EventLoop, LoopError, SlowCallback, TaskId, TaskInfo,
};
use virtual_time::TimerKey;

use crate::Profile;
use crate::config::Config;
use crate::run::panics;
use crate::run::plan::Plan;
use crate::trace::Kind;
use crate::world::choices::Domain;
use crate::world::core::Core;
use crate::world::hosts::clock::OwnClock;
use crate::world::kernel::WALL_EPOCH;
use crate::world::siblings::SiblingId;
use crate::world::verdict::VerdictKind;
use crate::world::waits::Wait;
use crate::world::{Drive, OUTSIDE, World, polled_task};

/// A loop that owns a world of its own, driven by its `run_*` calls; for code that takes a loop
/// factory. Tests use [`#[sim::test]`](macro@crate::test).
///
/// Seed 0 is the plain run. A verdict, such as a deadlock, ends the loop: the `run_*` call returns
/// [`LoopError::WorldEnded`] with its text. As in production, one thread may make the loop and
/// another run and close it; while it runs, only the thread that runs it may touch it.
///
/// ```
/// use event_loop::Runner;
/// use sim::Profile;
///
/// let mut runner = Runner::new(|| sim::factory(7, Profile::Exact));
/// let day = std::time::Duration::from_secs(86_400);
/// runner.run(async move { event_loop::time::sleep(day).await }).unwrap();
/// assert_eq!(runner.event_loop().unwrap().now().as_nanos(), 86_400_000_000_000);
/// ```
///
/// # Errors
/// None today; the type is that of every factory.
#[track_caller]
pub fn factory(seed: u64, profile: Profile) -> Result<EventLoop, LoopError> {
    let config = Config::new().profile(profile).time_limit(Duration::MAX);
    let world = World::new(&config, Plan::of_seed(seed));
    let ev = world.add_loop("main", None).1;
    world.leave();
    Ok(ev)
}

/// The loop of one life of a host.
pub(crate) struct SimLoop {
    world: Arc<World>,
    host: u32,
    /// Which of the host's loops it is. Once another is in force, this one is closed for good.
    epoch: u32,
    /// Absent in the loop that the world itself runs.
    sibling: Option<SiblingId>,
    /// Absent where the host goes by the world's.
    clock: Option<Arc<OwnClock>>,
}

impl SimLoop {
    pub(crate) fn new(
        world: Arc<World>,
        host: u32,
        epoch: u32,
        clock: Option<Arc<OwnClock>>,
    ) -> Self {
        Self {
            world,
            host,
            epoch,
            sibling: None,
            clock,
        }
    }

    /// Opens the core for a call that is refused once the world is closed or the process over.
    #[inline]
    fn open<R>(&self, f: impl FnOnce(&mut Core) -> R) -> Option<R> {
        let opened = self
            .world
            .enter(|core| core.is_open(self.host, self.epoch).then(|| f(core)));
        opened.flatten()
    }
}

impl Backend for SimLoop {
    fn describe(&self) -> Description {
        let name = self.world.enter(|core| {
            core.hosts
                .get(self.host as usize)
                .map_or_else(|| "?".into(), |host| host.name.clone())
        });
        let name = name.map_or_else(|| "?".to_owned(), |name| name.to_string());
        Description::new(name, "simulated", self.world.profile().name(), 1)
    }

    fn world(&self) -> usize {
        Arc::as_ptr(&self.world).addr()
    }

    fn now(&self) -> Instant {
        let now = match &self.clock {
            None => self.world.loop_now(),
            Some(own) => own.of_loop().monotonic(self.world.now()),
        };
        Instant::from_nanos(now.as_nanos())
    }

    fn wall_now(&self) -> SystemTime {
        if let Some(own) = &self.clock {
            return SystemTime::UNIX_EPOCH + own.wall(self.world.now());
        }
        SystemTime::UNIX_EPOCH
            + WALL_EPOCH
            + Duration::from_nanos(self.world.machine_now().as_nanos())
    }

    fn sibling(&self) -> Result<EventLoop, LoopError> {
        let sibling = self.open(Core::add_sibling).ok_or(LoopError::Closed)?;
        Ok(EventLoop::from_backend(Arc::new(Self {
            world: self.world.clone(),
            host: self.host,
            epoch: self.epoch,
            clock: self.clock.clone(),
            sibling: Some(sibling),
        })))
    }

    fn run(&self, root: Pin<&mut dyn Future<Output = ()>>) -> Result<(), String> {
        let Some(claim) = self.world.claim() else {
            return Err(OUTSIDE.to_owned());
        };
        match self.sibling {
            None => self.drive(root),
            Some(sibling) if claim.is_fresh() => {
                // Nobody drives the world but who runs this loop.
                let mut turns = pin!(self.world.turns_of_sibling(sibling, root));
                self.drive(turns.as_mut())
            }
            Some(sibling) => {
                self.world.run_sibling(sibling, root);
                Ok(())
            }
        }
    }

    fn adopt_driver(&self, mut driver: Driver) {
        let Some(ev) = self.world.event_loop(self.host) else {
            return;
        };
        if self.is_closed() {
            return;
        }
        // `stop` ends a batch; the callbacks of a loop that a world runs go on.
        let task = ev.spawn_named("callbacks", async move {
            loop {
                Pin::new(&mut driver).await;
            }
        });
        self.world.enter(|core| {
            if let Some(host) = core.hosts.get_mut(self.host as usize) {
                host.driver = task.id();
            }
        });
    }

    fn callbacks(&self) -> Option<&dyn Callbacks> {
        let runs_them = self.world.profile().iterates() && self.sibling.is_none();
        runs_them.then_some(self)
    }

    fn close(&self) {
        // A host of a world that the world itself closes has nothing left to drop.
        if self.is_closed() {
            return;
        }
        if let Some(sibling) = self.sibling {
            return self.world.close_sibling(sibling);
        }
        if let Some(_claim) = self.world.claim() {
            self.world.take_down(&mut self.world.visit());
        }
    }

    fn is_closed(&self) -> bool {
        let is_open = || self.world.enter(|core| core.is_open(self.host, self.epoch));
        self.world.is_over() || !is_open().unwrap_or(true)
    }

    fn admit(
        &self,
        name: Option<&str>,
        site: &'static Location<'static>,
    ) -> Result<TaskMeta, Closed> {
        let admitted = self.open(|core| {
            let meta = core.admit(self.host, name, site);
            if let Some(sibling) = self.sibling {
                core.add_task_of_sibling(sibling, meta.id);
            }
            meta
        });
        admitted.ok_or(Closed)
    }

    fn start(&self, runnable: Runnable) -> Option<Runnable> {
        let Some(sibling) = self.sibling else {
            return self.world.start(runnable);
        };
        let waker = runnable.waker();
        self.world.queue_at_sibling(sibling, runnable, Some(waker))
    }

    fn schedule(&self, runnable: Runnable) -> Option<Runnable> {
        match self.sibling {
            None => self.world.schedule(runnable),
            Some(sibling) => self.world.queue_at_sibling(sibling, runnable, None),
        }
    }

    fn abort(&self, task: TaskId) {
        let waker = self.open(|core| core.tasks.abort(task)).flatten();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn is_finished(&self, task: TaskId) -> bool {
        !self
            .world
            .enter(|core| core.tasks.contains(task))
            .unwrap_or(false)
    }

    fn request_cancel(&self, task: TaskId) {
        let cancellation = self.open(|core| {
            core.trace
                .event(core.now, Kind::RequestCancel, task.serial(), 0);
            core.tasks.cancellation(task)
        });
        if let Some(cancellation) = cancellation.flatten() {
            cancellation.request().into_iter().for_each(Waker::wake);
        }
    }

    fn poll_cancelled(&self, task: TaskId, place: &mut CancelPlace, waker: &Waker) -> bool {
        let cancellation = self.open(|core| core.tasks.cancellation(task)).flatten();
        let ready = cancellation.is_some_and(|asked| asked.poll(place, waker).is_ready());
        if !ready {
            self.note(|| Wait::Cancelled);
        }
        ready
    }

    fn tasks(&self) -> Vec<TaskInfo> {
        self.open(|core| core.tasks_of(self.host, self.sibling))
            .unwrap_or_default()
    }

    fn task_name(&self, task: TaskId) -> Option<String> {
        self.world
            .enter(|core| core.tasks.name(task).map(str::to_owned))
            .flatten()
    }

    fn note_join(&self, task: TaskId) {
        self.note(|| Wait::Join(task.serial()));
    }

    fn records(&self) -> bool {
        self.world.is_recording()
    }

    fn note_wait(&self, wanted: &'static str, of: &Arc<Record>) {
        self.note(|| Wait::Sync(wanted, of.clone()));
    }

    fn block_for(&self, span: Duration) {
        if self.world.is_on_loop_thread() {
            return self.world.block_for(span);
        }
        // On any other thread it is what it is in production: a sleep of the thread's own.
        self.world.sleep_until(self.world.now() + span);
    }

    fn watch_polls(&self, threshold: Option<Duration>) {
        if self.sibling.is_none() {
            self.open(|core| core.watch_polls(self.host, threshold));
        }
    }

    fn note_slow(&self, slow: &SlowCallback) {
        self.world.note_slow(slow);
    }

    fn unhandled(&self, context: &ErrorContext) {
        self.world.unhandled(context);
    }

    fn property_met(&self, site: &'static Site, met: bool) -> bool {
        self.world.property_met(site, met)
    }

    fn property_broken(&self, site: &'static Site, detail: &str) {
        self.world.property_broken(site, detail);
    }

    fn buggify(&self, site: &'static Site) -> (bool, bool) {
        self.world.buggify(site)
    }

    fn raise_at(&self, site: &'static Site) {
        self.world.raise_at(site);
    }

    fn timer_start(&self, deadline: Instant, waker: &Waker) -> Result<TimerId, Closed> {
        if self.world.profile().iterates() && deadline <= self.now() {
            // asyncio's sleep of zero only yields.
            waker.wake_by_ref();
            return Ok(FIRED);
        }
        let waker = waker.clone();
        let armed = self.world.enter(|core| {
            if !core.is_open(self.host, self.epoch) {
                return Err(waker);
            }
            let deadline = virtual_time::Instant::from_nanos(deadline.as_nanos());
            Ok(core.set_timer(self.host, deadline, waker))
        });
        match armed {
            Some(Ok(key)) => {
                self.note(|| Wait::Timer(virtual_time::Instant::from_nanos(deadline.as_nanos())));
                Ok(TimerId(key.to_bits()))
            }
            Some(Err(_)) | None => Err(Closed),
        }
    }

    fn timer_poll(&self, timer: TimerId, waker: &Waker) -> bool {
        let Some(key) = TimerKey::from_bits(timer.0) else {
            return true;
        };
        let state = self.world.enter(|core| {
            if !core.is_open(self.host, self.epoch) {
                return TimerState::Pending;
            }
            match core.timer_waker(self.host, key) {
                None => TimerState::Fired,
                Some(known) if known.will_wake(waker) => TimerState::Pending,
                Some(_) => TimerState::PendingForAnother,
            }
        });
        match state {
            Some(TimerState::Fired) => true,
            Some(TimerState::Pending) => {
                self.note_timer(key);
                false
            }
            None => false,
            Some(TimerState::PendingForAnother) => {
                // Cloned here, and the replaced one dropped here, with the core closed.
                let fresh = waker.clone();
                let unused = self
                    .world
                    .enter(|core| match core.timer_waker(self.host, key) {
                        Some(known) => std::mem::replace(known, fresh),
                        None => fresh,
                    });
                drop(unused);
                self.note_timer(key);
                false
            }
        }
    }

    fn timer_fired(&self, timer: TimerId) -> bool {
        TimerKey::from_bits(timer.0).is_none_or(|key| {
            self.open(|core| core.timer_waker(self.host, key).is_none())
                .unwrap_or(false)
        })
    }

    fn timer_cancel(&self, timer: TimerId) {
        let Some(key) = TimerKey::from_bits(timer.0) else {
            return;
        };
        let alarm = self.world.enter(|core| {
            // Where loops run in iterations a process that is over has left no timer, and its keys
            // are those of others.
            let is_own = core.iterations.is_none() || core.has_loop(self.host, self.epoch);
            is_own.then(|| core.cancel_timer(self.host, key))
        });
        drop(alarm);
    }

    fn choose(&self, label: &'static str, n: u64) -> u64 {
        self.open(|core| core.choose(Domain::Schedule, label, n))
            .unwrap_or(0)
    }
}

impl Callbacks for SimLoop {
    fn schedule(&self, call: ScheduledCall) -> Result<Option<TimerId>, Closed> {
        let mut call = Some(call);
        let scheduled = self.open(|core| Some(core.schedule_call(self.host, call.take()?)));
        let timer = scheduled.flatten().ok_or(Closed)?;
        Ok(timer.map(|key| TimerId(key.to_bits())))
    }

    fn stop(&self) {
        self.open(|core| core.stop_loop(self.host));
    }

    fn scheduled(&self) -> (usize, usize, Option<Instant>) {
        let counted = self.open(|core| Some(core.iterations.as_ref()?.scheduled(self.host)));
        let (ready, timed, next) = counted.flatten().unwrap_or_default();
        (
            ready,
            timed,
            next.map(|at| Instant::from_nanos(at.as_nanos())),
        )
    }

    fn take_calls(&self) -> Vec<ScheduledCall> {
        let calls = self.world.enter(|core| {
            if !core.has_loop(self.host, self.epoch) {
                return core.take_late_calls();
            }
            let iterations = core.iterations.as_mut();
            iterations.map_or_else(Vec::new, |loops| loops.take_calls(self.host))
        });
        calls.unwrap_or_default()
    }
}

/// A timer that has fired: no queue makes its key.
const FIRED: TimerId = TimerId(NonZeroU64::MAX);

enum TimerState {
    Fired,
    Pending,
    /// It would wake somebody else than who asks.
    PendingForAnother,
}

impl SimLoop {
    /// Drives the world until `root` is ready.
    fn drive(&self, root: Pin<&mut dyn Future<Output = ()>>) -> Result<(), String> {
        match self.world.drive(
            &mut self.world.visit(),
            self.host,
            "loop",
            Location::caller(),
            root,
        ) {
            Drive::Done => return Ok(()),
            Drive::Panicked(payload, _) => resume_unwind(payload),
            Drive::Verdict => {}
        }
        let verdict = self
            .world
            .core(|core| core.ended.as_ref().map(ToString::to_string));
        Err(verdict.unwrap_or_else(|| "the world is closed".to_owned()))
    }

    /// Notes what the current task waits for, in a run that is recorded.
    fn note(&self, wait: impl FnOnce() -> Wait) {
        self.world.note(wait);
    }

    /// Notes that the current task still waits for a timer, unless it waits for more than that.
    fn note_timer(&self, key: TimerKey) {
        let Some(task) = polled_task().filter(|_| self.world.is_recording()) else {
            return;
        };
        self.world.enter(|core| {
            let deadline = core.timer_deadline(self.host, key);
            if let (Some(recording), Some(at)) = (&mut core.recording, deadline) {
                recording.still_waits(task.serial(), || Wait::Timer(at));
            }
        });
    }
}

impl World {
    /// An error nobody took fails the run.
    fn unhandled(&self, context: &ErrorContext) {
        self.tell_intrusion();
        let (location, earlier) = (
            panics::location_of(&context.error),
            panics::before(&context.error),
        );
        self.enter(|core| {
            if core.ended.is_some() {
                return;
            }
            let task = context.task.map(|id| core.describe(id));
            core.end(
                VerdictKind::Unread,
                format!("{}: {}", context.message, context.error),
            );
            if let Some(verdict) = &mut core.ended {
                verdict.location = location;
                verdict.earlier_panics = earlier;
                verdict.task = task.or(verdict.task.take());
            }
        });
    }

    pub(crate) fn note(&self, wait: impl FnOnce() -> Wait) {
        if !self.is_recording() {
            return;
        }
        let Some(task) = polled_task() else { return };
        let wait = wait();
        self.enter(|core| {
            if let Some(recording) = &mut core.recording {
                recording.waits(task.serial(), wait);
            }
        });
    }
}
