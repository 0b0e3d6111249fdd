//! The table of who waits on what, where the wait is none of ours: where it is awaited, and that the
//! look into it changes nothing.

use std::cell::Cell;
use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use event_loop::time::sleep;
use event_loop::{EventLoop, TaskHandle};
use futures::StreamExt;
use futures::channel::{mpsc, oneshot};
use sim::{Config, Profile, Run, Sim, VerdictKind, record_once, replay_once, run_once};

const SEEDS: u64 = 5;

/// Opens for nobody.
#[derive(Default)]
struct Gate {
    waiting: Option<Waker>,
}

impl Future for Gate {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.waiting = Some(cx.waker().clone());
        Poll::Pending
    }
}

async fn read_answer(answer: oneshot::Receiver<u32>) -> u32 {
    answer.await.unwrap_or_default()
}

async fn drain(mut queue: mpsc::Receiver<Vec<u8>>) {
    while queue.next().await.is_some() {}
}

async fn both(one: oneshot::Receiver<()>, other: tokio::sync::oneshot::Receiver<()>) {
    let _ = futures::join!(one, other);
}

async fn six_wait(sim: Sim) {
    let ev = sim.host("svc").event_loop();
    let (answer, answered) = oneshot::channel();
    let (sender, queue) = mpsc::channel(1);
    let (one, two) = (oneshot::channel(), tokio::sync::oneshot::channel());
    let reader = ev.spawn_named("reader", read_answer(answered));
    ev.spawn_named("drainer", drain(queue)).detach();
    ev.spawn_named("gate", Gate::default()).detach();
    ev.spawn_named("both", both(one.1, two.1)).detach();
    ev.spawn_named("never", pending::<()>()).detach();
    let _ = reader.await;
    drop((answer, sender, one.0, two.0));
}

fn exact() -> Config {
    Config::new().profile(Profile::Exact)
}

/// The table, without what is known only with all the debug information.
#[track_caller]
fn table<T>(run: &Run<T>) -> String {
    let verdict = run.verdict.as_ref().expect("the run failed");
    assert_eq!(verdict.kind, VerdictKind::Deadlock);
    let mut text = verdict.blocked.join("\n");
    for (from, to) in [
        (" in diagnosis::", ' '),
        (" (futures_", ')'),
        (" (tokio::", ')'),
    ] {
        while let Some(at) = text.find(from) {
            let rest = &text[at + from.len()..];
            let end = rest
                .find(to)
                .map_or(text.len(), |end| at + from.len() + end);
            text.replace_range(at..end + usize::from(to == ')'), "");
        }
    }
    text
}

