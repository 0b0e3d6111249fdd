//! What a shutdown tells of: clause D4, and E4 of its errors.

use std::collections::BTreeSet;

use event_loop::net::TcpStream;
use event_loop::shutdown::{HookEnd, Stage, TaskEnd};
use event_loop::time::{Instant, sleep};
use event_loop::{ErrorContext, EventLoop, LoopError, cancelled, spawn, spawn_named};
use futures::channel::oneshot;
use tokio::io::AsyncReadExt;

use super::{LONG, TICK, deaf, ends, local_listener, on, policy, took};
use crate::backends::Backend;
use crate::clause::Reach::{Everywhere, Simulated};
use crate::clause::clauses;
use crate::log::Log;

clauses! {
    D4 {
        everything_is_in_the_report_exactly_once: Everywhere,
        a_task_that_awaits_the_report_is_not_cut: Everywhere,
        who_asks_twice_gets_the_same_report: Everywhere,
        after_the_report_nothing_begins_and_the_run_s_end_closes_the_loop: Everywhere,
        a_task_that_is_cut_is_told_with_the_leaf_it_stood_at: Simulated(
            "nobody keeps it there: a poll would pay for it",
        ),
    }
    E4 {
        errors_of_a_shutdown_are_in_its_report_and_leave_the_run_its_own: Everywhere,
    }
}

fn everything_is_in_the_report_exactly_once(backend: Backend) {
    let report = on(backend, |ev| async move {
        spawn_named("before", async {}).await.unwrap();
        let (end, ends) = oneshot::channel::<()>();
        spawn_named("ends meanwhile", async move { ends.await.is_ok() }).detach();
        spawn_named("obeys", async {
            cancelled().await;
            spawn_named("started in the grace", sleep(TICK)).detach();
        })
        .detach();
        spawn_named("deaf", deaf()).detach();
        let local = ev.spawn_named("aborted by its owner", deaf());
        ev.on_shutdown("hook", move || async move {
            spawn_named("started by a hook", cancelled()).detach();
            local.abort();
            end.send(()).unwrap();
            sleep(8 * TICK).await;
        })
        .unwrap();
        sleep(TICK).await;
        ev.shutdown(policy().grace(12 * TICK)).await.unwrap()
    });
    let ends = ends(&report);
    let expected = [
        ("ends meanwhile", "Done"),
        ("obeys", "Finished"),
        ("deaf", "Cut"),
        ("aborted by its owner", "Done"),
        ("started by a hook", "Finished"),
        ("started in the grace", "Done"),
    ];
    let told: Vec<_> = ends
        .iter()
        .map(|(name, end)| (*name, format!("{end:?}")))
        .collect();
    assert_eq!(told.len(), expected.len(), "{report}");
    for ((name, end), (told_name, told_end)) in expected.iter().zip(&told) {
        assert_eq!(name, told_name, "{report}");
        assert!(told_end.starts_with(end), "{name}: {told_end}\n{report}");
    }
    let ids: BTreeSet<_> = report.tasks.iter().map(|task| task.id).collect();
    assert_eq!(ids.len(), report.tasks.len());
}

fn a_task_that_awaits_the_report_is_not_cut(backend: Backend) {
    let report = on(backend, |ev| async move {
        let here = ev.clone();
        let waits = spawn_named("waits", async move {
            let report = here.shutdown(policy()).await.unwrap();
            sleep(4 * TICK).await;
            report
        });
        while ev.shutdown_under_way().is_none() {
            sleep(TICK).await;
        }
        // From here on nobody is left whom the grace is for.
        ev.shutdown_under_way().unwrap().await.unwrap();
        waits.await.unwrap()
    });
    assert!(took(&report, Stage::Grace) < LONG / 2, "{report}");
    assert!(
        report
            .tasks
            .iter()
            .any(|task| { task.name.as_deref() == Some("waits") && task.end == TaskEnd::Awaiting })
    );
}

fn who_asks_twice_gets_the_same_report(backend: Backend) {
    let (first, second, third) = on(backend, |ev| async move {
        let first = ev.shutdown(policy());
        let second = ev.shutdown(policy().grace(TICK));
        let under_way = ev.shutdown_under_way().unwrap();
        let first = first.await.unwrap();
        (first, second.await.unwrap(), under_way.await.unwrap())
    });
    assert_eq!(first.to_string(), second.to_string());
    assert_eq!(first.to_string(), third.to_string());
    assert_eq!(first.stage(Stage::Grace).unwrap().bound, Some(LONG));
}

fn after_the_report_nothing_begins_and_the_run_s_end_closes_the_loop(backend: Backend) {
    let ev = backend.make();
    let here = ev.unowned();
    ev.run_until_complete(async move {
        here.shutdown(policy()).await.unwrap();
        let late = spawn(async {}).await.unwrap_err();
        assert!(late.is_closed());
        assert!(!here.is_closed(), "its run goes on");
        sleep(TICK).await;
    })
    .unwrap();
    assert!(ev.is_closed());
    assert_eq!(ev.run_borrowed(async {}), Err(LoopError::Closed));
}

fn a_task_that_is_cut_is_told_with_the_leaf_it_stood_at(backend: Backend) {
    let report = on(backend, |ev| async move {
        spawn_named("sleeps", sleep(LONG)).detach();
        let (listener, address) = local_listener().await;
        let client = TcpStream::connect(address).await.unwrap();
        let (mut accepted, _) = listener.accept().await.unwrap();
        spawn_named("reads", async move {
            let _ = accepted.read(&mut [0]).await;
        })
        .detach();
        sleep(TICK).await;
        let report = ev.shutdown(policy().grace(TICK)).await.unwrap();
        drop(client);
        report
    });
    let at: Vec<_> = report
        .cut()
        .filter_map(|task| match &task.end {
            TaskEnd::Cut { at } => at.as_deref(),
            _ => None,
        })
        .collect();
    assert_eq!(at.len(), 2, "{report}");
    assert!(at[0].starts_with("its timer at "), "{report}");
    assert!(at[1].starts_with("news of socket "), "{report}");
}

fn errors_of_a_shutdown_are_in_its_report_and_leave_the_run_its_own(backend: Backend) {
    let ev = backend.make();
    let told = Log::new();
    let tells = told.clone();
    ev.set_exception_handler(Some(move |_: &EventLoop, context: &ErrorContext| {
        tells.note(context.message.clone());
    }));
    let (here, began) = (ev.unowned(), ev.now());
    let outcome = ev.run_until_complete(async move {
        here.on_shutdown("fails", || async { Err("in the hook") })
            .unwrap();
        spawn_named("fails too", async {
            cancelled().await;
            panic!("in the cleanup");
        })
        .detach();
        sleep(TICK).await;
        let report = here.shutdown(policy()).await.unwrap();
        (Err::<(), _>("the first error"), report)
    });
    let (first, report) = outcome.unwrap();
    assert_eq!(first, Err("the first error"));
    let errors: Vec<_> = report.errors.iter().map(|error| &*error.error).collect();
    assert_eq!(errors, ["in the cleanup"]);
    assert_eq!(report.hooks[0].end, HookEnd::Failed("in the hook".into()));
    let hook = "Error in shutdown hook \"fails\"";
    assert_eq!(told.take(), [hook, "Task exception was never retrieved"]);
    assert!(!report.is_clean() && report.began >= began);
    assert!(report.began <= Instant::now() + LONG);
}
