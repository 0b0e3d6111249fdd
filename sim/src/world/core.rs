//! The state of one run: the clock, what can run, what is pending, and the rule for what is next.

use std::collections::BTreeMap;
use std::panic::Location;
use std::task::Waker;
use std::time::Duration;

use event_loop::TaskId;
use event_loop::backend::{Polled, Runnable, ScheduledCall, TaskMeta, current_task, expect_worlds};
use net_sim::{LinkConfig, Net};
use virtual_time::{HostClock, Instant, Timers};

use super::aside::Aside;
use super::blocking::Blockings;
use super::choices::{Choices, Domain};
use super::hosts::death::{Death, Late, Processes};
use super::hosts::{Directory, Host};
use super::inbox::Inbox;
use super::intervention::Intervention;
use super::iterations::Iterations;
use super::plans::Plans;
use super::pool::Resting;
use super::properties::Properties;
use super::ready::{Lane, Ready, ReadyQueue, Strategy};
use super::recording::{Recording, Woken};
use super::root_turn::RootTurn;
use super::rules::Rules;
use super::siblings::Sibling;
use super::signals::Signals;
use super::slow::{PollsTimed, SlowPoll};
use super::sockets::Sockets;
use super::tasks::{Extras, Origin, TaskTable};
use super::threads::{Errand, ThreadId, Threads};
use super::verdict::Verdict;
use super::watchers::Watchers;
use crate::Profile;
use crate::config::{Config, Limits};
use crate::run::plan::{Plan, Source};
use crate::trace::{Kind, Trace};

/// The costs of a poll that a run may draw; the first is the ideal clock.
const POLL_COSTS: [Duration; 4] = [
    Duration::ZERO,
    Duration::from_nanos(200),
    Duration::from_micros(1),
    Duration::from_micros(5),
];

/// The same where a callback takes as long as one of Python's does.
const CALL_COSTS: [Duration; 4] = [
    Duration::ZERO,
    Duration::from_micros(50),
    Duration::from_micros(100),
    Duration::from_micros(250),
];

/// How entries name what no task decides; no task is called so.
pub(super) const WORLD: &str = "world";

pub(super) const MILLISECOND: u64 = 1_000_000;

pub(crate) struct Core {
    pub(crate) now: Instant,
    /// Nothing is due before this; something may be later.
    pub(super) next_due: Instant,
    pub(crate) timers: Timers<Waker>,
    pub(super) ready: Strategy<Ready>,
    /// In profiles whose loops run in iterations; then the timers and all that is ready are in
    /// here.
    pub(crate) iterations: Option<Box<Iterations>>,
    /// In profile `tokio-ct`.
    pub(super) root_turn: Option<Box<RootTurn>>,
    /// While some hosts do not run.
    pub(super) aside: Option<Box<Aside>>,
    /// Absent while the driver is the only one and has not blocked.
    pub(super) threads: Option<Box<Threads>>,
    pub(crate) tasks: TaskTable,
    /// Made when somebody first asks for it.
    pub(super) net: Option<Box<Net>>,
    /// What links are like that nobody configured.
    pub(super) link: LinkConfig,
    /// How many of the hosts the network knows by their names.
    pub(super) hosts_named: usize,
    pub(crate) rules: Rules,
    /// Absent while nobody looks at the network.
    pub(super) watchers: Option<Box<Watchers>>,
    /// Code of the test's that is still to run.
    pub(super) intervention: Option<Box<Intervention>>,
    /// What the test has planned, if anything.
    pub(super) plans: Option<Box<Plans>>,
    pub(crate) sockets: Sockets,
    pub(crate) signals: Signals,
    pub(crate) choices: Choices,
    pub(crate) trace: Trace,
    pub(crate) recording: Option<Box<Recording>>,
    pub(crate) properties: Properties,
    pub(super) known_properties: usize,
    pub(crate) hosts: Vec<Host>,
    /// The pools of those that have had blocking jobs.
    pub(super) pools: BTreeMap<u32, Resting>,
    pub(super) directory: Directory,
    pub(crate) processes: Processes,
    /// Loops that threads of the program run.
    pub(super) siblings: Vec<Sibling>,
    /// The task that stands for the future the world is driven for.
    pub(crate) root: Option<TaskMeta>,
    pub(super) root_queued: bool,
    pub(super) limits: Limits,
    pub(super) rounds_timers: bool,
    /// What the hosts read, where that is not the world's time.
    pub(super) clock: Option<Box<HostClock>>,
    pub(super) poll_cost: Duration,
    pub(super) polls: u64,
    /// How many polls there had been when time passed last.
    pub(super) polls_before: u64,
    /// How many polls there had been when a task began or ended, or bytes moved, last.
    pub(super) polls_before_progress: u64,
    /// When the root was polled, a task began or ended, or bytes moved, last.
    pub(super) progress_at: Instant,
    /// Until then somebody may be asleep on purpose.
    pub(super) sleeping_until: Instant,
    /// After this many polls somebody has to look at the limits.
    pub(super) look_at: u64,
    pub(crate) ended: Option<Box<Verdict>>,
    /// Calls are refused.
    pub(crate) closed: bool,
    /// While tasks of a closed world or process are dropped.
    pub(crate) late: Option<Late>,
    pub(super) polls_timed: PollsTimed,
    pub(super) blockings: Blockings,
}

