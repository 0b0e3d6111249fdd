//! What is dropped when a process dies, in which order, and who hears of it.

use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use event_loop::net::TcpStream;
use event_loop::sync::{Notify, mpsc, oneshot};
use event_loop::time::sleep;
use event_loop::{ErrorContext, EventLoop};
use sim::{Signal, VerdictKind};

use crate::{Log, Says, in_every_world, plain};

const SECOND: Duration = Duration::from_secs(1);

/// Asks everything of its loop when it is dropped.
struct Asks(Log, EventLoop, Option<TcpStream>);

impl Drop for Asks {
    fn drop(&mut self) {
        let Self(log, ev, stream) = self;
        log.add(format!("closed: {}", ev.is_closed()));
        log.add(format!("current: {}", event_loop::current().is_ok()));
        log.add(format!("call_soon: {}", ev.call_soon(|| ()).is_ok()));
        let spawned = event_loop::spawn(async {});
        log.add(format!("spawn: {}", !spawned.is_finished()));
        let _sleep = event_loop::time::sleep(SECOND);
        let written = stream
            .as_ref()
            .map(|stream| stream.try_write(b"last words"));
        log.add(format!("write: {}", written.is_some_and(|w| w.is_ok())));
        log.add(format!("tasks: {}", ev.all_tasks().len()));
    }
}

#[test]
fn what_destructors_of_the_dead_ask_is_refused_and_never_panics() {
    in_every_world(|sim| async move {
        let log = Log::default();
        let of_main = log.clone();
        let peer = sim.host("peer");
        let listener = peer.spawn(event_loop::net::TcpListener::bind("0.0.0.0:80"));
        let listener = listener.await.unwrap().unwrap();
        let heard = peer.spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut heard = Vec::new();
            let end = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut heard).await;
            (end.is_ok(), heard)
        });
        let svc = sim.host("svc").start(move |ev| {
            let log = of_main.clone();
            async move {
                let stream = TcpStream::connect("peer:80").await.unwrap();
                let _asks = Asks(log, ev, Some(stream));
                pending::<()>().await;
            }
        });
        sleep(SECOND).await;
        svc.kill();
        assert_eq!(heard.await.unwrap(), (true, Vec::new()));
        assert_eq!(
            log.take(),
            [
                "closed: true",
                "current: false",
                "call_soon: false",
                "spawn: false",
                "write: false",
                "tasks: 0"
            ]
        );
    });
}

#[test]
fn tasks_are_dropped_in_the_order_of_their_creation_and_callbacks_after_them() {
    in_every_world(|sim| async move {
        let log = Log::default();
        let (of_main, world) = (log.clone(), sim.clone());
        let svc = sim.host("svc").start(move |ev| {
            let (log, sim) = (of_main.clone(), world.clone());
            async move {
                let _says = Says(log.clone(), "main");
                let woken = Arc::new(Notify::new());
                for name in ["one", "two"] {
                    let (says, woken) = (Says(log.clone(), name), woken.clone());
                    drop(ev.spawn(async move {
                        woken.notified().await;
                        drop(says);
                    }));
                }
                let says = Says(log.clone(), "callback");
                ev.call_later(9 * SECOND, move || drop(says)).unwrap();
                sleep(SECOND).await;
                // They can run, and never will.
                woken.notify_waiters();
                sim.host("svc").kill();
                pending::<()>().await;
            }
        });
        assert_eq!(svc.wait().await.signal(), Some(Signal::Kill));
        assert_eq!(log.take(), ["main", "one", "two", "callback"]);
    });
}

