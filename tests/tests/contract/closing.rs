//! The end of a loop: clause K9. What it drops may do as it likes.

use std::future::{Future, pending};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use event_loop::net::{TcpListener, TcpSocket, TcpStream};
use event_loop::time::{Instant, sleep, timeout};
use event_loop::{Closed, ErrorContext, EventLoop, LoopError, spawn};
use futures::channel::oneshot;
use insta::assert_snapshot;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::backends::Backend;
use crate::clause::Reach::{Everywhere, Only, WorldsOwn};
use crate::clause::clauses;
use crate::log::{Log, OnDrop};

const TICK: Duration = Duration::from_millis(1);

clauses! {
    K9 {
        closing_drops_every_pending_future: Everywhere,
        closing_drops_them_in_creation_order: Only(
            |backend| backend != Backend::MultiThread,
            "its workers drop them beside one another",
        ),
        the_last_handle_closes_the_loop: Everywhere,
        a_handle_outlives_its_loop: Everywhere,
        a_tasks_destructor_is_refused_whatever_it_asks_of_a_closing_loop: Everywhere,
        a_callbacks_destructor_is_refused_whatever_it_asks_of_a_closing_loop: Everywhere,
        destructors_may_wake_and_be_woken: Everywhere,
        a_socket_that_outlives_its_loop_errs_and_never_panics: Everywhere,
        a_panic_in_a_destructor_of_a_closing_loop_does_not_keep_the_others: Everywhere,
        a_waker_may_be_kept_beyond_the_end: Everywhere,
        a_world_that_ended_by_a_verdict_is_closed_like_any_other: WorldsOwn,
    }
}

/// Tasks, a fifth of which never gets to its first poll, on a loop that is then closed; and who
/// dropped which.
fn close_with(tasks: u64, backend: Backend) -> Vec<(u64, thread::ThreadId)> {
    let ev = backend.make();
    let log = Log::new();
    let wait = |n| {
        let dropped = log.clone();
        let held = OnDrop::new(move || dropped.note((n, thread::current().id())));
        ev.spawn(async move {
            let _held = held;
            match n % 3 {
                0 => pending().await,
                1 => sleep(Duration::from_hours(1)).await,
                _ => event_loop::cancelled().await,
            }
        })
        .detach();
    };
    let late = tasks * 4 / 5;
    (0..late).for_each(wait);
    ev.run_until_complete(async { sleep(2 * TICK).await })
        .unwrap();
    (late..tasks).for_each(wait);
    ev.close().unwrap();
    log.take()
}

fn closing_drops_every_pending_future(backend: Backend) {
    let mut dropped = close_with(10, backend);
    // A multi-thread loop's tasks may also be dropped by its workers.
    if backend != Backend::MultiThread {
        let here = thread::current().id();
        assert!(dropped.iter().all(|(_, by)| *by == here));
    }
    dropped.sort_unstable_by_key(|(n, _)| *n);
    let dropped: Vec<_> = dropped.into_iter().map(|(n, _)| n).collect();
    assert_eq!(dropped, (0..10).collect::<Vec<_>>());
}

fn closing_drops_them_in_creation_order(backend: Backend) {
    // More than a loop polls between two looks at its I/O.
    let dropped = close_with(500, backend).into_iter().map(|(n, _)| n);
    assert_eq!(dropped.collect::<Vec<_>>(), (0..500).collect::<Vec<_>>());
}

fn the_last_handle_closes_the_loop(backend: Backend) {
    let log = Log::new();
    let ev = backend.make();
    let dropped = log.clone();
    let held = OnDrop::new(move || dropped.note("dropped"));
    let again = ev.clone();
    ev.call_soon(move || drop(held)).unwrap();
    drop(ev);
    assert_eq!(log.take().len(), 0);
    drop(again);
    assert_eq!(log.take(), ["dropped"]);
}

fn a_handle_outlives_its_loop(backend: Backend) {
    let ev = backend.make();
    let stuck = ev.spawn(pending::<()>());
    let done = ev.spawn(async { 7 });
    ev.run_until_complete(async { sleep(2 * TICK).await })
        .unwrap();
    ev.close().unwrap();
    stuck.request_cancel();
    stuck.abort();
    assert!(stuck.is_finished() && done.is_finished());
    let late = ev.spawn(async { 7 });
    let other = backend.make();
    other
        .run_until_complete(async move {
            assert!(stuck.await.unwrap_err().is_aborted());
            assert_eq!(done.await.unwrap(), 7);
            let late = late.await.unwrap_err();
            assert!(late.is_closed());
            assert_snapshot!(late, @"the task never started: Event loop is closed");
        })
        .unwrap();
}

