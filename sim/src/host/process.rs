//! A host as a process: how a test starts it, ends it, stops it and waits for its end.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use event_loop::{EventLoop, Signal};

use super::{ExitStatus, Host, HostError, Termination};
use virtual_time::WallStep;

use crate::world::World;
use crate::world::core::Core;
use crate::world::hosts::end::End;
use crate::world::hosts::process::Factory;
use crate::world::waits::Wait;

impl Host {
    /// Starts the host's process with this main function, which is called with the loop of each of
    /// its lives.
    ///
    /// The process ends when the future is ready, with the exit status that stands for its value,
    /// or when it panics, with 101. All other tasks of the host are then dropped, as a process's
    /// end drops them; a `main` that has something to see to before that, as a graceful shutdown
    /// does, sees to it itself. If `main` fails, by an error or a panic, and nobody ever asks for
    /// the exit status of that life, the run fails.
    ///
    /// `main` runs as a task that bears the host's name: nothing of it has happened when this
    /// returns.
    ///
    /// ```
    /// use std::time::Duration;
    /// use event_loop::time::sleep;
    ///
    /// #[sim::test(seeds = 10)]
    /// async fn a_process_that_ends(sim: sim::Sim) {
    ///     let svc = sim.host("svc").start(|_ev| async {
    ///         sleep(Duration::from_secs(3)).await;
    ///         Err::<(), _>("no disk")
    ///     });
    ///     assert_eq!(svc.wait().await.code(), Some(1));
    ///     svc.restart();
    ///     assert!(svc.is_running() && svc.life() == 2);
    ///     svc.kill();
    ///     assert_eq!(svc.wait().await.signal(), Some(sim::Signal::Kill));
    /// }
    /// ```
    ///
    /// # Panics
    /// With the text of what [`try_start`](Self::try_start) returns.
    #[track_caller]
    pub fn start<M, F>(&self, main: M) -> Self
    where
        M: Fn(EventLoop) -> F + Send + Sync + 'static,
        F: Future + Send + 'static,
        F::Output: Termination,
    {
        expect(self.try_start(main));
        self.clone()
    }

    /// [`start`](Self::start), with what is wrong as an error.
    ///
    /// # Errors
    /// [`HostError::Running`], [`HostError::OfTheTest`], [`HostError::Over`],
    /// [`HostError::Outside`], and [`HostError::ByTheDead`].
    #[track_caller]
    pub fn try_start<M, F>(&self, main: M) -> Result<(), HostError>
    where
        M: Fn(EventLoop) -> F + Send + Sync + 'static,
        F: Future + Send + 'static,
        F::Output: Termination,
    {
        let factory: Factory = Arc::new(move |ev| {
            let main = main(ev);
            Box::pin(async move { main.await.exit() })
        });
        self.world.start_host(self.index, Some(factory))
    }

    /// Starts a process anew that has ended, with the main function it was started with and a loop
    /// of its own. A machine without power gets it again.
    ///
    /// # Panics
    /// With the text of what [`try_restart`](Self::try_restart) returns.
    #[track_caller]
    pub fn restart(&self) {
        expect(self.try_restart());
    }

    /// [`restart`](Self::restart), with what is wrong as an error.
    ///
    /// # Errors
    /// [`HostError::Running`], [`HostError::NeverStarted`], and those of
    /// [`try_start`](Self::try_start).
    #[track_caller]
    pub fn try_restart(&self) -> Result<(), HostError> {
        self.world.start_host(self.index, None)
    }

    /// Ends the process at this moment, as a KILL does: its exit status is
    /// [`KILLED`](ExitStatus::KILLED).
    ///
    /// The operating system closes its sockets: peers see an end of file, or a reset where bytes
    /// were left unread, and are refused from then on. All else of the process is dropped before
    /// anything else runs, in creation order; what its destructors ask of its loop, its network or
    /// its timers is refused, and only what they wake through shared memory is heard by others. Its
    /// address and name stay.
    ///
    /// A process that kills itself is dead at once as well, though the poll goes on to its end: what
    /// it still asks for is refused.
    ///
    /// # Panics
    /// With the text of what [`try_kill`](Self::try_kill) returns.
    #[track_caller]
    pub fn kill(&self) {
        expect(self.try_kill());
    }

