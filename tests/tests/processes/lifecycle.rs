//! Starting, ending, and coming again.

use std::convert::Infallible;
use std::future::pending;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use event_loop::task::yield_now;
use event_loop::time::{Instant, sleep};
use sim::{Exit, ExitStatus, Signal, VerdictKind};

use crate::{Log, Says, in_every_world, plain};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_process_ends_with_what_its_main_function_returns() {
    in_every_world(|sim| async move {
        let nothing = sim.host("nothing").start(|_| async {});
        let code = sim.host("code").start(|_| async { ExitCode::from(3) });
        let fine = sim
            .host("fine")
            .start(|_| async { Ok::<_, String>(ExitCode::from(4)) });
        let failed = sim
            .host("failed")
            .start(|_| async { Err::<(), _>(std::io::Error::other("no disk")) });
        let panics = sim.host("panics").start(|_| async {
            yield_now().await;
            panic!("boom");
        });
        let early = sim.host("early").start(|_| {
            if true {
                panic!("before there is a future");
            }
            async {}
        });
        let signalled = sim
            .host("signalled")
            .start(|_| async { ExitStatus::from_signal(Signal::Term) });
        assert_eq!(nothing.wait().await, ExitStatus::SUCCESS);
        assert_eq!(code.wait().await.code(), Some(3));
        assert_eq!(fine.wait().await.code(), Some(4));
        assert_eq!(failed.wait().await.code(), Some(1));
        assert_eq!(panics.wait().await.code(), Some(101));
        assert_eq!(early.wait().await.code(), Some(101));
        assert_eq!(signalled.wait().await.signal(), Some(Signal::Term));
    });
}

#[test]
fn nothing_of_main_has_happened_when_start_returns() {
    in_every_world(|sim| async move {
        let log = Log::default();
        let of_main = log.clone();
        let svc = sim.host("svc").start(move |ev| {
            of_main.add(format!("main of {}", ev.describe().name));
            assert!(event_loop::current().unwrap().is_running());
            pending::<()>()
        });
        log.add("started");
        assert!(svc.is_running());
        assert_eq!((svc.life(), svc.exit_status()), (1, None));
        sleep(SECOND).await;
        assert_eq!(log.take(), ["started", "main of svc"]);
    });
}

#[test]
fn the_other_tasks_of_a_process_end_with_its_main_function() {
    in_every_world(|sim| async move {
        let log = Log::default();
        let of_main = log.clone();
        let svc = sim.host("svc").start(move |ev| {
            let log = of_main.clone();
            async move {
                for name in ["first", "second", "third"] {
                    let says = Says(log.clone(), name);
                    drop(ev.spawn(async move {
                        sleep(3 * SECOND).await;
                        says.0.add("ran");
                    }));
                }
                sleep(SECOND).await;
                log.add("main ends");
            }
        });
        assert!(svc.wait().await.success());
        assert_eq!(log.take(), ["main ends", "first", "second", "third"]);
        assert!(!svc.is_running());
        assert!(svc.spawn(async {}).await.unwrap_err().is_cancelled());
        // Their timers are gone, too.
        sleep(5 * SECOND).await;
        assert_eq!(log.take(), [""; 0]);
    });
}

#[test]
fn each_life_has_a_loop_of_its_own_and_calls_the_factory_again() {
    in_every_world(|sim| async move {
        let lives = Arc::new(AtomicU32::new(0));
        let counted = lives.clone();
        let svc = sim.host("svc").start(move |_| {
            let life = counted.fetch_add(1, Ordering::Relaxed);
            async move {
                sleep(SECOND).await;
                ExitCode::from(life as u8)
            }
        });
        let mut loops = Vec::new();
        for life in 1..=4 {
            assert_eq!(svc.life(), life);
            let ev = svc.event_loop();
            assert!(!ev.is_closed());
            let ended = svc.wait();
            assert_eq!(ended.await.code(), Some(life as i32 - 1));
            loops.push(ev);
            svc.restart();
        }
        for before in loops {
            assert!(before.is_closed());
            assert!(before.call_soon(|| ()).is_err());
            assert!(before.spawn(async {}).await.is_err());
        }
        assert!(!svc.event_loop().is_closed());
    });
}

#[test]
fn who_waits_hears_of_the_life_that_was_when_it_began_to() {
    in_every_world(|sim| async move {
        let svc = sim.host("svc").start(|_| pending::<()>());
        let first = svc.wait();
        let waiting = event_loop::spawn(svc.wait());
        svc.kill();
        svc.restart();
        let second = svc.wait();
        assert_eq!(svc.exit_status(), None);
        sleep(SECOND).await;
        svc.power_off();
        assert_eq!(first.await, ExitStatus::KILLED);
        assert_eq!(waiting.await.unwrap(), ExitStatus::KILLED);
        assert_eq!(second.await, ExitStatus::POWERED_OFF);
        assert_eq!(svc.exit_status(), Some(ExitStatus::POWERED_OFF));
    });
}

