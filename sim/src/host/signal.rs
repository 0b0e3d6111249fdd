//! Signals to a host's process, from outside.

use event_loop::Signal;

use super::{Host, HostError};
use crate::world::core::Core;

impl Host {
    /// Sends the process a signal, at this moment: its handlers are called in the next iteration of
    /// its loop, its streams have an item, and where nobody listens it does what a process does
    /// that handles nothing. TERM then ends it at once, without cleanup. One that is
    /// [stopped](Self::pause) gets it when it goes on; KILL and CONT it gets at once.
    ///
    /// Host `main`, which the test's body runs on, has no process of its own: it hears of a signal as
    /// any other, and one that would end it fails the run.
    ///
    /// ```
    /// use event_loop::time::sleep;
    /// use sim::Signal;
    /// use std::time::Duration;
    ///
    /// #[sim::test(seeds = 10)]
    /// async fn it_reads_its_configuration_again(sim: sim::Sim) {
    ///     let svc = sim.host("svc").start(|ev| async move {
    ///         ev.signal(Signal::Hup).unwrap().recv().await;
    ///     });
    ///     sleep(Duration::from_secs(1)).await;
    ///     svc.signal(Signal::Hup);
    ///     assert!(svc.wait().await.success());
    /// }
    /// ```
    ///
    /// # Panics
    /// With the text of what [`try_signal`](Self::try_signal) returns.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        if let Err(error) = self.try_signal(signal) {
            panic!("{error}");
        }
    }

    /// [`signal`](Self::signal), with what is wrong as an error.
    ///
    /// # Errors
    /// [`HostError::NoProcess`], [`HostError::Ended`], [`HostError::PoweredOff`],
    /// [`HostError::Over`], [`HostError::Outside`], and [`HostError::ByTheDead`].
    pub fn try_signal(&self, signal: Signal) -> Result<(), HostError> {
        self.world.ask_host(|core| {
            core.check_signal(self.index)?;
            core.account_for(self.index, signal.name());
            Ok(())
        })?;
        self.world.deliver_signal(self.index, signal);
        Ok(())
    }
}

impl Core {
    /// Whether there is a process to get a signal.
    fn check_signal(&self, host: u32) -> Result<(), HostError> {
        match self.check_alive(host) {
            Err(HostError::OfTheTest { .. }) => return Ok(()),
            checked => checked?,
        }
        let of = &self.hosts[host as usize];
        let has_process = of.process.is_running() || !self.tasks_of(host, None).is_empty();
        match has_process {
            true => Ok(()),
            false => Err(HostError::NoProcess {
                host: of.name.to_string(),
            }),
        }
    }
}