    /// [`kill`](Self::kill), with what is wrong as an error.
    ///
    /// # Errors
    /// [`HostError::Ended`], [`HostError::PoweredOff`], [`HostError::OfTheTest`],
    /// [`HostError::Over`], [`HostError::Outside`], and [`HostError::ByTheDead`].
    pub fn try_kill(&self) -> Result<(), HostError> {
        self.ask(|core| core.kill_host(self.index))
    }

    /// Kills the process once `delay` has passed, unless this life of it has ended by then.
    ///
    /// # Panics
    /// With the text of what [`try_kill_after`](Self::try_kill_after) returns.
    #[track_caller]
    pub fn kill_after(&self, delay: Duration) {
        expect(self.try_kill_after(delay));
    }

    /// [`kill_after`](Self::kill_after), with what is wrong as an error.
    ///
    /// # Errors
    /// Those of [`try_kill`](Self::try_kill).
    pub fn try_kill_after(&self, delay: Duration) -> Result<(), HostError> {
        self.ask(|core| core.kill_host_at(self.index, core.now + delay))
    }

    /// Sends the process a TERM, and a KILL if this life of it has not ended by `grace`: what an
    /// orchestrator does.
    ///
    /// ```
    /// use std::time::Duration;
    /// use event_loop::time::sleep;
    /// use sim::Signal;
    ///
    /// #[sim::test(seeds = 10)]
    /// async fn it_takes_a_second_to_stop(sim: sim::Sim) {
    ///     let svc = sim.host("svc").start(|ev| async move {
    ///         ev.signal(Signal::Term).unwrap().recv().await;
    ///         sleep(Duration::from_secs(1)).await;
    ///     });
    ///     sleep(Duration::from_secs(5)).await;
    ///     svc.terminate(Duration::from_secs(30));
    ///     assert!(svc.wait().await.success());
    /// }
    /// ```
    ///
    /// # Panics
    /// With the text of what [`try_terminate`](Self::try_terminate) returns.
    #[track_caller]
    pub fn terminate(&self, grace: Duration) {
        expect(self.try_terminate(grace));
    }

    /// [`terminate`](Self::terminate), with what is wrong as an error.
    ///
    /// # Errors
    /// [`HostError::NoGrace`], [`HostError::NoProcess`], and those of [`try_kill`](Self::try_kill).
    pub fn try_terminate(&self, grace: Duration) -> Result<(), HostError> {
        if grace.is_zero() {
            return Err(HostError::NoGrace {
                host: self.name.to_string(),
            });
        }
        self.try_kill_after(grace)?;
        self.try_signal(Signal::Term)
    }

    /// Takes the power from the host's machine. Its process ends, if it has one, without a sound:
    /// whatever it had sent and is under way arrives, and from then on nothing comes from it and
    /// nothing reaches it, until it is [restarted](Self::restart).
    ///
    /// # Panics
    /// With the text of what [`try_power_off`](Self::try_power_off) returns.
    #[track_caller]
    pub fn power_off(&self) {
        expect(self.try_power_off());
    }

    /// [`power_off`](Self::power_off), with what is wrong as an error.
    ///
    /// # Errors
    /// [`HostError::PoweredOff`], and those of [`try_kill`](Self::try_kill) but for
    /// [`HostError::Ended`].
    pub fn try_power_off(&self) -> Result<(), HostError> {
        self.ask(|core| core.power_off(self.index))
    }

    /// Stops the process, as STOP does: none of its tasks and callbacks runs until it
    /// [goes on](Self::resume). Its operating system does: what is sent to it arrives, and its
    /// timers become due. A signal that comes meanwhile waits until it goes on, as on Linux: only a
    /// KILL ends a process that is stopped. What stops itself stops at the end of the poll.
    ///
    /// One that is stopped already is left so.
    ///
    /// # Panics
    /// With the text of what [`try_pause`](Self::try_pause) returns.
    #[track_caller]
    pub fn pause(&self) {
        expect(self.try_pause());
    }

