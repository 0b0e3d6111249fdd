//! What unchanged code sees inside a world: std's clocks and hash maps, and random numbers of
//! several libraries, are the seed's; outside nothing changes.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "what they do inside a world is what is tested"
)]

use std::collections::{BTreeSet, HashMap, HashSet};
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use event_loop::net::{TcpListener, TcpStream};
use event_loop::time::sleep;
use event_loop::{LoopConfig, Runner, production};
use rand::RngExt;
use sim::{Config, Profile, Run, Sim};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const SEEDS: u64 = 20;

/// A run on a thread of its own: std keeps hash keys per thread, and `rand` its generator.
fn run<M, F>(config: &Config, seed: u64, main: M) -> Run<F::Output>
where
    M: FnOnce(Sim) -> F + Send + 'static,
    F: Future,
    F::Output: Send + 'static,
{
    let config = config.clone();
    let run = thread::spawn(move || sim::run_once(&config, seed, main));
    run.join().expect("a run does not panic")
}

fn value<M, F>(config: &Config, seed: u64, main: M) -> F::Output
where
    M: FnOnce(Sim) -> F + Send + 'static,
    F: Future,
    F::Output: Send + 'static,
{
    let run = run(config, seed, main);
    assert_eq!(run.verdict, None, "seed {seed}");
    run.value.expect("without a verdict there is a value")
}

mod clocks {
    use super::*;

    #[test]
    fn of_std_advance_by_exactly_what_was_slept() {
        const NAPS: [Duration; 4] = [
            Duration::from_nanos(1),
            Duration::from_nanos(1_234_567),
            Duration::from_secs(3),
            Duration::from_hours(23),
        ];
        for seed in 0..SEEDS {
            value(
                &Config::new().profile(Profile::Exact),
                seed,
                |sim| async move {
                    for nap in NAPS {
                        let (steady, wall) = (Instant::now(), SystemTime::now());
                        let ours = sim.now();
                        sleep(nap).await;
                        assert_eq!(steady.elapsed(), nap);
                        assert_eq!(wall.elapsed().unwrap(), nap);
                        assert_eq!(sim.now().duration_since(ours), nap);
                    }
                },
            );
        }
    }

    #[test]
    fn of_std_stand_still_while_code_computes() {
        value(&Config::new(), 0, |_| async {
            let (steady, wall) = (Instant::now(), SystemTime::now());
            let sum = (0..3_000_000_u64).fold(1, |sum, word| std::hint::black_box(sum ^ word));
            assert_ne!(sum, 0);
            assert_eq!(steady.elapsed(), Duration::ZERO);
            assert_eq!(wall.elapsed().unwrap(), Duration::ZERO);
        });
    }

    #[test]
    fn of_std_begin_alike_in_every_world() {
        let begin = |seed| {
            value(&Config::new(), seed, |_| async {
                (Instant::now(), SystemTime::now())
            })
        };
        let of_plain = begin(0);
        let new_year = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600);
        assert_eq!(of_plain.1, new_year);
        // A poll may cost a little, as the seed decides.
        for seed in 1..SEEDS {
            let (steady, wall) = begin(seed);
            let late = wall.duration_since(new_year).unwrap();
            assert!(late < Duration::from_micros(10), "{late:?}");
            assert_eq!(steady.duration_since(of_plain.0), late);
        }
    }

    #[test]
    fn of_std_agree_with_the_loops_on_every_host() {
        for seed in 0..SEEDS {
            value(&Config::new(), seed, |sim| async move {
                let read = |ev: event_loop::EventLoop| async move {
                    sleep(Duration::from_millis(5)).await;
                    assert_eq!(ev.wall_now(), SystemTime::now());
                    (Instant::now(), event_loop::time::Instant::now())
                };
                let early = sim.host("a").run(read).await.unwrap();
                let late = sim.host("b").run(read).await.unwrap();
                assert_eq!(late.0 - early.0, late.1.duration_since(early.1));
            });
        }
    }
}

mod entropy {
    use super::*;

    /// A source of entropy, asked twice, as text.
    type Source = fn() -> String;

