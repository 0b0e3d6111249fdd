//! Timers fire and nobody gets anywhere: told where it was asked for, and only then.

use std::future::{pending, poll_fn};
use std::task::Poll;

use futures::StreamExt;
use futures::channel::mpsc;

use super::*;

const SPAN: Duration = Duration::from_secs(60);

fn config() -> Config {
    Config::new().profile(Profile::Exact).stall_after(SPAN)
}

/// Ticks for ever.
async fn ticks(every: Duration) {
    loop {
        sleep(every).await;
    }
}

#[test]
fn is_told_after_the_span_with_the_table() {
    for seed in 0..SEEDS {
        let run = record_once(&config(), seed, |_| async {
            let heartbeat = event_loop::spawn_named("heartbeat", ticks(Duration::from_secs(1)));
            let worker = event_loop::spawn_named("worker", async {
                sleep(Duration::from_secs(7)).await;
                // It ends here; whoever waits for it has been told the wrong thing.
            });
            worker.await.unwrap();
            heartbeat.await.unwrap();
        });
        let verdict = verdict(run);
        assert_eq!(verdict.kind, VerdictKind::Stall);
        assert_eq!(verdict.at_nanos, 67_000_000_000, "{verdict}");
        assert!(verdict.message.contains("for 60s"), "{verdict}");
        assert!(verdict.message.contains("`stall_after`"), "{verdict}");
        assert!(
            verdict.blocked[0].contains("the end of task \"heartbeat\""),
            "{verdict}"
        );
        assert!(
            verdict.blocked[1].contains("its timer at 68.0"),
            "{verdict}"
        );
    }
}

#[test]
fn is_the_same_without_a_recording() {
    let stalls = |_| async { ticks(Duration::from_secs(1)).map(drop).boxed().await };
    for seed in 0..SEEDS {
        let beside = |sim: Sim| async move {
            event_loop::spawn(stalls(sim)).await.unwrap();
        };
        let plain = run_once(&config(), seed, beside);
        let recorded = record_once(&config(), seed, beside);
        assert_eq!((plain.hash, plain.events), (recorded.hash, recorded.events));
        assert!(verdict(plain).same_failure(&verdict(recorded)));
    }
}

#[test]
fn is_off_unless_it_is_asked_for() {
    let config = Config::new().time_limit(Duration::from_hours(1));
    let run = run_once(&config, 0, |_| async {
        event_loop::spawn(ticks(Duration::from_secs(1)))
            .await
            .unwrap();
    });
    assert_eq!(verdict(run).kind, VerdictKind::TimeLimit);
}

/// Nothing that gets somewhere is told, for a virtual hour beside a ticker.
#[track_caller]
fn assert_not_told<F: Future<Output = ()>>(main: impl Fn(Sim) -> F) {
    for seed in 0..SEEDS {
        let run = run_once(&config(), seed, |sim: Sim| {
            event_loop::spawn(ticks(Duration::from_secs(1))).detach();
            main(sim)
        });
        assert_eq!(run.verdict, None, "seed {seed}");
        assert!(run.elapsed >= Duration::from_hours(1), "{:?}", run.elapsed);
    }
}

#[test]
fn is_not_a_body_that_is_polled() {
    assert_not_told(|_| async {
        for _ in 0..120 {
            sleep(Duration::from_secs(30)).await;
        }
    });
}

#[test]
fn is_not_somebody_who_sleeps_for_long() {
    assert_not_told(|_| async {
        let sleeper = event_loop::spawn(sleep(Duration::from_hours(1)));
        sleeper.await.unwrap();
    });
}

#[test]
fn is_not_a_segment_that_is_under_way_for_long() {
    assert_not_told(|sim| async move {
        let (a, b) = (sim.host("a"), sim.host("b"));
        let far = Duration::from_mins(25);
        let _ = sim.link(&a, &b).latency(far..=far);
        let listener = b.run(|_| async { TcpListener::bind("0.0.0.0:7").await.unwrap() });
        let listener = listener.await.unwrap();
        let server = b.spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.read_exact(&mut [0]).await.unwrap();
        });
        a.spawn(async {
            let mut stream = TcpStream::connect("b:7").await.unwrap();
            stream.write_all(&[1]).await.unwrap();
        })
        .await
        .unwrap();
        server.await.unwrap();
    });
}

#[test]
fn is_not_a_host_that_answers() {
    assert_not_told(|sim| async move {
        let server = sim.host("server").run(|_| async {
            let listener = TcpListener::bind("0.0.0.0:7").await.unwrap();
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut byte = [0];
            while stream.read(&mut byte).await.unwrap() > 0 {
                stream.write_all(&byte).await.unwrap();
            }
        });
        sim.host("client")
            .run(|_| async {
                let mut stream = TcpStream::connect("server:7").await.unwrap();
                for _ in 0..80 {
                    sleep(Duration::from_secs(50)).await;
                    stream.write_all(&[1]).await.unwrap();
                    stream.read_exact(&mut [0]).await.unwrap();
                }
            })
            .detach();
        server.await.unwrap();
    });
}

#[test]
fn is_not_a_host_that_starts_tasks() {
    assert_not_told(|_| async {
        let starts = event_loop::spawn(async {
            for _ in 0..80 {
                sleep(Duration::from_secs(50)).await;
                event_loop::spawn(async {}).detach();
            }
        });
        starts.await.unwrap();
    });
}

/// What is not progress: a task that gives the next one a message at every tick.
#[test]
fn is_work_in_memory_alone() {
    let run = run_once(&config(), 0, |_| async {
        let (sender, mut receiver) = mpsc::unbounded();
        let worker = event_loop::spawn(async move { while receiver.next().await.is_some() {} });
        event_loop::spawn(async move {
            loop {
                sleep(Duration::from_secs(1)).await;
                sender.unbounded_send(()).unwrap();
            }
        })
        .detach();
        worker.await.unwrap();
    });
    assert_eq!(verdict(run).kind, VerdictKind::Stall);
}

#[test]
fn is_not_a_deadlock_which_comes_first() {
    let run = run_once(&config(), 0, |_| pending::<()>());
    assert_eq!(verdict(run).kind, VerdictKind::Deadlock);
}

#[test]
#[should_panic(expected = "a span of zero is no time")]
fn of_no_time_is_refused() {
    let _ = Config::new().stall_after(Duration::ZERO);
}

#[sim::test(seeds = 5, stall_after = "1 min")]
#[should_panic(expected = "nobody gets anywhere")]
async fn is_an_argument_of_a_test() {
    event_loop::spawn(ticks(Duration::from_secs(1)))
        .await
        .unwrap();
}

/// Bytes that move are progress for the livelock too.
#[test]
fn is_no_livelock_while_bytes_move() {
    let config = Config::new().profile(Profile::Exact).polls_at_once(1_000);
    let run = run_once(&config, 0, |_| async {
        let listener = TcpListener::bind("127.0.0.1:7").await.unwrap();
        let server = event_loop::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut byte = [0];
            while stream.read(&mut byte).await.unwrap() > 0 {
                stream.write_all(&byte).await.unwrap();
            }
        });
        let mut stream = TcpStream::connect("127.0.0.1:7").await.unwrap();
        for _ in 0..3_000 {
            stream.write_all(&[1]).await.unwrap();
            stream.read_exact(&mut [0]).await.unwrap();
        }
        drop(stream);
        server.await.unwrap();
        // Yet nothing but polls is none, whatever moved before.
        poll_fn::<(), _>(|cx| {
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    });
    assert_eq!(verdict(run).kind, VerdictKind::Livelock);
}