/// What the driver does next, with the core closed.
pub(crate) enum Step {
    Poll(Runnable),
    Root,
    /// A callback of a host.
    Call(u32, ScheduledCall),
    /// A task that was aborted.
    Drop(Runnable),
    /// A thread goes on.
    Thread(ThreadId),
    /// What is to be done on the home of a host.
    At(ThreadId, Box<Errand>),
    /// What a task that has ended leaves, to be dropped: it has the wakers of whoever waited for
    /// its cancellation.
    Left(Box<Extras>),
    /// A process that has ended, to be dropped.
    Bury(Box<Death>),
    /// The last poll took too long.
    Slow(Box<SlowPoll>),
    /// The wakers that were put into the buffer.
    Wake,
    /// There is something for those who look at the network, and then for the wakers in the buffer.
    Watch,
    /// Code of the test's that was to run at this event.
    Intervene,
    /// Code of the test's is due.
    Deed,
    /// The loop that the world is driven for has stopped.
    Done,
    /// A verdict has fallen.
    End,
}

impl Core {
    pub(crate) fn new(config: &Config, plan: Plan) -> Self {
        let seed = plan.seed;
        let ready = Strategy::of(&plan.source, config.profile);
        let iterations = config.profile.iterates().then(|| {
            let order = Strategy::of(&plan.source, config.profile);
            let libuv = config.profile == Profile::Uvloop;
            Box::new(Iterations::new(libuv, config.loop_clock(), order))
        });
        let mut choices = match plan.source {
            Source::Plain => Choices::plain(seed, plan.record),
            Source::Seeded => Choices::seeded(seed, plan.record),
            Source::Replayed(entries) => Choices::replayed(seed, entries),
        };
        let mut trace = Trace::new(plan.record);
        let mut poll_cost = Duration::ZERO;
        if config.profile != Profile::Exact {
            let costs = if iterations.is_some() {
                CALL_COSTS
            } else {
                POLL_COSTS
            };
            let n = costs.len() as u64;
            let drawn = choices.choose(Domain::World, "world.poll_cost", n, world_site);
            trace.choice(Instant::BEGIN, 0, "world.poll_cost", drawn);
            poll_cost = costs[drawn as usize];
        }
        let limits = config.limits;
        Self {
            now: Instant::BEGIN,
            next_due: Instant::END,
            timers: Timers::new(),
            ready,
            iterations,
            root_turn: (config.profile == Profile::TokioCt).then(Box::default),
            aside: None,
            threads: None,
            tasks: TaskTable::default(),
            net: None,
            link: config.link.clone(),
            hosts_named: 0,
            rules: Rules::default(),
            watchers: None,
            intervention: None,
            plans: None,
            sockets: Sockets::default(),
            signals: Signals::default(),
            recording: plan.record.then(Box::default),
            properties: Properties::default(),
            known_properties: expect_worlds(),
            choices,
            trace,
            hosts: Vec::new(),
            pools: BTreeMap::new(),
            directory: Directory::default(),
            processes: Processes::default(),
            siblings: Vec::new(),
            root: None,
            root_queued: false,
            limits,
            rounds_timers: config.profile.rounds_timers(),
            clock: config.machine_clock(),
            poll_cost,
            polls: 0,
            polls_before: 0,
            polls_before_progress: 0,
            progress_at: Instant::BEGIN,
            sleeping_until: Instant::BEGIN,
            look_at: limits.patience().min(limits.polls),
            ended: None,
            closed: false,
            late: None,
            polls_timed: PollsTimed::default(),
            blockings: Blockings::default(),
        }
    }

