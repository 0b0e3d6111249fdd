//! The exception handler: clauses E1, E2 and E4.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use event_loop::time::sleep;
use event_loop::{ErrorContext, EventLoop, LoopError, Runner};
use insta::assert_snapshot;
use sim::{Config, VerdictKind};

use crate::backends::Backend;
use crate::clause::Reach::{Everywhere, Production, WorldsOwn};
use crate::clause::clauses;
use crate::log::{Log, OnDrop, sentence};

clauses! {
    E1 {
        a_report_of_a_callback_says_what_where_and_when: Everywhere,
        a_report_of_a_timed_callback_has_its_deadline: Everywhere,
        a_report_of_a_task_says_which_and_where_it_was_spawned: Everywhere,
        a_report_of_an_unread_err_is_that_of_its_task: Everywhere,
        a_report_names_its_host: WorldsOwn,
    }
    E2 {
        a_handler_is_replaced_at_once_even_from_within_itself: Everywhere,
        a_handler_that_panics_falls_back_to_the_default_one_and_the_loop_goes_on: Production(
            "what reaches the default handler fails a run",
        ),
        without_a_handler_and_with_one_that_panics_a_world_fails: WorldsOwn,
    }
    E4 {
        errors_of_the_shutdown_are_told_and_never_replace_a_panic: Everywhere,
        errors_of_the_shutdown_are_told_and_never_replace_an_err: Everywhere,
        a_verdict_stays_the_worlds_whatever_its_end_brings: WorldsOwn,
    }
}

const NEVER_RETRIEVED: &str = "Task exception was never retrieved";

type Handler = fn(&EventLoop, &ErrorContext);

fn iterate(ev: &EventLoop) -> Result<(), LoopError> {
    ev.stop();
    ev.run_forever()
}

/// What the handler of a loop was told, and which loop told it.
fn watch(ev: &EventLoop) -> Log<(EventLoop, ErrorContext)> {
    let reports = Log::new();
    let told = reports.clone();
    ev.set_exception_handler(Some(move |ev: &EventLoop, context: &ErrorContext| {
        told.note((ev.clone(), context.clone()));
    }));
    reports
}

/// Iterates until one report has come, which it returns with its text: without call sites, and
/// without the time where that is the machine's.
fn report_of(
    backend: Backend,
    ev: &EventLoop,
    fail: impl FnOnce(&EventLoop),
) -> (ErrorContext, String) {
    let reports = watch(ev);
    ev.run_until_complete(async { sleep(Duration::from_millis(2)).await })
        .unwrap();
    let before = ev.now();
    fail(ev);
    let mut told = Vec::new();
    while told.is_empty() {
        ev.run_until_complete(async { sleep(Duration::from_millis(1)).await })
            .unwrap();
        told.extend(reports.take());
    }
    let (teller, report) = told.pop().unwrap();
    assert!(told.is_empty(), "{told:?}");
    assert!(teller.same_loop(ev));
    assert!((before..=ev.now()).contains(&report.at));
    assert_eq!(report.loop_name, ev.describe().name);
    let text = sentence(&report);
    let (text, at) = text.rsplit_once(&format!(" {:?}", report.at)).unwrap();
    assert_eq!(at, " of its clock");
    let name = if backend.is_simulated() {
        "main"
    } else {
        "loop"
    };
    let id = report
        .task
        .map_or("no task".to_owned(), |id| id.to_string());
    let text = text.replace(&format!("loop \"{name}\""), "loop [name]");
    (report, text.replace(&id, "#n"))
}

