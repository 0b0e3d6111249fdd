//! The death of a process: what it had is dropped between two steps, in creation order, with its
//! calls refused.
//!
//! Other hosts hear of it by what shared memory wakes, and by the network.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::task::Waker;

use event_loop::EventLoop;
use event_loop::backend::{EnterGuard, Runnable, ScheduledCall, TaskMeta, drop_task};
use virtual_time::Instant;

use super::end::End;
use crate::trace::Kind;
use crate::world::World;
use crate::world::core::Core;
use crate::world::iterations::HostLoop;
use crate::world::presence::Entered;
use crate::world::ready::{Ready, ReadyQueue};
use crate::world::signals::Listens;

/// What befalls the processes of a world.
#[derive(Default)]
pub(crate) struct Processes {
    /// Those that have ended, and have yet to be dropped.
    deaths: VecDeque<Death>,
    /// Who is killed when, in which of its lives.
    pub(super) kills: BTreeSet<(Instant, u32, u32)>,
}

/// A process that has ended.
pub(crate) struct Death {
    pub(super) host: u32,
    /// Its last task: later ones of the host are of its next life.
    pub(super) last: u64,
    pub(super) ev: Option<EventLoop>,
    pub(super) end: Arc<End>,
    /// Who waited for its sockets.
    pub(super) wakers: Vec<Waker>,
    /// Who listened to its signals.
    pub(super) listeners: Vec<Listens>,
    /// Its loop, where that runs in iterations.
    pub(super) rest: Option<HostLoop>,
}

/// Whose tasks are being dropped.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fallen {
    /// Those of the whole world, which is over.
    All,
    /// Those of a host's process: its tasks up to this one.
    Process(u32, u64),
}

impl Fallen {
    pub(crate) fn has(self, host: u32, serial: u64) -> bool {
        match self {
            Self::All => true,
            Self::Process(of, last) => host == of && serial <= last,
        }
    }

    fn has_task(self, runnable: &Runnable) -> bool {
        let meta = runnable.meta();
        self.has(meta.host, meta.id.serial())
    }
}

/// Tasks that can be dropped, for they were woken.
#[derive(Debug)]
pub(crate) struct Late {
    pub(crate) of: Fallen,
    pub(crate) tasks: Vec<Runnable>,
    /// The callbacks of the loop that is about to close.
    calls: Vec<ScheduledCall>,
}

impl Late {
    pub(crate) fn new(of: Fallen) -> Self {
        Self {
            of,
            tasks: Vec::new(),
            calls: Vec::new(),
        }
    }
}

impl Processes {
    /// Whether some have yet to be dropped.
    pub(crate) fn has_dead(&self) -> bool {
        !self.deaths.is_empty()
    }

    pub(super) fn add(&mut self, death: Death) {
        self.deaths.push_back(death);
    }
}

impl Core {
    /// The next process to be dropped.
    pub(crate) fn next_death(&mut self) -> Option<Death> {
        self.processes.deaths.pop_front()
    }

    /// Whether a task is of a process that has ended, and has yet to be dropped itself.
    pub(super) fn is_fallen(&self, meta: &TaskMeta) -> bool {
        let (host, serial) = (meta.host, meta.id.serial());
        let deaths = self.processes.deaths.iter();
        let mut fallen = deaths.map(|death| Fallen::Process(death.host, death.last));
        let late = self.late.as_ref();
        fallen.any(|of| of.has(host, serial)) || late.is_some_and(|late| late.of.has(host, serial))
    }

    /// Keeps a task that was woken if it is one of those to be dropped.
    #[cold]
    pub(crate) fn keep_late(&mut self, runnable: &mut Option<Runnable>) {
        if let Some(late) = &mut self.late {
            late.tasks
                .extend(runnable.take_if(|task| late.of.has_task(task)));
        }
    }

    /// The callbacks of the loop that is being closed.
    pub(crate) fn take_late_calls(&mut self) -> Vec<ScheduledCall> {
        let late = self.late.as_mut();
        late.map_or_else(Vec::new, |late| std::mem::take(&mut late.calls))
    }

