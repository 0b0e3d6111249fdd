//! Processes that are stopped, and go on.

use std::future::pending;
use std::time::Duration;

use event_loop::net::{TcpListener, TcpStream};
use event_loop::time::{interval, sleep, timeout};
use sim::ExitStatus;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{Log, in_every_world};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn nothing_of_a_stopped_process_runs_and_its_timers_fire_when_it_goes_on() {
    in_every_world(|sim| async move {
        let (log, world) = (Log::default(), sim.clone());
        let of_main = log.clone();
        let svc = sim.host("svc").start(move |ev| {
            let (log, sim) = (of_main.clone(), world.clone());
            async move {
                let called = log.clone();
                let callback = move || called.add("called");
                ev.call_later(4 * SECOND, callback).unwrap();
                loop {
                    sleep(SECOND).await;
                    log.add(format!("{}", sim.now().as_nanos() / 1_000_000_000));
                }
            }
        });
        sleep(SECOND * 5 / 2).await;
        assert_eq!(log.take(), ["1", "2"]);
        svc.pause();
        svc.pause();
        sleep(4 * SECOND).await;
        assert_eq!(log.take(), [""; 0]);
        assert!(svc.is_running());
        svc.resume();
        sleep(SECOND / 10).await;
        let mut late = log.take();
        late.sort();
        assert_eq!(late, ["6", "called"]);
        svc.resume();
    });
}

#[test]
fn what_is_sent_to_a_stopped_process_arrives_and_is_read_when_it_goes_on() {
    in_every_world(|sim| async move {
        let svc = sim.host("svc").start(|_| async {
            let listener = TcpListener::bind("0.0.0.0:80").await.unwrap();
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut asked = [0; 3];
                stream.read_exact(&mut asked).await.unwrap();
                stream.write_all(&asked).await.unwrap();
            }
        });
        sleep(SECOND).await;
        svc.pause();
        // The backlog takes it, and its buffer what is written.
        let mut stream = TcpStream::connect("svc:80").await.unwrap();
        stream.write_all(b"now").await.unwrap();
        let mut answer = [0; 3];
        let early = timeout(5 * SECOND, stream.read_exact(&mut answer)).await;
        assert!(early.is_err(), "it heard {early:?}");
        svc.resume();
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"now");
    });
}

#[test]
fn a_stopped_process_may_be_killed_and_the_next_life_is_not_stopped() {
    in_every_world(|sim| async move {
        let log = Log::default();
        let of_main = log.clone();
        let svc = sim.host("svc").start(move |_| {
            let log = of_main.clone();
            async move {
                let mut ticks = interval(SECOND);
                loop {
                    ticks.tick().await;
                    log.add("tick");
                }
            }
        });
        sleep(SECOND / 2).await;
        svc.pause();
        sleep(3 * SECOND).await;
        svc.kill();
        assert_eq!(svc.wait().await, ExitStatus::KILLED);
        assert_eq!(log.take(), ["tick"]);
        svc.restart();
        sleep(SECOND * 3 / 2).await;
        assert_eq!(log.take(), ["tick", "tick"]);
    });
}

#[test]
fn a_process_that_stops_itself_goes_on_where_it_awaits_next() {
    in_every_world(|sim| async move {
        let (log, world) = (Log::default(), sim.clone());
        let of_main = log.clone();
        let svc = sim.host("svc").start(move |_| {
            let (log, sim) = (of_main.clone(), world.clone());
            async move {
                sim.host("svc").pause();
                log.add("to the end of the poll");
                event_loop::task::yield_now().await;
                log.add("after it");
                pending::<()>().await;
            }
        });
        sleep(SECOND).await;
        assert_eq!(log.take(), ["to the end of the poll"]);
        svc.resume();
        sleep(SECOND).await;
        assert_eq!(log.take(), ["after it"]);
    });
}

#[test]
#[expect(clippy::disallowed_methods, reason = "it is what blocks")]
fn a_host_that_may_block_has_a_home_in_every_life() {
    for seed in 0..5 {
        let config = sim::Config::new().on_blocking(sim::OnBlocking::Allow);
        let run = sim::run_once(&config, seed, |sim| async move {
            let svc = sim.host("svc").start(|_| async {
                loop {
                    std::thread::sleep(SECOND);
                    event_loop::task::yield_now().await;
                }
            });
            for _ in 0..3 {
                // The body goes on while the other host is blocked.
                sleep(5 * SECOND / 2).await;
                svc.kill();
                assert_eq!(svc.wait().await, ExitStatus::KILLED);
                svc.restart();
            }
        });
        assert_eq!(run.verdict, None, "seed {seed}");
        assert!(run.elapsed < 9 * SECOND, "{:?}", run.elapsed);
    }
}
