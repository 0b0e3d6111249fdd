//! Where a scene is played: on both loops of production, and in worlds with latency.

use std::fmt::Debug;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::thread;
use std::time::Duration;

use event_loop::{EventLoop, LoopConfig, TaskHandle, production};
use sim::net::{Corruption, link};
use sim::{Config, Run};

/// How many seeds a scene is played with, the plain run included.
const SEEDS: u64 = 8;

/// When production has hung.
const WATCHDOG: Duration = Duration::from_secs(60);

/// Two hosts, or what stands for them; the scene itself is played on the server's.
#[derive(Clone)]
pub(crate) struct Hosts {
    server: EventLoop,
    client: EventLoop,
    ip: IpAddr,
}

impl Hosts {
    /// Where the server is; port 0 asks for a free one.
    pub(crate) fn server_at(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.ip, port)
    }

    /// Starts a task on the server's host.
    pub(crate) fn serve<F>(&self, future: F) -> TaskHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.server.spawn(future)
    }

    /// Starts a task on the client's host.
    pub(crate) fn ask<F>(&self, future: F) -> TaskHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.client.spawn(future)
    }
}

/// Plays the scene everywhere, and sees to it that it comes to `expected`, and each seed to a
/// trace of its own.
#[track_caller]
pub(crate) fn plays_everywhere<F, T>(scene: fn(Hosts) -> F, expected: &T)
where
    F: Future<Output = T> + Send + 'static,
    T: Debug + PartialEq + Send + 'static,
{
    for threads in [1, 2] {
        assert_eq!(&produce(scene, threads), expected, "{threads} threads");
    }
    let mut hashes: Vec<_> = (0..SEEDS)
        .map(|seed| {
            let run = plays_the_same_twice(seed, scene);
            assert_eq!(run.value.as_ref(), Some(expected), "seed {seed}");
            run.hash
        })
        .collect();
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len() as u64, SEEDS, "every seed is a run of its own");
}

/// Plays the scene in worlds whose link loses, delays and repeats, and sees to it that it comes to
/// `expected` all the same.
#[track_caller]
pub(crate) fn plays_by_foul_weather<F, T>(scene: fn(Hosts) -> F, expected: &T)
where
    F: Future<Output = T> + Send + 'static,
    T: Debug + PartialEq + Send + 'static,
{
    let foul = move |hosts| async move {
        foul_weather();
        scene(hosts).await
    };
    for seed in 0..SEEDS {
        let run = plays_the_same_twice(seed, foul);
        assert_eq!(run.value.as_ref(), Some(expected), "seed {seed}");
    }
}

/// From here on the link between the two hosts of a world is a bad one.
pub(crate) fn foul_weather() {
    link("main", "client")
        .jitter(Duration::from_millis(50))
        .loss(0.2)
        .duplicate(0.2)
        .reorder(0.2, Duration::from_millis(1500))
        .corrupt(0.1, Corruption::Dropped);
}

/// Plays the scene twice in a world under one seed, and sees to it that the runs are the same.
#[track_caller]
pub(crate) fn plays_the_same_twice<S, F, T>(seed: u64, scene: S) -> Run<T>
where
    S: FnOnce(Hosts) -> F + Copy + Send + 'static,
    F: Future<Output = T> + Send + 'static,
    T: Debug + PartialEq + Send + 'static,
{
    let [first, second] = [simulate(seed, scene), simulate(seed, scene)];
    assert_eq!(first.verdict, None, "seed {seed}");
    assert_eq!(
        (first.hash, first.polls, first.elapsed, &first.value),
        (second.hash, second.polls, second.elapsed, &second.value),
        "seed {seed} twice"
    );
    first
}

fn produce<F, T>(scene: fn(Hosts) -> F, threads: usize) -> T
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let ev = match threads {
        1 => production::current_thread(LoopConfig::default()),
        n => production::multi_thread(LoopConfig::default().worker_threads(n)),
    };
    let ev = ev.expect("a loop can be made");
    let hosts = Hosts {
        server: ev.unowned(),
        client: ev.unowned(),
        ip: Ipv4Addr::LOCALHOST.into(),
    };
    let played = async move { event_loop::time::timeout(WATCHDOG, scene(hosts)).await };
    let played = ev.run_until_complete(played).expect("the loop runs");
    played.expect("it comes to its end")
}

/// On a fresh thread, for some crates keep a random generator for each.
fn simulate<S, F, T>(seed: u64, scene: S) -> Run<T>
where
    S: FnOnce(Hosts) -> F + Send + 'static,
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let run = move || {
        let config = Config::new()
            .latency(Duration::from_millis(1)..=Duration::from_millis(10))
            .time_limit(Duration::from_hours(24 * 7));
        sim::run_once(&config, seed, |sim| async move {
            let [server, client] = ["main", "client"].map(|name| sim.host(name));
            scene(Hosts {
                server: server.event_loop(),
                client: client.event_loop(),
                ip: server.ip(),
            })
            .await
        })
    };
    thread::spawn(run).join().expect("panics are verdicts")
}
