//! Random programs over everything a program may do: recorded or not, the first in a process or
//! not, by its seed or by its entries, a run is the same run; and no right program fails.
//!
//! `RANDOM_PROGRAMS=2000` runs as many.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use event_loop::sync::{Notify, Semaphore, mpsc, watch};
use event_loop::time::{Instant, interval, sleep, timeout};
use event_loop::{
    EventLoop, TaskGroup, TaskHandle, always, block_for, buggify, cancelled, sometimes, task_group,
    yield_now,
};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use sim::{Config, Profile, Run, Sim, Verdict};

const PROGRAMS: u64 = 40;
const SEEDS: [u64; 3] = [0, 1, 0x5eed];

#[test]
fn a_run_is_the_same_run_however_it_is_made() {
    let programs = std::env::var("RANDOM_PROGRAMS").ok();
    let programs = programs.map_or(PROGRAMS, |n| n.parse().expect("a number of programs"));
    for program in 0..programs {
        for profile in Profile::ALL {
            for seed in SEEDS {
                check(program, profile, seed);
            }
        }
    }
}

fn check(program: u64, profile: Profile, seed: u64) {
    let ending = Ending::of(program);
    let mut config = Config::new().profile(profile).polls(200_000);
    if program.is_multiple_of(3) {
        config = config.slow_callback(Duration::from_micros(100));
    }
    let coarse = Duration::from_nanos(15_625_000);
    if program.is_multiple_of(5) {
        config = config.clock_granularity(coarse);
    }
    let main = move |sim| whole(sim, program, ending);
    let at = format!("program {program}, {profile}, seed {seed:#x}");

    let first = fresh(config.clone(), move |config| {
        sim::run_once(config, seed, main)
    });
    let again = fresh(config.clone(), move |config| {
        sim::run_once(config, seed, main)
    });
    let recorded = fresh(config.clone(), move |config| {
        sim::record_once(config, seed, main)
    });
    assert_eq!(again, first, "{at}: a second run");
    assert_eq!(recorded.gist, first.gist, "{at}: recorded");
    let entries = recorded.entries.clone().expect("it was recorded");
    let replayed = fresh(config, move |config| {
        sim::replay_once(config, seed, &entries, main).expect("entries")
    });
    assert_eq!(replayed, recorded, "{at}: replayed");
    assert_eq!(first.gist.failure, ending.failure(), "{at}");
}

/// What is compared of a run.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Gist {
    hash: u64,
    events: u64,
    polls: u64,
    elapsed: Duration,
    log: Option<Log>,
    failure: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Made {
    gist: Gist,
    /// Who waited on what, of a recorded run.
    blocked: Vec<String>,
    entries: Option<String>,
}

type Log = Vec<(u64, u64)>;

/// A run on a thread of its own, for std keeps hash keys per thread.
fn fresh(config: Config, run: impl FnOnce(&Config) -> Run<Log> + Send) -> Made {
    thread::scope(|scope| {
        let made = scope.spawn(|| {
            let run = run(&config);
            Made {
                entries: run.entries(),
                blocked: run.verdict.iter().flat_map(what_is_awaited).collect(),
                gist: Gist {
                    hash: run.hash,
                    events: run.events,
                    polls: run.polls,
                    elapsed: run.elapsed,
                    failure: run
                        .verdict
                        .map(|verdict| format!("{}: {}", verdict.kind.name(), verdict.message)),
                    log: run.value,
                },
            }
        });
        made.join().expect("a run does not panic")
    })
}

/// The table of who waits on what, without the place of each task: that of the body is the line
/// which makes the run.
fn what_is_awaited(verdict: &Verdict) -> impl Iterator<Item = String> {
    let lines = verdict.blocked.iter();
    lines.map(|line| {
        line.split_once(") ")
            .map_or(line.as_str(), |(_, what)| what)
            .to_owned()
    })
}

/// How a program ends, which is the same under every seed.
#[derive(Clone, Copy)]
enum Ending {
    Well,
    Panic,
    Stuck,
    Property,
}