fn a_report_of_a_callback_says_what_where_and_when(backend: Backend) {
    let ev = backend.make();
    let line = line!() + 2;
    let (report, text) = report_of(backend, &ev, |ev| {
        ev.call_soon(|| std::panic::panic_any(7)).unwrap();
    });
    assert_snapshot!(text, @r"
    Exception in callback: a panic whose payload is not text
      in a callback scheduled at [site]
      on loop [name], at
    ");
    assert_eq!(report.message, "Exception in callback");
    assert_eq!(report.error, "a panic whose payload is not text");
    assert_eq!((report.task, &report.task_name), (None, &None));
    let callback = report.callback.unwrap();
    assert_eq!(Some(callback.scheduled_at), report.created_at);
    assert_eq!(
        (callback.scheduled_at.line(), callback.deadline),
        (line, None)
    );
}

fn a_report_of_a_timed_callback_has_its_deadline(backend: Backend) {
    let ev = backend.make();
    let mut deadline = None;
    let (report, text) = report_of(backend, &ev, |ev| {
        let call = ev.call_later(Duration::from_millis(3), || panic!("late"));
        deadline = call.unwrap().when();
    });
    let callback = report.callback.as_ref().unwrap();
    assert_eq!(callback.deadline, deadline);
    let text = text.replace(&format!("{:?}", deadline.unwrap()), "[deadline]");
    assert_snapshot!(text, @r"
    Exception in callback: late
      in a callback scheduled at [site], due at [deadline]
      on loop [name], at
    ");
}

fn a_report_of_a_task_says_which_and_where_it_was_spawned(backend: Backend) {
    let ev = backend.make();
    let mut id = None;
    let line = line!() + 2;
    let (report, text) = report_of(backend, &ev, |ev| {
        let task = ev.spawn_named("careless", async { panic!("boom") as () });
        id = task.id();
    });
    assert_snapshot!(text, @r#"
    Task exception was never retrieved: boom
      in task #n "careless", spawned at [site]
      on loop [name], at
    "#);
    assert_eq!(report.task_name.as_deref(), Some("careless"));
    assert_eq!((report.task, report.callback), (id, None));
    assert_eq!(report.created_at.unwrap().line(), line);
    assert_eq!(
        (&*report.message, &*report.error),
        (NEVER_RETRIEVED, "boom")
    );
}

fn a_report_of_an_unread_err_is_that_of_its_task(backend: Backend) {
    let ev = backend.make();
    let mut id = None;
    let line = line!() + 2;
    let (report, text) = report_of(backend, &ev, |ev| {
        let task = ev.spawn_fallible(async { Err::<(), _>("refused") });
        id = task.id();
    });
    assert_snapshot!(text, @r"
    Task exception was never retrieved: refused
      in task #n, spawned at [site]
      on loop [name], at
    ");
    assert_eq!(
        (report.task, report.task_name, report.callback),
        (id, None, None)
    );
    assert_eq!(report.created_at.unwrap().line(), line);
    assert_eq!(
        (&*report.message, &*report.error),
        (NEVER_RETRIEVED, "refused")
    );
}

fn a_report_names_its_host(backend: Backend) {
    let reports = Log::new();
    let told = reports.clone();
    let run = backend.world(Config::new(), |sim| async move {
        let ev = sim.host("other").event_loop();
        ev.set_exception_handler(Some(move |_: &EventLoop, context: &ErrorContext| {
            told.note(context.clone());
        }));
        ev.spawn_named("careless", async { panic!("boom") as () })
            .detach();
        sleep(Duration::from_millis(5)).await;
    });
    assert!(run.verdict.is_none(), "{:?}", run.verdict);
    let [report] = &reports.take()[..] else {
        panic!("one report");
    };
    assert_eq!(report.loop_name, "other");
    assert_eq!(report.task_name.as_deref(), Some("careless"));
}

fn a_handler_is_replaced_at_once_even_from_within_itself(backend: Backend) {
    let ev = backend.make();
    let log = Log::new();
    let (first, second) = (log.clone(), log.clone());
    let held = Arc::new(());
    let freed = Arc::downgrade(&held);
    ev.set_exception_handler(Some(move |ev: &EventLoop, _: &ErrorContext| {
        let _held = &held;
        first.note("first");
        let second = second.clone();
        ev.set_exception_handler(Some(move |_: &EventLoop, _: &ErrorContext| {
            second.note("second");
        }));
    }));
    for _ in 0..2 {
        ev.call_soon(|| panic!("boom")).unwrap();
    }
    iterate(&ev).unwrap();
    assert_eq!(log.take(), ["first", "second"]);
    assert_eq!(freed.strong_count(), 0);
}

/// What the default handler says goes to standard error, which is read of a process of its own.
fn a_handler_that_panics_falls_back_to_the_default_one_and_the_loop_goes_on(backend: Backend) {
    const ONLY: &str = "SOLIPSISM_CONTRACT_ONLY";
    const NAME: &str =
        "errors::E2::a_handler_that_panics_falls_back_to_the_default_one_and_the_loop_goes_on";
    let ev = backend.make();
    let only = std::env::var(ONLY);
    if only.as_ref() == Ok(&backend.to_string()) {
        return fail_with_a_handler_that_panics(&ev);
    } else if only.is_ok() {
        return;
    }
    let child = Command::new(std::env::current_exe().unwrap())
        .args([NAME, "--exact", "--nocapture"])
        .env(ONLY, backend.to_string())
        .output()
        .unwrap();
    let said = String::from_utf8(child.stderr).unwrap();
    assert!(child.status.success(), "{said}");
    let ran = String::from_utf8(child.stdout).unwrap();
    assert!(ran.contains("1 passed"), "{ran}");
    let starts = ["Exception in", "Unhandled error in", "Task exception"];
    let told = |line: &&str| starts.iter().any(|start| line.starts_with(start));
    let told: Vec<_> = said.lines().filter(told).collect();
    assert_eq!(
        told,
        [
            "Exception in callback: boom",
            "Unhandled error in exception handler: in the handler",
            "Task exception was never retrieved: unread",
            "Unhandled error in exception handler: in the handler",
        ]
    );
}

fn fail_with_a_handler_that_panics(ev: &EventLoop) {
    let log = Log::new();
    ev.set_exception_handler(Some((|_, _| panic!("in the handler")) as Handler));
    ev.call_soon(|| panic!("boom")).unwrap();
    ev.call_soon(log.noting("behind")).unwrap();
    iterate(ev).unwrap();
    ev.spawn(async { panic!("unread") as () }).detach();
    ev.run_until_complete(async { sleep(Duration::from_millis(5)).await })
        .unwrap();
    ev.close().unwrap();
    assert_eq!(log.take(), ["behind"]);
}

fn without_a_handler_and_with_one_that_panics_a_world_fails(backend: Backend) {
    let handlers = [None, Some((|_, _| panic!("in the handler")) as Handler)];
    for handler in handlers {
        let ev = backend.make();
        ev.set_exception_handler(handler);
        ev.call_soon(|| panic!("boom")).unwrap();
        let Err(LoopError::WorldEnded(text)) = iterate(&ev).and_then(|()| iterate(&ev)) else {
            panic!("the world goes on");
        };
        let (why, _) = text.split_once(" (").unwrap();
        assert_snapshot!(why, @"unread failure: Exception in callback: boom");
    }
}

/// A future that is never ready and panics when it is dropped.
fn bomb(text: &'static str) -> impl Future<Output = ()> + Send {
    let held = OnDrop::new(move || panic!("{text}"));
    async move {
        let _held = held;
        std::future::pending::<()>().await;
    }
}

/// What the handler of a loop with bombs in all it may hold is told when a runner that has run
/// `main` goes, beside what became of `main`.
fn bombed<T: Send + 'static>(
    backend: Backend,
    main: impl Future<Output = T> + Send + 'static,
) -> (thread::Result<T>, Vec<String>) {
    let reports = Log::new();
    let told = reports.clone();
    // The runner is dropped while the panic of its main, if it panics, unwinds.
    let run = AssertUnwindSafe(|| {
        let mut runner = Runner::new(move || backend.factory());
        let ev = runner.event_loop().unwrap();
        ev.set_exception_handler(Some(move |_: &EventLoop, context: &ErrorContext| {
            let who = match (context.task, &context.callback) {
                (Some(_), None) => "task",
                (None, Some(_)) => "callback",
                (task, callback) => panic!("{task:?} {callback:?}"),
            };
            told.note(format!("{who}: {}", context.error));
        }));
        ev.spawn(bomb("first")).detach();
        ev.spawn_local(bomb("local")).detach();
        let in_callback = |text| {
            let bomb = bomb(text);
            move || drop(bomb)
        };
        let hour = Duration::from_hours(1);
        ev.call_later(hour, in_callback("timed")).unwrap();
        let value = runner.run(main);
        ev.call_soon(in_callback("soon")).unwrap();
        ev.spawn(bomb("never polled")).detach();
        value.unwrap()
    });
    let value = catch_unwind(run);
    let mut reports = reports.take();
    reports.sort_unstable();
    (value, reports)
}

fn errors_of_the_shutdown_are_told_and_never_replace_a_panic(backend: Backend) {
    let (value, reports) = bombed(backend, async { panic!("the first") as () });
    let payload = value.unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"the first"));
    assert_eq!(reports, ["callback: timed", "task: first", "task: local"]);
}

fn errors_of_the_shutdown_are_told_and_never_replace_an_err(backend: Backend) {
    let (value, reports) = bombed(backend, async { Err::<(), _>("refused") });
    assert_eq!(value.unwrap(), Err("refused"));
    assert_eq!(
        reports,
        [
            "callback: soon",
            "callback: timed",
            "task: first",
            "task: local",
            "task: never polled",
        ]
    );
}

fn a_verdict_stays_the_worlds_whatever_its_end_brings(backend: Backend) {
    let run = backend.world(Config::new(), |sim| async move {
        sim.event_loop().spawn(bomb("in drop")).detach();
        let other = sim.host("other").event_loop();
        other.spawn(bomb("in another's drop")).detach();
        event_loop::yield_now().await;
        panic!("the first");
    });
    let verdict = run.verdict.unwrap();
    assert_eq!(
        (verdict.kind, &*verdict.message),
        (VerdictKind::Panic, "the first")
    );
}
