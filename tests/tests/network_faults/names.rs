//! Names: where they point, and how they fail.

use std::io;
use std::time::Duration;

use event_loop::time::{Instant, sleep};
use sim::net::{DnsFailure, RuleError, dns, partition, try_dns};
use sim::{Config, Sim, record_once, run_once};

use crate::service::{ask, ask_until_answered, started};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_name_fails_over_to_the_host_that_answers() {
    let config = Config::new().seeds(20);
    sim::check(&config, async |sim: Sim| {
        let asked = started(&sim, "db-2").await;
        let _ = sim.host("db-1");
        dns("db").to(["db-1", "db-2"]);
        // Nobody listens on the first.
        assert_eq!(ask("db").await.unwrap(), 1);
        dns("db").to(["db-1"]);
        let refused = ask("db").await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        // It is pointed elsewhere while a client tries.
        let patient = sim.host("client").spawn(ask_until_answered("db", SECOND));
        sleep(3 * SECOND).await;
        dns("db").to(sim.host("db-2"));
        assert!(patient.await.unwrap() > 0);
        assert_eq!(asked.load(std::sync::atomic::Ordering::SeqCst), 2);
    });
}

#[test]
fn a_client_moves_to_the_replica_on_its_side_of_a_partition() {
    sim::check(&Config::new().seeds(20), async |sim: Sim| {
        for replica in ["r1", "r2"] {
            let _ = started(&sim, replica).await;
        }
        dns("replica").to("r1");
        let _cut = partition(["main", "r2"], "r1");
        let moving = sim.host("operator").spawn(async {
            sleep(5 * SECOND).await;
            dns("replica").to("r2");
        });
        assert!(ask_until_answered("replica", SECOND).await >= 4);
        moving.await.unwrap();
    });
}

#[test]
fn a_name_fails_as_its_youngest_guard_says() {
    let run = run_once(&Config::new(), 0, async |sim: Sim| {
        let _ = started(&sim, "svc").await;
        let fails = async || ask("svc").await.err().map(|error| error.to_string());
        let down = dns("svc").fails(DnsFailure::ServerFailure);
        let temporary =
            "failed to lookup address information: Temporary failure in name resolution";
        assert!(fails().await.unwrap().starts_with(temporary));
        let gone = dns("SVC.").fails(DnsFailure::NoSuchName);
        let unknown = "failed to lookup address information: Name or service not known";
        assert!(fails().await.unwrap().starts_with(unknown));
        drop(down);
        assert!(fails().await.unwrap().starts_with(unknown));
        assert_eq!(gone.lift().applied, 2);
        assert_eq!(fails().await, None);
    });
    assert_eq!(run.verdict, None);
    let [down, gone] = run.rules() else { panic!() };
    assert_eq!(
        down.rule,
        "dns svc fails: Temporary failure in name resolution"
    );
    assert_eq!((down.applied, gone.applied), (1, 2));
}

#[test]
fn an_answer_takes_the_time_of_its_name() {
    let run = run_once(&Config::new(), 0, async |sim: Sim| {
        let _ = started(&sim, "svc").await;
        let took = async || {
            let asked = Instant::now();
            ask("svc").await.unwrap();
            Instant::now() - asked
        };
        let before = took().await;
        dns("svc").latency(SECOND);
        assert_eq!(took().await, before + SECOND);
    });
    assert_eq!(run.verdict, None);
}

#[test]
fn what_no_name_can_be_is_told() {
    let run = record_once(&Config::new(), 0, async |sim: Sim| {
        let _ = sim.host("svc");
        let error = try_dns("a b").unwrap_err();
        assert!(matches!(error, RuleError::Name(_)));
        assert!(
            error.to_string().contains("\"a b\" is no name of a host"),
            "{error}"
        );
        let error = dns("db").try_to(["svc", "svk"]).unwrap_err();
        assert!(matches!(error, RuleError::UnknownHost { .. }));
        let none: [&str; 0] = [];
        assert_eq!(
            dns("db").try_to(none).unwrap_err().to_string(),
            "\"db\" is given no address: it needs at least one"
        );
        dns("db").to(["svc", "10.7.7.7", "fd00::9"]);
    });
    assert_eq!(run.verdict, None);
    let timeline = run.timeline().unwrap().to_string();
    assert!(
        timeline.contains("name db = 10.0.0.2, 10.7.7.7, fd00::9"),
        "{timeline}"
    );
}
