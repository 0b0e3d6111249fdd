//! The loops of profiles `asyncio` and `uvloop`: on each host one queue of callbacks and task
//! steps, run in iterations.
//!
//! An iteration begins at a [`Queued::Turn`]: what has arrived and what is due joins the queue, and
//! the next turn is queued behind all there is, which makes that the batch. libuv serves arrivals
//! and timers at the turn itself, before the batch; there a [`Queued::Batch`] stands between them.
//!
//! The order within a host is fixed. What a run decides is which host goes on, so the strategy's
//! queue holds a host's number for each entry of the host's queue.

mod remains;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::num::NonZeroU64;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use event_loop::backend::{Runnable, ScheduledCall};
use interpose::ThreadId;
use virtual_time::{HostClock, Instant, TimerKey, Timers};

use super::choices::Domain;
use super::core::{Core, MILLISECOND, Step};
use super::entry::plain_name;
use super::hosts::clock::OwnClock;
use super::ready::{Lane, Ready, ReadyQueue, Strategy};
use super::recording::Woken;
use super::uvloop::nearest_millisecond;
use crate::trace::Kind;

/// The loops of every host.
pub(crate) struct Iterations {
    /// By libuv's rules, and not by those of CPython.
    libuv: bool,
    clock: HostClock,
    /// Those of hosts that have their own.
    own_clocks: BTreeMap<u32, Arc<OwnClock>>,
    /// A turn of a host for each entry of its queue, and the threads that can run.
    order: Strategy<Turn>,
    loops: Vec<HostLoop>,
    /// When the sleeping loops wake that have a timer.
    alarms: BTreeSet<(Instant, u32)>,
    /// When a timer was last due.
    rang: Instant,
    /// The run under way, if a world is driven.
    run: Option<Run>,
}

#[derive(Default)]
pub(crate) struct HostLoop {
    queue: VecDeque<Queued>,
    timers: Timers<Alarm>,
    /// Timers that are due and wait for their turn.
    ringing: BTreeMap<NonZeroU64, Alarm>,
    /// Who waits for what has arrived since the last turn.
    arrived: Vec<Waker>,
    /// Its next turn, or batch, is queued.
    awake: bool,
    alarm: Option<Instant>,
    stopping: bool,
}

/// An entry of a loop's queue.
enum Queued {
    Ready(Ready),
    Call(ScheduledCall),
    /// A timer that was due at this iteration's beginning.
    Alarm(TimerKey),
    /// The waker of whom something has arrived for.
    Arrival(Waker),
    /// libuv's `stop`, itself a callback.
    Stop,
    /// An iteration begins.
    Turn,
    /// libuv's arrivals and timers are served, the batch begins.
    Batch,
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Turn {
    Host(u32),
    Thread(ThreadId),
}

/// What a timer does.
pub(crate) enum Alarm {
    Wake(Waker),
    Call(ScheduledCall),
}

struct Run {
    host: u32,
    /// Its first iteration has begun.
    began: bool,
}

impl Iterations {
    pub(super) fn new(libuv: bool, clock: HostClock, order: Strategy<Turn>) -> Self {
        Self {
            libuv,
            clock,
            own_clocks: BTreeMap::new(),
            order,
            loops: Vec::new(),
            alarms: BTreeSet::new(),
            rang: Instant::BEGIN,
            run: None,
        }
    }

    pub(super) fn strategy(&self) -> &'static str {
        self.order.name()
    }

    /// Somebody has a turn to come.
    pub(super) fn push_turn(&mut self, turn: Turn, lane: Lane, hold: u32) {
        self.order.push(turn, lane, hold);
    }

    /// When a sleeping loop wakes next of itself.
    pub(super) fn next_alarm(&self) -> Option<Instant> {
        self.alarms.first().map(|(at, _)| *at)
    }

    /// Whether somebody waits for time to pass `now`.
    pub(super) fn waits_for_time(&self, now: Instant) -> bool {
        let waits = |host: &HostLoop| !host.timers.is_empty() || !host.ringing.is_empty();
        self.rang == now || self.loops.iter().any(waits)
    }

