//! Who gets a thread, who is queued and who is refused: the same for every backend.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::Location;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::job::Work;
use super::{BlockingError, BlockingQueue, BlockingStats, JobId, JobInfo, PoolSettings, QueueFull};
use crate::time::Instant;

/// The jobs of one loop.
pub(crate) struct Pool {
    settings: PoolSettings,
    /// What made it: the first job.
    made_at: &'static Location<'static>,
    next_id: AtomicU64,
    state: Mutex<State>,
}

struct State {
    /// Why no job is taken any more.
    refusing: Option<BlockingError>,
    /// Threads that have a job or look for the next.
    busy: usize,
    /// Every job that has not ended, in the order in which they were asked for.
    jobs: BTreeMap<JobId, Entry>,
    /// Those of them that wait for a thread.
    queued: BTreeSet<JobId>,
    /// Those of them that wait for room in the queue.
    outside: BTreeSet<JobId>,
    running: usize,
    /// Who waits for the end of all jobs.
    waiting_for_end: Vec<Waker>,
    stats: BlockingStats,
}

struct Entry {
    job: Arc<dyn Work>,
    asked: Instant,
    began: Option<Instant>,
}

/// Where a new job has got to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Placed {
    /// A thread is to begin it.
    OnThread,
    /// It waits for a thread, or for room.
    InLine,
}

/// What is to be told once the pool is left.
#[derive(Default)]
#[must_use]
pub(super) struct Told {
    has_room: Option<Arc<dyn Work>>,
    ended: Vec<Waker>,
}

impl Pool {
    pub(super) fn new(settings: PoolSettings, made_at: &'static Location<'static>) -> Self {
        let stats = BlockingStats::unused(&settings);
        Self {
            settings,
            made_at,
            next_id: AtomicU64::new(1),
            state: Mutex::new(State {
                refusing: None,
                busy: 0,
                jobs: BTreeMap::new(),
                queued: BTreeSet::new(),
                outside: BTreeSet::new(),
                running: 0,
                waiting_for_end: Vec::new(),
                stats,
            }),
        }
    }

    /// How many threads there may be.
    pub(super) fn threads(&self) -> usize {
        self.settings.threads
    }

    pub(super) fn made_at(&self) -> &'static Location<'static> {
        self.made_at
    }

    pub(super) fn next_id(&self) -> JobId {
        JobId(self.next_id.fetch_add(1, Ordering::Relaxed))
    }

    /// Takes a job in, or refuses it.
    pub(super) fn place(&self, job: Arc<dyn Work>, now: Instant) -> Result<Placed, BlockingError> {
        let mut state = self.state();
        let id = job.id();
        let placed = state.place(id, &self.settings);
        match placed {
            Ok(_) => {
                let entry = Entry {
                    job,
                    asked: now,
                    began: None,
                };
                state.jobs.insert(id, entry);
                let queued = state.queued();
                state.stats.most_queued = state.stats.most_queued.max(queued);
            }
            Err(_) => state.stats.refused += 1,
        }
        placed
    }

    /// No thread could be had for a job that was to begin at once, nor for those behind it.
    pub(super) fn withdraw(&self, id: JobId) {
        let (stranded, told) = {
            let mut state = self.state();
            state.busy -= 1;
            state.stats.refused += u64::from(state.jobs.remove(&id).is_some());
            let stranded = match state.busy {
                0 => state.take_unbegun(),
                _ => Vec::new(),
            };
            let told = Told::ended(&mut state);
            (stranded, told)
        };
        stranded.iter().for_each(|job| job.give_up());
        told.tell();
    }

    /// A thread is about to run a job; false if it was aborted.
    pub(super) fn begin(&self, id: JobId, now: Instant) -> bool {
        let mut state = self.state();
        let Some(entry) = state.jobs.get_mut(&id) else {
            return false;
        };
        entry.began = Some(now);
        let waited = now - entry.asked;
        state.running += 1;
        state.stats.longest_wait = state.stats.longest_wait.max(waited);
        true
    }

    /// A job that had begun has ended.
    pub(super) fn end(&self, id: JobId, panicked: bool) -> Told {
        let mut state = self.state();
        state.jobs.remove(&id);
        state.running -= 1;
        state.stats.done += 1;
        state.stats.panicked += u64::from(panicked);
        Told::ended(&mut state)
    }

    /// The next job for a thread that has none; without one the thread counts as free.
    pub(super) fn next(&self) -> (Option<Arc<dyn Work>>, Told) {
        let (next, told) = {
            let mut state = self.state();
            let next = state.queued.pop_first();
            let has_room = match next {
                Some(_) => state.let_one_in(),
                None => None,
            };
            let Some(id) = next.or_else(|| state.outside.pop_first()) else {
                state.busy -= 1;
                return (None, Told::default());
            };
            let next = state.jobs.get(&id).map(|entry| entry.job.clone());
            let has_room = match has_room {
                Some(job) => Some(job),
                // With no room at all, who stands outside goes straight to the thread.
                None => next.clone(),
            };
            let told = Told {
                has_room,
                ended: Vec::new(),
            };
            (next, told)
        };
        debug_assert!(next.is_some(), "who stands in line is known");
        (next, told)
    }

