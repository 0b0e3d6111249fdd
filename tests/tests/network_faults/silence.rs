//! Peers that fall silent, and the options that find out.

use std::io::ErrorKind;
use std::time::Duration;

use event_loop::net::{TcpKeepalive, TcpStream};
use event_loop::time::{Instant, timeout};
use sim::net::partition;
use sim::{Config, Sim};
use tokio::io::AsyncReadExt as _;

use crate::service::{PORT, question, started};

const SECOND: Duration = Duration::from_secs(1);

fn over_seeds(test: impl AsyncFn(Sim) + Sync) {
    let latency = Duration::from_millis(1)..=Duration::from_millis(20);
    let config = Config::new().seeds(20).latency(latency);
    sim::check(&config, |sim| test(sim));
}

#[test]
fn keep_alive_finds_a_silent_peer_out_and_without_it_nobody_does() {
    over_seeds(async |sim| {
        let _asked = started(&sim, "svc").await;
        let mut careful = TcpStream::connect(("svc", PORT)).await.unwrap();
        let mut trusting = TcpStream::connect(("svc", PORT)).await.unwrap();
        let times = TcpKeepalive::new()
            .with_time(10 * SECOND)
            .with_interval(2 * SECOND)
            .with_retries(3);
        careful.set_tcp_keepalive(&times).unwrap();
        question(&mut careful).await.unwrap();
        question(&mut trusting).await.unwrap();

        let began = Instant::now();
        partition("main", "svc").keep();
        let error = careful.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        // Ten seconds of silence, and three questions two seconds apart.
        let after = began.elapsed();
        assert!((15 * SECOND..17 * SECOND).contains(&after), "{after:?}");
        let waits = timeout(3_600 * SECOND, trusting.read_u8()).await;
        assert!(waits.is_err(), "{waits:?}");
    });
}

#[test]
fn a_user_timeout_ends_the_wait_for_an_acknowledgement() {
    over_seeds(async |sim| {
        let _asked = started(&sim, "svc").await;
        let mut stream = TcpStream::connect(("svc", PORT)).await.unwrap();
        stream.set_tcp_user_timeout(Some(20 * SECOND)).unwrap();
        question(&mut stream).await.unwrap();
        let began = Instant::now();
        partition("main", "svc").keep();
        let error = question(&mut stream).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        // Linux looks when it sends again, ever more seldom.
        let after = began.elapsed();
        assert!((20 * SECOND..52 * SECOND).contains(&after), "{after:?}");
    });
}
