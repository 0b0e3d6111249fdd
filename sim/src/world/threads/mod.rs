//! Simulated threads: operating system threads that take turns, one at a time, with the world's
//! baton, and wait in virtual time.
//!
//! The thread that calls [`World::drive`](super::World) is the *driver*. Each other has a
//! [`Seat`], where it waits for the baton; a thread that blocks, ends, or has done what it was asked
//! for passes the baton back to the driver. A thread that can run stands in the ready queue beside
//! the tasks. Where the driver itself blocks, inside of a poll, it goes on driving in the frame that
//! blocks, while nothing of the hosts runs whose home it is.

mod blocked;
mod ending;
mod homes;
mod made;
mod own;
mod seat;
mod table;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::thread::JoinHandle;

use event_loop::backend::{Polled, TaskMeta};
pub(crate) use interpose::ThreadId;
use slab::Slab;
use virtual_time::{Instant, TimerKey, Timers};

pub(super) use self::homes::Errand;
pub(super) use self::seat::enter_host;
pub(crate) use self::seat::{Seat, Seated};
use super::core::{Core, current_serial};
use super::iterations::Turn;
use super::ready::{Lane, Ready, ReadyQueue};
use super::recording::Woken;
use crate::trace::Kind;

/// The threads of a world beside the driver.
#[derive(Debug, Default)]
pub(crate) struct Threads {
    /// Those that have not ended, and those that somebody may still join.
    all: BTreeMap<ThreadId, Thread>,
    /// How many there ever were.
    made: u64,
    lanes: Slab<()>,
    /// Who waits at which address, longest first. Addresses are looked up and never listed, so
    /// they decide nothing.
    futexes: BTreeMap<usize, VecDeque<(ThreadId, u32)>>,
    timers: Timers<ThreadId>,
    driver: Option<Arc<Seat>>,
    /// The frames in which the driver is blocked, the innermost last.
    frames: Vec<ThreadId>,
    /// Whose tasks live on a thread of their own.
    homes: BTreeMap<u32, ThreadId>,
    /// What the thread leaves whose turn has just ended.
    handed: Handed,
}

/// What a thread leaves to the driver at the end of its turn.
#[derive(Debug, Default)]
pub(super) struct Handed {
    polled: Polled,
    panics: Vec<(String, String)>,
    /// The real thread of one that has ended.
    ended: Option<JoinHandle<()>>,
}

/// A thread, or a frame in which the driver is blocked.
#[derive(Debug)]
struct Thread {
    host: u32,
    what: What,
    /// In recorded runs: what the program calls it, known once it has blocked.
    name: Option<Box<str>>,
    lane: usize,
    seat: Arc<Seat>,
    state: State,
    /// How the last wait ended.
    outcome: Outcome,
    /// It is the simulator's and has no work: no frame of the test's is on its stack.
    idle: bool,
    /// It was unparked before it parked.
    unparked: bool,
    /// Nobody will join it.
    detached: bool,
    /// What the thread is asked to do next, if it is a home.
    errand: Option<Errand>,
    /// The poll that it is blocked in, and when that began.
    poll: Option<(TaskMeta, Instant)>,
}

#[derive(Debug)]
enum What {
    /// By the code under test.
    Made,
    /// By the simulator.
    Own(Option<JoinHandle<()>>),
    /// A frame of the driver.
    Frame,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// It is queued.
    Ready,
    /// It has the baton.
    Running,
    Blocked {
        on: On,
        since: Instant,
        timer: Option<TimerKey>,
    },
    Ended,
}

/// What a thread waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum On {
    /// A wake at this address, with one of these bits.
    Futex(usize, u32),
    Sleep,
    Join(ThreadId),
    /// To be unparked; it is one of the simulator's.
    Park,
    /// Its turn, which it has given away.
    Yield,
    /// Something to do, of its host.
    Errand,
}

/// How a wait ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Outcome {
    #[default]
    Woken,
    TimedOut,
    /// By a signal handler.
    Interrupted,
    /// The world is over, or the thread is to go.
    Over,
}

impl Threads {
    /// Whether the thread that drives is blocked in a frame of the test's.
    pub(super) fn driver_is_blocked(&self) -> bool {
        !self.frames.is_empty()
    }

    /// Whether the thread is the home of a host.
    pub(super) fn is_home(&self, thread: ThreadId) -> bool {
        self.homes.values().any(|home| *home == thread)
    }

    /// When a thread that waits is due next.
    pub(super) fn next_deadline(&mut self) -> Option<Instant> {
        self.timers.next_deadline()
    }

    /// How many wait that the code under test made or waits in.
    pub(super) fn waiting(&self) -> usize {
        let waits =
            |thread: &&Thread| matches!(thread.state, State::Blocked { .. }) && !thread.idle;
        self.all.values().filter(waits).count()
    }