    /// Something has arrived for who waits with `waker`.
    pub(super) fn arrived(&mut self, host: u32, waker: Waker) {
        self.loop_of(host).arrived.push(waker);
    }

    /// The waker of a timer that has not fired yet.
    pub(crate) fn timer_waker(&mut self, host: u32, key: TimerKey) -> Option<&mut Waker> {
        let host = self.loop_of(host);
        let ringing = host.ringing.get_mut(&key.to_bits());
        match ringing.or_else(|| host.timers.get_mut(key))? {
            Alarm::Wake(waker) => Some(waker),
            Alarm::Call(_) => None,
        }
    }

    /// When a timer is due that is pending.
    pub(crate) fn deadline(&self, host: u32, key: TimerKey) -> Option<Instant> {
        self.loops.get(host as usize)?.timers.deadline(key)
    }

    /// Takes a timer out that has not fired yet.
    pub(crate) fn cancel(&mut self, host: u32, key: TimerKey) -> Option<Alarm> {
        let host = self.loop_of(host);
        let ringing = host.ringing.remove(&key.to_bits());
        ringing.or_else(|| host.timers.cancel(key))
    }

    /// Who sleeps on whichever host, and until when.
    pub(crate) fn sleepers(&self) -> impl Iterator<Item = (Instant, &Waker)> {
        let pending = self.loops.iter().flat_map(|host| host.timers.iter());
        pending.filter_map(|(at, alarm)| match alarm {
            Alarm::Wake(waker) => Some((at, waker)),
            Alarm::Call(_) => None,
        })
    }

    /// The timers of a host, in no order.
    pub(super) fn timers(&self, host: u32) -> impl Iterator<Item = (Instant, &Alarm)> {
        let timers = self.loops.get(host as usize);
        timers.into_iter().flat_map(|host| host.timers.iter())
    }

    /// How many callbacks of a host are ready and how many wait for their time, and the next of
    /// these times.
    pub(crate) fn scheduled(&self, host: u32) -> (usize, usize, Option<Instant>) {
        let Some(host) = self.loops.get(host as usize) else {
            return (0, 0, None);
        };
        let is_call = |alarm: &Alarm| matches!(alarm, Alarm::Call(_));
        let queued = host.queue.iter();
        let soon = queued.filter(|q| matches!(q, Queued::Call(call) if !call.is_spent()));
        let ringing = host.ringing.values().filter(|alarm| is_call(alarm));
        let timed = host.timers.iter().filter(|(_, alarm)| is_call(alarm));
        let deadlines: Vec<_> = timed.map(|(at, _)| at).collect();
        let next = deadlines.iter().min().copied();
        (soon.count() + ringing.count(), deadlines.len(), next)
    }

    /// Every callback of a host, in the order they would have run.
    pub(crate) fn take_calls(&mut self, host: u32) -> Vec<ScheduledCall> {
        self.loop_of(host).take_calls()
    }

    /// Every task that is queued, for the end of the world.
    pub(super) fn take_tasks(&mut self) -> Vec<Runnable> {
        let loops = self.loops.iter_mut();
        loops.flat_map(HostLoop::take_tasks).collect()
    }

    /// What is left, to be dropped at the end of the world with the core closed.
    pub(super) fn take_rest(&mut self) -> Vec<HostLoop> {
        std::mem::take(&mut self.loops)
    }

    fn loop_of(&mut self, host: u32) -> &mut HostLoop {
        let index = host as usize;
        if index >= self.loops.len() {
            self.loops.resize_with(index + 1, HostLoop::default);
        }
        &mut self.loops[index]
    }

    /// True if the loop slept: its next turn is before all that is queued.
    fn rouse(&mut self, host: u32) -> bool {
        let sleeper = self.loop_of(host);
        if std::mem::replace(&mut sleeper.awake, true) {
            return false;
        }
        sleeper.queue.push_front(Queued::Turn);
        if let Some(at) = sleeper.alarm.take() {
            self.alarms.remove(&(at, host));
        }
        true
    }