#[test]
fn names_the_await_of_every_task_that_is_stuck() {
    let run = record_once(&exact(), 0, six_wait);
    insta::assert_snapshot!(table(&run), @r#"
    task "main" (tests/tests/diagnosis.rs:89:15) waits on the end of task "svc/reader" since 0.000000000 s
    task "svc/reader" (tests/tests/diagnosis.rs:52:21) waits on an await of its own at tests/tests/diagnosis.rs:36 since 0.000000000 s
    task "svc/drainer" (tests/tests/diagnosis.rs:53:8) waits on an await of its own at tests/tests/diagnosis.rs:40 since 0.000000000 s
    task "svc/gate" (tests/tests/diagnosis.rs:54:8) waits on an await of its own at tests/tests/diagnosis.rs:30 since 0.000000000 s
    task "svc/both" (tests/tests/diagnosis.rs:55:8) waits on an await of its own at tests/tests/diagnosis.rs:44 and at tests/tests/diagnosis.rs:44 since 0.000000000 s
    task "svc/never" (tests/tests/diagnosis.rs:56:8) waits on an await of its own, for which it keeps no waker, since 0.000000000 s
    "#);
    let blocked = &run.verdict.unwrap().blocked;
    assert!(
        blocked[1].contains("(futures_channel::oneshot::Receiver)"),
        "{blocked:#?}"
    );
    assert!(
        blocked[4].contains("(tokio::sync::oneshot::Receiver)"),
        "{blocked:#?}"
    );
}

/// Behaves until it is polled a second time.
async fn twice(second: impl FnOnce(&mut Context<'_>) -> Poll<()>) {
    let mut second = Some(second);
    let polls = Cell::new(0);
    poll_fn(move |cx| {
        polls.set(polls.get() + 1);
        match polls.get() {
            1 => Poll::Pending,
            _ => second.take().map_or(Poll::Pending, |second| second(cx)),
        }
    })
    .await;
}

/// Does in its second poll what a run is made of.
async fn busy(sim: Sim, seen: Arc<AtomicU64>) {
    let (kept, neighbour) = oneshot::channel::<()>();
    event_loop::spawn_named("neighbour", async {
        let _ = neighbour.await;
    })
    .detach();
    twice(move |cx| {
        seen.fetch_add(1, Ordering::Relaxed);
        event_loop::spawn_named("late", async {}).detach();
        let mut timer = Box::pin(sleep(Duration::from_secs(1)));
        assert!(timer.as_mut().poll(cx).is_pending());
        let _ = sim.choose("in the second poll", 1 << 40);
        let _ = sim.host("svc");
        let _ = std::collections::hash_map::RandomState::new();
        let _ = kept.send(());
        cx.waker().wake_by_ref();
        event_loop::always!(false, "the run is over");
        Poll::Pending
    })
    .await;
}

#[test]
fn the_look_changes_neither_the_trace_nor_the_verdict_nor_the_entries() {
    for seed in 0..SEEDS {
        let seen = Arc::new(AtomicU64::new(0));
        let main = |seen: &Arc<AtomicU64>| {
            let seen = seen.clone();
            move |sim: Sim| async move {
                let _ = sim.host("svc");
                let _ = sim.choose("before", 1 << 40);
                let task = event_loop::spawn_named("busy", busy(sim.clone(), seen.clone()));
                futures::future::join(busy(sim, seen), task)
                    .await
                    .1
                    .unwrap();
            }
        };
        let plain = run_once(&Config::new(), seed, main(&seen));
        assert_eq!(seen.load(Ordering::Relaxed), 0);
        let recorded = record_once(&Config::new(), seed, main(&seen));
        assert!(seen.load(Ordering::Relaxed) >= 1, "nobody looked");
        let entries = recorded.entries().expect("it was recorded");
        let replayed = replay_once(&Config::new(), seed, &entries, main(&seen)).unwrap();
        for run in [&recorded, &replayed] {
            assert_eq!((run.hash, run.events), (plain.hash, plain.events));
            assert_eq!((run.polls, run.elapsed), (plain.polls, plain.elapsed));
        }
        assert_eq!(replayed.entries().unwrap(), entries);
        assert!(!entries.contains("second poll"), "{entries}");
        let (plain, recorded) = (plain.verdict.unwrap(), recorded.verdict.unwrap());
        assert_eq!(plain.kind, VerdictKind::Deadlock);
        assert!(plain.same_failure(&recorded));
        assert_eq!(plain.event, recorded.event);
        assert_eq!(plain.earlier_panics, recorded.earlier_panics);
    }
}

/// A value whose destructor says so.
struct Says(&'static str, Arc<Mutex<Vec<&'static str>>>);

impl Drop for Says {
    fn drop(&mut self) {
        self.1.lock().unwrap().push(self.0);
        assert!(self.0 != "value", "in a destructor");
    }
}

#[test]
fn a_task_that_panics_or_ends_in_the_look_is_nobodys_concern() {
    let said = Arc::new(Mutex::new(Vec::new()));
    let told = said.clone();
    let run = record_once(&exact(), 0, |_| async move {
        let ev = event_loop::current().unwrap();
        let handled = told.clone();
        ev.set_exception_handler(Some(move |_: &EventLoop, _: &_| {
            handled.lock().unwrap().push("handled");
        }));
        let panics = Says("panics", told.clone());
        let task = event_loop::spawn_named("panics", async move {
            let _panics = panics;
            twice(|_| panic!("in the second poll")).await;
        });
        let ends = Says("ends", told.clone());
        let value = Says("value", told.clone());
        let other = event_loop::spawn_named("ends", async move {
            let _ends = ends;
            twice(|_| Poll::Ready(())).await;
            value
        });
        let hears = told.clone();
        futures::future::join(task, other).await.1.unwrap().0 = "read";
        hears.lock().unwrap().push("heard");
    });
    assert!(run.value.is_none());
    let verdict = run.verdict.as_ref().unwrap();
    assert_eq!(verdict.kind, VerdictKind::Deadlock);
    assert_eq!(verdict.earlier_panics, [""; 0]);
    let said = said.lock().unwrap();
    let mut sorted = said.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, ["ends", "panics", "value"]);
    assert!(table(&run).contains("task \"ends\""), "{}", table(&run));
    assert!(table(&run).contains("which is ready: was its wake lost?"));
}

#[test]
fn a_body_that_ends_in_the_look_has_not_finished() {
    let run = record_once(&exact(), 0, |_| twice(|_| Poll::Ready(())));
    assert_eq!(run.value, None);
    assert!(
        table(&run).contains("was its wake lost?"),
        "{}",
        table(&run)
    );
    let run = record_once(&exact(), 0, |_| twice(|_| panic!("in the second poll")));
    assert_eq!(run.verdict.unwrap().kind, VerdictKind::Deadlock);
}

#[test]
fn destructors_still_run_in_creation_order() {
    let said = Arc::new(Mutex::new(Vec::new()));
    let told = said.clone();
    let _ = record_once(&exact(), 0, |_| async move {
        for name in ["first", "second", "third"] {
            let says = Says(name, told.clone());
            event_loop::spawn(async move {
                let _says = says;
                twice(|cx| {
                    cx.waker().wake_by_ref();
                    Poll::Pending
                })
                .await;
            })
            .detach();
        }
        pending::<()>().await;
    });
    assert_eq!(*said.lock().unwrap(), ["first", "second", "third"]);
}

#[test]
fn a_circle_is_named() {
    let run = record_once(&exact(), 0, |_| async {
        let (to_b, handle_of_a) = oneshot::channel::<TaskHandle<()>>();
        let (to_a, handle_of_b) = oneshot::channel::<TaskHandle<()>>();
        let a = event_loop::spawn_named("a", async { handle_of_b.await.unwrap().await.unwrap() });
        let b = event_loop::spawn_named("b", async { handle_of_a.await.unwrap().await.unwrap() });
        to_b.send(a).unwrap();
        to_a.send(b).unwrap();
        pending::<()>().await;
    });
    assert_eq!(
        run.verdict.unwrap().blocked[0],
        "in a circle: task \"a\" → the end of task \"b\" → the end of task \"a\""
    );
}

#[test]
fn what_runs_the_callbacks_of_a_loop_is_no_task_that_waits() {
    let run = record_once(&exact(), 0, |sim: Sim| async move {
        sim.host("svc").event_loop().call_soon(|| ()).unwrap();
        pending::<()>().await;
    });
    let verdict = run.verdict.unwrap();
    assert!(
        verdict.message.ends_with("the task waits for ever"),
        "{verdict}"
    );
    assert_eq!(verdict.blocked.len(), 1, "{verdict}");
}

#[test]
fn who_can_run_is_told_from_who_waits() {
    let config = Config::new().polls_at_once(100);
    let run = record_once(&config, 0, |_| async {
        let spins = event_loop::spawn_named("spins", async {
            loop {
                event_loop::yield_now().await;
            }
        });
        spins.await
    });
    let verdict = run.verdict.unwrap();
    assert_eq!(verdict.kind, VerdictKind::Livelock);
    assert!(
        verdict.blocked[0].contains("the end of task \"spins\""),
        "{verdict}"
    );
    assert!(verdict.blocked[1].ends_with("is ready to run"), "{verdict}");
}
