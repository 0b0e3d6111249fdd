//! A thread with its own loop, on the clock and the network of the host that made it.

use std::collections::BTreeSet;
use std::time::Duration;

use event_loop::net::{TcpListener, TcpStream};
use event_loop::sync::{mpsc, oneshot};
use event_loop::time::{Instant, sleep};
use event_loop::{EventLoop, LoopConfig, LoopError, Runner, production};
use sim::{Config, Profile, Sim};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Runs `main` on a thread with a loop beside `ev`, and awaits what it comes to.
async fn on_a_thread<F>(ev: &EventLoop, main: F) -> F::Output
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let factory = ev.factory();
    let (tell, told) = oneshot::channel();
    let thread = std::thread::spawn(move || {
        let value = Runner::new(factory).run(main);
        drop(tell.send(value));
    });
    let value = told.await.unwrap().unwrap();
    drop(thread);
    value
}

fn runs() -> impl Iterator<Item = (Config, u64)> {
    let seeds = |profile| (0..20).map(move |seed| (Config::new().profile(profile), seed));
    Profile::ALL.into_iter().flat_map(seeds)
}

/// Ticks of both loops, in the order in which they came.
async fn tick_on_both(ev: EventLoop) -> Vec<(&'static str, Duration)> {
    let began = Instant::now();
    let (told, mut ticks) = mpsc::unbounded_channel();
    let of_thread = told.clone();
    let beside = on_a_thread(&ev, async move {
        for _ in 0..4 {
            sleep(Duration::from_millis(20)).await;
            of_thread.send(("thread", began.elapsed())).unwrap();
        }
    });
    let here = async move {
        for _ in 0..8 {
            sleep(Duration::from_millis(10)).await;
            told.send(("first", began.elapsed())).unwrap();
        }
    };
    event_loop::join!(beside, here);
    let mut all = Vec::new();
    while let Some(tick) = ticks.recv().await {
        all.push(tick);
    }
    all
}

#[test]
fn both_loops_go_on_side_by_side_on_one_clock() {
    for (config, seed) in runs() {
        let run = sim::run_once(&config, seed, |sim: Sim| async move {
            sim.host("svc").run(tick_on_both).await.unwrap()
        });
        assert_eq!(run.verdict, None, "seed {seed}");
        let ticks = run.value.unwrap();
        assert_eq!(ticks.len(), 12);
        let times = ticks.iter().map(|(_, at)| *at);
        assert!(times.is_sorted(), "{ticks:?}");
        let last = ticks.last().unwrap().1;
        let expected = Duration::from_millis(80)..Duration::from_millis(100);
        assert!(expected.contains(&last), "seed {seed}: {last:?}");
    }
}

#[test]
fn both_loops_go_on_side_by_side_in_production() {
    let flavours = [
        production::current_thread(LoopConfig::default()),
        production::multi_thread(LoopConfig::default().worker_threads(2)),
    ];
    for ev in flavours {
        let ev = ev.unwrap();
        let ticks = ev.run_until_complete(tick_on_both(ev.unowned())).unwrap();
        let of_thread = ticks.iter().filter(|(who, _)| *who == "thread");
        assert_eq!((ticks.len(), of_thread.count()), (12, 4));
    }
}

#[test]
fn the_loop_of_a_thread_has_the_network_of_its_host() {
    for (config, seed) in runs() {
        let run = sim::run_once(&config, seed, |sim: Sim| async move {
            let server = sim.host("server").run(|ev| async move {
                on_a_thread(&ev, async {
                    let listener = TcpListener::bind("0.0.0.0:80").await?;
                    let (mut stream, peer) = listener.accept().await?;
                    let asked = stream.read_u8().await?;
                    stream.write_u8(asked + 1).await?;
                    std::io::Result::Ok(peer.ip())
                })
                .await
            });
            let client = sim.host("client");
            let answer = client.run(|ev| async move {
                on_a_thread(&ev, async {
                    sleep(Duration::from_millis(20)).await;
                    let mut stream = TcpStream::connect("server:80").await?;
                    stream.write_u8(41).await?;
                    stream.read_u8().await
                })
                .await
            });
            assert_eq!(answer.await.unwrap().unwrap(), 42);
            assert_eq!(server.await.unwrap().unwrap(), client.ip());
        });
        assert_eq!(run.verdict, None, "seed {seed}");
    }
}

#[test]
fn the_seed_decides_how_two_loops_interleave_and_the_run_is_the_seed_s() {
    let run = |seed| {
        let main = |sim: Sim| async move {
            let order = sim.host("svc").run(|ev| async move {
                let (told, mut order) = mpsc::unbounded_channel();
                let of_thread = told.clone();
                let beside = on_a_thread(&ev, async move {
                    for n in 0..3 {
                        of_thread.send(n).unwrap();
                        event_loop::yield_now().await;
                    }
                });
                let here = async move {
                    for n in 10..13 {
                        told.send(n).unwrap();
                        event_loop::yield_now().await;
                    }
                };
                event_loop::join!(beside, here);
                let mut all = Vec::new();
                while let Some(n) = order.recv().await {
                    all.push(n);
                }
                all
            });
            order.await.unwrap()
        };
        let run = sim::run_once(&Config::new(), seed, main);
        assert_eq!(run.verdict, None, "seed {seed}");
        (run.value.unwrap(), run.hash)
    };
    let orders: BTreeSet<_> = (0..60).map(|seed| run(seed).0).collect();
    assert!(orders.len() > 3, "{orders:?}");
    for seed in 0..10 {
        assert_eq!(run(seed), run(seed), "seed {seed}");
    }
}

#[test]
fn a_thread_may_run_no_second_loop_inside_its_own() {
    let run = sim::run_once(&Config::new(), 1, |sim: Sim| async move {
        let svc = sim.host("svc").run(|ev| async move {
            let first = ev.unowned();
            on_a_thread(&ev, async move {
                let own = event_loop::current().unwrap();
                let third = own.factory()().unwrap();
                [
                    own.run_until_complete(async {}),
                    third.run_until_complete(async {}),
                    first.run_until_complete(async {}),
                ]
            })
            .await
        });
        svc.await.unwrap()
    });
    assert_eq!(run.verdict, None);
    let [own, third, first] = run.value.unwrap();
    assert!(
        matches!(own, Err(LoopError::AlreadyRunning { .. })),
        "{own:?}"
    );
    assert!(
        matches!(third, Err(LoopError::AnotherLoopRunning { .. })),
        "{third:?}"
    );
    // It is the world that runs it.
    assert!(
        matches!(first, Err(LoopError::AlreadyRunning { .. })),
        "{first:?}"
    );
}

#[test]
fn the_end_of_a_host_s_process_ends_the_loops_of_its_threads() {
    for (config, seed) in runs() {
        let run = sim::run_once(&config, seed, |sim: Sim| async move {
            let svc = sim.host("svc").start(|ev| async move {
                on_a_thread(&ev, async {
                    loop {
                        sleep(Duration::from_millis(10)).await;
                    }
                })
                .await;
            });
            sleep(Duration::from_millis(35)).await;
            svc.kill();
            assert_eq!(svc.wait().await.signal(), Some(sim::Signal::Kill));
            svc.restart();
            sleep(Duration::from_millis(35)).await;
            svc.kill();
            svc.wait().await;
        });
        assert_eq!(run.verdict, None, "seed {seed}");
    }
}