    /// Whether the run ends here, where the loop looks whether it is to stop.
    fn ends(&mut self, host: u32) -> bool {
        let run = self.run.as_mut().filter(|run| run.host == host);
        let Some(run) = run else {
            // A world's own hosts have nobody to return to.
            self.loop_of(host).stopping = false;
            return false;
        };
        // libuv's loops look only behind a batch.
        let began = std::mem::replace(&mut run.began, true) || self.libuv;
        began && self.loop_of(host).stopping
    }

    /// What is due now joins the queue. `tie(n)` chooses among `n` timers of one deadline.
    fn ring(&mut self, host: u32, now: Instant, mut tie: impl FnMut(u64) -> u64) -> Vec<Queued> {
        let libuv = self.libuv;
        let clock = self.clock_of(host);
        let (reading, tick) = (clock.monotonic(now), clock.granularity());
        // CPython takes what is due within a resolution of its clock.
        let due = if libuv {
            reading
        } else {
            reading + (tick - Duration::from_nanos(1))
        };
        let rang = &mut self.rang;
        let host = &mut self.loops[host as usize];
        let mut joining: Vec<_> = host.arrived.drain(..).map(Queued::Arrival).collect();
        let mut group = Vec::new();
        while host.timers.pop_group(due, &mut group).is_some() {
            // libuv numbers its timers, CPython's heap compares deadlines only.
            for first in 0..group.len().saturating_sub(1) {
                let others = (group.len() - first) as u64;
                let chosen = if libuv { 0 } else { tie(others) };
                group[first..=first + chosen as usize].rotate_right(1);
            }
            for (key, alarm) in group.drain(..) {
                host.ringing.insert(key.to_bits(), alarm);
                joining.push(Queued::Alarm(key));
                *rang = now;
            }
        }
        joining
    }

    /// The loop has nothing to do: when its earliest timer wakes it, by a sleep in milliseconds.
    fn sleep(&mut self, host: u32, now: Instant) -> Option<Instant> {
        let reading = self.clock_of(host).monotonic(now);
        let sleeper = self.loop_of(host);
        sleeper.awake = false;
        let wait = sleeper.timers.next_deadline()? - reading;
        let nanos = u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX);
        let whole = nanos.checked_next_multiple_of(MILLISECOND);
        let whole = Duration::from_nanos(whole.unwrap_or(u64::MAX));
        let at = match self.own_clocks.get(&host) {
            Some(own) => own.after(now, whole),
            None => now + whole,
        };
        let sleeper = self.loop_of(host);
        sleeper.alarm = Some(at);
        self.alarms.insert((at, host));
        Some(at)
    }
}

impl Core {
    /// What the next queued entry comes to; `None` if all loops sleep.
    pub(super) fn iterate(&mut self, wakes: &mut Vec<Waker>) -> Option<Step> {
        loop {
            let (iterations, choices) = (self.iterations.as_mut()?, &mut self.choices);
            let turn = iterations.order.pick(|n| choices.pick(n))?;
            if let Some(recording) = &mut self.recording {
                recording.picked(turn.into(), choices, self.trace.names());
            }
            if self.aside.is_some() && self.keep_turn(turn) {
                continue;
            }
            let host = match turn {
                Turn::Host(host) => host,
                Turn::Thread(thread) if self.thread_goes(thread) => {
                    return Some(Step::Thread(thread));
                }
                Turn::Thread(_) => continue,
            };
            let queued = self.iterations.as_mut()?.loop_of(host).queue.pop_front();
            // What was taken out of the queue has left its turn behind.
            let Some(queued) = queued else { continue };
            if let Some(step) = self.serve(host, queued, wakes) {
                return Some(step);
            }
        }
    }

    /// A task or the root can run.
    pub(super) fn enqueue_ready(&mut self, host: u32, ready: Ready) {
        self.enqueue(host, Queued::Ready(ready));
    }

