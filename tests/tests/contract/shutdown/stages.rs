//! The stages of a shutdown, and what makes it short: clauses D1 and D3.

use std::future::{pending, poll_fn};
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use event_loop::shutdown::{CancelOrder, HookEnd, ShutdownError, Stage, TaskEnd};
use event_loop::time::sleep;
use event_loop::{ErrorContext, EventLoop, cancelled, spawn, spawn_named};

use super::{LONG, TICK, deaf, ends, local_listener, on, policy, took};
use crate::backends::Backend;
use crate::clause::Reach::Everywhere;
use crate::clause::clauses;
use crate::log::{Log, OnDrop};

clauses! {
    D1 {
        the_stages_run_in_order: Everywhere,
        hooks_run_one_by_one_the_last_registered_first: Everywhere,
        a_hook_that_hangs_or_panics_keeps_no_other_from_its_turn: Everywhere,
        tasks_that_obey_end_the_grace: Everywhere,
        a_task_that_swallows_its_cancellation_is_cut_when_the_grace_is_over: Everywhere,
        jobs_may_end_within_their_grace: Everywhere,
        the_total_bounds_the_stages_together: Everywhere,
        tasks_are_asked_in_the_order_of_the_policy: Everywhere,
        a_part_of_no_time_is_refused: Everywhere,
    }
    D3 {
        an_escalation_aborts_at_once_and_only_once: Everywhere,
        an_escalation_cuts_a_hook_short: Everywhere,
    }
}

async fn panics() {
    panic!("in the hook")
}

fn the_stages_run_in_order(backend: Backend) {
    let log = Log::new();
    let noted = log.clone();
    let report = on(backend, move |ev| async move {
        let (listener, _) = local_listener().await;
        let note = noted.clone();
        let accepts = spawn(async move {
            let _ = listener.accept().await;
            note.note("accept ended");
        });
        let note = noted.clone();
        ev.on_shutdown("hook", move || async move {
            sleep(TICK).await;
            note.note("hook ended");
        })
        .unwrap();
        let note = noted.clone();
        let obeys = spawn(async move {
            cancelled().await;
            note.note("asked");
        });
        let note = noted.clone();
        let swallows = spawn(async move {
            let _cut = OnDrop::new(note.noting("cut"));
            deaf().await;
        });
        sleep(TICK).await;
        let report = ev.shutdown(policy().grace(10 * TICK)).await.unwrap();
        let _ = (accepts.await, obeys.await, swallows.await);
        report
    });
    assert_eq!(log.take(), ["accept ended", "hook ended", "asked", "cut"]);
    let stages: Vec<_> = report.stages.iter().map(|stage| stage.stage).collect();
    let first = [Stage::StopAccepting, Stage::Hooks, Stage::Cancel];
    assert_eq!(stages[..3], first);
    let last = [Stage::Grace, Stage::Abort, Stage::Executor];
    assert_eq!(stages[3..], last);
    assert_eq!(report.listeners, 1);
}

fn hooks_run_one_by_one_the_last_registered_first(backend: Backend) {
    let log = Log::new();
    let noted = log.clone();
    let report = on(backend, move |ev| async move {
        for name in ["first", "second", "third"] {
            let note = noted.clone();
            let hook = move || async move {
                note.note(format!("{name} begins"));
                sleep(TICK).await;
                note.note(format!("{name} ends"));
            };
            let handle = ev.on_shutdown(name, hook).unwrap();
            if name == "second" {
                assert!(handle.remove());
                assert!(!handle.remove(), "only once");
            }
        }
        let late = ev.clone();
        ev.on_shutdown("registers", move || async move {
            late.on_shutdown("next", || async { Ok::<(), io::Error>(()) })
                .unwrap();
        })
        .unwrap();
        let report = ev.shutdown(policy()).await.unwrap();
        let too_late = ev.on_shutdown("late", || async {});
        assert_eq!(too_late.unwrap_err(), ShutdownError::TooLate);
        report
    });
    let order = ["third begins", "third ends", "first begins", "first ends"];
    assert_eq!(log.take(), order);
    let names: Vec<_> = report.hooks.iter().map(|hook| &*hook.name).collect();
    assert_eq!(names, ["registers", "next", "third", "first"]);
    assert!(report.is_clean(), "{report}");
}

