//! Guards: when a rule is lifted, by whom, and where it does no harm.

use std::panic::catch_unwind;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use event_loop::time::{sleep, timeout};
use sim::net::{Guard, RuleError, hold, partition, repair};
use sim::{Config, Run, Sim, VerdictKind, record_once, run_once};
use tests::outside::Outside;

use crate::service::{ask, started};

const SECOND: Duration = Duration::from_secs(1);

fn run<T>(test: impl AsyncFnOnce(Sim) -> T) -> Run<T> {
    run_once(&Config::new(), 0, async |sim: Sim| {
        let _ = started(&sim, "svc").await;
        test(sim).await
    })
}

async fn is_reached() -> bool {
    matches!(timeout(SECOND, ask("svc")).await, Ok(Ok(_)))
}

#[test]
fn a_rule_stands_as_long_as_its_guard() {
    let run = run(async |_| {
        {
            let _cut = partition("main", "svc");
            assert!(!is_reached().await);
        }
        assert!(is_reached().await);
        partition("main", "svc").keep();
        assert!(!is_reached().await);
        repair("svc", "main");
        assert!(is_reached().await);
    });
    assert_eq!(run.verdict, None);
}

#[test]
fn overlapping_rules_stand_until_the_last_is_lifted() {
    let run = run(async |_| {
        let first = partition("main", "svc");
        let second = partition(["svc"], ["main"]);
        drop(first);
        assert!(!is_reached().await);
        drop(second);
        assert!(is_reached().await);
    });
    assert_eq!(run.verdict, None);
}

#[test]
fn a_guard_that_comes_after_a_repair_lifts_nothing_else() {
    let run = run(async |_| {
        let old = partition("main", "svc");
        repair("main", "svc");
        let _new = partition("main", "svc");
        drop(old);
        assert!(!is_reached().await);
    });
    assert_eq!(run.verdict, None);
}

#[test]
fn a_guard_outlives_its_world() {
    let guard = run(async |_| partition("main", "svc")).value.unwrap();
    assert_eq!(guard.stats().applied, 0);
    drop(guard);
    let guard = run(async |_| partition("main", "svc")).value.unwrap();
    std::thread::spawn(move || drop(guard)).join().unwrap();
}

#[test]
fn a_guard_dropped_in_another_world_changes_neither() {
    let kept: Mutex<Option<Guard>> = Mutex::default();
    let first = run(async |_| {
        let cut = partition("main", "svc");
        *kept.lock().unwrap() = Some(cut);
    });
    let second = run(async |_| {
        let _cut = hold("main", "svc");
        drop(kept.lock().unwrap().take());
        assert!(!is_reached().await);
    });
    assert_eq!((first.verdict, second.verdict), (None, None));
}

#[test]
fn a_guard_of_an_outer_world_is_dropped_in_an_inner_one() {
    let outer = run(async |_| {
        let cut = partition("main", "svc");
        let inner = run_once(&Config::new(), 0, |_| async { drop(cut) });
        assert_eq!(inner.verdict, None);
        is_reached().await
    });
    assert_eq!(outer.verdict, None);
    // It was this thread's to drop: the partition is over.
    assert_eq!(outer.value, Some(true));
}

#[test]
fn a_guard_dropped_by_a_foreign_thread_is_told_as_its_touch() {
    let outside = Outside::start();
    let run = run(async move |_| {
        let cut = partition("main", "svc");
        outside.run(move || drop(cut)).unwrap();
        sleep(SECOND).await;
    });
    assert_eq!(run.verdict.unwrap().kind, VerdictKind::ForeignThread);
}

#[test]
fn guards_that_tasks_leave_behind_lift_nothing_at_the_end() {
    let run = run(async |sim| {
        let cut = partition("main", "svc");
        let left = sim.host("svc").spawn(async move {
            let _cut = cut;
            std::future::pending::<()>().await;
        });
        drop(left);
    });
    assert_eq!(run.verdict, None);
    assert_eq!(run.rules()[0].lifted, None);
}

#[test]
fn a_guard_is_lifted_while_a_panic_unwinds() {
    let run = run(async |_| {
        let failed = event_loop::spawn(async {
            let _cut = partition("main", "svc");
            sleep(SECOND).await;
            panic!("over");
        });
        assert!(failed.await.is_err());
        is_reached().await
    });
    assert_eq!(run.value, Some(true));
}

#[test]
fn outside_of_a_world_the_call_says_what_is_to_be_done() {
    let panic = catch_unwind(|| drop(partition("a", "b"))).unwrap_err();
    let text = panic.downcast_ref::<String>().unwrap();
    assert!(
        text.ends_with(
            "is in no world, so there is no network to change: call this from the body of a \
             `#[sim::test]` or from one of its tasks"
        ),
        "{text}"
    );
}

#[test]
fn a_panic_names_the_caller() {
    let run = record_once(&Config::new(), 0, |_| async {
        partition("main", "nobody").keep();
    });
    let verdict = run.verdict.unwrap();
    assert_eq!(
        verdict.message,
        "no host is named \"nobody\"; there are: main"
    );
    assert!(verdict.location.unwrap().contains("guards.rs"));
}

#[test]
fn bad_groups_are_told() {
    let run = run(async |_| {
        let told = |a: &[&str], b: &[&str]| sim::net::try_partition(a, b).unwrap_err();
        assert_eq!(
            told(&["svc", "main"], &["main"])
                .to_string()
                .split(':')
                .next(),
            Some("host \"main\" is on both sides")
        );
        assert_eq!(told(&[], &["main"]), RuleError::NoHosts);
        assert!(matches!(
            told(&["x"], &["main"]),
            RuleError::UnknownHost { .. }
        ));
    });
    assert_eq!(run.verdict, None);
    assert_eq!(run.rules().len(), 0);
}

#[test]
fn once_the_run_is_over_there_is_nothing_to_change() {
    struct Late(Arc<Mutex<Option<RuleError>>>);
    impl Drop for Late {
        fn drop(&mut self) {
            *self.0.lock().unwrap() = sim::net::try_partition("main", "svc").err();
        }
    }
    let told = Arc::new(Mutex::new(None));
    let late = Late(told.clone());
    let _ = run(async |_| {
        drop(event_loop::spawn(async move {
            let _late = late;
            std::future::pending::<()>().await;
        }));
    });
    assert_eq!(*told.lock().unwrap(), Some(RuleError::Over));
}
