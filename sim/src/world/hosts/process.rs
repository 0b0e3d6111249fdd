//! The process of a host: what it is started with, which life it is in, and how it ends.

use std::collections::BTreeSet;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, Waker, ready};

use event_loop::backend::current_task;
use event_loop::signal::Disposition;
use event_loop::{EventLoop, Signal};
use virtual_time::Instant;

use super::death::Death;
use super::end::End;
use crate::event_loop::SimLoop;
use crate::host::{Exit, ExitStatus, HostError};
use crate::run::panics;
use crate::trace::Kind;
use crate::world::World;
use crate::world::core::{Core, current_serial};
use crate::world::verdict::VerdictKind;

/// The host of the test's body: the first of every world.
const OF_THE_TEST: u32 = 0;

/// The future of a main function.
pub(crate) type Main = Pin<Box<dyn Future<Output = Exit> + Send>>;

/// What a process is started with, each time anew.
pub(crate) type Factory = Arc<dyn Fn(EventLoop) -> Main + Send + Sync>;

/// The process of a host. Until it is started it has no main function, but takes tasks as if it had.
pub(crate) struct Process {
    /// Which of the host's loops is in force; those before it are closed for good.
    pub(crate) epoch: u32,
    /// Which life it is in, or was in last: from 1.
    pub(crate) life: u64,
    factory: Option<Factory>,
    has_main: bool,
    /// How the life ends.
    pub(crate) end: Arc<End>,
    /// The machine has no power.
    is_off: bool,
    /// The process is stopped; the number of its account in reports.
    paused: Option<usize>,
    /// The signals that came while it is stopped, and that it gets when it goes on.
    pending: BTreeSet<Signal>,
}

impl Default for Process {
    fn default() -> Self {
        Self {
            epoch: 0,
            life: 1,
            factory: None,
            has_main: false,
            end: Arc::default(),
            is_off: false,
            paused: None,
            pending: BTreeSet::new(),
        }
    }
}

impl Process {
    /// What is left of it at the end of the world, to be dropped with the core closed.
    pub(crate) fn take_rest(&mut self) -> (Option<Factory>, Vec<Waker>) {
        (self.factory.take(), self.end.complete())
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.paused.is_some()
    }

    /// A signal waits until the process goes on, once however often it comes.
    pub(crate) fn keep_pending(&mut self, signal: Signal) {
        self.pending.insert(signal);
    }

    /// The next signal that a process gets which goes on: the kernel takes the lowest first.
    pub(crate) fn next_pending(&mut self) -> Option<Signal> {
        self.pending.pop_first()
    }

    /// Whether its main function runs.
    pub(crate) fn is_running(&self) -> bool {
        self.has_main && !self.end.has_come()
    }
}

impl Core {
    /// Whether the host's loop of this number is the one in force.
    #[inline]
    pub(crate) fn has_loop(&self, host: u32, epoch: u32) -> bool {
        let host = self.hosts.get(host as usize);
        host.is_some_and(|host| host.process.epoch == epoch)
    }

    /// Whether the host's loop of this number takes calls.
    #[inline]
    pub(crate) fn is_open(&self, host: u32, epoch: u32) -> bool {
        !self.closed && self.has_loop(host, epoch)
    }

    /// Whether something may be done to the process of a host, by whoever asks.
    pub(crate) fn check_asks(&self, host: u32) -> Result<(), HostError> {
        let name = || self.hosts[host as usize].name.to_string();
        if self.closed {
            return Err(HostError::Over { host: name() });
        }
        if let Some(meta) = current_task().filter(|meta| self.is_fallen(meta)) {
            let host = self.hosts[meta.host as usize].name.to_string();
            return Err(HostError::ByTheDead { host });
        }
        match host {
            OF_THE_TEST => Err(HostError::OfTheTest { host: name() }),
            _ => Ok(()),
        }
    }

    /// Whether the process of a host is there to have something done to it.
    pub(crate) fn check_alive(&self, host: u32) -> Result<(), HostError> {
        self.check_asks(host)?;
        let of = &self.hosts[host as usize];
        match of.process.end.status() {
            None => Ok(()),
            Some(_) if of.process.is_off => Err(HostError::PoweredOff {
                host: of.name.to_string(),
            }),
            Some(status) => Err(HostError::Ended {
                host: of.name.to_string(),
                status,
            }),
        }
    }

    /// Whether the host's main function may begin.
    fn check_start(&self, host: u32) -> Result<(), HostError> {
        self.check_asks(host)?;
        let of = &self.hosts[host as usize];
        match of.process.is_running() {
            false => Ok(()),
            true => Err(HostError::Running {
                host: of.name.to_string(),
                life: of.process.life,
            }),
        }
    }