    const SOURCES: [(&str, Source); 8] = [
        ("RandomState", || {
            let ask = || RandomState::new().hash_one(0_u64);
            format!("{} {}", ask(), ask())
        }),
        ("the order of a HashMap", || {
            let map: HashMap<u64, ()> = (0..100).map(|key| (key, ())).collect();
            let again: HashMap<u64, ()> = map.clone().into_keys().map(|key| (key, ())).collect();
            format!("{:?} {:?}", map.keys(), again.keys())
        }),
        ("the order of a HashSet", || {
            let first: HashSet<u64> = (0..100).collect();
            let second: HashSet<u64> = (0..100).collect();
            format!("{first:?} {second:?}")
        }),
        ("rand::rng()", || {
            format!(
                "{} {}",
                rand::rng().random::<u64>(),
                rand::rng().random::<u64>()
            )
        }),
        ("getrandom 0.2", || {
            twice(|buf| getrandom_02::getrandom(buf).unwrap())
        }),
        ("getrandom 0.3", || {
            twice(|buf| getrandom_03::fill(buf).unwrap())
        }),
        ("getrandom 0.4", || {
            twice(|buf| getrandom::fill(buf).unwrap())
        }),
        ("uuid", || {
            format!("{} {}", uuid::Uuid::new_v4(), uuid::Uuid::new_v4())
        }),
    ];

    fn twice(fill: impl Fn(&mut [u8])) -> String {
        let ask = || {
            let mut bytes = [0; 16];
            fill(&mut bytes);
            u128::from_le_bytes(bytes)
        };
        let (one, other) = (ask(), ask());
        assert_ne!(one, other);
        format!("{one} {other}")
    }

    #[test]
    fn is_the_same_for_the_same_seed_and_another_for_another() {
        for (name, source) in SOURCES {
            let ask = |seed| value(&Config::new(), seed, move |_| async move { source() });
            let asked: Vec<_> = (0..SEEDS).map(ask).collect();
            for (seed, before) in (0..SEEDS).zip(&asked) {
                assert_eq!(*before, ask(seed), "{name}, seed {seed}");
            }
            let distinct: BTreeSet<_> = asked.iter().collect();
            assert_eq!(distinct.len() as u64, SEEDS, "{name}");
        }
    }

    #[test]
    fn is_the_machines_outside() {
        for (name, source) in SOURCES {
            let ask = || thread::spawn(source).join().unwrap();
            assert_ne!(ask(), ask(), "{name}");
        }
    }
}

mod outside {
    use super::*;

    /// The real clocks move, and not by virtual days.
    fn assert_real() {
        let (steady, wall) = (Instant::now(), SystemTime::now());
        thread::sleep(Duration::from_millis(2));
        for passed in [
            steady.elapsed(),
            wall.elapsed().expect("nobody sets the clock back"),
        ] {
            assert!(passed >= Duration::from_millis(2), "{passed:?}");
            assert!(passed < Duration::from_hours(1), "{passed:?}");
        }
        let ask = || {
            let mut bytes = [0; 16];
            getrandom::fill(&mut bytes).unwrap();
            bytes
        };
        assert_ne!(ask(), ask());
    }

    #[test]
    fn nothing_changes_on_the_thread_of_a_run_before_and_after_it() {
        assert_real();
        let (steady, wall) = (Instant::now(), SystemTime::now());
        for _ in 0..20 {
            let run = sim::run_once(&Config::new(), 1, |_| async {
                sleep(Duration::from_hours(20)).await;
                let mut bytes = [0; 16];
                getrandom::fill(&mut bytes).unwrap();
                bytes
            });
            let of_the_seed = run.value.unwrap();
            let mut of_the_machine = [0; 16];
            getrandom::fill(&mut of_the_machine).unwrap();
            assert_ne!(of_the_seed, of_the_machine);
            assert!(steady.elapsed() < Duration::from_hours(1));
            assert!(wall.elapsed().unwrap() < Duration::from_hours(1));
        }
        assert_real();
    }

    #[test]
    fn nothing_changes_after_a_run_that_panicked() {
        let run = sim::run_once(&Config::new(), 1, |_| async {
            sleep(Duration::from_hours(20)).await;
            assert_eq!(1, 2);
        });
        assert!(run.verdict.is_some());
        assert_real();
    }

    #[test]
    fn nothing_changes_on_other_threads_while_a_world_runs() {
        let done = Arc::new(AtomicBool::new(false));
        let started = Arc::new(Barrier::new(2));
        let world = thread::spawn({
            let (done, started) = (done.clone(), started.clone());
            move || {
                started.wait();
                let mut hashes = BTreeSet::new();
                while !done.load(Ordering::Relaxed) {
                    let run = sim::run_once(&Config::new(), 3, |_| async {
                        for _ in 0..100 {
                            sleep(Duration::from_mins(1)).await;
                        }
                    });
                    hashes.insert(run.hash);
                }
                hashes.len()
            }
        });
        started.wait();
        for _ in 0..20 {
            assert_real();
        }
        done.store(true, Ordering::Relaxed);
        assert_eq!(world.join().unwrap(), 1);
    }
}

