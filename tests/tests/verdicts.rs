//! How a run fails: each kind of verdict, what it says, and that nothing of the run is left.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use event_loop::net::{TcpListener, TcpStream};
use event_loop::time::sleep;
use futures::FutureExt;
use futures::channel::oneshot;
use sim::{Config, Profile, Run, Sim, Verdict, VerdictKind, record_once, run_once};
use tests::outside::Outside;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const SEEDS: u64 = 10;

/// The verdict of a run that must fail.
#[track_caller]
fn verdict<T>(run: Run<T>) -> Verdict {
    assert!(run.value.is_none(), "the run finished");
    run.verdict.expect("the run failed")
}

/// This place, as a verdict's location has it.
macro_rules! here {
    ($lines_below:expr) => {
        Some(format!("{}:{}", file!(), line!() + $lines_below))
    };
}

mod a_panic {
    use super::*;

    #[test]
    fn of_the_body_is_told_with_its_place_and_time() {
        for seed in 0..SEEDS {
            let place = here!(4);
            let run = run_once(&Config::new().profile(Profile::Exact), seed, |_| async {
                sleep(Duration::from_millis(3)).await;
                let answer = 41;
                assert_eq!(answer, 42, "the answer of seed");
            });
            let verdict = verdict(run);
            assert_eq!(verdict.kind, VerdictKind::Panic);
            assert!(verdict.message.contains("the answer of seed"), "{verdict}");
            assert_eq!(verdict.location, place);
            assert_eq!(verdict.at_nanos, 3_000_000);
        }
    }

    #[test]
    fn of_a_task_that_nobody_reads_is_an_unread_failure() {
        for seed in 0..SEEDS {
            let place = here!(3);
            let run = run_once(&Config::new(), seed, |_| async {
                event_loop::spawn(async {
                    panic!("nobody reads this");
                })
                .detach();
                std::future::pending::<()>().await;
            });
            let verdict = verdict(run);
            assert_eq!(verdict.kind, VerdictKind::Unread);
            assert!(
                verdict
                    .message
                    .contains("Task exception was never retrieved"),
                "{verdict}"
            );
            assert!(verdict.message.contains("nobody reads this"), "{verdict}");
            assert_eq!(verdict.location, place);
        }
    }

    #[test]
    fn of_a_task_that_somebody_reads_is_a_value() {
        let run = run_once(&Config::new(), 0, |_| async {
            let task = event_loop::spawn(async { panic!("read") });
            task.await.is_err_and(|error| error.is_panic())
        });
        assert_eq!((run.verdict, run.value), (None, Some(true)));
    }

    #[test]
    fn of_a_callback_is_an_unread_failure() {
        let place = here!(3);
        let run = run_once(&Config::new(), 0, |sim: Sim| async move {
            let ev = sim.host("svc").event_loop();
            ev.call_later(Duration::from_millis(1), || panic!("in a callback"))
                .unwrap();
            std::future::pending::<()>().await;
        });
        let verdict = verdict(run);
        assert_eq!(verdict.kind, VerdictKind::Unread);
        assert!(verdict.message.contains("in a callback"), "{verdict}");
        assert_eq!(verdict.location, place);
    }
}

mod a_deadlock {
    use super::*;

    async fn four_wait(sim: Sim) {
        sim.host("server")
            .run(|_| async {
                let listener = TcpListener::bind("0.0.0.0:7").await.unwrap();
                let (mut stream, _) = listener.accept().await.unwrap();
                event_loop::spawn_named("reader", async move {
                    let _ = stream.read(&mut [0; 8]).await;
                })
                .detach();
                let _ = listener.accept().await;
            })
            .detach();
        let client = sim.host("client").run(|_| async {
            sleep(Duration::from_millis(5)).await;
            let _stream = TcpStream::connect("server:7").await.unwrap();
            event_loop::cancelled().await;
        });
        client.await.unwrap();
    }

