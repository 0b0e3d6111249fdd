//! Things of another loop, open or closed: they work, or say what is wrong, and never wait in
//! silence. Clause K7.

#[allow(dead_code, reason = "the contract needs more of it")]
#[path = "contract/backends.rs"]
mod backends;
#[allow(dead_code, reason = "the contract needs more of it")]
#[path = "contract/log.rs"]
mod log;

use std::future::pending;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::thread;
use std::time::Duration;

use event_loop::net::{TcpListener, TcpStream};
use event_loop::time::{Instant, Sleep, sleep, sleep_until};
use event_loop::{Closed, EventLoop, LoopConfig, production};
use insta::assert_snapshot;
use sim::{Config, Profile};
use tests::outside::Outside;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use backends::Backends::{Everywhere, Production, Simulated};
use backends::{Backend, on};

const TICK: Duration = Duration::from_millis(1);

/// A sleep that is made on a loop, and awaited elsewhere.
fn sleep_of(ev: &EventLoop) -> Sleep {
    let _entered = ev.enter();
    sleep(TICK)
}

fn text_of(panic: &(dyn std::any::Any + Send)) -> String {
    panic.downcast_ref::<String>().cloned().unwrap_or_default()
}

/// What `ev` says of awaiting `sleep` on it.
fn refusal(ev: &EventLoop, sleep: Sleep) -> String {
    let run = AssertUnwindSafe(|| ev.run_borrowed(sleep));
    text_of(&*catch_unwind(run).expect_err("its clock is another"))
}

#[test]
fn a_sleep_of_another_production_loop_works() {
    on(Production, |backend| {
        let ev = backend.make();
        for close in [false, true] {
            // Nobody runs this one.
            let other = production::current_thread(LoopConfig::default()).unwrap();
            let mut sleep = sleep_of(&other);
            if close {
                other.close().unwrap();
            }
            let deadline = sleep.deadline();
            let ended = ev.run_borrowed(async {
                Pin::new(&mut sleep).await;
                Instant::now()
            });
            assert!(ended.unwrap() >= deadline);
        }
    });
}

#[test]
fn a_sleep_whose_loop_closes_meanwhile_goes_on() {
    on(Production, |backend| {
        let (ev, other) = (backend.make(), backend.make());
        let mut sleep = sleep_of(&other);
        let ended = ev.run_until_complete(async move {
            let first = event_loop::time::timeout(Duration::ZERO, &mut sleep).await;
            drop(other);
            sleep.await;
            first.is_err()
        });
        assert!(ended.is_ok());
    });
}