    /// What to do next. `polled` is what the last poll came to; wakers to be used with the core
    /// closed go into `wakes`.
    #[inline]
    pub(crate) fn step(&mut self, polled: Polled, wakes: &mut Vec<Waker>, inbox: &Inbox) -> Step {
        if self.polls_timed.is_watched {
            self.look_at_clock();
        }
        match polled {
            Polled::Pending => {}
            Polled::Woken(runnable) if self.closed => {
                return self.at_home(Step::Drop(runnable));
            }
            Polled::Woken(runnable) => self.push(Ready::Task(runnable)),
            Polled::Finished(id) => {
                if let Some(extras) = self.finish(id) {
                    return Step::Left(extras);
                }
            }
        }
        if let Some(slow) = self.slow_poll() {
            return Step::Slow(slow);
        }
        loop {
            if self.ended.is_some() && !self.closed {
                return Step::End;
            }
            if self.is_to_intervene() {
                return Step::Intervene;
            }
            if self.has_deed() {
                return Step::Deed;
            }
            if let Some(turn) = &mut self.root_turn {
                turn.look();
            }
            if self.sockets.is_dirty() || self.now >= self.next_due {
                if let Some(death) = self.next_death() {
                    return Step::Bury(Box::new(death));
                }
                if self.watchers.is_some() && self.has_watched() {
                    return Step::Watch;
                }
                self.collect_due(wakes);
                if self.watchers.is_some() && self.has_watched() {
                    return Step::Watch;
                }
                if !wakes.is_empty() {
                    return Step::Wake;
                }
                if self.processes.has_dead() {
                    continue;
                }
            }
            let choices = &mut self.choices;
            if let Some(picked) = self.ready.pick(|n| choices.pick(n)) {
                if self.recording.is_some() {
                    self.record_pick(&picked);
                }
                let picked = match self.aside {
                    None => picked,
                    Some(_) => match self.keep_aside(picked) {
                        Some(picked) => picked,
                        None => continue,
                    },
                };
                let next = self.in_turn(picked);
                match next.and_then(|ready| self.take(ready)) {
                    Some(step) => return step,
                    None => continue,
                }
            }
            if let Some(step) = self.iterate(wakes) {
                return step;
            }
            if inbox.has_any() {
                // Nothing to wake: the driver reads the inbox between two steps.
                return Step::Wake;
            }
            if !self.pass_time() {
                return Step::End;
            }
        }
    }

    /// A wake: the task can run.
    #[inline]
    pub(crate) fn push(&mut self, ready: Ready) {
        let meta = match &ready {
            Ready::Task(runnable) => *runnable.meta(),
            Ready::Root => match self.root {
                Some(meta) => meta,
                None => return,
            },
            Ready::Thread(thread) => return self.queue_thread(*thread),
        };
        self.trace.event(self.now, Kind::Wake, meta.id.serial(), 0);
        if let Some(recording) = &mut self.recording {
            recording.ready(meta.id.serial(), self.now);
        }
        if self.iterations.is_some() {
            return self.enqueue_ready(meta.host, ready);
        }
        if let Some(turn) = &mut self.root_turn {
            turn.woken(&ready, meta.host);
        }
        self.queue(ready, &meta);
    }

    #[inline]
    pub(super) fn queue(&mut self, ready: Ready, meta: &TaskMeta) {
        let mut hold = 0;
        if let Some(recording) = &mut self.recording {
            let task = Woken::Task(meta.id.serial());
            hold = recording.woken(task, &self.choices, self.trace.names());
        }
        self.ready.push(ready, Lane::host(meta.host), hold);
    }

    /// A wake that came in while the core was open.
    pub(crate) fn put(&mut self, ready: Ready) {
        match ready {
            Ready::Task(_) | Ready::Thread(_) => self.push(ready),
            Ready::Root => self.wake_root(),
        }
    }

    /// A wake of the root, which counts once until it is polled.
    pub(crate) fn wake_root(&mut self) {
        if self.root.is_some() && !self.closed && !std::mem::replace(&mut self.root_queued, true) {
            self.push(Ready::Root);
        }
    }

    /// A new task of the current host, child of the current task.
    pub(crate) fn admit(
        &mut self,
        host: u32,
        name: Option<&str>,
        site: &'static Location<'static>,
    ) -> TaskMeta {
        let id = self.tasks.admit(Origin { site, host }, name);
        self.progress();
        self.trace
            .event(self.now, Kind::Spawn, id.serial(), u64::from(host));
        if let (Some(recording), Some(names)) = (&mut self.recording, self.trace.names()) {
            let parent = current_task().map(|meta| meta.id.serial());
            recording.name(id.serial(), parent, host, name, site, names);
        }
        TaskMeta { id, site, host }
    }