    #[test]
    fn names_every_task_and_what_it_waits_on() {
        for seed in 0..SEEDS {
            let verdict = verdict(record_once(&Config::new(), seed, four_wait));
            assert_eq!(verdict.kind, VerdictKind::Deadlock);
            assert!(
                verdict.message.contains("4 tasks wait for ever"),
                "{verdict}"
            );
            let expected = [
                ("main", "the end of task \"client\""),
                ("server", "a connection on socket "),
                ("client", "a request to cancel"),
                ("server/reader", "bytes on socket "),
            ];
            assert_eq!(verdict.blocked.len(), expected.len(), "{verdict}");
            for (task, what) in expected {
                let of_task = format!("task \"{task}\" ({}:", file!());
                let line = verdict
                    .blocked
                    .iter()
                    .find(|line| line.starts_with(&of_task));
                let line = line.unwrap_or_else(|| panic!("nothing of {task} in {verdict}"));
                assert!(line.contains(&format!("waits on {what}")), "{line}");
                assert!(line.contains(" since 0.0"), "{line}");
            }
        }
    }

    #[test]
    fn is_the_same_without_a_recording_but_for_the_table() {
        for seed in 0..SEEDS {
            let recorded = verdict(record_once(&Config::new(), seed, four_wait));
            let plain = verdict(run_once(&Config::new(), seed, four_wait));
            assert!(plain.same_failure(&recorded));
            assert_eq!(
                (plain.at_nanos, plain.event),
                (recorded.at_nanos, recorded.event)
            );
        }
    }