fn a_hook_that_hangs_or_panics_keeps_no_other_from_its_turn(backend: Backend) {
    let ev = backend.make();
    ev.set_exception_handler(Some(|_: &EventLoop, _: &ErrorContext| ()));
    let here = ev.unowned();
    let report = ev.run_until_complete(async move {
        here.on_shutdown("done", || async {}).unwrap();
        here.on_shutdown("fails", || async { Err("no") }).unwrap();
        here.on_shutdown("hangs", || async {
            // It does not end when asked either.
            deaf().await;
        })
        .unwrap();
        here.on_shutdown("panics", panics).unwrap();
        here.shutdown(policy().hooks(60 * TICK)).await.unwrap()
    });
    let report = report.unwrap();
    let ends: Vec<_> = report.hooks.iter().map(|hook| hook.end.clone()).collect();
    let failed = HookEnd::Failed("no".into());
    let panicked = HookEnd::Panicked("in the hook".into());
    assert_eq!(ends, [panicked, HookEnd::TimedOut, failed, HookEnd::Done]);
    // Three were left, so that each might take a third.
    let hung = report.hooks[1].took;
    assert!(hung > 15 * TICK, "{report}");
    assert!(took(&report, Stage::Hooks) >= hung, "{report}");
    if backend.is_plain() {
        assert_eq!(hung, 20 * TICK);
    }
    assert!(!report.is_clean());
}

fn tasks_that_obey_end_the_grace(backend: Backend) {
    let report = on(backend, |ev| async move {
        for n in 0..20_u32 {
            spawn_named("obeys", async move {
                cancelled().await;
                sleep(TICK * (n % 4)).await;
            })
            .detach();
        }
        sleep(TICK).await;
        ev.shutdown(policy()).await.unwrap()
    });
    assert_eq!(ends(&report), [("obeys", &TaskEnd::Finished); 20]);
    assert!(took(&report, Stage::Grace) < LONG / 2, "{report}");
    assert!(report.is_clean(), "{report}");
}

fn a_task_that_swallows_its_cancellation_is_cut_when_the_grace_is_over(backend: Backend) {
    let log = Log::new();
    let noted = log.clone();
    let report = on(backend, move |ev| async move {
        let note = noted.clone();
        spawn_named("swallows", async move {
            let _cut = OnDrop::new(note.noting("dropped"));
            loop {
                cancelled().await;
                sleep(TICK / 5).await;
            }
        })
        .detach();
        sleep(TICK).await;
        ev.shutdown(policy().grace(4 * TICK)).await.unwrap()
    });
    assert_eq!(log.take(), ["dropped"]);
    let ends = ends(&report);
    assert!(matches!(ends[..], [("swallows", TaskEnd::Cut { .. })]));
    assert!(took(&report, Stage::Grace) >= 4 * TICK, "{report}");
    assert!(took(&report, Stage::Abort) < LONG / 2, "{report}");
    assert_eq!(report.cut().count(), 1);
    assert!(!report.is_clean());
}

fn jobs_may_end_within_their_grace(backend: Backend) {
    let log = Log::new();
    let noted = log.clone();
    let report = on(backend, move |ev| async move {
        ev.run_blocking_named("export", move || {
            event_loop::block_for(4 * TICK);
            noted.note("exported");
        })
        .detach();
        ev.shutdown(policy()).await.unwrap()
    });
    assert_eq!(log.take(), ["exported"]);
    assert!(report.executor.is_clean() && report.is_clean(), "{report}");
    assert!(took(&report, Stage::Executor) < LONG / 2, "{report}");
}

fn the_total_bounds_the_stages_together(backend: Backend) {
    let report = on(backend, |ev| async move {
        ev.on_shutdown("hangs", pending::<()>).unwrap();
        spawn(deaf()).detach();
        let tight = policy().hooks(6 * TICK).total(10 * TICK);
        ev.shutdown(tight).await.unwrap()
    });
    let grace = report.stage(Stage::Grace).unwrap();
    assert!(grace.bound.unwrap() <= 4 * TICK, "{report}");
    assert!(
        report.took >= 10 * TICK && report.took < LONG / 2,
        "{report}"
    );
    if backend.is_plain() {
        assert_eq!(report.took, 10 * TICK);
    }
}

