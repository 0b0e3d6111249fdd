//! What belongs to one loop and is used on another: clause K7.

use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use event_loop::net::{TcpListener, TcpStream};
use event_loop::time::{Instant, sleep, timeout};
use event_loop::{EventLoop, LoopError, cancelled, spawn};
use insta::assert_snapshot;
use sim::Config;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::backends::Backend;
use crate::clause::Reach::{Everywhere, Only, WorldsOwn};
use crate::clause::clauses;
use crate::log::Log;

const TICK: Duration = Duration::from_millis(1);
const NOBODY_KNOWS: &str =
    "a loop that nobody runs does nothing, and nobody can know whether somebody will";

clauses! {
    K7 {
        the_handle_of_another_loops_task_gives_its_outcome: Everywhere,
        a_callback_of_another_loop_is_scheduled_and_cancelled_from_anywhere: Everywhere,
        a_task_of_another_loop_is_aborted_and_asked_to_finish_from_anywhere: Everywhere,
        a_timer_of_another_loop_works_or_is_refused: Everywhere,
        a_socket_of_another_loop_works_or_is_a_verdict: Only(not_current_thread, NOBODY_KNOWS),
        what_belongs_to_another_host_works: WorldsOwn,
    }
}

fn not_current_thread(backend: Backend) -> bool {
    backend != Backend::CurrentThread
}

fn two(backend: Backend) -> (EventLoop, EventLoop) {
    (backend.make(), backend.make())
}

fn the_handle_of_another_loops_task_gives_its_outcome(backend: Backend) {
    let (one, other) = two(backend);
    let (value, panic) = (
        one.spawn(async { 7 }),
        one.spawn(async { panic!("boom") as () }),
    );
    one.run_until_complete(async { sleep(2 * TICK).await })
        .unwrap();
    let outcomes = other.run_until_complete(async { (value.await, panic.await) });
    let (value, panic) = outcomes.unwrap();
    assert_eq!(value.unwrap(), 7);
    assert_snapshot!(panic.unwrap_err(), @"the task panicked: boom");
}

fn a_callback_of_another_loop_is_scheduled_and_cancelled_from_anywhere(backend: Backend) {
    let (one, other) = two(backend);
    let log = Log::new();
    let cancelled = one.call_soon(log.noting("cancelled")).unwrap();
    let (there, noted) = (one.unowned(), log.clone());
    other
        .run_until_complete(async move {
            assert!(cancelled.cancel());
            there.call_soon(noted.noting("from the other")).unwrap();
        })
        .unwrap();
    one.stop();
    one.run_forever().unwrap();
    assert_eq!(log.take(), ["from the other"]);
}

fn a_task_of_another_loop_is_aborted_and_asked_to_finish_from_anywhere(backend: Backend) {
    let (one, other) = two(backend);
    let aborted = one.spawn(pending::<()>());
    let asked = one.spawn(async {
        cancelled().await;
        7
    });
    one.run_until_complete(async { sleep(2 * TICK).await })
        .unwrap();
    let handles = other.run_until_complete(async move {
        aborted.abort();
        asked.request_cancel();
        (aborted, asked)
    });
    let (aborted, asked) = handles.unwrap();
    let outcomes = one.run_until_complete(async { (aborted.await, asked.await) });
    let (aborted, asked) = outcomes.unwrap();
    assert!(aborted.unwrap_err().is_aborted());
    assert_eq!(asked.unwrap(), 7);
}

/// Works in production; in a world, whose time is its own, whoever waits is told so.
fn works_or_is_a_verdict(backend: Backend, outcome: Result<(), LoopError>) {
    if !backend.is_simulated() {
        return assert_eq!(outcome, Ok(()));
    }
    let Err(LoopError::WorldEnded(verdict)) = outcome else {
        panic!("{outcome:?}");
    };
    let (why, _) = verdict
        .split_once(": 3 tasks")
        .or(verdict.split_once(": 2 tasks"))
        .unwrap();
    assert_snapshot!(why, @"deadlock: nothing can run and nothing is pending");
}

fn a_timer_of_another_loop_works_or_is_refused(backend: Backend) {
    let (one, other) = two(backend);
    let timer = {
        let _one = one.enter();
        sleep(TICK)
    };
    let ended = catch_unwind(AssertUnwindSafe(|| other.run_until_complete(timer)));
    if !backend.is_simulated() {
        return assert_eq!(ended.expect("the loops have one clock"), Ok(()));
    }
    let panic = ended.expect_err("the worlds have two clocks");
    let text = panic.downcast_ref::<String>().map_or("", String::as_str);
    assert!(
        text.starts_with("This sleep is of the event loop"),
        "{text}"
    );
}

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let pair = futures::try_join!(TcpStream::connect(address), listener.accept());
    let (client, (server, _)) = pair.unwrap();
    (client, server)
}

fn a_socket_of_another_loop_works_or_is_a_verdict(backend: Backend) {
    let (one, other) = two(backend);
    let (mut client, mut server) = one.run_until_complete(pair()).unwrap();
    let outcome = other.run_until_complete(async move {
        let reader = spawn(async move { server.read_u8().await.unwrap() });
        sleep(TICK).await;
        client.write_all(b"!").await.unwrap();
        assert_eq!(reader.await.unwrap(), b'!');
    });
    works_or_is_a_verdict(backend, outcome);
}

fn what_belongs_to_another_host_works(backend: Backend) {
    let run = backend.world(Config::new(), |sim| async move {
        let (one, other) = (sim.host("one"), sim.host("other"));
        let made = one.run(|_| async {
            let (client, server) = pair().await;
            let end = Instant::now() + 5 * TICK;
            (
                client,
                server,
                timeout(5 * TICK, pending::<()>()),
                end,
                spawn(async { 7 }),
            )
        });
        let (mut client, mut server, timer, end, task) = made.await.unwrap();
        let used = other.spawn(async move {
            client.write_all(b"!").await.unwrap();
            assert_eq!(server.read_u8().await.unwrap(), b'!');
            assert!(timer.await.is_err());
            assert!(Instant::now() >= end);
            assert_eq!(task.await.unwrap(), 7);
        });
        used.await.unwrap();
    });
    assert_eq!(
        (run.value, run.verdict.map(|v| v.to_string())),
        (Some(()), None)
    );
}