    /// A value of `0..n` for the code that is running.
    pub(crate) fn choose(&mut self, domain: Domain, label: &'static str, n: u64) -> u64 {
        let task = current_serial();
        let names = self.trace.names();
        let value = self
            .choices
            .choose(domain, label, n, || task_site(task, names));
        self.trace.choice(self.now, task, label, value);
        value
    }

    pub(crate) fn polls(&self) -> u64 {
        self.polls
    }

    pub(crate) fn strategy(&self) -> &'static str {
        match &self.iterations {
            Some(iterations) => iterations.strategy(),
            None => self.ready.name(),
        }
    }

    /// The root is ready. True if that ends the run; else the loop it belongs to is to stop, and
    /// what the root leaves is dropped by the caller.
    pub(crate) fn root_ready(&mut self) -> (bool, Option<Box<Extras>>) {
        if self.iterations.is_none() {
            return (true, None);
        }
        let Some(meta) = self.root.take() else {
            return (true, None);
        };
        self.stop_loop(meta.host);
        (false, self.finish(meta.id))
    }

    /// The task, as reports name it.
    pub(crate) fn describe(&mut self, id: TaskId) -> String {
        let serial = id.serial();
        match self
            .trace
            .names()
            .and_then(|names| Some((names.tasks.get(&serial)?, &names.hosts)))
        {
            Some((task, hosts)) => {
                format!(
                    "host {} task \"{}\" ({})",
                    hosts[task.host as usize], task.text, task.site
                )
            }
            None => format!("task #{serial}"),
        }
    }

    #[cold]
    fn record_pick(&mut self, picked: &Ready) {
        let who = match picked {
            Ready::Task(runnable) => Some(Woken::Task(runnable.meta().id.serial())),
            Ready::Root => self.root.map(|root| Woken::Task(root.id.serial())),
            Ready::Thread(thread) => Some(Woken::Thread(thread.0)),
        };
        if let (Some(who), Some(recording)) = (who, &mut self.recording) {
            let names = self.trace.names();
            recording.picked(who, &mut self.choices, names);
        }
    }

    /// What something comes to whose turn it is; `None` if to nothing, for it is gone.
    pub(super) fn take(&mut self, ready: Ready) -> Option<Step> {
        let step = self.take_here(ready)?;
        Some(self.at_home(step))
    }

    /// [`take`](Self::take), for the thread that it is to happen on.
    pub(super) fn take_here(&mut self, ready: Ready) -> Option<Step> {
        let meta = match &ready {
            Ready::Task(runnable) => *runnable.meta(),
            Ready::Root => {
                self.root_queued = false;
                self.progress_at = self.now;
                match self.root {
                    Some(meta) => meta,
                    None => return Some(Step::Wake),
                }
            }
            Ready::Thread(thread) => {
                return self.thread_goes(*thread).then_some(Step::Thread(*thread));
            }
        };
        let serial = meta.id.serial();
        if let Some(recording) = &mut self.recording {
            recording.polled(serial, self.now);
        }
        if self.tasks.is_aborted(meta.id) {
            self.trace.event(self.now, Kind::Abort, serial, 0);
            return Some(match ready {
                Ready::Task(runnable) => Step::Drop(runnable),
                Ready::Root | Ready::Thread(_) => Step::Root,
            });
        }
        self.trace.event(self.now, Kind::Poll, serial, 0);
        if self.polls_timed.is_watched {
            self.polls_timed.began = Some((meta, self.now));
        }
        self.count_poll();
        Some(match ready {
            Ready::Task(runnable) => Step::Poll(runnable),
            Ready::Root | Ready::Thread(_) => Step::Root,
        })
    }

    /// The task has ended; what it leaves is dropped with the core closed.
    #[must_use]
    pub(crate) fn finish(&mut self, id: TaskId) -> Option<Box<Extras>> {
        self.trace.event(self.now, Kind::Finish, id.serial(), 0);
        self.progress();
        if let Some(recording) = &mut self.recording {
            recording.finished(id.serial());
        }
        // The future is gone already: the task's own waker runs no code of the test's.
        self.tasks.remove(id)?.into_extras()
    }
}

/// The serial of the task that is being polled; 0 outside one.
pub(crate) fn current_serial() -> u64 {
    current_task().map_or(0, |meta| meta.id.serial())
}

/// How entries name the task of a choice.
pub(super) fn task_site(serial: u64, names: Option<&mut crate::trace::Names>) -> String {
    match names.and_then(|names| names.tasks.get(&serial)) {
        Some(name) => name.text.to_string(),
        None => world_site(),
    }
}

fn world_site() -> String {
    WORLD.to_owned()
}