fn tasks_are_asked_in_the_order_of_the_policy(backend: Backend) {
    use CancelOrder::{Registration, Reverse, Seeded};
    for order in [Registration, Reverse, Seeded] {
        let log = Log::new();
        let noted = log.clone();
        on(backend, move |ev| async move {
            for n in 0..6_u32 {
                let (note, mut asked) = (noted.clone(), false);
                let mut cancelled = Box::pin(cancelled());
                // Its wake is the request: of who is polled first nothing is said.
                let waits = poll_fn(move |cx| {
                    let waker = Noting::waker(cx.waker(), n, &note);
                    let mut cx = Context::from_waker(&waker);
                    asked |= cancelled.as_mut().poll(&mut cx).is_ready();
                    match asked {
                        true => Poll::Ready(()),
                        false => Poll::Pending,
                    }
                });
                spawn(waits).detach();
            }
            sleep(TICK).await;
            ev.shutdown(policy().cancel_order(order)).await.unwrap()
        });
        let mut asked = log.take();
        match order {
            Registration => assert_eq!(asked, [0, 1, 2, 3, 4, 5]),
            Reverse => assert_eq!(asked, [5, 4, 3, 2, 1, 0]),
            _ if backend.is_plain_run() || !backend.is_simulated() => {
                assert_eq!(asked, [0, 1, 2, 3, 4, 5]);
            }
            _ => {
                asked.sort_unstable();
                assert_eq!(asked, [0, 1, 2, 3, 4, 5]);
            }
        }
    }
}

/// A waker that notes its first use.
struct Noting {
    waker: Waker,
    n: u32,
    log: Log<u32>,
}

impl Noting {
    fn waker(waker: &Waker, n: u32, log: &Log<u32>) -> Waker {
        let (waker, log) = (waker.clone(), log.clone());
        Arc::new(Self { waker, n, log }).into()
    }
}

impl Wake for Noting {
    fn wake(self: Arc<Self>) {
        self.log.note(self.n);
        self.waker.wake_by_ref();
    }
}

fn a_part_of_no_time_is_refused(backend: Backend) {
    let refused = on(backend, |ev| async move {
        let refused = ev.shutdown(policy().grace(Duration::ZERO)).await;
        assert!(ev.shutdown_under_way().is_none());
        refused
    });
    assert!(matches!(refused, Err(ShutdownError::Policy(_))));
}

fn an_escalation_aborts_at_once_and_only_once(backend: Backend) {
    let report = on(backend, |ev| async move {
        assert!(!ev.escalate(), "there is nothing to make short");
        spawn_named("deaf", deaf()).detach();
        sleep(TICK).await;
        let shutdown = ev.shutdown(policy());
        sleep(TICK).await;
        assert!(ev.escalate());
        assert!(!ev.escalate());
        let report = shutdown.await.unwrap();
        assert!(!ev.escalate(), "it is over");
        report
    });
    assert!(matches!(ends(&report)[..], [("deaf", TaskEnd::Cut { .. })]));
    assert_eq!(report.escalated.unwrap().0, Stage::Grace);
    assert!(report.took < LONG / 2, "{report}");
    assert!(!report.is_clean());
}

fn an_escalation_cuts_a_hook_short(backend: Backend) {
    let log = Log::new();
    let noted = log.clone();
    let report = on(backend, move |ev| async move {
        let note = noted.clone();
        ev.on_shutdown("never begins", || async move { note.note("began") })
            .unwrap();
        let note = noted.clone();
        ev.on_shutdown("hangs", move || async move {
            let _dropped = OnDrop::new(note.noting("dropped"));
            pending::<()>().await;
        })
        .unwrap();
        let shutdown = ev.shutdown(policy());
        sleep(TICK).await;
        assert!(ev.escalate());
        shutdown.await.unwrap()
    });
    assert_eq!(log.take(), ["dropped"]);
    let ends: Vec<_> = report.hooks.iter().map(|hook| &hook.end).collect();
    assert_eq!(ends, [&HookEnd::CutShort; 2]);
    assert!(report.took < LONG / 2, "{report}");
}