impl Ending {
    fn of(program: u64) -> Self {
        match program % 8 {
            1 => Self::Panic,
            2 => Self::Stuck,
            3 => Self::Property,
            _ => Self::Well,
        }
    }

    fn failure(self) -> Option<String> {
        let failure = match self {
            Self::Well => return None,
            Self::Panic => "panic: so it ends",
            Self::Stuck => {
                "deadlock: nothing can run and nothing is pending: 2 tasks wait for ever"
            }
            Self::Property => "property: always \"it goes on\" does not hold",
        };
        Some(failure.to_owned())
    }
}

/// What the tasks of a program share.
struct Shared {
    log: Mutex<Log>,
    permits: Semaphore,
    bell: Notify,
    level: watch::Sender<u64>,
    /// Held over the awaits of a task.
    queue: event_loop::sync::Mutex<mpsc::UnboundedReceiver<u64>>,
    post: mpsc::UnboundedSender<u64>,
    bounded: mpsc::Sender<u64>,
}

impl Shared {
    fn note(&self, what: u64) {
        let now = Instant::now().as_nanos();
        self.log.lock().unwrap().push((now, what));
    }
}

async fn whole(sim: Sim, program: u64, ending: Ending) -> Log {
    let mut rng = SmallRng::seed_from_u64(program);
    let (post, queue) = mpsc::unbounded_channel();
    let (bounded, mut drained) = mpsc::channel(2);
    let shared = Arc::new(Shared {
        log: Mutex::default(),
        permits: Semaphore::new(2),
        bell: Notify::new(),
        level: watch::channel(0).0,
        queue: event_loop::sync::Mutex::new(queue),
        post,
        bounded,
    });
    let drain = shared.clone();
    let drain = sim.event_loop().spawn_named("drain", async move {
        while let Some(n) = drained.recv().await {
            drain.note(n);
        }
    });
    let mut hosts = vec![sim.event_loop()];
    hosts.extend((1..rng.random_range(1..4)).map(|n| sim.host(&format!("host {n}")).event_loop()));
    let tasks: Vec<_> = (0..rng.random_range(1..6))
        .map(|n| {
            let ev = hosts[rng.random_range(0..hosts.len())].clone();
            let body = body(shared.clone(), SmallRng::seed_from_u64(rng.random()), 3);
            match n % 2 {
                0 => ev.spawn(body),
                _ => ev.spawn_named("worker", body),
            }
        })
        .collect();
    for task in tasks {
        task.await.expect("no task of these fails");
    }
    match ending {
        Ending::Well => {}
        Ending::Panic => panic!("so it ends"),
        Ending::Stuck => {
            std::future::pending::<()>().await;
        }
        Ending::Property => {
            always!(false, "it goes on");
            yield_now().await;
        }
    }
    drain.abort();
    let ended = drain.await;
    assert!(ended.is_err());
    shared.log.lock().unwrap().clone()
}

/// Whole milliseconds mostly, so that timers meet.
fn span(rng: &mut SmallRng) -> Duration {
    match rng.random_range(0..8) {
        0 => Duration::ZERO,
        1 => Duration::from_nanos(rng.random_range(1..3_000_000)),
        _ => Duration::from_millis(rng.random_range(1..6)),
    }
}

