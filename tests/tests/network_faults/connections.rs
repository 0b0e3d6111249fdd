//! Connections refused, left hanging, not to be had, and cut.

use std::io;
use std::time::Duration;

use event_loop::net::{TcpListener, TcpStream};
use event_loop::time::{Instant, sleep};
use sim::net::{hang, refuse, reset, too_many_files};
use sim::{Config, Sim, run_once};

use crate::service::{PORT, ask, question, started};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_refused_client_is_told_at_once_and_a_hanging_one_never() {
    sim::check(&Config::new().seeds(20), async |sim: Sim| {
        let _ = started(&sim, "svc").await;
        let refusing = refuse("svc", PORT);
        let asked = Instant::now();
        let refused = ask("svc").await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        assert!(Instant::now() - asked < SECOND / 10);
        assert_eq!(refusing.lift().applied, 1);

        let hanging = hang("svc", None);
        let asked = Instant::now();
        let hung = ask("svc").await.unwrap_err();
        assert_eq!(hung.kind(), io::ErrorKind::TimedOut);
        assert_eq!((Instant::now() - asked).as_secs(), 127);
        assert_eq!(hanging.lift().applied, 7, "the SYN and six more");
        assert_eq!(ask("svc").await.unwrap(), 1);
    });
}

#[test]
fn only_the_port_that_is_named_is_refused_and_what_stands_goes_on() {
    let run = run_once(&Config::new(), 0, async |sim: Sim| {
        let _ = started(&sim, "svc").await;
        let mut stream = TcpStream::connect(("svc", PORT)).await.unwrap();
        let _other = refuse("svc", 8_080);
        assert_eq!(ask("svc").await.unwrap(), 1);
        let _all = refuse("svc", None);
        assert!(ask("svc").await.is_err());
        assert_eq!(question(&mut stream).await.unwrap(), 2);
    });
    assert_eq!(run.verdict, None);
    let rules: Vec<_> = run.rules().iter().map(|account| &*account.rule).collect();
    assert_eq!(rules, ["refuse svc port 8080", "refuse svc"]);
}

#[test]
fn a_process_without_descriptors_cannot_accept_and_loses_nobody() {
    sim::check(&Config::new().seeds(20), async |sim: Sim| {
        let listener = TcpListener::bind(("0.0.0.0", PORT)).await.unwrap();
        let client = sim.host("client").spawn(TcpStream::connect(("main", PORT)));
        let full = too_many_files("main");
        for _ in 0..3 {
            let error = listener.accept().await.unwrap_err();
            assert_eq!(error.raw_os_error(), Some(24), "EMFILE: {error}");
            sleep(SECOND).await;
        }
        full.lift();
        listener.accept().await.unwrap();
        client.await.unwrap().unwrap();
    });
}

#[test]
fn both_ends_hear_of_a_reset_and_may_connect_again() {
    sim::check(&Config::new().seeds(20), async |sim: Sim| {
        let _ = started(&sim, "svc").await;
        let mut stream = TcpStream::connect(("svc", PORT)).await.unwrap();
        assert_eq!(question(&mut stream).await.unwrap(), 1);
        assert_eq!(reset(["main", "svc"], ["svc", "main"]), 1);
        let cut = question(&mut stream).await.unwrap_err();
        let kinds = [io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe];
        assert!(kinds.contains(&cut.kind()), "{cut}");
        assert_eq!(ask("svc").await.unwrap(), 2);
        drop(stream);
        sleep(SECOND).await;
        assert_eq!(reset("main", "svc"), 0);
    });
}