#[test]
fn two_worlds_at_once_do_not_disturb_each_other() {
    /// Counts its own time, and returns all the entropy it saw.
    async fn tick(step: Duration) -> Vec<u64> {
        let (steady, wall) = (Instant::now(), SystemTime::now());
        let mut seen = Vec::new();
        for tick in 1..=2_000 {
            sleep(step).await;
            assert_eq!(steady.elapsed(), step * tick);
            assert_eq!(wall.elapsed().unwrap(), step * tick);
            seen.push(rand::rng().random());
            seen.push(RandomState::new().hash_one(tick));
        }
        seen
    }
    let steps = [Duration::from_millis(1), Duration::from_micros(7_300)];
    let config = Config::new().profile(Profile::Exact);
    let alone = steps.map(|step| {
        let run = run(&config, 5, move |_| tick(step));
        (run.verdict, run.hash, run.value)
    });
    assert!(
        alone
            .iter()
            .all(|(verdict, _, value)| verdict.is_none() && value.is_some())
    );
    for _ in 0..3 {
        let together = Arc::new(Barrier::new(2));
        let worlds = steps.map(|step| {
            let (config, together) = (config.clone(), together.clone());
            thread::spawn(move || {
                together.wait();
                let run = sim::run_once(&config, 5, |_| tick(step));
                (run.verdict, run.hash, run.value)
            })
        });
        assert_eq!(worlds.map(|world| world.join().unwrap()), alone);
    }
}

/// Invariant 7: what is right in production never fails in the plain run.
mod a_plain_program {
    use super::*;

    /// Nothing of a simulation: an echo server, clients that hurry and ones that do not, tasks
    /// that are cancelled and aborted, a timeout, callbacks.
    async fn program() -> io::Result<Vec<String>> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let server = event_loop::spawn_named("server", async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                event_loop::spawn(async move {
                    let mut bytes = [0; 16];
                    while let Ok(read @ 1..) = stream.read(&mut bytes).await {
                        if stream.write_all(&bytes[..read]).await.is_err() {
                            break;
                        }
                    }
                })
                .detach();
            }
        });
        let clients: Vec<_> = (0..8)
            .map(|client| {
                event_loop::spawn(async move {
                    let mut stream = TcpStream::connect(address).await?;
                    let words: HashMap<_, _> = (0..9).map(|word| (word, word * client)).collect();
                    let mut answer = [0; 8];
                    let mut sum = 0;
                    for (word, value) in words {
                        sleep(Duration::from_millis(word % 3)).await;
                        stream.write_all(&u64::to_le_bytes(value)).await?;
                        stream.read_exact(&mut answer).await?;
                        sum += u64::from_le_bytes(answer);
                    }
                    stream.shutdown().await?;
                    assert_eq!(stream.read(&mut answer).await?, 0);
                    io::Result::Ok(sum)
                })
            })
            .collect();
        let mut out = Vec::new();
        for client in clients {
            out.push(format!("{}", client.await.unwrap()?));
        }
        let worker = event_loop::spawn(async {
            event_loop::cancelled().await;
            sleep(Duration::from_millis(1)).await;
            "flushed"
        });
        worker.request_cancel();
        out.push(worker.await.unwrap().to_owned());
        let late =
            event_loop::time::timeout(Duration::from_millis(2), std::future::pending::<()>());
        out.push(format!("{:?}", late.await.is_err()));
        let (sender, receiver) = futures::channel::oneshot::channel();
        event_loop::current()
            .unwrap()
            .call_later(Duration::from_millis(1), || sender.send("called").unwrap())
            .unwrap();
        out.push(receiver.await.unwrap().to_owned());
        server.abort();
        out.push(format!("{:?}", server.await.map(drop)));
        Ok(out)
    }

    #[test]
    fn that_is_right_in_production_passes_every_seed() {
        type Factory = fn(LoopConfig) -> Result<event_loop::EventLoop, event_loop::LoopError>;
        let factories: [Factory; 2] = [production::multi_thread, production::current_thread];
        let expected = factories.map(|factory| {
            let mut runner = Runner::new(move || factory(LoopConfig::default()));
            runner.run(program()).unwrap().unwrap()
        });
        assert_eq!(expected[0], expected[1]);
        for profile in Profile::ALL {
            for seed in 0..SEEDS {
                let out = value(&Config::new().profile(profile), seed, |_| program());
                assert_eq!(out.unwrap(), expected[0], "{profile:?}, seed {seed}");
            }
        }
    }
}
