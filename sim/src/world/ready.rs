//! The ready queue: what was woken and not yet polled, and the order it is picked in.
//!
//! A queue is of [`Ready`] or, where the order within a host is fixed, of whose turn it is.
//!
//! An order is recorded as *holds*: how often a wake was passed over by a later one. First woken,
//! first picked has none, so the plain order is the empty list.

use std::collections::VecDeque;

use event_loop::backend::Runnable;
use interpose::ThreadId;

use crate::Profile;
use crate::run::plan::Source;

/// Something that can run.
#[derive(Debug)]
pub(crate) enum Ready {
    /// A task, to be polled.
    Task(Runnable),
    /// The future the world is driven for.
    Root,
    /// A thread, to be resumed.
    Thread(ThreadId),
}

/// Whose order among themselves some strategies keep: what a host has queued, or what a thread has,
/// whose host does not order it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Lane(u32);

impl Lane {
    pub(crate) const fn host(host: u32) -> Self {
        Self(host * 2)
    }

    /// `index` is a small one, that no other thread has at the time.
    pub(crate) const fn thread(index: usize) -> Self {
        Self(index as u32 * 2 + 1)
    }
}

impl Ready {
    pub(crate) fn into_task(self) -> Option<Runnable> {
        match self {
            Self::Task(runnable) => Some(runnable),
            Self::Root | Self::Thread(_) => None,
        }
    }
}

/// What a strategy needs: wakes come in by [`push`](Self::push), and go out in the strategy's
/// order. Picking is O(1) or O(log n) in what is queued.
pub(crate) trait ReadyQueue<T> {
    /// A wake. `lane` is whose, for strategies that keep a lane's order; `hold` how often it is to
    /// be passed over, for the one that repeats a recorded order.
    fn push(&mut self, ready: T, lane: Lane, hold: u32);
    /// The next to run. `draw(n)` is the strategy's source of decisions, uniform in `0..n`.
    fn pick(&mut self, draw: impl FnOnce(u64) -> u64) -> Option<T>;
    /// Takes out what is `meant`, in the order of the queue, and leaves that of the others.
    fn take_where(&mut self, meant: impl FnMut(&T) -> bool) -> Vec<T>;
    /// How many are queued.
    fn len(&self) -> usize;
}

/// First woken, first picked.
#[derive(Debug)]
pub(crate) struct Fifo<T> {
    queue: VecDeque<T>,
}

impl<T> Fifo<T> {
    const fn new() -> Self {
        Self {
            queue: VecDeque::new(),
        }
    }
}

impl<T> ReadyQueue<T> for Fifo<T> {
    fn push(&mut self, ready: T, _lane: Lane, _hold: u32) {
        self.queue.push_back(ready);
    }

    fn pick(&mut self, _draw: impl FnOnce(u64) -> u64) -> Option<T> {
        let picked = self.queue.pop_front()?;
        if worth_shrinking(self.queue.len(), self.queue.capacity()) {
            self.queue.shrink_to(self.queue.len() * 2);
        }
        Some(picked)
    }

    fn take_where(&mut self, mut meant: impl FnMut(&T) -> bool) -> Vec<T> {
        let (taken, left) = self.queue.drain(..).partition(|ready| meant(ready));
        self.queue = left;
        taken.into()
    }

    fn len(&self) -> usize {
        self.queue.len()
    }
}

/// Any, with equal chance.
#[derive(Debug)]
pub(crate) struct Shuffled<T> {
    queue: Vec<T>,
}

impl<T> ReadyQueue<T> for Shuffled<T> {
    fn push(&mut self, ready: T, _lane: Lane, _hold: u32) {
        self.queue.push(ready);
    }

    fn pick(&mut self, draw: impl FnOnce(u64) -> u64) -> Option<T> {
        let index = match self.queue.len() {
            0 => return None,
            1 => 0,
            n => draw(n as u64) as usize,
        };
        let picked = self.queue.swap_remove(index);
        if worth_shrinking(self.queue.len(), self.queue.capacity()) {
            self.queue.shrink_to(self.queue.len() * 2);
        }
        Some(picked)
    }

    fn take_where(&mut self, meant: impl FnMut(&T) -> bool) -> Vec<T> {
        let (taken, left) = self.queue.drain(..).partition(meant);
        self.queue = left;
        taken
    }

    fn len(&self) -> usize {
        self.queue.len()
    }
}

/// Any host or thread with equal chance, and of that host the first woken.
#[derive(Debug)]
pub(crate) struct FifoByHost<T> {
    lanes: Vec<Fifo<T>>,
    /// Those that have something queued.
    busy: Vec<Lane>,
    len: usize,
}

impl<T> ReadyQueue<T> for FifoByHost<T> {
    fn push(&mut self, ready: T, lane: Lane, hold: u32) {
        let index = lane.0 as usize;
        if index >= self.lanes.len() {
            self.lanes.resize_with(index + 1, Fifo::new);
        }
        if self.lanes[index].len() == 0 {
            self.busy.push(lane);
        }
        self.lanes[index].push(ready, lane, hold);
        self.len += 1;
    }