    #[test]
    fn cannot_be_caught() {
        let after = Arc::new(AtomicUsize::new(0));
        let seen = after.clone();
        let run = run_once(&Config::new(), 0, move |_| async move {
            let caught = std::panic::AssertUnwindSafe(std::future::pending::<()>()).catch_unwind();
            let _ = caught.await;
            seen.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(verdict(run).kind, VerdictKind::Deadlock);
        assert_eq!(after.load(Ordering::Relaxed), 0);
    }
}

mod a_limit {
    use super::*;

    #[test]
    fn of_polls_at_one_instant_is_a_livelock() {
        for limit in [1, 100, 50_000] {
            for seed in 0..SEEDS {
                let config = Config::new().polls_at_once(limit);
                let run = run_once(&config, seed, |_| async {
                    loop {
                        event_loop::yield_now().await;
                    }
                });
                assert_eq!(run.polls, limit + 1, "limit {limit}, seed {seed}");
                let verdict = verdict(run);
                assert_eq!(verdict.kind, VerdictKind::Livelock);
                assert!(
                    verdict.message.contains(&format!("{limit} polls")),
                    "{verdict}"
                );
            }
        }
    }

    #[test]
    fn of_polls_at_one_instant_begins_anew_when_time_passes() {
        let run = run_once(&Config::new().polls_at_once(100), 0, |_| async {
            for _ in 0..20 {
                for _ in 0..50 {
                    event_loop::yield_now().await;
                }
                sleep(Duration::from_millis(1)).await;
            }
        });
        assert_eq!(run.verdict, None);
    }

    #[test]
    fn is_not_reached_by_yielding_until_a_timer_fires() {
        for seed in 0..SEEDS {
            let run = run_once(&Config::new().polls_at_once(20_000), seed, |_| async {
                let timer = event_loop::spawn(sleep(Duration::from_millis(50)));
                while !timer.is_finished() {
                    event_loop::yield_now().await;
                }
            });
            assert_eq!(run.verdict, None, "seed {seed}");
        }
    }

    #[test]
    fn of_polls_ends_the_run_at_it() {
        for limit in [1, 500, 20_000] {
            for seed in 0..SEEDS {
                let run = run_once(&Config::new().polls(limit), seed, |_| async {
                    loop {
                        sleep(Duration::from_millis(1)).await;
                    }
                });
                assert_eq!(run.polls, limit + 1, "limit {limit}, seed {seed}");
                let verdict = verdict(run);
                assert_eq!(verdict.kind, VerdictKind::PollLimit);
                assert!(
                    verdict.message.contains(&format!("{limit} polls")),
                    "{verdict}"
                );
            }
        }
    }

    #[test]
    fn of_time_ends_the_run_before_it_is_passed() {
        for seed in 0..SEEDS {
            let config = Config::new()
                .profile(Profile::Exact)
                .time_limit(Duration::from_secs(1));
            let run = run_once(&config, seed, |_| async {
                loop {
                    sleep(Duration::from_millis(300)).await;
                }
            });
            assert_eq!(run.elapsed, Duration::from_millis(900));
            let verdict = verdict(run);
            assert_eq!(verdict.kind, VerdictKind::TimeLimit);
            assert!(verdict.message.contains("1s"), "{verdict}");
        }
    }

    #[test]
    fn of_time_ends_a_run_that_yields_past_it() {
        let config = Config::new().time_limit(Duration::from_millis(100));
        let run = run_once(&config, 0, |_| async {
            let _timer = event_loop::spawn(sleep(Duration::from_hours(1)));
            loop {
                event_loop::yield_now().await;
            }
        });
        assert!(
            run.elapsed <= Duration::from_millis(101),
            "{:?}",
            run.elapsed
        );
        assert_eq!(verdict(run).kind, VerdictKind::TimeLimit);
    }

    #[test]
    fn lists_who_waits() {
        let run = record_once(
            &Config::new().time_limit(Duration::from_secs(1)),
            0,
            |_| async {
                let slow = event_loop::spawn_named("slow", sleep(Duration::from_hours(2)));
                slow.await.unwrap();
            },
        );
        let verdict = verdict(run);
        assert!(
            verdict.blocked[0].contains("the end of task \"slow\""),
            "{verdict}"
        );
        assert!(
            verdict.blocked[1].contains("its timer at 7200.0"),
            "{verdict}"
        );
    }
}

mod a_foreign_thread {
    use super::*;

    #[track_caller]
    fn assert_told<T>(run: Run<T>) {
        let verdict = verdict(run);
        assert_eq!(verdict.kind, VerdictKind::ForeignThread);
        assert!(verdict.message.contains("'outsider'"), "{verdict}");
    }

    #[test]
    fn that_wakes_a_task_is_told_by_name() {
        for seed in 0..SEEDS {
            let outside = Outside::start();
            assert_told(run_once(&Config::new(), seed, |_| async move {
                let (sender, receiver) = oneshot::channel();
                let waiting = event_loop::spawn(receiver);
                sleep(Duration::from_millis(1)).await;
                outside.run(|| sender.send(()).unwrap()).unwrap();
                waiting.await.unwrap().unwrap();
                std::future::pending::<()>().await;
            }));
        }
    }

    #[test]
    fn that_spawns_is_refused_and_told_by_name() {
        let outside = Outside::start();
        assert_told(run_once(&Config::new(), 0, |sim: Sim| async move {
            let ev = sim.event_loop();
            let refused = outside.run(move || ev.try_spawn(async {}).is_err());
            assert!(refused.unwrap());
            std::future::pending::<()>().await;
        }));
    }

    #[test]
    fn that_aborts_a_task_is_told_by_name() {
        let outside = Outside::start();
        assert_told(run_once(&Config::new(), 0, |_| async move {
            let task = event_loop::spawn(std::future::pending::<()>());
            outside.run(move || task.abort()).unwrap();
            std::future::pending::<()>().await;
        }));
    }
}

#[path = "verdicts/a_stall.rs"]
mod a_stall;

#[path = "verdicts/the_end_of_a_failed_run.rs"]
mod the_end_of_a_failed_run;

#[path = "verdicts/a_panic_in_a_destructor.rs"]
mod a_panic_in_a_destructor;

/// Two hosts, one message and its answer.
async fn exchange(sim: Sim) {
    let server = sim.host("server").run(|_| async {
        let listener = TcpListener::bind("0.0.0.0:7").await.unwrap();
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut word = [0; 5];
        stream.read_exact(&mut word).await.unwrap();
        stream.write_all(&word).await.unwrap();
    });
    let client = sim.host("client").run(|_| async {
        sleep(Duration::from_millis(1)).await;
        let mut stream = TcpStream::connect("server:7").await.unwrap();
        stream.write_all(b"hello").await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, b"hello");
    });
    client.await.unwrap();
    server.await.unwrap();
}

/// The millionth run starts like the first, in small.
#[test]
fn the_two_thousandth_run_of_a_thread_is_like_the_first() {
    let run = |seed| {
        run_once(&Config::new(), seed, |sim: Sim| async move {
            exchange(sim.clone()).await;
            sim.choose("a.number", 1 << 40)
        })
    };
    for seed in [0, 7] {
        let first = run(seed);
        assert_eq!(first.verdict, None);
        for nth in 1..2_000 {
            let run = run(seed);
            assert_eq!(run.verdict, None);
            assert_eq!(
                (run.hash, run.value),
                (first.hash, first.value),
                "run {nth}"
            );
        }
    }
}

#[test]
fn a_small_exchange() {
    let run = record_once(&Config::new(), 0, exchange);
    assert_eq!(run.verdict, None);
    insta::assert_snapshot!(run.timeline().expect("it was recorded"), @r"
    0.000000000 -        -                choice world.poll_cost 0
    0.000000000 -        -                host main
    0.000000000 main     main             spawn
    0.000000000 main     main             wake
    0.000000000 main     main             poll
    0.000000000 -        -                host server
    0.000000000 server   server           spawn
    0.000000000 server   server           wake
    0.000000000 -        -                host client
    0.000000000 client   client           spawn
    0.000000000 client   client           wake
    0.000000000 server   server           poll
    0.000000000 server   server           listen 7
    0.000000000 client   client           poll
    0.000000000 client   client           timer until 0.001000000
    0.001000000 -        -                time
    0.001000000 client   client           wake
    0.001000000 client   client           poll
    0.001000000 client   client           connect 1 (client 10.0.0.3:32768 to server 10.0.0.2:7)
    0.002000000 -        -                time
    0.003000000 -        -                time
    0.003000000 client   client           wake
    0.003000000 client   client           poll
    0.003000000 client   client           connected 1 (client 10.0.0.3:32768 to server 10.0.0.2:7)
    0.003000000 client   client           choice net.short_write 0
    0.003000000 client   client           write 5 bytes
    0.004000000 -        -                time
    0.004000000 server   server           wake
    0.004000000 server   server           poll
    0.004000000 server   server           accept 2 (server 10.0.0.2:7 from client 10.0.0.3:32768)
    0.004000000 server   server           choice net.short_read 0
    0.004000000 server   server           read 5 bytes
    0.004000000 server   server           choice net.short_write 0
    0.004000000 server   server           write 5 bytes
    0.004000000 server   server           close 2 (server 10.0.0.2:7 from client 10.0.0.3:32768)
    0.004000000 server   server           close 0 (server 0.0.0.0:7)
    0.004000000 server   server           finish
    0.005000000 -        -                time
    0.005000000 client   client           wake
    0.005000000 client   client           poll
    0.005000000 client   client           choice net.short_read 0
    0.005000000 client   client           read 5 bytes
    0.005000000 client   client           read 0 bytes
    0.005000000 client   client           close 1 (client 10.0.0.3:32768 to server 10.0.0.2:7)
    0.005000000 main     main             wake
    0.005000000 client   client           finish
    0.005000000 main     main             poll
    0.005000000 main     main             finish
    0.005000000 -        -                end
    ");
}