    /// Whether a frame of the driver's is blocked that is not the innermost: it cannot go on yet.
    pub(super) fn is_buried(&self, thread: ThreadId) -> bool {
        self.frames.contains(&thread) && self.frames.last() != Some(&thread)
    }

    pub(super) fn host_of(&self, thread: ThreadId) -> Option<u32> {
        self.all.get(&thread).map(|thread| thread.host)
    }

    /// Whether the tasks of the host live on a thread of their own.
    pub(super) fn has_home(&self, host: u32) -> bool {
        self.homes.contains_key(&host)
    }

    fn leave_futex(&mut self, word: usize, thread: ThreadId) {
        if let Some(waiters) = self.futexes.get_mut(&word) {
            waiters.retain(|(waiter, _)| *waiter != thread);
            if waiters.is_empty() {
                self.futexes.remove(&word);
            }
        }
    }
}

impl Core {
    /// A new thread of the host, which can run.
    fn add_thread(&mut self, host: u32, what: What, seat: Arc<Seat>, name: &str) -> ThreadId {
        let is_frame = matches!(what, What::Frame);
        let threads = self.threads.get_or_insert_default();
        if threads.driver.is_none() {
            // The first is made by who drives.
            threads.driver = Some(Arc::new(Seat::here()));
        }
        threads.made += 1;
        let id = ThreadId(threads.made);
        let thread = Thread {
            host,
            idle: matches!(what, What::Own(_)),
            what,
            name: None,
            lane: threads.lanes.insert(()),
            seat,
            state: State::Running,
            outcome: Outcome::Woken,
            unparked: false,
            detached: false,
            errand: None,
            poll: None,
        };
        threads.all.insert(id, thread);
        if let (Some(recording), Some(names)) = (&mut self.recording, self.trace.names()) {
            recording.name_thread(id.0, host, name, names);
        }
        if !is_frame {
            self.trace
                .event(self.now, Kind::ThreadMade, current_serial(), id.0);
            self.progress();
        }
        id
    }

    /// The thread can run.
    fn thread_ready(&mut self, id: ThreadId) {
        if let Some(thread) = self.thread(id) {
            thread.state = State::Ready;
            self.trace
                .event(self.now, Kind::ThreadWoken, current_serial(), id.0);
            self.queue_thread(id);
        }
    }

    /// Queues a thread that can run.
    pub(super) fn queue_thread(&mut self, id: ThreadId) {
        let Some(thread) = self.thread(id) else {
            return;
        };
        let lane = Lane::thread(thread.lane);
        let mut hold = 0;
        if let Some(recording) = &mut self.recording {
            hold = recording.woken(Woken::Thread(id.0), &self.choices, self.trace.names());
        }
        match &mut self.iterations {
            Some(iterations) => iterations.push_turn(Turn::Thread(id), lane, hold),
            None => self.ready.push(Ready::Thread(id), lane, hold),
        }
    }

    /// Whether a thread that was picked can go on, and counts its turn if so.
    pub(super) fn thread_goes(&mut self, id: ThreadId) -> bool {
        let ready = |thread: &mut Thread| matches!(thread.state, State::Ready);
        if !self.thread(id).is_some_and(ready) {
            // It has vanished since.
            return false;
        }
        self.trace.event(self.now, Kind::ThreadRuns, 0, id.0);
        self.count_turn();
        true
    }

    /// The seats of a thread that is given the baton, and of the driver.
    fn thread_runs(&mut self, id: ThreadId) -> Option<(Arc<Seat>, Arc<Seat>)> {
        let threads = self.threads.as_mut()?;
        let thread = threads.all.get_mut(&id)?;
        thread.state = State::Running;
        Some((thread.seat.clone(), threads.driver.clone()?))
    }

    /// The thread whose turn it is gives the baton back to the driver.
    fn hand_back(&mut self, panics: Vec<(String, String)>) -> Option<Arc<Seat>> {
        let threads = self.threads.as_mut()?;
        threads.handed.panics = panics;
        threads.driver.clone()
    }

    fn handed_back(&mut self) -> Handed {
        let threads = self.threads.as_mut();
        threads.map_or_else(Handed::default, |threads| {
            std::mem::take(&mut threads.handed)
        })
    }

    /// The calling thread drives from here on.
    pub(super) fn seat_driver(&mut self) {
        if let Some(threads) = &mut self.threads {
            threads.driver = Some(Arc::new(Seat::here()));
        }
    }

