//! A host, as a test sees it: its name, its addresses, and what runs on it.

mod config;
mod error;
mod process;
mod signal;
mod status;

use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;

use event_loop::backend::OutsideTasks;
use event_loop::{EventLoop, TaskHandle};

pub use self::config::{Capability, HostConfig};
pub use self::error::HostError;
pub use self::process::Ended;
pub use self::status::{Exit, ExitStatus, Termination};
use crate::world::World;
use crate::world::hosts::Addresses;

/// A host: a name, addresses, and a loop. What is spawned on it belongs to it, and so does
/// whatever that spawns.
#[derive(Clone)]
pub struct Host {
    pub(crate) world: Arc<World>,
    pub(crate) index: u32,
    name: Arc<str>,
    pub(crate) addresses: Addresses,
}

impl Host {
    pub(crate) fn new(world: Arc<World>, index: u32, name: Arc<str>, addresses: Addresses) -> Self {
        Self {
            world,
            index,
            name,
            addresses,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The address it is known by: the first of [`addresses`](Self::addresses).
    #[must_use]
    pub fn ip(&self) -> IpAddr {
        self.addresses.first()
    }

    /// All its addresses: what [`Sim::host_at`](crate::Sim::host_at) gave it, else one of IPv4 and one
    /// of IPv6.
    #[must_use]
    pub fn addresses(&self) -> Vec<IpAddr> {
        self.addresses.all()
    }

    /// Its loop; once the run is over, a closed one.
    ///
    /// # Panics
    /// On a thread outside the world.
    #[must_use]
    #[track_caller]
    pub fn event_loop(&self) -> EventLoop {
        self.world.loop_of(self.index)
    }

    /// Starts a task on the host. Once the run is over it never runs, and its handle says so.
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> TaskHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.event_loop().spawn(future)
    }

    /// Starts the host's main function, with its loop, as the task that bears the host's name.
    /// What `main` does before it returns its future happens on the host already.
    #[track_caller]
    pub fn run<M, F>(&self, main: M) -> TaskHandle<F::Output>
    where
        M: FnOnce(EventLoop) -> F,
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let ev = self.event_loop();
        let future = {
            let _current = ev.enter();
            let _not_of_the_caller = OutsideTasks::begin();
            main(ev.clone())
        };
        ev.spawn_named(&self.name, future)
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Host({} at {})", self.name, self.ip())
    }
}
