//! Our own loop: simulated as a test has it (hosts, network, limits and the trace's hash switched
//! on), and in production.

mod hosts;
mod network;

use std::future::Future;
use std::time::Duration;

use event_loop::{LoopConfig, production};
use sim::{Config, Sim};

use crate::contender::{Picks, Profile};
use crate::work::{Clocked, Executor, Link};

/// The simulated loop with one configuration.
#[derive(Clone, Debug)]
pub struct Ours {
    config: Config,
    first_seed: u64,
}

impl Ours {
    /// The loop in a profile; `None` where no configuration gives those picks.
    pub fn new(profile: Profile, picks: Picks) -> Option<Self> {
        let profile = match profile {
            Profile::Exact => sim::Profile::Exact,
            Profile::TokioMt => sim::Profile::TokioMt,
        };
        // Seed 0 is the plain run, first come first served; every other seed draws.
        let first_seed = match picks {
            Picks::Fifo => 0,
            Picks::Random => 1,
            Picks::Pct3 => return None,
        };
        // A bench polls more than a test may, most of it while no time passes.
        let config = Config::new()
            .profile(profile)
            .polls(u64::MAX)
            .polls_at_once(u64::MAX);
        Some(Self { config, first_seed })
    }
}

impl Ours {
    /// The same with such links between hosts.
    fn with_links(&self, link: Link) -> Self {
        let mut ours = self.clone();
        if let Some((least, most)) = link.latency() {
            ours.config = ours.config.latency(least..=most);
        }
        ours
    }
}

impl Executor for Ours {
    type World = Sim;
    type Handle<T: Send + 'static> = event_loop::TaskHandle<T>;

    fn run<T, F, Fut>(&self, seed: u64, main: F) -> T
    where
        T: Send + 'static,
        F: FnOnce(Self::World) -> Fut + Send + 'static,
        Fut: Future<Output = T> + 'static,
    {
        let seed = if self.first_seed == 0 {
            0
        } else {
            self.first_seed + seed
        };
        let run = sim::run_once(&self.config, seed, main);
        match (run.value, run.verdict) {
            (Some(value), None) => value,
            (_, verdict) => panic!("the run should have come to its end: {verdict:?}"),
        }
    }

    fn spawn<F>(future: F) -> Self::Handle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        event_loop::spawn(future)
    }

    async fn join<T: Send + 'static>(handle: Self::Handle<T>) -> T {
        handle
            .await
            .expect("the task neither panics nor is aborted")
    }
}

impl Clocked for Ours {
    fn sleep(duration: Duration) -> impl Future<Output = ()> + Send {
        event_loop::time::sleep(duration)
    }

    async fn timeout<F: Future + Send>(limit: Duration, future: F) -> bool {
        event_loop::time::timeout(limit, future).await.is_ok()
    }

    fn host<F>(world: &Self::World, name: String, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        world.host(&name).spawn(future).detach();
    }
}

/// The current-thread loop of production, for what the handle costs on top of tokio.
#[derive(Clone, Copy, Debug)]
pub struct Production;

impl Executor for Production {
    type World = ();
    type Handle<T: Send + 'static> = event_loop::TaskHandle<T>;

    fn run<T, F, Fut>(&self, _seed: u64, main: F) -> T
    where
        T: Send + 'static,
        F: FnOnce(Self::World) -> Fut + Send + 'static,
        Fut: Future<Output = T> + 'static,
    {
        let ev = production::current_thread(LoopConfig::default());
        let ev = ev.expect("the system has what one runtime takes");
        ev.run_borrowed(main(())).expect("nobody stops the loop")
    }

    fn spawn<F>(future: F) -> Self::Handle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        event_loop::spawn(future)
    }

    async fn join<T: Send + 'static>(handle: Self::Handle<T>) -> T {
        handle
            .await
            .expect("the task neither panics nor is aborted")
    }
}

/// What [`Production`] stands on, by itself: tokio's current-thread runtime with its drivers, in
/// the same binary and so with the same features.
#[derive(Clone, Copy, Debug)]
pub struct WholeTokio;

impl Executor for WholeTokio {
    type World = ();
    type Handle<T: Send + 'static> = tokio::task::JoinHandle<T>;

    fn run<T, F, Fut>(&self, _seed: u64, main: F) -> T
    where
        T: Send + 'static,
        F: FnOnce(Self::World) -> Fut + Send + 'static,
        Fut: Future<Output = T> + 'static,
    {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = runtime.expect("the system has what one runtime takes");
        runtime.block_on(main(()))
    }

    fn spawn<F>(future: F) -> Self::Handle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        tokio::spawn(future)
    }

    async fn join<T: Send + 'static>(handle: Self::Handle<T>) -> T {
        handle
            .await
            .expect("the task neither panics nor is aborted")
    }
}