    /// The process ends at this moment: its calls are refused, and the operating system closes its
    /// sockets. What it has is dropped before anything else runs.
    pub(crate) fn exit_host(&mut self, host: u32, status: ExitStatus) {
        if host == OF_THE_TEST {
            let name = &self.hosts[0].name;
            let message = format!(
                "the process of host \"{name}\" was ended ({status}), and the test's body is on it"
            );
            return self.end(VerdictKind::Error, message);
        }
        let of = &mut self.hosts[host as usize];
        if self.closed || !of.process.end.come(status) {
            return;
        }
        let epoch = of.process.epoch;
        self.processes
            .kills
            .retain(|&(_, whom, life)| (whom, life) != (host, epoch));
        of.driver = None;
        of.process.epoch += 1;
        of.process.is_off = status.is_powered_off();
        let (ev, end) = (of.ev.clone(), of.process.end.clone());
        let number = u64::from(host) | u64::from(status.number()) << 32;
        self.trace
            .event(self.now, Kind::Exit, current_serial(), number);
        self.watch_polls(host, None);
        self.let_go_on(host);
        self.hosts[host as usize].process.pending.clear();
        let wakers = self.sockets.remove_of(host);
        let listeners = self.forget_listeners(host);
        self.leave_network(host, status);
        let iterations = self.iterations.as_mut();
        self.processes.add(Death {
            host,
            last: self.tasks.made(),
            ev,
            end,
            wakers,
            listeners,
            rest: iterations.map(|iterations| iterations.forget(host)),
        });
        // Who looks at the sockets looks at the dead first.
        self.sockets.mark_dirty();
    }

    fn leave_network(&mut self, host: u32, status: ExitStatus) {
        if status.is_powered_off() {
            let id = self.net_host(host);
            self.with_net(|net, now, decide| net.power_off(now, id, decide));
        } else if let Some(id) = self.hosts[host as usize].net {
            self.with_net(|net, now, decide| net.kill_host(now, id, decide));
        }
    }

    /// The machine of a host has no power from now on; its process ends if it had one.
    pub(crate) fn power_off(&mut self, host: u32) -> Result<(), HostError> {
        self.check_asks(host)?;
        let of = &mut self.hosts[host as usize];
        if of.process.is_off {
            return Err(HostError::PoweredOff {
                host: of.name.to_string(),
            });
        }
        if of.process.end.has_come() {
            of.process.is_off = true;
            self.trace
                .event(self.now, Kind::PowerOff, current_serial(), u64::from(host));
            self.leave_network(host, ExitStatus::POWERED_OFF);
        } else {
            self.exit_host(host, ExitStatus::POWERED_OFF);
        }
        self.account_for(host, "power off");
        Ok(())
    }

    /// Whether the process of a host has ended.
    pub(crate) fn has_ended(&self, host: u32) -> bool {
        self.hosts[host as usize].process.end.has_come()
    }

    /// Stops the process of a host, as a test asks.
    pub(crate) fn pause_host(&mut self, host: u32) -> Result<(), HostError> {
        self.check_alive(host)?;
        self.stop_host(host);
        Ok(())
    }

    /// Stops the process of a host: from now on nothing of it runs.
    pub(crate) fn stop_host(&mut self, host: u32) {
        if self.hosts[host as usize].process.paused.is_none() {
            let account = self.account_for(host, "pause");
            self.account_lasts(account);
            self.hosts[host as usize].process.paused = Some(account);
            self.trace
                .event(self.now, Kind::Pause, current_serial(), u64::from(host));
            self.set_aside(host);
        }
    }

    /// Lets a process that was stopped go on.
    pub(crate) fn resume_host(&mut self, host: u32) -> Result<(), HostError> {
        self.check_alive(host)?;
        self.let_go_on(host);
        Ok(())
    }

    /// Lets the process of a host go on if it was stopped.
    pub(crate) fn let_go_on(&mut self, host: u32) {
        if let Some(account) = self.hosts[host as usize].process.paused.take() {
            self.trace
                .event(self.now, Kind::Resume, current_serial(), u64::from(host));
            self.end_account(account);
            self.take_back(host);
            // To go on takes back what was to stop it.
            let pending = &mut self.hosts[host as usize].process.pending;
            pending.retain(|signal| signal.default_disposition() != Disposition::Stop);
        }
    }

    /// Ends the process of a host as a KILL does.
    pub(crate) fn kill_host(&mut self, host: u32) -> Result<(), HostError> {
        self.check_alive(host)?;
        self.account_for(host, "kill");
        self.exit_host(host, ExitStatus::KILLED);
        Ok(())
    }

    /// Kills the process at `at`, unless this life of it is over by then.
    pub(crate) fn kill_host_at(&mut self, host: u32, at: Instant) -> Result<(), HostError> {
        self.check_alive(host)?;
        let epoch = self.hosts[host as usize].process.epoch;
        self.processes.kills.insert((at, host, epoch));
        self.expect(at);
        Ok(())
    }

    /// Kills whoever is to be killed by now.
    pub(crate) fn kill_due(&mut self) {
        while let Some(&(at, host, epoch)) = self.processes.kills.first()
            && at <= self.now
        {
            self.processes.kills.pop_first();
            if self.is_open(host, epoch) {
                self.account_for(host, "kill");
                self.exit_host(host, ExitStatus::KILLED);
            }
        }
    }

    /// When somebody is to be killed next.
    pub(crate) fn next_kill(&self) -> Option<Instant> {
        self.processes.kills.first().map(|(at, ..)| *at)
    }
}

