//! What is said of faults: in traces, in accounts and in reports.

use std::time::Duration;

use event_loop::time::{sleep, timeout};
use sim::net::{clog, partition, swizzle};
use sim::{Config, Sim, record_once, run_once};

use crate::service::{ask, started};

const SECOND: Duration = Duration::from_secs(1);

async fn broken_for_a_while(sim: Sim) {
    let _ = started(&sim, "svc").await;
    {
        let _cut = partition("main", "svc");
        let _ = timeout(SECOND, ask("svc")).await;
    }
    let _ = sim.host("idle");
    let clogged = clog("idle");
    sleep(SECOND).await;
    clogged.keep();
}

#[test]
fn an_account_tells_when_a_rule_stood_and_what_it_did() {
    let run = run_once(&Config::new(), 0, broken_for_a_while);
    let [cut, clog] = run.rules() else {
        panic!("{:?}", run.rules())
    };
    assert_eq!(
        (&*cut.rule, &*cut.kind),
        ("partition main | svc", "partition")
    );
    assert_eq!(cut.begun, Duration::from_millis(1));
    assert_eq!(cut.lifted, Some(Duration::from_millis(1) + SECOND));
    // One SYN, and again after a second.
    assert!(cut.applied >= 1 && cut.applied == cut.eligible, "{cut:?}");
    assert_eq!(
        (&*clog.rule, clog.lifted, clog.eligible),
        ("clog idle", None, 0)
    );
    assert_eq!(clog.to_string(), "clog idle  1.001000000..end  met nothing");
}

#[test]
fn a_trace_tells_who_broke_what_and_when() {
    let run = record_once(&Config::new(), 0, broken_for_a_while);
    let timeline = run.timeline().unwrap().to_string();
    let line = |text: &str| {
        let found = timeline.lines().find(|line| line.ends_with(text));
        found
            .unwrap_or_else(|| panic!("{text} is not in\n{timeline}"))
            .to_owned()
    };
    assert!(line("fault partition main | svc").starts_with("0.001000000 main"));
    assert!(line("lift partition main | svc").starts_with("1.001000000 main"));
    assert!(line("fault clog idle").starts_with("1.001000000 main"));
    let mut json = Vec::new();
    run.json_lines().unwrap().write_to(&mut json).unwrap();
    let json = String::from_utf8(json).unwrap();
    assert!(
        json.contains(
            r#""kind":"fault","host":"main","task":"main","rule":"partition main | svc""#
        )
    );
}

#[test]
fn recording_or_not_and_again_the_hash_is_the_same() {
    for seed in 0..20 {
        let swizzled = async |sim: Sim| {
            broken_for_a_while(sim.clone()).await;
            drop(swizzle(["main", "svc", "idle"], SECOND));
            let _swizzled = swizzle(["main", "svc", "idle"], 5 * SECOND);
            for _ in 0..5 {
                let _ = timeout(SECOND, ask("svc")).await;
            }
        };
        let once = run_once(&Config::new(), seed, swizzled);
        assert_eq!(once.verdict, None);
        assert_eq!(once.hash, run_once(&Config::new(), seed, swizzled).hash);
        assert_eq!(once.hash, record_once(&Config::new(), seed, swizzled).hash);
    }
}

#[test]
fn a_fault_that_met_nobody_moves_nothing_but_its_own_two_lines() {
    let plain = async |sim: Sim| {
        let _ = started(&sim, "svc").await;
        let _ = sim.host("idle");
        ask("svc").await.unwrap()
    };
    let named = async |sim: Sim| {
        let _ = started(&sim, "svc").await;
        let _ = sim.host("idle");
        drop(partition("svc", "idle"));
        ask("svc").await.unwrap()
    };
    for seed in 0..20 {
        let (plain, named) = (
            record_once(&Config::new(), seed, plain),
            record_once(&Config::new(), seed, named),
        );
        let [plain, named] = [plain, named].map(|run| run.timeline().unwrap().to_string());
        let quiet = named
            .lines()
            .filter(|line| !line.ends_with("partition svc | idle"));
        assert!(quiet.eq(plain.lines()), "{plain}\n{named}");
    }
}