#[test]
fn shared_memory_wakes_others_when_a_process_dies() {
    in_every_world(|sim| async move {
        let (tx, mut rx) = mpsc::channel::<u8>(1);
        let (told, tell) = oneshot::channel::<u8>();
        let ends = Arc::new(Mutex::new(Some((tx, told))));
        let svc = sim.host("svc").start(move |_| {
            let ends = ends.lock().unwrap().take();
            async move {
                let _ends = ends;
                pending::<()>().await;
            }
        });
        let waiting = sim
            .host("other")
            .spawn(async move { (rx.recv().await, tell.await.is_err()) });
        sleep(SECOND).await;
        svc.kill();
        assert_eq!(waiting.await.unwrap(), (None, true));
    });
}

#[test]
fn a_panic_in_a_destructor_of_the_dead_fails_the_run() {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("the destructor is broken");
        }
    }
    let run = plain(|sim| async move {
        let svc = sim.host("svc").start(|_| async {
            let _panics = Panics;
            pending::<()>().await;
        });
        sleep(SECOND).await;
        svc.kill();
        sleep(SECOND).await;
    });
    let verdict = run.verdict.unwrap();
    assert_eq!(verdict.kind, VerdictKind::Unread);
    assert!(verdict.message.ends_with("the destructor is broken"));
}

#[test]
fn a_failure_that_nobody_read_before_the_death_goes_to_the_exception_handler() {
    in_every_world(|sim| async move {
        let log = Log::default();
        let of_main = log.clone();
        let svc = sim.host("svc").start(move |ev| {
            let log = of_main.clone();
            ev.set_exception_handler(Some(move |_: &EventLoop, context: &ErrorContext| {
                log.add(format!("{} on {}", context.error, context.loop_name));
            }));
            async move {
                let _unread = ev.spawn(async { panic!("boom") });
                pending::<()>().await;
            }
        });
        sleep(SECOND).await;
        assert_eq!(log.take(), [""; 0]);
        svc.kill();
        svc.wait().await;
        assert_eq!(log.take(), ["boom on svc"]);
    });
}

#[test]
fn a_failure_that_nobody_read_before_the_death_fails_the_run_by_default() {
    let run = plain(|sim| async move {
        let svc = sim.host("svc").start(|ev| async move {
            let _unread = ev.spawn(async { panic!("boom") });
            pending::<()>().await;
        });
        sleep(SECOND).await;
        svc.kill();
        sleep(SECOND).await;
    });
    let verdict = run.verdict.unwrap();
    assert_eq!(verdict.kind, VerdictKind::Unread);
    assert!(verdict.message.ends_with("boom"), "{}", verdict.message);
}

#[test]
fn the_dead_are_dropped_between_two_polls_and_not_within_one() {
    in_every_world(|sim| async move {
        let lock = Arc::new(Mutex::new(()));
        struct Locks(Arc<Mutex<()>>);
        impl Drop for Locks {
            fn drop(&mut self) {
                drop(self.0.try_lock().expect("who killed it has let go"));
            }
        }
        let of_main = lock.clone();
        let svc = sim.host("svc").start(move |_| {
            let locks = Locks(of_main.clone());
            async move {
                let _locks = locks;
                pending::<()>().await;
            }
        });
        sleep(SECOND).await;
        let held = lock.lock().unwrap();
        svc.kill();
        assert_eq!(svc.exit_status().unwrap().signal(), Some(Signal::Kill));
        drop(held);
        svc.wait().await;
    });
}

#[test]
fn a_life_that_follows_in_the_same_poll_is_not_dropped_with_the_one_before() {
    in_every_world(|sim| async move {
        let log = Log::default();
        let of_main = log.clone();
        let svc = sim.host("svc").start(move |_| {
            let says = Says(of_main.clone(), "gone");
            async move {
                let says = says;
                sleep(SECOND).await;
                says.0.add("ends");
            }
        });
        for _ in 0..3 {
            sleep(SECOND / 10).await;
            svc.kill();
            svc.restart();
        }
        let extra = svc.spawn(async { sleep(SECOND / 2).await });
        assert!(extra.await.is_ok());
        assert!(svc.wait().await.success());
        assert_eq!(log.take(), ["gone", "gone", "gone", "ends", "gone"]);
    });
}