    /// [`pause`](Self::pause), with what is wrong as an error.
    ///
    /// # Errors
    /// Those of [`try_kill`](Self::try_kill).
    pub fn try_pause(&self) -> Result<(), HostError> {
        self.ask(|core| core.pause_host(self.index))
    }

    /// Lets a process go on that was [stopped](Self::pause), as CONT does; any other is left alone.
    ///
    /// # Panics
    /// With the text of what [`try_resume`](Self::try_resume) returns.
    #[track_caller]
    pub fn resume(&self) {
        expect(self.try_resume());
    }

    /// [`resume`](Self::resume), with what is wrong as an error.
    ///
    /// # Errors
    /// Those of [`try_kill`](Self::try_kill).
    pub fn try_resume(&self) -> Result<(), HostError> {
        self.ask(|core| core.resume_host(self.index))?;
        self.world.deliver_pending(self.index);
        Ok(())
    }

    /// The wall clock of the host's machine jumps, now.
    ///
    /// # Panics
    /// With the text of what [`try_step_clock`](Self::try_step_clock) returns.
    #[track_caller]
    pub fn step_clock(&self, step: WallStep) {
        expect(self.try_step_clock(step));
    }

    /// [`step_clock`](Self::step_clock), with what is wrong as an error.
    ///
    /// # Errors
    /// [`HostError::NoClock`], [`HostError::Over`] and [`HostError::Outside`].
    pub fn try_step_clock(&self, step: WallStep) -> Result<(), HostError> {
        let host = || self.name.to_string();
        self.ask(|core| {
            if core.closed {
                return Err(HostError::Over { host: host() });
            }
            let clock = core.hosts[self.index as usize].clock.as_ref();
            let clock = clock.ok_or_else(|| HostError::NoClock { host: host() })?;
            clock.step(core.now, step);
            Ok(())
        })
    }

    /// Waits for the end of the life that the process is in, and says how it ended; at once if it
    /// has ended already. Who waits hears of that life even if another has begun by then.
    pub fn wait(&self) -> Ended {
        Ended {
            world: self.world.clone(),
            host: self.name.clone(),
            end: self.end(),
            place: None,
        }
    }

    /// How the process ended, if it has.
    #[must_use]
    #[track_caller]
    pub fn exit_status(&self) -> Option<ExitStatus> {
        self.end().read()
    }

    /// Whether a main function that was [started](Self::start) runs.
    ///
    /// # Panics
    /// On a thread outside the world.
    #[must_use]
    #[track_caller]
    pub fn is_running(&self) -> bool {
        let index = self.index as usize;
        self.world
            .ask(|core| !core.closed && core.hosts[index].process.is_running())
    }

    /// Which life its process is in, or was in last: 1 is the first.
    ///
    /// # Panics
    /// On a thread outside the world.
    #[must_use]
    #[track_caller]
    pub fn life(&self) -> u64 {
        self.world
            .ask(|core| core.hosts[self.index as usize].process.life)
    }

    fn ask(&self, f: impl FnOnce(&mut Core) -> Result<(), HostError>) -> Result<(), HostError> {
        self.world.ask_host(f)
    }

    #[track_caller]
    fn end(&self) -> Arc<End> {
        self.world
            .ask(|core| core.hosts[self.index as usize].process.end.clone())
    }
}

/// Waits for the end of one life of a host's process: see [`Host::wait`].
#[must_use = "nobody waits until it is awaited"]
pub struct Ended {
    world: Arc<World>,
    host: Arc<str>,
    end: Arc<End>,
    place: Option<usize>,
}

impl Future for Ended {
    type Output = ExitStatus;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<ExitStatus> {
        let this = self.get_mut();
        let polled = this.end.poll(&mut this.place, cx.waker());
        if polled.is_pending() {
            this.world.note(|| Wait::Exit(this.host.clone()));
        }
        polled
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            self.end.leave(place);
        }
    }
}

impl fmt::Debug for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ended(host {})", self.host)
    }
}

/// What a call that cannot go on says: the error's text, at the caller.
#[track_caller]
fn expect(outcome: Result<(), HostError>) {
    if let Err(error) = outcome {
        panic!("{error}");
    }
}
