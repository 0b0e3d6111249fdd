//! A run inside a run is refused, whichever of two loops beside one another it is, and the error
//! names both calls.

use std::panic::Location;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use event_loop::signal::raise;
use event_loop::{ErrorContext, EventLoop, LoopError, Runner, Signal};

use super::loops;

type Refusals = Arc<Mutex<Vec<(&'static str, LoopError)>>>;

/// The function in between, which is not async and whose caller cannot see that it runs a loop.
struct Synchronous {
    inner: EventLoop,
    refusals: Refusals,
}

impl Synchronous {
    #[track_caller]
    fn call(&self, place: &'static str) {
        let refused = [
            self.inner.run_until_complete(async {}),
            self.inner.run_borrowed(async {}),
            self.inner.run_forever(),
            Runner::new(self.inner.factory()).run(async {}),
        ];
        let refused = refused.map(|run| (place, run.expect_err(place)));
        self.refusals.lock().unwrap().extend(refused);
    }

    fn at(self: &Arc<Self>, place: &'static str) -> OnDrop {
        OnDrop(self.clone(), place)
    }
}

/// Calls it when it is dropped.
struct OnDrop(Arc<Synchronous>, &'static str);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.call(self.1);
    }
}

/// Tries to run `inner` from everywhere in `outer`.
fn refusals(outer: &EventLoop, inner: &EventLoop) -> Vec<(&'static str, LoopError)> {
    let refusals = Refusals::default();
    let synchronous = Arc::new(Synchronous {
        inner: inner.unowned(),
        refusals: refusals.clone(),
    });
    let handler = synchronous.clone();
    outer.set_exception_handler(Some(move |_: &EventLoop, _: &ErrorContext| {
        handler.call("an exception handler");
    }));
    let main = async move {
        synchronous.call("main");
        let a = synchronous.clone();
        // A awaits, calls B, and B runs C.
        event_loop::spawn(async move {
            event_loop::yield_now().await;
            a.call("a task");
        })
        .await
        .unwrap();
        let ev = event_loop::current().unwrap();
        let (called, call) = event_loop::sync::oneshot::channel();
        let b = synchronous.clone();
        ev.call_soon(move || {
            b.call("a callback");
            called.send(()).unwrap();
            panic!("for the exception handler");
        })
        .unwrap();
        call.await.unwrap();
        call_from_a_signal_handler(&ev, synchronous.clone()).await;
        let held = synchronous.at("the drop of a task");
        let aborted = event_loop::spawn(async move {
            let _held = held;
            std::future::pending::<()>().await;
        });
        event_loop::time::sleep(Duration::from_millis(1)).await;
        aborted.abort();
        let _ = aborted.await;
        let held = synchronous.at("the drop of a callback");
        let call = ev.call_later(Duration::from_hours(1), move || drop(held));
        call.unwrap().cancel();
    };
    outer.run_until_complete(main).unwrap();
    std::mem::take(&mut *refusals.lock().unwrap())
}

/// Tests of production share a process, and so its signals: the first that is heard counts.
async fn call_from_a_signal_handler(ev: &EventLoop, synchronous: Arc<Synchronous>) {
    let (tell, told) = event_loop::sync::oneshot::channel();
    let tell = Mutex::new(Some(tell));
    let handler = move || {
        if let Some(tell) = tell.lock().unwrap().take() {
            synchronous.call("a signal handler");
            tell.send(()).unwrap();
        }
    };
    ev.add_signal_handler(Signal::Winch, handler).unwrap();
    raise(Signal::Winch).unwrap();
    told.await.unwrap();
    assert!(ev.remove_signal_handler(Signal::Winch));
}

const PLACES: [&str; 7] = [
    "main",
    "a task",
    "a callback",
    "an exception handler",
    "a signal handler",
    "the drop of a task",
    "the drop of a callback",
];

fn sites(refused: &LoopError) -> [&'static Location<'static>; 2] {
    match refused {
        LoopError::AlreadyRunning { outer, here } | LoopError::RunnerInsideLoop { outer, here } => {
            [outer, here]
        }
        LoopError::AnotherLoopRunning { outer, here } => [outer.expect("a loop of ours"), here],
        other => panic!("{other:?}"),
    }
}

fn assert_refused(name: &str, refusals: &[(&'static str, LoopError)], sentence: &str) {
    assert_eq!(refusals.len(), PLACES.len() * 4, "{name}");
    for (chunk, place) in refusals.chunks(4).zip(PLACES) {
        for (n, (at, refused)) in chunk.iter().enumerate() {
            assert_eq!(*at, place, "{name}");
            let text = refused.to_string();
            let [outer, here] = sites(refused);
            let expected = match n {
                3 => "Runner.run() cannot be called from a running event loop",
                _ => sentence,
            };
            assert!(text.starts_with(expected), "{name}, {place}: {text}");
            for site in [outer, here] {
                assert!(site.file().ends_with("nested/refusals.rs"), "{text}");
                assert!(text.contains(&site.to_string()), "{text}");
            }
            assert_ne!(outer.line(), here.line());
            assert!(text.contains("await the future"), "{text}");
            assert!(text.contains("a thread with a loop of its own"), "{text}");
        }
    }
}

#[test]
fn a_loop_is_not_run_inside_itself() {
    for (name, ev) in loops() {
        let told = refusals(&ev, &ev);
        assert_refused(&name, &told, "This event loop is already running");
    }
}

#[test]
fn a_loop_beside_another_is_not_run_inside_of_it() {
    const ANOTHER: &str = "Cannot run the event loop while another loop is running";
    for (name, ev) in loops() {
        let beside = ev.factory()().unwrap();
        assert_refused(&name, &refusals(&ev, &beside), ANOTHER);
        assert_refused(&name, &refusals(&beside, &ev), ANOTHER);
        beside.run_until_complete(async {}).unwrap();
    }
}