    /// A callback, which gets a timer if it has a deadline.
    pub(crate) fn schedule_call(&mut self, host: u32, call: ScheduledCall) -> Option<TimerKey> {
        let Some(deadline) = call.deadline() else {
            self.enqueue(host, Queued::Call(call));
            return None;
        };
        let deadline = Instant::from_nanos(deadline.as_nanos());
        Some(self.arm(host, deadline, Alarm::Call(call)))
    }

    /// Arms a timer.
    pub(super) fn arm(&mut self, host: u32, deadline: Instant, alarm: Alarm) -> TimerKey {
        let now = self.now;
        let iterations = self.iterations.as_mut().expect("who arms has iterations");
        if !iterations.libuv {
            let key = iterations.loop_of(host).timers.insert(deadline, alarm);
            self.rouse(host);
            self.expect(deadline);
            return key;
        }
        // uvloop's timers count in milliseconds, and its shortest are calls of the next batch.
        let clock = iterations.clock_of(host);
        let (reading, last) = (clock.monotonic(now), clock.monotonic(Instant::END));
        let delay = nearest_millisecond((deadline - reading).as_nanos());
        let timers = &mut iterations.loop_of(host).timers;
        let at = (reading + Duration::from_nanos(delay)).min(last);
        let key = timers.insert(at, alarm);
        if delay > 0 {
            self.rouse(host);
        } else if let Some(alarm) = timers.cancel(key) {
            let ringing = &mut iterations.loop_of(host).ringing;
            ringing.insert(key.to_bits(), alarm);
            self.enqueue(host, Queued::Alarm(key));
        }
        self.expect(at);
        key
    }

    /// Ends the host's run, under way or to come, as its loop does.
    pub(crate) fn stop_loop(&mut self, host: u32) {
        let Some(iterations) = &mut self.iterations else {
            return;
        };
        if iterations.libuv {
            self.enqueue(host, Queued::Stop);
        } else {
            iterations.loop_of(host).stopping = true;
            self.rouse(host);
        }
    }

    /// A world is driven, and its root was woken: the loop of `host` begins an iteration, and ends
    /// the run once it stops.
    pub(super) fn begin_run(&mut self, host: u32) {
        let Some(iterations) = &mut self.iterations else {
            return;
        };
        iterations.run = Some(Run { host, began: false });
        let queue = &mut iterations.loop_of(host).queue;
        let root = queue.pop_back();
        // A run that ended in a panic left its next turn in the middle.
        queue.retain(|queued| !matches!(queued, Queued::Turn | Queued::Batch));
        queue.push_front(Queued::Turn);
        // As asyncio puts its callback on main before anything runs.
        queue.extend(root);
        queue.rotate_right(1);
    }

    /// The run is over, in whichever way.
    pub(super) fn end_run(&mut self) {
        if let Some(iterations) = &mut self.iterations
            && let Some(run) = iterations.run.take()
        {
            let host = iterations.loop_of(run.host);
            host.stopping = false;
            // A wake of this root is none of the next one's.
            let root = |queued: &Queued| matches!(queued, Queued::Ready(Ready::Root));
            host.queue.retain(|queued| !root(queued));
            self.root_queued = false;
        }
    }

    /// Wakes the loops that something has arrived for, or whose time to sleep is over.
    #[cold]
    pub(super) fn rouse_due(&mut self) {
        let (Some(iterations), now) = (&mut self.iterations, self.now) else {
            return;
        };
        let due = |(at, host): &(Instant, u32)| (*at <= now).then_some(*host);
        let mut hosts: Vec<_> = iterations.alarms.iter().map_while(due).collect();
        let arrived = |host: &u32| !iterations.loops[*host as usize].arrived.is_empty();
        hosts.extend((0..iterations.loops.len() as u32).filter(arrived));
        for host in hosts {
            self.rouse(host);
        }
    }

    fn enqueue(&mut self, host: u32, queued: Queued) {
        self.rouse(host);
        if let Some(iterations) = &mut self.iterations {
            iterations.loop_of(host).queue.push_back(queued);
            self.count_in(host);
        }
    }