type Body = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A task that comes to an end whatever the others do.
fn body(shared: Arc<Shared>, mut rng: SmallRng, depth: u32) -> Body {
    Box::pin(async move {
        let mut children: Vec<TaskHandle<()>> = Vec::new();
        for _ in 0..rng.random_range(1..8) {
            let kinds = if depth > 0 { 20 } else { 16 };
            let kind = rng.random_range(0..kinds);
            shared.note(kind);
            match kind {
                0 | 1 => sleep(span(&mut rng)).await,
                2 => yield_now().await,
                3 => choice(&shared, &mut rng).await,
                4 => {
                    let held = shared.permits.acquire().await.unwrap();
                    sleep(span(&mut rng)).await;
                    drop(held);
                }
                5 => {
                    shared.post.send(rng.random_range(100..200)).unwrap();
                    shared.bell.notify_one();
                }
                6 => {
                    let mut queue = shared.queue.lock().await;
                    let got = timeout(span(&mut rng), queue.recv()).await;
                    shared.note(got.ok().flatten().unwrap_or(99));
                }
                7 => {
                    if buggify!("the disk is slow") {
                        sleep(Duration::from_millis(3)).await;
                    }
                    sometimes!(rng.random(), "a coin falls");
                }
                8 => callbacks(&shared, &mut rng),
                9 => {
                    let mut ticks = interval(Duration::from_millis(rng.random_range(1..4)));
                    for _ in 0..rng.random_range(1..5) {
                        ticks.tick().await;
                        shared.note(9);
                    }
                }
                10 => block_for(span(&mut rng)),
                11 => {
                    shared.bell.notify_waiters();
                    shared.level.send_modify(|level| *level += 1);
                }
                12 => {
                    let mut level = shared.level.subscribe();
                    let changed = timeout(span(&mut rng), level.changed()).await;
                    shared.note(u64::from(changed.is_ok()));
                }
                13 => shared.bounded.send(13).await.unwrap(),
                14 => {
                    let waker =
                        std::future::poll_fn(|cx| std::task::Poll::Ready(cx.waker().clone()));
                    waker.await.wake();
                }
                15 => {
                    let mut first = std::pin::pin!(sleep(span(&mut rng)));
                    let _ = timeout(span(&mut rng), first.as_mut()).await;
                    shared.note(u64::from(first.is_elapsed()));
                }
                16 => {
                    let seed = SmallRng::seed_from_u64(rng.random());
                    children.push(event_loop::spawn(body(shared.clone(), seed, depth - 1)));
                }
                17 => {
                    if let Some(child) = children.pop() {
                        child.abort();
                        shared.note(u64::from(child.await.is_err()));
                    }
                }
                18 => {
                    let kept = shared.clone();
                    let child = event_loop::spawn(async move {
                        cancelled().await;
                        kept.note(18);
                    });
                    child.request_cancel();
                    children.push(child);
                }
                _ => group(&shared, &mut rng, depth).await,
            }
        }
        for child in children {
            child.await.expect("nobody else aborts it");
        }
    })
}

async fn choice(shared: &Shared, rng: &mut SmallRng) {
    let (one, other) = (span(rng), span(rng));
    let chosen = event_loop::select! {
        () = sleep(one) => 1,
        () = sleep(other) => 2,
        () = shared.bell.notified() => 3,
        () = yield_now(), if one < other => 4,
    };
    shared.note(chosen);
}

fn callbacks(shared: &Arc<Shared>, rng: &mut SmallRng) {
    let ev: EventLoop = event_loop::current().unwrap();
    let call = |what: u64| {
        let shared = shared.clone();
        move || {
            shared.note(what);
            shared.bell.notify_one();
        }
    };
    ev.call_soon(call(1_000)).unwrap();
    let later = ev.call_later(span(rng), call(1_001)).unwrap();
    let other = ev.call_later(span(rng), call(1_002)).unwrap();
    if rng.random() {
        other.cancel();
    }
    if rng.random() {
        let shared = shared.clone();
        ev.call_soon(move || shared.note(1_003 + u64::from(later.cancel())))
            .unwrap();
    }
}

async fn group(shared: &Arc<Shared>, rng: &mut SmallRng, depth: u32) {
    let members: Vec<SmallRng> = (0..rng.random_range(1..4))
        .map(|_| SmallRng::seed_from_u64(rng.random()))
        .collect();
    let of_all = shared.clone();
    let fails = rng.random_range(0..3) == 0;
    let ended = task_group(|group: TaskGroup| async move {
        for member in members {
            let member = body(of_all.clone(), member, depth - 1);
            group.spawn(async move {
                event_loop::select! {
                    () = member => {}
                    () = cancelled() => {}
                }
                Ok::<_, std::fmt::Error>(())
            })?;
        }
        if fails {
            return Err(std::fmt::Error.into());
        }
        Ok(())
    });
    shared.note(u64::from(ended.await.is_ok()));
}
