//! Partitions, holds, clogs and swizzles, seen by a service and its clients.

use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

use event_loop::net::TcpStream;
use event_loop::time::{Instant, sleep, timeout};
use sim::net::{clog, hold, one_way, partition, release, repair, swizzle};
use sim::{Config, Sim};

use crate::service::{PORT, ask, ask_until_answered, question, started};

const SECOND: Duration = Duration::from_secs(1);

fn over_seeds(test: impl AsyncFn(Sim) + Sync) {
    let latency = Duration::from_millis(1)..=Duration::from_millis(20);
    let config = Config::new().seeds(20).latency(latency);
    sim::check(&config, |sim| test(sim));
}

/// Whether the service answers a client within a few seconds.
async fn reaches(sim: &Sim, client: &str, svc: &'static str) -> bool {
    let asking = sim.host(client).spawn(timeout(5 * SECOND, ask(svc)));
    matches!(asking.await.unwrap(), Ok(Ok(_)))
}

#[test]
fn a_stream_stalls_while_a_partition_stands_and_goes_on_after_it() {
    over_seeds(async |sim| {
        let asked = started(&sim, "svc").await;
        let mut stream = TcpStream::connect(("svc", PORT)).await.unwrap();
        assert_eq!(question(&mut stream).await.unwrap(), 1);
        let cut = partition("main", "svc");
        let stalled = timeout(30 * SECOND, question(&mut stream)).await;
        assert!(stalled.is_err(), "{stalled:?}");
        assert_eq!(asked.load(Ordering::SeqCst), 1, "nothing passed");
        assert!(cut.lift().applied > 0);
        // What was asked in vain is asked after all: a stream has no holes.
        assert_eq!(question(&mut stream).await.unwrap(), 2);
        assert_eq!(
            tokio::io::AsyncReadExt::read_u64(&mut stream)
                .await
                .unwrap(),
            3
        );
    });
}

#[test]
fn a_connect_through_a_partition_times_out_as_linux_does() {
    over_seeds(async |sim| {
        let _ = started(&sim, "svc").await;
        let began = Instant::now();
        partition("main", "svc").keep();
        let error = ask("svc").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        // 1 + 2 + 4 + … + 64: the SYN and six more.
        assert_eq!((Instant::now() - began).as_secs(), 127);
    });
}

#[test]
fn a_client_with_patience_gets_its_answer_after_the_partition() {
    over_seeds(async |sim| {
        let _ = started(&sim, "svc").await;
        let client = sim.host("client");
        let cut = partition(&client, "svc");
        let asking = client.spawn(ask_until_answered("svc", SECOND));
        sleep(sim.any_duration("partition", 3 * SECOND..=10 * SECOND)).await;
        drop(cut);
        assert!(asking.await.unwrap() >= 2);
    });
}

#[test]
fn groups_are_cut_from_each_other_and_not_in_themselves() {
    over_seeds(async |sim| {
        for svc in ["a", "b", "c", "d"] {
            let _ = started(&sim, svc).await;
        }
        let _split = partition(["a", "b"], ["c", "d"]);
        assert!(reaches(&sim, "a", "b").await);
        assert!(reaches(&sim, "d", "c").await);
        assert!(!reaches(&sim, "a", "c").await);
        assert!(!reaches(&sim, "d", "b").await);
        assert!(reaches(&sim, "main", "d").await);
        repair("a", ["c", "d"]);
        assert!(reaches(&sim, "a", "c").await);
        assert!(reaches(&sim, "d", "a").await);
        assert!(!reaches(&sim, "b", "c").await);
    });
}

#[test]
fn who_hears_nobody_is_heard_all_the_same() {
    over_seeds(async |sim| {
        let asked = started(&sim, "svc").await;
        let mut stream = TcpStream::connect(("svc", PORT)).await.unwrap();
        assert_eq!(question(&mut stream).await.unwrap(), 1);
        let _mute = one_way("svc", "main");
        assert!(timeout(5 * SECOND, question(&mut stream)).await.is_err());
        assert_eq!(asked.load(Ordering::SeqCst), 2, "the question got there");
        repair("main", "svc");
        assert_eq!(
            tokio::io::AsyncReadExt::read_u64(&mut stream)
                .await
                .unwrap(),
            2
        );
    });
}

#[test]
fn what_is_held_arrives_when_it_is_released() {
    over_seeds(async |sim| {
        let asked = started(&sim, "svc").await;
        let mut stream = TcpStream::connect(("svc", PORT)).await.unwrap();
        hold("svc", "main").keep();
        let held = timeout(SECOND, question(&mut stream)).await;
        assert!(held.is_err() && asked.load(Ordering::SeqCst) == 0);
        release("main", "svc");
        assert_eq!(
            tokio::io::AsyncReadExt::read_u64(&mut stream)
                .await
                .unwrap(),
            1
        );
    });
}

#[test]
fn a_clogged_host_is_silent_to_all_and_repair_does_not_unclog_it() {
    over_seeds(async |sim| {
        for svc in ["a", "b"] {
            let _ = started(&sim, svc).await;
        }
        let clogged = clog("a");
        // The hosts that are made later are no exception.
        for client in ["b", "main", "late"] {
            assert!(!reaches(&sim, client, "a").await);
            assert!(reaches(&sim, client, "b").await);
        }
        repair("a", "main");
        assert!(!reaches(&sim, "main", "a").await);
        drop(clogged);
        assert!(reaches(&sim, "main", "a").await);
    });
}

#[test]
fn everybody_is_reached_again_after_a_swizzle() {
    over_seeds(async |sim| {
        let replicas = ["r1", "r2", "r3"];
        for svc in replicas {
            let _ = started(&sim, svc).await;
        }
        let swizzled = swizzle(replicas, 10 * SECOND);
        let asking = replicas.map(|svc| {
            let asking = ask_until_answered(svc, SECOND / 10);
            sim.host("main").spawn(asking)
        });
        let mut in_vain = 0;
        for asking in asking {
            in_vain += asking.await.unwrap();
        }
        assert_eq!(in_vain > 0, swizzled.stats().applied > 0);
        sleep(10 * SECOND).await;
        for svc in replicas {
            assert!(reaches(&sim, "main", svc).await);
        }
    });
}