/// Everything that a destructor might try on a loop that is closing, from wherever it stands.
fn try_everything(ev: &EventLoop) -> Vec<String> {
    let mut refused = Vec::new();
    let mut expect = |what: &str, refusal: bool| {
        if !refusal {
            refused.push(what.to_owned());
        }
    };
    expect("call_soon", ev.call_soon(|| ()).is_err_and(|e| e == Closed));
    expect("call_later", ev.call_later(TICK, || ()).is_err());
    expect("EventLoop::spawn", ev.spawn(async {}).id().is_none());
    expect("spawn", spawn(async {}).id().is_none());
    let ambient = event_loop::try_spawn(async {});
    expect("try_spawn", matches!(ambient, Err(LoopError::Closed)));
    expect("current", event_loop::current().is_err());
    expect("run", ev.run_borrowed(async {}) == Err(LoopError::Closed));
    expect("close", ev.close().is_ok());
    expect("now", Instant::now() <= ev.now());
    expect("sleep", poll_once(sleep(TICK)).is_pending());
    expect(
        "timeout",
        poll_once(timeout(TICK, pending::<()>())).is_pending(),
    );
    expect("bind", fails(TcpListener::bind("127.0.0.1:0")));
    expect("connect", fails(TcpStream::connect("127.0.0.1:1")));
    refused
}

fn poll_once<T>(future: impl Future<Output = T>) -> Poll<T> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

fn fails<T>(call: impl Future<Output = io::Result<T>>) -> bool {
    matches!(poll_once(call), Poll::Ready(Err(_)))
}

/// A loop whose handler notes, and what it is told.
fn watched(backend: Backend) -> (EventLoop, Log<String>) {
    let (ev, reports) = (backend.make(), Log::new());
    let told = reports.clone();
    ev.set_exception_handler(Some(move |_: &EventLoop, context: &ErrorContext| {
        told.note(context.to_string());
    }));
    (ev, reports)
}

fn a_tasks_destructor_is_refused_whatever_it_asks_of_a_closing_loop(backend: Backend) {
    let (ev, reports) = watched(backend);
    let log = Log::new();
    for polled in [true, false] {
        let (here, noted) = (ev.clone(), log.clone());
        let held = OnDrop::new(move || noted.note(try_everything(&here)));
        ev.spawn(async move {
            let _held = held;
            pending::<()>().await;
        })
        .detach();
        if polled {
            ev.run_until_complete(async { sleep(2 * TICK).await })
                .unwrap();
        }
    }
    ev.close().unwrap();
    assert_eq!(reports.take(), [""; 0]);
    assert_eq!(log.take(), [[""; 0]; 2]);
}

fn a_callbacks_destructor_is_refused_whatever_it_asks_of_a_closing_loop(backend: Backend) {
    let (ev, reports) = watched(backend);
    let log = Log::new();
    let hold = || {
        let (here, noted) = (ev.clone(), log.clone());
        let held = OnDrop::new(move || noted.note(try_everything(&here)));
        move || drop(held)
    };
    ev.call_soon(hold()).unwrap();
    ev.call_later(Duration::from_hours(1), hold()).unwrap();
    ev.close().unwrap();
    assert_eq!(reports.take(), [""; 0]);
    assert_eq!(log.take(), [[""; 0]; 2]);
}

fn destructors_may_wake_and_be_woken(backend: Backend) {
    let (ev, reports) = watched(backend);
    let log = Log::new();
    let mut previous = None;
    for n in 0..10 {
        let (sender, receiver) = oneshot::channel::<()>();
        let (wakes, noted) = (previous.replace(sender), log.clone());
        ev.spawn(async move {
            let _held = OnDrop::new(move || {
                drop(wakes);
                noted.note(n);
            });
            let _ = receiver.await;
            pending::<()>().await;
        })
        .detach();
    }
    ev.run_until_complete(async { sleep(2 * TICK).await })
        .unwrap();
    ev.close().unwrap();
    drop(previous);
    assert_eq!((reports.take(), log.take().len()), (vec![], 10));
}

