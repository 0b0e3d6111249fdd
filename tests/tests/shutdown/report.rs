//! The report as text: what somebody reads at night.

use std::future::pending;
use std::time::Duration;

use event_loop::shutdown::{ShutdownPolicy, ShutdownReport};
use event_loop::time::sleep;
use event_loop::{ErrorContext, EventLoop, LoopConfig, cancelled, production, spawn, spawn_named};
use insta::assert_snapshot;
use sim::Profile;

/// The report of a loop in a plain world that `main` has set up.
fn report(policy: ShutdownPolicy, main: impl FnOnce(&EventLoop)) -> ShutdownReport {
    let ev = sim::factory(0, Profile::Exact).unwrap();
    ev.set_exception_handler(Some(|_: &EventLoop, _: &ErrorContext| ()));
    main(&ev);
    let here = ev.unowned();
    ev.run_until_complete(async move {
        sleep(Duration::from_secs(3)).await;
        here.shutdown(policy).await.unwrap()
    })
    .unwrap()
}

/// Without its call sites, which move with this file.
fn text(report: &ShutdownReport) -> String {
    let lines = report.to_string();
    let words = lines.split(' ').map(|word| match word.find("tests/") {
        Some(at) => format!(
            "{}[site]{}",
            &word[..at],
            word[at..].trim_start_matches(|c| { !matches!(c, ',' | '\n') })
        ),
        None => word.to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn a_clean_shutdown_is_told_in_few_words() {
    let report = report(ShutdownPolicy::new(), |ev| {
        ev.on_shutdown("drain pool", || sleep_for(2)).unwrap();
        for _ in 0..3 {
            let worker = async {
                cancelled().await;
                sleep_for(1).await;
            };
            ev.spawn_named("worker", worker).detach();
        }
    });
    assert!(report.is_clean());
    assert_snapshot!(text(&report));
}

async fn sleep_for(seconds: u64) {
    sleep(Duration::from_secs(seconds)).await;
}

#[test]
fn what_was_not_in_order_is_told_by_name() {
    let report = report(ShutdownPolicy::new(), |ev| {
        ev.on_shutdown("never returns", pending::<()>).unwrap();
        ev.on_shutdown("flush", || async { Err("disk full") })
            .unwrap();
        ev.spawn_named("sleeper", sleep_for(3_600)).detach();
        ev.spawn(pending::<()>()).detach();
        ev.spawn_named("sloppy", async {
            cancelled().await;
            panic!("in the cleanup");
        })
        .detach();
        ev.call_later(Duration::from_secs(900), || ()).unwrap();
    });
    assert!(!report.is_clean());
    assert_snapshot!(text(&report));
}

#[test]
fn a_job_that_outlives_its_grace_is_told_of_everywhere() {
    let loops = [
        sim::factory(0, Profile::Exact),
        production::current_thread(LoopConfig::default()),
        production::multi_thread(LoopConfig::default()),
    ];
    for ev in loops.map(Result::unwrap) {
        let here = ev.unowned();
        let report = ev.run_until_complete(async move {
            let second = Duration::from_secs(1);
            here.run_blocking_named("export", move || event_loop::block_for(second))
                .detach();
            sleep(Duration::from_millis(100)).await;
            let policy = ShutdownPolicy::new().executor(Duration::from_millis(20));
            here.shutdown(policy).await.unwrap()
        });
        let report = report.unwrap();
        let [job] = &*report.executor.running else {
            panic!("{report}");
        };
        assert_eq!(job.name.as_deref(), Some("export"));
        assert!(!report.is_clean() && report.to_string().contains("RUNNING job 1 \"export\""));
    }
}

#[test]
fn an_escalation_says_where_it_struck() {
    let report = report(ShutdownPolicy::new(), |ev| {
        let here = ev.unowned();
        ev.on_shutdown("never returns", pending::<()>).unwrap();
        ev.spawn_named("impatient", async move {
            sleep_for(4).await;
            here.escalate();
        })
        .detach();
        ev.spawn_named("parent", async {
            spawn(pending::<()>()).detach();
            spawn_named("child", pending::<()>()).detach();
        })
        .detach();
    });
    assert_snapshot!(text(&report));
}