    /// Takes a job out that has not begun; false if it has, or is none any more.
    pub(super) fn abort(&self, id: JobId) -> bool {
        let (job, told) = {
            let mut state = self.state();
            if state.jobs.get(&id).is_none_or(|job| job.began.is_some()) {
                return false;
            }
            let Some(entry) = state.jobs.remove(&id) else {
                return false;
            };
            state.stats.aborted += 1;
            let was_queued = state.queued.remove(&id);
            state.outside.remove(&id);
            let mut told = Told::ended(&mut state);
            if was_queued {
                told.has_room = state.let_one_in();
            }
            (entry.job, told)
        };
        job.give_up();
        told.tell();
        true
    }

    /// Takes no job from here on; the first reason stays, but for the loop's end.
    pub(super) fn refuse(&self, why: BlockingError) {
        let mut state = self.state();
        if state.refusing.is_none() || why == BlockingError::Closed {
            state.refusing = Some(why);
        }
    }

    /// Drops every job that has not begun, in the order in which they were asked for.
    pub(super) fn give_up(&self) -> Vec<JobInfo> {
        let (given_up, told) = {
            let mut state = self.state();
            let given_up = state.take_unbegun();
            let told = Told::ended(&mut state);
            (given_up, told)
        };
        given_up.iter().for_each(|job| job.give_up());
        told.tell();
        given_up.iter().map(|job| job.info(None)).collect()
    }

    /// The jobs that have begun and not ended.
    pub(super) fn running(&self) -> Vec<JobInfo> {
        let state = self.state();
        let begun = state.jobs.values();
        begun
            .filter_map(|entry| Some(entry.job.info(Some(entry.began?))))
            .collect()
    }

    /// Ready once every job has ended.
    pub(super) fn poll_end(&self, cx: &Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        let mut state = self.state();
        if state.jobs.is_empty() {
            return Poll::Ready(());
        }
        let waiting = &mut state.waiting_for_end;
        if !waiting.iter().any(|known| known.will_wake(&waker)) {
            waiting.push(waker);
        }
        Poll::Pending
    }

    /// How many jobs have not begun.
    pub(super) fn in_line(&self) -> usize {
        self.state().queued()
    }

    /// Whether a job waits for room in the queue.
    pub(super) fn is_outside(&self, id: JobId) -> bool {
        self.state().outside.contains(&id)
    }

    pub(super) fn stats(&self) -> BlockingStats {
        let state = self.state();
        BlockingStats {
            workers: state.busy,
            running: state.running,
            queued: state.queued(),
            waiting: state.outside.len(),
            ..state.stats.clone()
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn place(&mut self, id: JobId, settings: &PoolSettings) -> Result<Placed, BlockingError> {
        if let Some(why) = &self.refusing {
            return Err(why.clone());
        }
        let PoolSettings { threads, queue } = *settings;
        if self.busy < threads {
            self.busy += 1;
            return Ok(Placed::OnThread);
        }
        let capacity = match queue {
            BlockingQueue::Unbounded => usize::MAX,
            BlockingQueue::Refuse(capacity) | BlockingQueue::Wait(capacity) => capacity,
        };
        if self.queued.len() < capacity {
            self.queued.insert(id);
        } else if let BlockingQueue::Wait(_) = queue {
            self.outside.insert(id);
        } else {
            return Err(BlockingError::QueueFull(QueueFull { capacity, threads }));
        }
        Ok(Placed::InLine)
    }

    /// How many jobs have not begun, but for those that wait for room.
    fn queued(&self) -> usize {
        self.jobs.len() - self.running - self.outside.len()
    }

    /// There is room in the queue: the first outside gets it.
    fn let_one_in(&mut self) -> Option<Arc<dyn Work>> {
        let id = self.outside.pop_first()?;
        self.queued.insert(id);
        Some(self.jobs.get(&id)?.job.clone())
    }

    /// Takes the jobs out that have not begun. Whose thread is about to begin finds nothing to do.
    fn take_unbegun(&mut self) -> Vec<Arc<dyn Work>> {
        self.queued.clear();
        self.outside.clear();
        let (begun, unbegun): (BTreeMap<_, _>, BTreeMap<_, _>) = std::mem::take(&mut self.jobs)
            .into_iter()
            .partition(|(_, entry)| entry.began.is_some());
        self.jobs = begun;
        self.stats.aborted += unbegun.len() as u64;
        unbegun.into_values().map(|entry| entry.job).collect()
    }
}

impl Told {
    /// Whoever waits for the end of all jobs, if it has come.
    fn ended(state: &mut State) -> Self {
        let ended = match state.jobs.is_empty() {
            true => std::mem::take(&mut state.waiting_for_end),
            false => Vec::new(),
        };
        Self {
            has_room: None,
            ended,
        }
    }

    /// Both.
    pub(super) fn and(mut self, other: Self) -> Self {
        self.has_room = self.has_room.or(other.has_room);
        self.ended.extend(other.ended);
        self
    }

    /// Not with the pool, or a job, locked: wakers are anybody's code.
    pub(super) fn tell(self) {
        if let Some(job) = self.has_room {
            job.has_room();
        }
        self.ended.into_iter().for_each(Waker::wake);
    }
}