#[test]
fn a_host_that_was_never_started_may_be_killed_and_then_started() {
    in_every_world(|sim| async move {
        let svc = sim.host("svc");
        let task = svc.spawn(pending::<()>());
        assert!(!svc.is_running());
        svc.kill();
        assert!(task.await.unwrap_err().is_cancelled());
        assert_eq!(svc.wait().await, ExitStatus::KILLED);
        svc.start(|_| async {});
        assert_eq!(svc.life(), 2);
        assert!(svc.wait().await.success());
    });
}

#[test]
fn a_kill_to_come_is_of_this_life_alone() {
    in_every_world(|sim| async move {
        let svc = sim.host("svc").start(|_| async {
            sleep(SECOND).await;
        });
        let began = sim.now();
        svc.kill_after(5 * SECOND);
        assert!(svc.wait().await.success());
        svc.start(|_| pending::<()>());
        svc.kill_after(9 * SECOND);
        assert_eq!(svc.wait().await, ExitStatus::KILLED);
        let lived = sim.now() - began;
        assert!(lived >= 10 * SECOND && lived < 11 * SECOND, "{lived:?}");
    });
}

#[test]
fn the_rest_of_the_poll_of_a_process_that_kills_itself_is_of_no_effect() {
    in_every_world(|sim| async move {
        let log = Log::default();
        let (of_main, world) = (log.clone(), sim.clone());
        let svc = sim.host("svc").start(move |ev| {
            let (log, sim) = (of_main.clone(), world.clone());
            async move {
                let svc = sim.host("svc");
                svc.kill();
                log.add(format!("spawns: {}", ev.spawn(async {}).await.is_ok()));
                log.add(format!("calls: {}", ev.call_soon(|| ()).is_ok()));
                log.add(format!("restarts: {}", svc.try_restart().is_ok()));
                let bound = event_loop::net::TcpListener::bind("0.0.0.0:80").await;
                log.add(bound.unwrap_err().to_string());
                sleep(SECOND).await;
                log.add("woke up");
            }
        });
        assert_eq!(svc.wait().await, ExitStatus::KILLED);
        sleep(3 * SECOND).await;
        let refused = ["spawns: false", "calls: false", "restarts: false"];
        assert_eq!(log.take()[..3], refused);
        assert_eq!(svc.life(), 1);
    });
}

#[test]
fn a_host_may_be_restarted_from_a_task_of_any_other() {
    in_every_world(|sim| async move {
        let svc = sim.host("svc").start(|_| async { sleep(SECOND).await });
        let watched = svc.clone();
        let nanny = sim.host("nanny").start(move |_| {
            let svc = watched.clone();
            async move {
                while svc.life() < 5 {
                    svc.wait().await;
                    svc.restart();
                }
            }
        });
        assert!(nanny.wait().await.success());
        assert!(svc.is_running());
        assert_eq!(svc.life(), 5);
    });
}

#[test]
fn a_panic_of_main_that_nobody_asks_for_fails_the_run() {
    let run = plain(|sim| async move {
        let _ = sim.host("svc").start(|_| async { panic!("boom") });
        sleep(SECOND).await;
    });
    let verdict = run.verdict.unwrap();
    assert_eq!(verdict.kind, VerdictKind::Unread);
    assert_eq!(
        verdict.message,
        "Process exception was never retrieved: host \"svc\": boom"
    );
    assert!(verdict.location.unwrap().contains("lifecycle.rs"));
}

#[test]
fn a_failure_of_main_that_nobody_asks_for_fails_the_run_at_its_restart() {
    let run = plain(|sim| async move {
        let svc = sim.host("svc").start(|_| async { Exit::failed("no disk") });
        sleep(SECOND).await;
        svc.restart();
        pending::<Infallible>().await;
    });
    let verdict = run.verdict.unwrap();
    assert_eq!(verdict.kind, VerdictKind::Unread);
    assert!(verdict.message.ends_with("host \"svc\": no disk"));
}

#[test]
fn a_code_that_is_no_failure_need_not_be_read() {
    in_every_world(|sim| async move {
        let _ = sim.host("svc").start(|_| async { ExitCode::from(7) });
        sleep(SECOND).await;
    });
}

#[test]
fn nobody_hears_of_a_life_that_does_not_end() {
    let run = plain(|sim| async move {
        let svc = sim.host("svc").start(|_| pending::<()>());
        svc.wait().await
    });
    assert_eq!(run.verdict.unwrap().kind, VerdictKind::Deadlock);
}

#[test]
fn a_life_begins_at_the_time_of_the_world() {
    in_every_world(|sim| async move {
        sleep(Duration::from_millis(1500)).await;
        let svc = sim.host("svc").start(|_| async {
            assert!(Instant::now().as_nanos() >= 1_500_000_000);
        });
        assert!(svc.wait().await.success());
    });
}
