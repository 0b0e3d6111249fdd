//! Runs inside runs are refused, wherever they are tried: clauses L1 to L3.

use std::sync::Mutex;
use std::time::Duration;

use event_loop::signal::raise;
use event_loop::{ErrorContext, EventLoop, LoopError, Signal, TaskHandle};
use insta::assert_snapshot;

use crate::backends::Backend;
use crate::clause::Reach::Everywhere;
use crate::clause::clauses;
use crate::log::{Log, OnDrop, sentence};

clauses! {
    L1 {
        a_loop_does_not_run_inside_itself: Everywhere,
        a_refusal_names_both_call_sites: Everywhere,
        a_task_that_runs_beside_no_run_is_refused_too: Everywhere,
    }
    L2 {
        a_loop_does_not_run_inside_another: Everywhere,
    }
    L3 {
        a_loop_does_not_run_inside_itself: Everywhere,
        a_loop_does_not_run_inside_another: Everywhere,
    }
}

/// What a nested run came to; the loop it was tried on decides which of two refusals it is.
type Refusals = Log<(&'static str, LoopError)>;

/// The synchronous function in between: its caller cannot see that it runs a loop.
fn synchronous(inner: &EventLoop, place: &'static str, refusals: &Refusals) {
    let never = refusals.clone();
    let refused = inner.run_until_complete(async move {
        never.note((place, LoopError::RunnerClosed));
    });
    refusals.note((place, refused.expect_err("a nested run is refused")));
    refusals.note((place, inner.run_forever().expect_err("refused")));
    refusals.note((place, inner.run_borrowed(async {}).expect_err("refused")));
}

/// Tries to run `inner` from everywhere in `outer`.
fn run_everywhere(outer: &EventLoop, inner: &EventLoop) -> Vec<(&'static str, LoopError)> {
    let refusals = Refusals::new();
    let attempt = |place| {
        let (inner, refusals) = (inner.clone(), refusals.clone());
        move || synchronous(&inner, place, &refusals)
    };
    let in_handler = attempt("exception handler");
    outer.set_exception_handler(Some(move |_: &EventLoop, _: &ErrorContext| in_handler()));
    let ev = outer.clone();
    let (in_main, in_child, in_callback, in_signal_handler) = (
        attempt("main task"),
        attempt("child task"),
        attempt("callback"),
        attempt("signal handler"),
    );
    let in_task_drop = OnDrop::new(attempt("a task's drop"));
    let in_callback_drop = OnDrop::new(attempt("a callback's drop"));
    outer
        .run_until_complete(async move {
            in_main();
            event_loop::spawn(async move { in_child() }).await.unwrap();
            let (done, called) = futures::channel::oneshot::channel();
            ev.call_soon(move || {
                in_callback();
                panic!("for the exception handler");
            })
            .unwrap();
            ev.call_soon(move || done.send(()).unwrap()).unwrap();
            called.await.unwrap();
            heard(&ev, in_signal_handler).await;
            let aborted = event_loop::spawn(async move {
                let _held = in_task_drop;
                std::future::pending::<()>().await;
            });
            event_loop::time::sleep(Duration::from_millis(1)).await;
            aborted.abort();
            assert!(aborted.await.unwrap_err().is_aborted());
            let call = ev.call_later(Duration::from_hours(1), move || drop(in_callback_drop));
            call.unwrap().cancel();
        })
        .unwrap();
    let in_root = attempt("root");
    outer.run_borrowed(async { in_root() }).unwrap();
    refusals.take()
}

/// Calls `attempt` in a handler. The tests of production share a process, whose signals each of
/// them hears: the first counts.
async fn heard(ev: &EventLoop, attempt: impl FnOnce() + Send + 'static) {
    let (done, heard) = futures::channel::oneshot::channel();
    let once = Mutex::new(Some((attempt, done)));
    let handler = move || {
        let first = once.lock().unwrap().take();
        if let Some((attempt, done)) = first {
            attempt();
            done.send(()).unwrap();
        }
    };
    ev.add_signal_handler(Signal::Cont, handler).unwrap();
    raise(Signal::Cont).unwrap();
    heard.await.unwrap();
    assert!(ev.remove_signal_handler(Signal::Cont));
}

fn places(refusals: &[(&'static str, LoopError)]) -> Vec<&'static str> {
    let mut places: Vec<_> = refusals.iter().map(|(place, _)| *place).collect();
    places.dedup();
    places
}

const PLACES: [&str; 8] = [
    "main task",
    "child task",
    "callback",
    "exception handler",
    "signal handler",
    "a task's drop",
    "a callback's drop",
    "root",
];

fn a_loop_does_not_run_inside_itself(backend: Backend) {
    let ev = backend.make();
    let refusals = run_everywhere(&ev, &ev);
    assert_eq!(places(&refusals), PLACES);
    assert_eq!(refusals.len(), 3 * PLACES.len());
    for (place, refusal) in refusals {
        let LoopError::AlreadyRunning { outer, here } = refusal else {
            panic!("{place}: {refusal:?}");
        };
        assert!(outer.file().ends_with("refusals.rs") && here.file().ends_with("refusals.rs"));
        assert_snapshot!(sentence(refusal), @"This event loop is already running (run at [site], run again at [site]): await the future instead, or run it on a thread with a loop of its own, or move the blocking call to a blocking job");
    }
    ev.run_until_complete(async {})
        .expect("the loop is as good as ever");
}

fn a_loop_does_not_run_inside_another(backend: Backend) {
    let (outer, inner) = (backend.make(), backend.make());
    let refusals = run_everywhere(&outer, &inner);
    assert_eq!(places(&refusals), PLACES);
    assert_eq!(refusals.len(), 3 * PLACES.len());
    for (_, refusal) in refusals {
        assert_snapshot!(sentence(refusal), @"Cannot run the event loop while another loop is running (the other runs at [site], this one was to run at [site]): await the future instead, or run it on a thread with a loop of its own, or move the blocking call to a blocking job");
    }
    inner.run_until_complete(async {}).expect("its turn comes");
}

fn a_refusal_names_both_call_sites(backend: Backend) {
    let ev = backend.make();
    let here = ev.clone();
    let first = line!() + 1;
    let second = ev.run_until_complete(async move { (line!(), here.run_forever()) });
    let (second, refused) = second.unwrap();
    let Err(LoopError::AlreadyRunning { outer, here }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!([outer.line(), here.line()], [first, second]);
}

fn a_task_that_runs_beside_no_run_is_refused_too(backend: Backend) {
    let (ev, other) = (backend.make(), backend.make());
    let here = ev.clone();
    let task = ev.spawn(async move {
        [
            here.run_until_complete(async {}),
            other.run_until_complete(async {}),
        ]
    });
    beside_a_run(backend, &task);
    let [own, another] = ev.run_until_complete(task).unwrap().unwrap();
    assert!(
        matches!(own, Err(LoopError::AlreadyRunning { .. })),
        "{own:?}"
    );
    assert!(
        matches!(another, Err(LoopError::AnotherLoopRunning { .. })),
        "{another:?}"
    );
}

/// Gives a multi-thread loop the time to poll the task with nobody running the loop.
fn beside_a_run<T>(backend: Backend, task: &TaskHandle<T>) {
    while backend == Backend::MultiThread && !task.is_finished() {
        std::thread::yield_now();
    }
}