#[test]
fn a_sleep_of_a_closed_loop_on_no_loop_says_so() {
    let ev = production::current_thread(LoopConfig::default().name("api")).unwrap();
    let mut sleep = sleep_of(&ev);
    drop(ev);
    let poll = AssertUnwindSafe(|| futures::executor::block_on(&mut sleep));
    assert_snapshot!(text_of(&*catch_unwind(poll).unwrap_err()), @r#"Event loop is closed: this sleep is of "api", and there is no current event loop to wait on"#);
}

#[test]
fn a_sleep_of_another_clock_names_both_loops() {
    on(Simulated, |backend| {
        let Backend::Simulated {
            seed: 0,
            profile: Profile::TokioMt,
        } = backend
        else {
            return;
        };
        let real = production::current_thread(LoopConfig::default().name("api")).unwrap();
        let (world, other) = (backend.make(), backend.make());
        assert_snapshot!(refusal(&real, sleep_of(&world)), @r#"This sleep is of the event loop "main: simulated, tokio-mt, 1 worker" and was awaited on "api: tokio, current-thread, 1 worker", which has another clock: make it where it is awaited"#);
        assert_snapshot!(refusal(&other, sleep_of(&world)), @r#"This sleep is of the event loop "main: simulated, tokio-mt, 1 worker" and was awaited on "main: simulated, tokio-mt, 1 worker", which has another clock: make it where it is awaited"#);
        assert_snapshot!(refusal(&other, sleep_of(&real)), @r#"This sleep is of the event loop "api: tokio, current-thread, 1 worker" and was awaited on "main: simulated, tokio-mt, 1 worker", which has another clock: make it where it is awaited"#);
        world.close().unwrap();
        assert_snapshot!(refusal(&real, sleep_of(&world)), @r#"This sleep is of the event loop "main: simulated, tokio-mt, 1 worker" and was awaited on "api: tokio, current-thread, 1 worker", which has another clock: make it where it is awaited"#);
    });
}

#[test]
fn a_sleep_of_another_host_of_its_world_works() {
    let run = sim::run_once(&Config::new(), 0, |sim| async move {
        let there = sleep_of(&sim.host("svc").event_loop());
        let deadline = there.deadline();
        there.await;
        deadline <= Instant::now()
    });
    assert_eq!(run.value, Some(true));
}

/// A listener, and both ends of a connection to it.
async fn sockets() -> io::Result<(TcpListener, TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let (client, accepted) = futures::join!(TcpStream::connect(address), listener.accept());
    Ok((listener, client?, accepted?.0))
}

#[test]
fn a_socket_of_a_closed_loop_errs_on_another() {
    on(Everywhere, |backend| {
        let (ev, other) = (backend.make(), backend.make());
        let (listener, mut client, _server) = other.run_until_complete(sockets()).unwrap().unwrap();
        other.close().unwrap();
        let errors = ev.run_borrowed(async {
            [
                listener.accept().await.err(),
                client.read(&mut [0]).await.err(),
                client.write(b"x").await.err(),
            ]
        });
        for error in errors.unwrap() {
            let error = error.expect("the loop is closed");
            assert!(error.get_ref().is_some_and(|inner| inner.is::<Closed>()));
            assert_snapshot!(error, @"Event loop is closed");
        }
    });
}

#[test]
fn who_waits_at_a_socket_is_told_when_its_loop_closes() {
    on(Everywhere, |backend| {
        let (ev, other) = (backend.make(), backend.make());
        let (_listener, mut client, _server) =
            other.run_until_complete(sockets()).unwrap().unwrap();
        let error = ev.run_until_complete(async move {
            let waiting = event_loop::spawn(async move { client.read(&mut [0]).await });
            sleep(2 * TICK).await;
            drop(other);
            waiting.await.unwrap()
        });
        assert_snapshot!(error.unwrap().unwrap_err(), @"Event loop is closed");
    });
}

#[test]
fn a_socket_of_a_loop_that_runs_elsewhere_works() {
    on(Production, |backend| {
        let ev = backend.make();
        let other = production::multi_thread(LoopConfig::default().worker_threads(1)).unwrap();
        let sockets = other.run_until_complete(sockets()).unwrap().unwrap();
        let (_listener, mut client, mut server) = sockets;
        let read = ev.run_until_complete(async move {
            server.write_all(b"x").await?;
            client.read_u8().await
        });
        assert_eq!(read.unwrap().unwrap(), b'x');
    });
}

#[test]
fn a_task_of_a_closed_loop_has_no_result() {
    on(Everywhere, |backend| {
        let (ev, other) = (backend.make(), backend.make());
        let (stuck, never) = (other.spawn(pending::<()>()), other.spawn(async {}));
        other.close().unwrap();
        let late = other.spawn(async {});
        let ended = ev.run_borrowed(async { [stuck.await, never.await, late.await] });
        let [stuck, never, late] = ended.unwrap().map(Result::unwrap_err);
        assert_snapshot!(stuck, @"the task was aborted");
        assert!(never.is_aborted());
        assert_snapshot!(late, @"the task never started: Event loop is closed");
    });
}

#[test]
fn a_task_of_another_production_loop_is_awaited_here() {
    on(Production, |backend| {
        let (ev, other) = (backend.make(), backend.make());
        let task = other.spawn(async {
            sleep_until(Instant::now() + TICK).await;
            7
        });
        let elsewhere =
            thread::spawn(move || other.run_until_complete(async { sleep(20 * TICK).await }));
        assert_eq!(ev.run_until_complete(task).unwrap().unwrap(), 7);
        elsewhere.join().unwrap().unwrap();
    });
}

#[test]
fn a_call_of_a_closed_loop_is_not_cancelled_any_more() {
    on(Everywhere, |backend| {
        let ev = backend.make();
        let calls = [
            ev.call_soon(|| ()).unwrap(),
            ev.call_later(Duration::from_hours(1), || ()).unwrap(),
        ];
        ev.close().unwrap();
        assert!(calls.iter().all(|call| !call.cancel()));
    });
}

#[test]
fn a_foreign_thread_in_a_world_is_a_verdict() {
    let outside = Outside::start();
    let run = sim::run_once(&Config::new(), 0, |sim| async move {
        let ev = sim.event_loop();
        outside.run(move || ev.call_soon(|| ()).is_ok()).unwrap();
        sleep(TICK).await;
    });
    assert_snapshot!(run.verdict.unwrap().message, @"thread 'outsider' touched the world from outside: when it does is not the seed's to decide; do its work in a task of the world");
}
