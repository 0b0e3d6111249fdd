//! Where a behaviour is played: on tokio, on a production loop, or in a world.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::panic::resume_unwind;
use std::pin::Pin;
use std::slice;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use event_loop::{EventLoop, LoopConfig, LoopError};
use sim::{Config, Profile, Run, Sim};

/// How many seeds a behaviour is played with in each profile, the plain run included.
const SEEDS: u64 = 50;
const SHORT: Duration = Duration::from_millis(5);
/// Within this time tasks end that are to end.
const LONG: Duration = Duration::from_secs(20);

pub(crate) type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Hosts, and decisions that are not the service's.
pub(crate) trait Stage: Clone + Send + Sync + 'static {
    /// The address of a host; everywhere but in a world they are all this machine.
    fn ip(&self, host: &str) -> IpAddr;

    /// Starts a task on a host; the future is of its output.
    fn spawn<F>(&self, host: &str, future: F) -> BoxFuture<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static;

    /// A number of `0..n`.
    fn choose(&self, label: &'static str, n: u64) -> u64;

    /// How many messages of how many bytes are more than a connection's buffers hold, and a client's
    /// queue.
    fn flood(&self) -> (usize, usize) {
        (160, 60_000)
    }

    /// Whole milliseconds of `0..n`.
    fn millis(&self, label: &'static str, n: u64) -> Duration {
        Duration::from_millis(self.choose(label, n))
    }
}

/// Real tokio.
#[derive(Clone, Default)]
pub(crate) struct OnTokio(Draws);

/// A production loop.
#[derive(Clone, Default)]
pub(crate) struct OnLoop(Draws);

/// The same numbers every time: nothing but time is random on the stages of production.
#[derive(Clone, Default)]
struct Draws(Arc<Mutex<u64>>);

impl Draws {
    fn next(&self, n: u64) -> u64 {
        let mut state = self.0.lock().expect("nobody panics here");
        *state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (*state >> 33) % n
    }
}

impl Stage for OnTokio {
    fn ip(&self, _host: &str) -> IpAddr {
        Ipv4Addr::LOCALHOST.into()
    }

    fn spawn<F>(&self, _host: &str, future: F) -> BoxFuture<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let task = tokio::spawn(future);
        Box::pin(async {
            let ended = task.await;
            ended.unwrap_or_else(|error| resume_unwind(error.into_panic()))
        })
    }

    fn choose(&self, _label: &'static str, n: u64) -> u64 {
        self.0.next(n)
    }
}

impl Stage for OnLoop {
    fn ip(&self, _host: &str) -> IpAddr {
        Ipv4Addr::LOCALHOST.into()
    }

    fn spawn<F>(&self, _host: &str, future: F) -> BoxFuture<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let task = event_loop::spawn(future);
        Box::pin(async {
            let ended = task.await;
            ended.unwrap_or_else(|error| resume_unwind(error.into_panic()))
        })
    }

    fn choose(&self, _label: &'static str, n: u64) -> u64 {
        self.0.next(n)
    }
}

impl Stage for Sim {
    fn flood(&self) -> (usize, usize) {
        (60, 16_000)
    }

    fn ip(&self, host: &str) -> IpAddr {
        self.host(host).ip()
    }

    fn spawn<F>(&self, host: &str, future: F) -> BoxFuture<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let task = self.host(host).spawn(future);
        Box::pin(async {
            let ended = task.await;
            ended.unwrap_or_else(|error| resume_unwind(error.into_panic()))
        })
    }

    fn choose(&self, label: &'static str, n: u64) -> u64 {
        Sim::choose(self, label, n)
    }
}

/// Plays a behaviour on real tokio, and waits for the end of every task.
pub(crate) fn on_tokio<F>(behaviour: impl FnOnce(OnTokio) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime can be made");
    let playing = runtime.spawn(behaviour(OnTokio::default()));
    runtime.block_on(playing).expect("it ends well");
    let all_ended = async {
        while runtime.metrics().num_alive_tasks() > 0 {
            tokio::time::sleep(SHORT).await;
        }
    };
    let ended = runtime.block_on(async { tokio::time::timeout(LONG, all_ended).await });
    ended.expect("a task that nobody ends");
}

/// Plays a behaviour on a production loop, and waits for the end of every task.
pub(crate) fn on_production<F>(
    factory: fn(LoopConfig) -> Result<EventLoop, LoopError>,
    behaviour: impl FnOnce(OnLoop) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let ev = factory(LoopConfig::default()).expect("a loop can be made");
    let played = ev.run_until_complete(behaviour(OnLoop::default()));
    played.expect("it ends well");
    let ended = ev.run_borrowed(all_ended(slice::from_ref(&ev)));
    ended.expect("it runs again");
    ev.close().expect("it does not run any more");
}

/// Plays a behaviour in worlds of every profile, and looks that a seed is a run.
pub(crate) fn in_worlds<F>(behaviour: impl Behaviour<F>)
where
    F: Future<Output = ()> + Send + 'static,
{
    for profile in Profile::ALL {
        let config = config(profile).seeds(SEEDS);
        sim::check(&config, |sim| play(sim, behaviour));
        let hashes = [(); 2].map(|()| run(profile, 7, behaviour).hash);
        assert_eq!(hashes[0], hashes[1], "{profile}: seed 7 twice");
    }
}

/// A behaviour as a world plays it, as often as there are seeds.
pub(crate) trait Behaviour<F>: Fn(Sim) -> F + Copy + Send + Sync + 'static {}

impl<F, B: Fn(Sim) -> F + Copy + Send + Sync + 'static> Behaviour<F> for B {}

/// The first seed of `0..seeds` under which the behaviour is not kept, and what it says.
pub(crate) fn first_to_fail<F>(seeds: u64, behaviour: impl Behaviour<F>) -> Option<(u64, String)>
where
    F: Future<Output = ()> + Send + 'static,
{
    (0..seeds).find_map(|seed| {
        let verdict = run(Profile::default(), seed, behaviour).verdict?;
        Some((seed, verdict.message))
    })
}

/// One run, on a thread of its own: hyper keeps the rendered `Date` per thread, and the next run
/// would begin with the last one's.
fn run<F>(profile: Profile, seed: u64, behaviour: impl Behaviour<F>) -> Run<()>
where
    F: Future<Output = ()> + Send + 'static,
{
    let run = move || sim::run_once(&config(profile), seed, |sim| play(sim, behaviour));
    thread::spawn(run).join().expect("a run does not panic")
}

async fn play<F>(sim: Sim, behaviour: impl Behaviour<F>)
where
    F: Future<Output = ()> + Send + 'static,
{
    behaviour(sim.clone()).await;
    let hosts = ["svc", "client", "database"].map(|host| sim.host(host).event_loop());
    all_ended(&hosts).await;
}

/// Waits until nothing lives on the loops any more.
async fn all_ended(loops: &[EventLoop]) {
    let ended = event_loop::time::timeout(LONG, async {
        while loops.iter().any(|ev| !ev.all_tasks().is_empty()) {
            event_loop::time::sleep(SHORT).await;
        }
    });
    if ended.await.is_err() {
        let left: Vec<_> = loops.iter().map(EventLoop::all_tasks).collect();
        panic!("tasks that nobody ends: {left:?}");
    }
}

fn config(profile: Profile) -> Config {
    let ms = Duration::from_millis;
    Config::new().profile(profile).latency(ms(1)..=ms(10))
}
