//! The order within an iteration: clause C4.

use std::time::Duration;

use event_loop::net::{TcpListener, TcpStream};
use event_loop::time::{Instant, sleep, sleep_until};
use event_loop::{EventLoop, spawn};
use sim::Config;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::backends::Backend;
use crate::clause::Reach::{Everywhere, Only, Simulated};
use crate::clause::clauses;
use crate::log::Log;
use crate::time::verdict;

const TICK: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_hours(1);

clauses! {
    C4 {
        due_timers_run_behind_what_is_ready_and_nothing_joins_the_batch: Only(
            |backend| !backend.is_uvloop(),
            "libuv runs its timers before the batch",
        ),
        due_timers_run_before_the_batch_and_add_to_it: Only(
            Backend::is_uvloop,
            "only libuv runs its timers before the batch",
        ),
        while_anything_is_ready_nobody_waits_for_a_timer: Everywhere,
        a_chain_of_callbacks_starves_no_socket: Everywhere,
        a_cancelled_timer_is_nothing_to_wait_for: Simulated("production waits for ever"),
        what_has_arrived_comes_before_the_timers_of_its_instant: Only(
            Backend::is_plain_run,
            "tokio says nothing of it; in a world's other runs polls cost time or any task may be next",
        ),
    }
}

fn iterate(ev: &EventLoop) {
    ev.stop();
    ev.run_forever().expect("one iteration");
}

fn due_timers_run_behind_what_is_ready_and_nothing_joins_the_batch(backend: Backend) {
    let ev = backend.make();
    // At a loop's zero there is no past.
    ev.run_until_complete(async { sleep(3 * TICK).await })
        .unwrap();
    let log = Log::new();
    let now = ev.now();
    ev.call_at(now - TICK, log.noting("due")).unwrap();
    ev.call_at(now - 2 * TICK, log.noting("due before"))
        .unwrap();
    let cancelled = ev.call_at(now - TICK, log.noting("cancelled")).unwrap();
    let (here, noted) = (ev.clone(), log.clone());
    ev.call_soon(move || {
        noted.note("ready");
        cancelled.cancel();
        here.call_at(now - TICK, noted.noting("next, due")).unwrap();
        here.call_soon(noted.noting("next, ready")).unwrap();
    })
    .unwrap();
    ev.call_soon(log.noting("ready, too")).unwrap();
    iterate(&ev);
    assert_eq!(log.take(), ["ready", "ready, too", "due before", "due"]);
    iterate(&ev);
    assert_eq!(log.take(), ["next, ready", "next, due"]);
}

fn due_timers_run_before_the_batch_and_add_to_it(backend: Backend) {
    let ev = backend.make();
    let log = Log::new();
    let (here, noted) = (ev.clone(), log.clone());
    ev.call_later(TICK, move || {
        noted.note("due");
        here.call_soon(noted.noting("added")).unwrap();
        here.stop();
    })
    .unwrap();
    ev.call_later(TICK, log.noting("due, too")).unwrap();
    ev.run_forever().unwrap();
    // One iteration, for `stop` is a call of the batch as well.
    assert_eq!(log.take(), ["due", "due, too", "added"]);
}

fn while_anything_is_ready_nobody_waits_for_a_timer(backend: Backend) {
    let ev = backend.make();
    let log = Log::new();
    ev.call_later(HOUR, log.noting("an hour later")).unwrap();
    let before = ev.now();
    for _ in 0..10 {
        ev.call_soon(log.noting("ready")).unwrap();
        iterate(&ev);
        iterate(&ev);
    }
    assert!(ev.now() - before < HOUR);
    assert_eq!(log.take(), ["ready"; 10]);
}

fn a_chain_of_callbacks_starves_no_socket(backend: Backend) {
    let ev = backend.make();
    chain(&ev.unowned());
    let heard = ev.run_until_complete(async {
        let (mut client, mut server) = pair().await;
        spawn(async move { client.write_all(b"!").await.unwrap() }).detach();
        server.read_u8().await
    });
    assert_eq!(heard.unwrap().unwrap(), b'!');
}

/// A callback that schedules its successor for ever.
fn chain(ev: &EventLoop) {
    let next = ev.clone();
    // Refused once the loop is closed, and that is its end.
    let _ = ev.call_soon(move || chain(&next));
}

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let pair = futures::try_join!(TcpStream::connect(address), listener.accept());
    let (client, (server, _)) = pair.unwrap();
    (client, server)
}

fn a_cancelled_timer_is_nothing_to_wait_for(backend: Backend) {
    let ev = backend.make();
    let begun = ev.now();
    let [first, second] = [1, 2].map(|n| ev.call_later(n * HOUR, || ()).unwrap());
    iterate(&ev);
    assert!(first.cancel());
    ev.call_later(TICK, move || assert!(second.cancel()))
        .unwrap();
    assert!(verdict(ev.run_forever()).starts_with("deadlock: "));
    assert!(ev.now() - begun < HOUR);
}

fn what_has_arrived_comes_before_the_timers_of_its_instant(backend: Backend) {
    let log = Log::new();
    let noted = log.clone();
    // Hosts are 1 ms apart.
    let run = backend.world(Config::new(), |sim| async move {
        let (server, client) = (sim.host("server"), sim.host("client"));
        let reads = server.run(|ev| async move {
            let listener = TcpListener::bind("0.0.0.0:80").await.unwrap();
            let (mut stream, _) = listener.accept().await.unwrap();
            let waits = noted.clone();
            let timer = ev.spawn(async move {
                sleep_until(at(11)).await;
                waits.note(("timer", Instant::now()));
            });
            stream.read_u8().await.unwrap();
            noted.note(("arrival", Instant::now()));
            timer.await.unwrap();
        });
        let writes = client.spawn(async {
            sleep(TICK).await;
            let mut stream = TcpStream::connect("server:80").await.unwrap();
            sleep_until(at(10)).await;
            stream.write_all(b"!").await.unwrap();
            sleep(2 * TICK).await;
        });
        writes.await.unwrap();
        reads.await.unwrap();
    });
    run.value.unwrap();
    assert_eq!(log.take(), [("arrival", at(11)), ("timer", at(11))]);
}

/// A whole millisecond of a world's clock.
fn at(millis: u64) -> Instant {
    Instant::from_nanos(millis * 1_000_000)
}