    /// The thread is blocked: it waits on something until it is woken, or until then.
    fn thread_blocks(&mut self, id: ThreadId, on: On, until: Option<Instant>) {
        let now = self.now;
        // Who waits for work has done what was timed, and the driver is yet to look at it.
        let poll = match on {
            On::Errand => None,
            _ => self.polls_timed.began.take(),
        };
        let Some(threads) = &mut self.threads else {
            return;
        };
        let Some(thread) = threads.all.get_mut(&id) else {
            return;
        };
        let timer = until.map(|until| threads.timers.insert(until, id));
        let host = thread.host;
        thread.poll = poll;
        thread.idle = matches!(on, On::Park | On::Errand);
        thread.state = State::Blocked {
            on,
            since: now,
            timer,
        };
        if let On::Futex(word, bits) = on {
            threads
                .futexes
                .entry(word)
                .or_default()
                .push_back((id, bits));
        }
        let is_home = threads.homes.get(&host) == Some(&id);
        if on == On::Errand {
            return;
        }
        self.trace
            .event(now, Kind::ThreadBlocks, current_serial(), id.0);
        if is_home {
            self.set_home_aside(host);
        }
        if let Some(until) = until {
            self.expect(until);
        }
        if on == On::Yield {
            self.thread_ready(id);
        }
    }

    /// The thread has its turn again; how its wait ended.
    fn thread_goes_on(&mut self, id: ThreadId) -> Outcome {
        let Some(threads) = &mut self.threads else {
            return Outcome::Over;
        };
        let Some(thread) = threads.all.get_mut(&id) else {
            return Outcome::Over;
        };
        thread.state = State::Running;
        let (host, outcome) = (thread.host, std::mem::take(&mut thread.outcome));
        let poll = thread.poll.take();
        thread.idle = false;
        let is_home = threads.homes.get(&host) == Some(&id);
        if poll.is_some() {
            self.polls_timed.began = poll;
        }
        if is_home {
            self.take_home_back(host);
        }
        outcome
    }

    /// Ends the wait of a thread; whether it was waiting.
    fn wake_thread(&mut self, id: ThreadId, outcome: Outcome) -> bool {
        let Some(threads) = &mut self.threads else {
            return false;
        };
        let Some(thread) = threads.all.get_mut(&id) else {
            return false;
        };
        let State::Blocked { on, timer, .. } = thread.state else {
            return false;
        };
        thread.outcome = outcome;
        if let Some(timer) = timer {
            threads.timers.cancel(timer);
        }
        if let On::Futex(word, _) = on {
            threads.leave_futex(word, id);
        }
        self.thread_ready(id);
        true
    }

    /// Wakes the threads whose time has come.
    pub(super) fn wake_due_threads(&mut self) {
        loop {
            let (now, threads) = (self.now, self.threads.as_mut());
            let Some((_, _, id)) = threads.and_then(|threads| threads.timers.pop_due(now)) else {
                return;
            };
            if let Some(thread) = self.thread(id)
                && let State::Blocked { timer, .. } = &mut thread.state
            {
                *timer = None;
            }
            self.wake_thread(id, Outcome::TimedOut);
        }
    }

    /// Wakes the threads that wait at an address with one of these bits, longest first; how many.
    fn wake_futex(&mut self, word: usize, bits: u32, count: u32) -> u32 {
        let mut woken = 0;
        while woken < count {
            let waiters = self
                .threads
                .as_ref()
                .and_then(|threads| threads.futexes.get(&word));
            let waiter = waiters.and_then(|list| list.iter().find(|(_, of)| of & bits != 0));
            let Some(&(id, _)) = waiter else { break };
            self.wake_thread(id, Outcome::Woken);
            woken += 1;
        }
        woken
    }

    /// The thread has ended, or will never have another turn.
    fn thread_over(&mut self, id: ThreadId) {
        let Some(threads) = &mut self.threads else {
            return;
        };
        let Some(thread) = threads.all.get_mut(&id) else {
            return;
        };
        if let State::Blocked { on, timer, .. } = thread.state {
            if let Some(timer) = timer {
                threads.timers.cancel(timer);
            }
            if let On::Futex(word, _) = on {
                threads.leave_futex(word, id);
            }
        }
        let thread = threads.all.get_mut(&id).expect("it was there");
        thread.state = State::Ended;
        threads.lanes.remove(thread.lane);
        if let What::Own(handle) = &mut thread.what {
            threads.handed.ended = handle.take();
        }
        let forget = thread.detached || !matches!(thread.what, What::Made);
        if threads.homes.get(&thread.host) == Some(&id) {
            let host = thread.host;
            threads.homes.remove(&host);
        }
        if forget {
            threads.all.remove(&id);
        }
        let joiners: Vec<_> = threads
            .all
            .iter()
            .filter(|(_, thread)| match thread.state {
                State::Blocked { on, .. } => on == On::Join(id),
                _ => false,
            })
            .map(|(joiner, _)| *joiner)
            .collect();
        for joiner in joiners {
            self.wake_thread(joiner, Outcome::Woken);
        }
    }

    /// The thread's routine has ended.
    fn thread_ends(&mut self, id: ThreadId) {
        self.trace.event(self.now, Kind::ThreadEnds, 0, id.0);
        self.progress();
        self.thread_over(id);
        if let Some(recording) = &mut self.recording {
            recording.thread_finished(id.0);
        }
    }

    fn thread(&mut self, id: ThreadId) -> Option<&mut Thread> {
        self.threads.as_mut()?.all.get_mut(&id)
    }
}