    fn rouse(&mut self, host: u32) {
        if let Some(iterations) = &mut self.iterations
            && iterations.rouse(host)
        {
            self.count_in(host);
        }
    }

    /// The host has one more entry.
    pub(super) fn count_in(&mut self, host: u32) {
        let mut hold = 0;
        if let Some(recording) = &mut self.recording {
            hold = recording.woken(Woken::Host(host), &self.choices, self.trace.names());
        }
        if let Some(iterations) = &mut self.iterations {
            iterations.push_turn(Turn::Host(host), Lane::host(host), hold);
        }
    }

    fn serve(&mut self, host: u32, queued: Queued, wakes: &mut Vec<Waker>) -> Option<Step> {
        match queued {
            Queued::Ready(ready) => self.take(ready),
            Queued::Call(call) => self.call(host, call),
            Queued::Alarm(key) => {
                let host_loop = self.iterations.as_mut()?.loop_of(host);
                match host_loop.ringing.remove(&key.to_bits())? {
                    Alarm::Call(call) => self.call(host, call),
                    Alarm::Wake(waker) => Some(self.wake(waker, wakes)),
                }
            }
            Queued::Arrival(waker) => Some(self.wake(waker, wakes)),
            Queued::Stop => {
                self.iterations.as_mut()?.loop_of(host).stopping = true;
                None
            }
            Queued::Turn => self.turn(host),
            Queued::Batch => self.batch(host),
        }
    }

    fn call(&mut self, host: u32, call: ScheduledCall) -> Option<Step> {
        if call.is_spent() {
            return None;
        }
        self.trace.event(self.now, Kind::Call, 0, u64::from(host));
        self.count_poll();
        Some(self.at_home(Step::Call(host, call)))
    }

    /// What the loop itself does for a future takes a callback, too.
    fn wake(&mut self, waker: Waker, wakes: &mut Vec<Waker>) -> Step {
        self.count_poll();
        wakes.push(waker);
        Step::Wake
    }

    fn turn(&mut self, host: u32) -> Option<Step> {
        let iterations = self.iterations.as_mut()?;
        let libuv = iterations.libuv;
        if !libuv && iterations.ends(host) {
            return Some(self.leave(host));
        }
        self.trace.event(self.now, Kind::Turn, 0, u64::from(host));
        let (choices, trace, now) = (&mut self.choices, &mut self.trace, self.now);
        let name = &self.hosts[host as usize].name;
        let joining = iterations.ring(host, now, |n| {
            let chosen = choices.choose(Domain::Schedule, "loop.tie", n, || plain_name(name));
            trace.choice(now, 0, "loop.tie", chosen);
            chosen
        });
        let host_loop = iterations.loop_of(host);
        if joining.is_empty() && host_loop.queue.is_empty() && !host_loop.stopping {
            if let Some(at) = iterations.sleep(host, now) {
                self.expect(at);
            }
            return None;
        }
        let joined = joining.len();
        if libuv {
            host_loop.queue.push_front(Queued::Batch);
            for queued in joining.into_iter().rev() {
                host_loop.queue.push_front(queued);
            }
        } else {
            host_loop.queue.extend(joining);
            host_loop.queue.push_back(Queued::Turn);
        }
        for _ in 0..=joined {
            self.count_in(host);
        }
        None
    }

    fn batch(&mut self, host: u32) -> Option<Step> {
        let iterations = self.iterations.as_mut()?;
        if iterations.ends(host) {
            return Some(self.leave(host));
        }
        iterations.loop_of(host).queue.push_back(Queued::Turn);
        self.count_in(host);
        None
    }

    /// The loop returns from its run; whoever runs it next begins with a turn.
    fn leave(&mut self, host: u32) -> Step {
        if let Some(iterations) = &mut self.iterations {
            iterations.loop_of(host).awake = false;
        }
        Step::Done
    }
}

impl From<Turn> for Woken {
    fn from(turn: Turn) -> Self {
        match turn {
            Turn::Host(host) => Self::Host(host),
            Turn::Thread(thread) => Self::Thread(thread.0),
        }
    }
}