fn a_socket_that_outlives_its_loop_errs_and_never_panics(backend: Backend) {
    let (ev, reports) = watched(backend);
    let sockets = ev.run_until_complete(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (client, accepted) = futures::join!(TcpStream::connect(address), listener.accept());
        let unused = [TcpSocket::new_v4()?, TcpSocket::new_v4()?];
        io::Result::Ok((listener, client?, accepted?.0, unused))
    });
    let (listener, client, accepted, [one, two]) = sockets.unwrap().unwrap();
    let in_task = OnDrop::new(move || use_socket(accepted));
    ev.spawn(async move {
        let _held = in_task;
        pending::<()>().await;
    })
    .detach();
    ev.run_until_complete(async { sleep(2 * TICK).await })
        .unwrap();
    ev.close().unwrap();
    use_socket(client);
    // A connection that was waiting when the loop closed may still be accepted.
    let _ = poll_once(listener.accept());
    drop(listener);
    let address = SocketAddr::from(([127, 0, 0, 1], 1));
    assert!(one.bind(address).is_err() || !backend.is_simulated());
    assert_eq!(one.listen(1).unwrap_err().to_string(), Closed.to_string());
    assert!(fails(two.connect(address)));
    assert_eq!(reports.take(), [""; 0]);
}

/// Makes its calls: errors, bytes or nothing, but no panic.
fn use_socket(mut stream: TcpStream) {
    let _ = (stream.local_addr(), stream.peer_addr(), stream.nodelay());
    let _ = (stream.set_ttl(9), stream.linger(), stream.take_error());
    let _ = (stream.try_read(&mut [0]), stream.try_write(b"x"));
    let _ = poll_once(stream.peek(&mut [0]));
    let _ = poll_once(stream.readable());
    let _ = poll_once(stream.writable());
    let (reader, writer) = stream.into_split();
    stream = reader.reunite(writer).expect("they are of one");
    let _ = poll_once(stream.read(&mut [0]));
    let _ = poll_once(stream.write(b"x"));
    let _ = poll_once(stream.shutdown());
}

fn a_panic_in_a_destructor_of_a_closing_loop_does_not_keep_the_others(backend: Backend) {
    let (ev, reports) = watched(backend);
    let log = Log::new();
    for n in 0..4 {
        let noted = log.clone();
        let held = OnDrop::new(move || {
            noted.note(n);
            assert!(n != 1, "in a destructor");
        });
        ev.spawn(async move {
            let _held = held;
            pending::<()>().await;
        })
        .detach();
    }
    ev.run_until_complete(async { sleep(2 * TICK).await })
        .unwrap();
    ev.close().unwrap();
    let mut dropped = log.take();
    dropped.sort_unstable();
    assert_eq!(dropped, [0, 1, 2, 3]);
    let reports = reports.take();
    assert_eq!(reports.len(), 1);
    assert!(reports[0].contains("in a destructor"), "{reports:?}");
}

fn a_waker_may_be_kept_beyond_the_end(backend: Backend) {
    let ev = backend.make();
    let kept = std::sync::Arc::new(Mutex::new(Vec::new()));
    let keep = kept.clone();
    let waits = std::future::poll_fn(move |cx: &mut Context<'_>| {
        keep.lock().unwrap().push(cx.waker().clone());
        Poll::<()>::Pending
    });
    ev.spawn(waits).detach();
    ev.run_until_complete(async { sleep(2 * TICK).await })
        .unwrap();
    ev.close().unwrap();
    drop(ev);
    let kept = std::mem::take(&mut *kept.lock().unwrap());
    assert_eq!(kept.len(), 1);
    kept.into_iter().for_each(Waker::wake);
}

/// A future that is never polled to its end is dropped, not leaked, also if a world ended by a
/// verdict.
fn a_world_that_ended_by_a_verdict_is_closed_like_any_other(backend: Backend) {
    let ev = backend.make();
    let log = Log::new();
    let held = OnDrop::new(log.noting("dropped"));
    let future: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(async move {
        let _held = held;
        pending::<()>().await;
    });
    let ended = ev.run_until_complete(future);
    assert!(matches!(ended, Err(LoopError::WorldEnded(_))));
    ev.close().unwrap();
    assert_eq!(log.take(), ["dropped"]);
}