impl World {
    /// The process of a host ends at this moment with this status; one that has ended already is
    /// left alone.
    pub(crate) fn exit_host(&self, host: u32, status: ExitStatus) {
        self.enter(|core| core.exit_host(host, status));
    }

    /// Starts the process of a host: with `factory`, or with the one it has.
    #[track_caller]
    pub(crate) fn start_host(
        self: &Arc<Self>,
        host: u32,
        factory: Option<Factory>,
    ) -> Result<(), HostError> {
        let (factory, has_ended) = self.ask_host(|core| {
            core.check_start(host)?;
            let of = &core.hosts[host as usize];
            let known = || of.process.factory.clone();
            let factory = factory.or_else(known).ok_or(HostError::NeverStarted {
                host: of.name.to_string(),
            })?;
            Ok((factory, of.process.end.has_come()))
        })?;
        if has_ended {
            self.begin_life(host, Location::caller());
        }
        let Some(ev) = self.event_loop(host) else {
            return Ok(());
        };
        let (name, epoch, unused) = self.core(|core| {
            let of = &mut core.hosts[host as usize];
            let unused = of.process.factory.replace(factory.clone());
            of.process.has_main = true;
            let number = u64::from(host) | of.process.life << 32;
            core.trace
                .event(core.now, Kind::Start, current_serial(), number);
            (of.name.clone(), of.process.epoch, unused)
        });
        drop(unused);
        let world = self.clone();
        let main = main_of(factory, ev.clone(), move |exit| {
            world.main_ended(host, epoch, exit);
        });
        drop(ev.spawn_named(&name, main));
        Ok(())
    }

    /// A life of a host's process follows one that is over: it has a loop of its own, and its
    /// machine has power.
    fn begin_life(self: &Arc<Self>, host: u32, site: &'static Location<'static>) {
        let (epoch, clock) = self.core(|core| {
            let of = &core.hosts[host as usize];
            (of.process.epoch, of.clock.clone())
        });
        let backend = SimLoop::new(self.clone(), host, epoch, clock);
        let ev = EventLoop::from_backend(Arc::new(backend));
        // Before it counts as run, for later it would be too late.
        self.furnish(&ev);
        ev.mark_hosted(site);
        let (before, end) = self.core(|core| {
            let of = &mut core.hosts[host as usize];
            let before = of.ev.replace(ev.unowned());
            let process = &mut of.process;
            process.life += 1;
            process.has_main = false;
            let end = std::mem::take(&mut process.end);
            if std::mem::take(&mut process.is_off) {
                let id = core.net_host(host);
                core.with_net(|net, now, decide| net.restart(now, id, decide));
            }
            (before, end)
        });
        drop(before);
        // That of the life before went with it.
        self.house(host);
        self.tell_failure(host, &end);
    }

    /// A main function has come to its end, of itself.
    fn main_ended(&self, host: u32, epoch: u32, exit: Exit) {
        let is_alive = self.enter(|core| {
            let is_open = core.is_open(host, epoch);
            if let Some(why) = exit.failure.filter(|_| is_open) {
                core.hosts[host as usize].process.end.fail(why);
            }
            is_open
        });
        if is_alive == Some(true) {
            self.exit_host(host, exit.status);
        }
    }

    /// A main function that failed, and whose end nobody has asked for, fails the run.
    pub(super) fn tell_failure(&self, host: u32, end: &End) {
        if let Some(why) = end.take_failure() {
            let name = self.core(|core| core.hosts[host as usize].name.clone());
            let message = format!("Process exception was never retrieved: host \"{name}\"");
            self.end_by(VerdictKind::Unread, format!("{message}: {why}"), &why);
        }
    }

    /// Opens the core for a call that something is asked of a host by.
    pub(crate) fn ask_host<R>(
        &self,
        f: impl FnOnce(&mut Core) -> Result<R, HostError>,
    ) -> Result<R, HostError> {
        self.enter(f).unwrap_or_else(|| {
            let thread = std::thread::current();
            Err(HostError::Outside {
                thread: thread.name().unwrap_or("<unnamed>").to_owned(),
            })
        })
    }
}

/// The first task of a process: calls the factory at its first poll, and tells what its future came
/// to. The remains of a process that ends so are dropped after its end.
fn main_of(
    factory: Factory,
    ev: EventLoop,
    end: impl FnOnce(Exit) + Send + 'static,
) -> impl Future<Output = ()> + Send + 'static {
    let mut end = Some(end);
    let mut main = None;
    poll_fn(move |cx| {
        let poll = || {
            let main = main.get_or_insert_with(|| factory(ev.clone()));
            main.as_mut().poll(cx)
        };
        let exit = catch_unwind(AssertUnwindSafe(poll));
        let exit = match exit {
            Ok(polled) => ready!(polled),
            Err(payload) => Exit {
                status: ExitStatus::PANICKED,
                failure: Some(panics::text_of(&*payload)),
            },
        };
        if let Some(end) = end.take() {
            end(exit);
        }
        Poll::Ready(())
    })
}
