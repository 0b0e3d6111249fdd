//! Processes that get signals: what they do about them, and what becomes of those that do nothing.

use std::future::pending;
use std::time::Duration;

use event_loop::time::sleep;
use sim::{ExitStatus, Signal};

use crate::{Log, in_every_world};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn who_does_not_listen_is_ended_by_the_first_signal() {
    in_every_world(|sim| async move {
        let svc = sim.host("svc").start(|_| pending::<()>());
        sleep(SECOND).await;
        let began = sim.now();
        svc.terminate(30 * SECOND);
        assert_eq!(svc.wait().await, ExitStatus::from_signal(Signal::Term));
        assert!(sim.now() - began < SECOND);
    });
}

#[test]
fn who_listens_has_its_grace_and_is_killed_after_it() {
    in_every_world(|sim| async move {
        for (takes, ends) in [(5, ExitStatus::SUCCESS), (50, ExitStatus::KILLED)] {
            let svc = sim
                .host(&format!("svc{takes}"))
                .start(move |ev| async move {
                    ev.signal(Signal::Term).unwrap().recv().await;
                    sleep(takes * SECOND).await;
                });
            sleep(SECOND).await;
            let began = sim.now();
            svc.terminate(30 * SECOND);
            assert_eq!(svc.wait().await, ends);
            let took = sim.now() - began;
            let expected = takes.min(30) * SECOND;
            assert!(took >= expected && took < expected + SECOND, "{took:?}");
        }
    });
}

#[test]
fn who_listened_in_a_life_before_hears_nothing_in_the_next() {
    in_every_world(|sim| async move {
        let log = Log::default();
        let of_main = log.clone();
        let svc = sim.host("svc").start(move |ev| {
            let (log, first) = (of_main.clone(), of_main.take().is_empty());
            async move {
                if first {
                    log.add("listens");
                    let heard = log.clone();
                    let handler = move || heard.add("heard");
                    ev.add_signal_handler(Signal::Term, handler).unwrap();
                }
                pending::<()>().await;
            }
        });
        sleep(SECOND).await;
        svc.kill();
        svc.restart();
        sleep(SECOND).await;
        svc.terminate(30 * SECOND);
        assert_eq!(svc.wait().await, ExitStatus::from_signal(Signal::Term));
        assert_eq!(log.take(), [""; 0]);
    });
}

#[test]
fn a_kill_of_this_life_does_not_reach_the_next() {
    in_every_world(|sim| async move {
        let svc = sim.host("svc").start(|ev| async move {
            ev.signal(Signal::Term).unwrap().recv().await;
        });
        sleep(SECOND).await;
        svc.terminate(5 * SECOND);
        assert!(svc.wait().await.success());
        svc.restart();
        sleep(10 * SECOND).await;
        assert!(svc.is_running());
    });
}