    fn pick(&mut self, draw: impl FnOnce(u64) -> u64) -> Option<T> {
        let index = match self.busy.len() {
            0 => return None,
            1 => 0,
            n => draw(n as u64) as usize,
        };
        let lane = &mut self.lanes[self.busy[index].0 as usize];
        let picked = lane.pick(|_| 0)?;
        if lane.len() == 0 {
            self.busy.swap_remove(index);
        }
        self.len -= 1;
        Some(picked)
    }

    fn take_where(&mut self, mut meant: impl FnMut(&T) -> bool) -> Vec<T> {
        let lanes = self.lanes.iter_mut();
        let taken: Vec<_> = lanes.flat_map(|lane| lane.take_where(&mut meant)).collect();
        let lanes = &self.lanes;
        self.busy.retain(|lane| lanes[lane.0 as usize].len() > 0);
        self.len -= taken.len();
        taken
    }

    fn len(&self) -> usize {
        self.len
    }
}

/// First woken, first picked, but a wake with holds is passed over that often: the order of a
/// recorded run.
#[derive(Debug)]
pub(crate) struct Held<T> {
    queue: VecDeque<(T, u32)>,
}

impl<T> ReadyQueue<T> for Held<T> {
    fn push(&mut self, ready: T, _lane: Lane, hold: u32) {
        self.queue.push_back((ready, hold));
    }

    fn pick(&mut self, _draw: impl FnOnce(u64) -> u64) -> Option<T> {
        // Where every wake is to be passed over there is nobody to pass it: the entries are of
        // another program, and the first goes on.
        let index = self
            .queue
            .iter()
            .position(|(_, hold)| *hold == 0)
            .unwrap_or(0);
        for (_, hold) in self.queue.iter_mut().take(index) {
            *hold -= 1;
        }
        self.queue.remove(index).map(|(ready, _)| ready)
    }

    fn take_where(&mut self, mut meant: impl FnMut(&T) -> bool) -> Vec<T> {
        let (taken, left): (VecDeque<_>, _) =
            self.queue.drain(..).partition(|(ready, _)| meant(ready));
        self.queue = left;
        taken.into_iter().map(|(ready, _)| ready).collect()
    }

    fn len(&self) -> usize {
        self.queue.len()
    }
}

/// The strategies of this crate behind one type, chosen once a run.
#[derive(Debug)]
pub(crate) enum Strategy<T> {
    Fifo(Fifo<T>),
    Shuffled(Shuffled<T>),
    FifoByHost(FifoByHost<T>),
    Held(Held<T>),
}

impl<T> ReadyQueue<T> for Strategy<T> {
    #[inline]
    fn push(&mut self, ready: T, lane: Lane, hold: u32) {
        match self {
            Self::Fifo(queue) => queue.push(ready, lane, hold),
            Self::Shuffled(queue) => queue.push(ready, lane, hold),
            Self::FifoByHost(queue) => queue.push(ready, lane, hold),
            Self::Held(queue) => queue.push(ready, lane, hold),
        }
    }

    #[inline]
    fn pick(&mut self, draw: impl FnOnce(u64) -> u64) -> Option<T> {
        match self {
            Self::Fifo(queue) => queue.pick(draw),
            Self::Shuffled(queue) => queue.pick(draw),
            Self::FifoByHost(queue) => queue.pick(draw),
            Self::Held(queue) => queue.pick(draw),
        }
    }

    fn take_where(&mut self, meant: impl FnMut(&T) -> bool) -> Vec<T> {
        match self {
            Self::Fifo(queue) => queue.take_where(meant),
            Self::Shuffled(queue) => queue.take_where(meant),
            Self::FifoByHost(queue) => queue.take_where(meant),
            Self::Held(queue) => queue.take_where(meant),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Fifo(queue) => queue.len(),
            Self::Shuffled(queue) => queue.len(),
            Self::FifoByHost(queue) => queue.len(),
            Self::Held(queue) => queue.len(),
        }
    }
}

impl<T> Strategy<T> {
    /// The order that the profile and the run's source of choices ask for.
    pub(crate) fn of(source: &Source, profile: Profile) -> Self {
        match source {
            Source::Plain => Self::Fifo(Fifo::new()),
            Source::Seeded if profile.shuffles_tasks() => {
                Self::Shuffled(Shuffled { queue: Vec::new() })
            }
            Source::Seeded => Self::FifoByHost(FifoByHost {
                lanes: Vec::new(),
                busy: Vec::new(),
                len: 0,
            }),
            Source::Replayed(_) => Self::Held(Held {
                queue: VecDeque::new(),
            }),
        }
    }

    /// Its name in reports.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Fifo(_) => "fifo",
            Self::Shuffled(_) => "random",
            Self::FifoByHost(_) => "random hosts",
            Self::Held(_) => "replay",
        }
    }
}

/// A burst's memory goes back once an eighth of it is in use.
const fn worth_shrinking(len: usize, capacity: usize) -> bool {
    capacity > 4_096 && len < capacity / 8
}