    /// Takes the tasks that are queued, to be dropped.
    pub(in crate::world) fn take_queued(&mut self, of: Fallen) -> Vec<Runnable> {
        let queued = self.ready.take_where(|ready| match ready {
            Ready::Task(task) => of.has_task(task),
            Ready::Root => matches!(of, Fallen::All),
            // It may be waited for by a destructor, and goes its own way.
            Ready::Thread(_) => false,
        });
        let mut tasks: Vec<_> = queued.into_iter().filter_map(Ready::into_task).collect();
        if let Fallen::All = of {
            if let Some(iterations) = &mut self.iterations {
                tasks.extend(iterations.take_tasks());
            }
            if let Some(turn) = &mut self.root_turn {
                tasks.extend(turn.take_kept());
            }
        }
        if let Some(aside) = &mut self.aside {
            tasks.extend(aside.take_tasks(|task| of.has_task(task)));
        }
        if let (Some(recording), Fallen::Process(..)) = (&mut self.recording, of) {
            for task in &tasks {
                let serial = task.meta().id.serial();
                recording.taken_out(serial, &mut self.choices, self.trace.names());
            }
        }
        tasks.extend(self.take_queued_of_siblings(|task| of.has_task(task)));
        tasks
    }
}

impl World {
    /// Drops what a process had that has ended.
    #[cold]
    pub(in crate::world) fn bury(self: &Arc<Self>, mut death: Death, entered: &mut Entered) {
        let (host, of) = (death.host, Fallen::Process(death.host, death.last));
        // Before its tasks: a destructor that waits for a thread is not to have it run once more.
        self.end_threads(|of| of == host);
        self.core(|core| core.take_home_back(host));
        // What it asks for as it is dropped is asked of its own loop, which refuses it.
        *entered = Entered::default();
        let guard = death.ev.as_ref().map(|ev| EnterGuard::new(ev.unowned()));
        let mut late = Late::new(of);
        if let Some(rest) = &mut death.rest {
            late.tasks = rest.take_tasks();
            late.calls = rest.take_calls();
        }
        self.core(|core| core.late = Some(late));
        self.drop_tasks(of, |_| ());
        self.close_dead(death);
        let left = self.core(|core| core.late.take());
        self.guarded(|| drop(left));
        drop(guard);
        // For the life that follows, or has begun already.
        self.house(host);
    }

    /// Closes the loop of a process that has no tasks any more, and tells whoever waited for its
    /// end.
    pub(crate) fn close_dead(&self, death: Death) {
        self.guarded(|| death.ev.iter().for_each(EventLoop::close_now));
        self.guarded(|| drop(death.wakers));
        self.guarded(|| drop(death.listeners));
        self.guarded(|| drop(death.rest));
        for waker in death.end.complete() {
            self.guarded(|| waker.wake());
        }
        self.guarded(|| drop(death.ev));
    }

    /// Tells of the main functions that have failed, and that nobody has asked for.
    pub(crate) fn tell_failures(&self) {
        let ends: Vec<_> = self.core(|core| {
            let hosts = (0..).zip(&core.hosts);
            hosts
                .map(|(host, of)| (host, of.process.end.clone()))
                .collect()
        });
        for (host, end) in ends {
            self.tell_failure(host, &end);
        }
    }

    /// Drops live tasks, in creation order. `enter` makes a host's loop current.
    pub(crate) fn drop_tasks(&self, of: Fallen, mut enter: impl FnMut(u32)) {
        let live = self.core(|core| {
            let queued = core.take_queued(of);
            if let Some(late) = &mut core.late {
                late.tasks.extend(queued);
            }
            core.tasks
                .in_creation_order(|host, serial| of.has(host, serial))
        });
        let mut woken = BTreeMap::new();
        for (id, waker) in live {
            // A task is reached through its waker, which puts it among the late ones unless it
            // is there already. What its destructor wakes gets there too, and is not dropped
            // inside of it: the waker may be used with a lock held.
            if let Some(waker) = waker {
                self.guarded(|| waker.wake());
            }
            self.take_late(of, &mut woken);
            if let Some(runnable) = woken.remove(&id.serial()) {
                enter(runnable.meta().host);
                self.guarded(|| drop_task(runnable));
            }
            let left = self.core(|core| match of {
                Fallen::All => core.tasks.remove(id)?.into_extras(),
                Fallen::Process(..) => {
                    core.trace.event(core.now, Kind::Abort, id.serial(), 0);
                    core.finish(id)
                }
            });
            self.guarded(|| drop(left));
        }
        self.take_late(of, &mut woken);
    }

    fn take_late(&self, of: Fallen, woken: &mut BTreeMap<u64, Runnable>) {
        let mut late = self.core(|core| {
            let late = core.late.as_mut();
            late.map_or_else(Vec::new, |late| std::mem::take(&mut late.tasks))
        });
        if self.inbox.has_any() {
            self.tell_intrusion();
            for ready in self.inbox.take().unwrap_or_default() {
                match ready {
                    Ready::Task(task) if of.has_task(&task) => late.push(task),
                    ready => self.core(|core| core.put(ready)),
                }
            }
        }
        woken.extend(late.into_iter().map(|r| (r.meta().id.serial(), r)));
    }
}
