//! Groups of tasks: clause K5.

use std::error::Error;
use std::future::{Future, pending};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};

use event_loop::task::GroupEnded;
use event_loop::task::coop::{consume_budget, has_budget_remaining};
use event_loop::time::sleep;
use event_loop::{TaskGroup, cancelled, spawn, task_group, try_spawn, yield_now};
use futures::future::{BoxFuture, Either, select};
use insta::assert_snapshot;

use crate::backends::Backends::{Everywhere, Simulated};
use crate::backends::{Backend, on};
use crate::log::{Log, OnDrop};
use crate::{TICK, reports, timed};

type Failure = Box<dyn Error + Send + Sync>;

#[test]
fn a_group_gives_its_bodys_value_once_all_have_ended() {
    on(Everywhere, |backend| {
        let ev = backend.make();
        let log = Log::new();
        let noted = log.clone();
        let value = ev.run_until_complete(async move {
            let log = noted.clone();
            let group = task_group(|group: TaskGroup| async move {
                for n in [3, 1, 2] {
                    let log = log.clone();
                    group.spawn(async move {
                        sleep(2 * n * TICK).await;
                        log.note(n);
                    })?;
                }
                let inner = group.clone();
                group.spawn_named("grandchild", async move {
                    inner.spawn(async { Ok::<_, Failure>(()) }).map(drop)
                })?;
                Ok("value")
            });
            let value = group.await;
            noted.note(0);
            value
        });
        assert_eq!(value.unwrap().unwrap(), "value");
        let mut ended = log.take();
        assert_eq!(ended.pop(), Some(0));
        assert_eq!(timed(backend, ended), [1, 2, 3]);
    });
}

#[test]
fn nothing_happens_until_the_group_is_awaited() {
    on(Everywhere, |backend| {
        let ev = backend.make();
        let log = Log::new();
        let noted = log.clone();
        ev.run_until_complete(async move {
            let group = task_group(|_| async move {
                noted.note(());
                Ok(())
            });
            sleep(3 * TICK).await;
            drop(group);
        })
        .unwrap();
        assert_eq!(log.take(), []);
    });
}

#[test]
fn the_first_failure_asks_all_others_to_finish_and_all_failures_are_listed() {
    on(Everywhere, |backend| {
        let ev = backend.make();
        let reports = reports(&ev);
        let log = Log::new();
        let noted = log.clone();
        let error = ev.run_until_complete(async move {
            let group = task_group(|group: TaskGroup| async move {
                let (cleans, fails) = (noted.clone(), noted.clone());
                group.spawn(async move {
                    cancelled().await;
                    sleep(TICK).await;
                    cleans.note("clean");
                })?;
                group.spawn(async move {
                    cancelled().await;
                    sleep(4 * TICK).await;
                    fails.note("failed, too");
                    if true {
                        panic!("with a panic");
                    }
                })?;
                group.spawn(async {
                    sleep(2 * TICK).await;
                    Err::<(), _>("first")
                })?;
                cancelled().await;
                noted.note("body");
                Err::<(), Failure>("of the body".into())
            });
            group.await.unwrap_err()
        });
        let error = error.unwrap();
        let begin = "unhandled errors in a TaskGroup (3 sub-exceptions): task #";
        assert!(error.to_string().starts_with(begin), "{error}");
        let failures = error.into_failures().into_iter();
        let texts = failures.map(|failure| {
            assert!(failure.id().is_some());
            let is_panic = failure.is_panic();
            match failure.try_into_panic() {
                Ok(payload) => payload.downcast_ref::<&str>().unwrap().to_string(),
                Err(failure) => {
                    assert!(!is_panic);
                    failure.into_error().to_string()
                }
            }
        });
        let texts = timed(backend, texts.collect());
        assert_eq!(texts, ["first", "of the body", "with a panic"]);
        assert_eq!(timed(backend, log.take()), ["body", "clean", "failed, too"]);
        ev.close().unwrap();
        assert_eq!(reports.take().len(), 0, "all were read");
    });
}

#[test]
fn one_failure_is_told_in_the_singular() {
    on(Everywhere, |backend| {
        let ev = backend.make();
        let error = ev.run_until_complete(async {
            let group = task_group(|_| async { Err::<(), _>("alone".into()) });
            group.await.unwrap_err()
        });
        let text = error.unwrap().to_string();
        let (begin, end) = text.split_once(": task #").unwrap();
        assert_snapshot!(begin, @"unhandled errors in a TaskGroup (1 sub-exception)");
        assert!(end.ends_with(": alone"), "{text}");
    });
}

#[test]
fn a_group_that_shuts_down_or_has_ended_starts_no_more() {
    on(Everywhere, |backend| {
        let ev = backend.make();
        let log = Log::new();
        let noted = log.clone();
        let (during, after) = ev
            .run_until_complete(async move {
                let (kept, refused) = (Log::new(), Log::new());
                let (keep, refuse) = (kept.clone(), refused.clone());
                let group = task_group(|group: TaskGroup| async move {
                    keep.note(group.clone());
                    group.spawn(async { Err::<(), _>("fails") })?;
                    cancelled().await;
                    let held = OnDrop::new(move || noted.note("given up"));
                    refuse.note(group.spawn(async move { drop(held) }).unwrap_err());
                    Ok(())
                });
                assert!(group.await.is_err());
                let group = kept.take().pop().unwrap();
                assert_eq!(format!("{group:?}"), "TaskGroup(0 tasks, finished)");
                (refused.take()[0], group.spawn(async {}).unwrap_err())
            })
            .unwrap();
        assert_eq!(
            (during, after),
            (GroupEnded::ShuttingDown, GroupEnded::Finished)
        );
        assert_snapshot!(during, @"TaskGroup is shutting down: a task of it has failed or it was asked to finish; start the task outside the group if it has to run all the same");
        assert_snapshot!(after, @"TaskGroup is finished: start the task before the last of its tasks ends");
        assert_eq!(log.take(), ["given up"]);
    });
}

#[test]
fn a_request_to_who_awaits_the_group_goes_to_all_of_it() {
    on(Everywhere, |backend| {
        let ev = backend.make();
        let log = Log::new();
        let noted = log.clone();
        let value = ev.run_until_complete(async move {
            let parent = spawn(async move {
                let group = task_group(|group: TaskGroup| async move {
                    let child = noted.clone();
                    group.spawn(async move {
                        cancelled().await;
                        sleep(2 * TICK).await;
                        child.note("child");
                    })?;
                    cancelled().await;
                    noted.note("body");
                    Ok(group.spawn(async {}).unwrap_err())
                });
                group.await.unwrap()
            });
            sleep(2 * TICK).await;
            assert!(!parent.is_finished());
            parent.request_cancel();
            parent.await.unwrap()
        });
        assert_eq!(value, Ok(GroupEnded::ShuttingDown));
        assert_eq!(timed(backend, log.take()), ["body", "child"]);
    });
}

#[test]
fn a_member_that_is_aborted_has_not_failed() {
    on(Everywhere, |backend| {
        let ev = backend.make();
        let value = ev.run_until_complete(async {
            let group = task_group(|group: TaskGroup| async move {
                let end = group.spawn(pending::<()>())?;
                sleep(TICK).await;
                end.abort();
                Ok(7)
            });
            group.await.unwrap()
        });
        assert_eq!(value, Ok(7));
    });
}

#[test]
fn a_group_that_is_dropped_aborts_its_tasks() {
    on(Everywhere, |backend| {
        let ev = backend.with_one_worker();
        let log = Log::new();
        let noted = log.clone();
        let refused = ev.run_until_complete(async move {
            let (kept, begun) = (Log::new(), Log::new());
            let (keep, begins) = (kept.clone(), begun.clone());
            let group = task_group(|group: TaskGroup| async move {
                keep.note(group.clone());
                let body = noted.clone();
                let _held = OnDrop::new(move || body.note(0));
                for n in 1..4 {
                    let (dropped, begins) = (noted.clone(), begins.clone());
                    group.spawn(async move {
                        let _held = OnDrop::new(move || dropped.note(n));
                        begins.note(());
                        pending::<()>().await;
                    })?;
                }
                pending::<Result<(), Failure>>().await
            });
            {
                let mut group = pin!(group);
                let mut running = 0;
                while running < 3 {
                    assert!(futures::poll!(group.as_mut()).is_pending());
                    running += begun.take().len();
                    sleep(TICK).await;
                }
            }
            sleep(5 * TICK).await;
            kept.take()[0].spawn(async {}).unwrap_err()
        });
        assert_eq!(refused, Ok(GroupEnded::Finished));
        let mut dropped = log.take();
        if !matches!(
            backend,
            Backend::CurrentThread | Backend::Simulated { seed: 0, .. }
        ) {
            dropped.sort_unstable();
        }
        assert_eq!(dropped, [0, 1, 2, 3]);
    });
}

#[test]
fn a_panic_before_the_body_has_begun_aborts_what_was_started() {
    on(Everywhere, |backend| {
        let ev = backend.make();
        let log = Log::new();
        let noted = log.clone();
        ev.run_until_complete(async move {
            let error = spawn(async move {
                let group = task_group(|group: TaskGroup| {
                    let held = OnDrop::new(move || noted.note("dropped"));
                    let waits = async move {
                        let _held = held;
                        pending::<()>().await;
                    };
                    group.spawn(waits).unwrap();
                    if true {
                        panic!("no body");
                    }
                    async { Ok(()) }
                });
                let _ = group.await;
            })
            .await;
            assert!(error.unwrap_err().is_panic());
            sleep(3 * TICK).await;
        })
        .unwrap();
        assert_eq!(log.take(), ["dropped"]);
    });
}

#[test]
fn closing_the_loop_drops_a_group_whose_destructors_are_refused() {
    on(Everywhere, |backend| {
        let ev = backend.make();
        let reports = reports(&ev);
        let log = Log::new();
        let noted = log.clone();
        ev.spawn(async move {
            let group = task_group(|group: TaskGroup| async move {
                for _ in 0..3 {
                    let (noted, again) = (noted.clone(), group.clone());
                    let held = OnDrop::new(move || {
                        noted.note((again.spawn(async {}).is_err(), try_spawn(async {}).is_err()));
                    });
                    group.spawn(async move {
                        let _held = held;
                        pending::<()>().await;
                    })?;
                }
                pending::<Result<(), Failure>>().await
            });
            let _ = group.await;
        })
        .detach();
        ev.run_until_complete(async { sleep(5 * TICK).await })
            .unwrap();
        ev.close().unwrap();
        assert_eq!(log.take(), [(true, true); 3]);
        assert_eq!(reports.take().len(), 0);
    });
}

#[test]
fn a_group_awaited_by_a_borrowed_root_is_like_any_other() {
    on(Everywhere, |backend| {
        let ev = backend.make();
        let borrowed = String::from("borrowed");
        let value = ev.run_borrowed(async {
            let group = task_group(|group: TaskGroup| async move {
                group.spawn(yield_now())?;
                Ok(borrowed.len())
            });
            group.await.unwrap()
        });
        assert_eq!(value, Ok(8));
    });
}

/// What becomes of a group of `n` members that wait, fail, panic and start others, as `seed` says.
async fn storm(seed: u64) -> (Vec<String>, Vec<String>) {
    let log = Log::new();
    let noted = log.clone();
    let group = task_group(move |group: TaskGroup| async move {
        for n in 0..1 + seed % 6 {
            let _ = group.spawn(member(
                group.clone(),
                noted.clone(),
                seed.rotate_left(n as u32),
                n,
            ));
        }
        Ok(())
    });
    let failures = match group.await {
        Ok(()) => Vec::new(),
        Err(error) => error
            .failures()
            .iter()
            .map(|f| f.error().to_string())
            .collect(),
    };
    (failures, log.take())
}

/// Notes its failure right before it fails, with nothing awaited in between.
fn member(
    group: TaskGroup,
    log: Log<String>,
    fate: u64,
    n: u64,
) -> BoxFuture<'static, Result<(), Failure>> {
    Box::pin(async move {
        let span = (fate / 8 % 5) as u32 * TICK;
        let asked = matches!(
            select(pin!(cancelled()), pin!(sleep(span))).await,
            Either::Left(_)
        );
        if asked && fate.is_multiple_of(2) {
            sleep(TICK).await;
        }
        match fate % 8 {
            0 | 1 => {
                log.note(format!("member {n} failed"));
                Err(format!("member {n} failed").into())
            }
            2 => {
                log.note(format!("the task panicked: member {n} panicked"));
                panic!("member {n} panicked")
            }
            3 | 4 if n < 40 => {
                let further = member(group.clone(), log, fate.rotate_right(7), n + 10);
                match group.spawn(further) {
                    Ok(_) | Err(GroupEnded::ShuttingDown) => Ok(()),
                    Err(other) => Err(other.into()),
                }
            }
            _ => Ok(()),
        }
    })
}

#[test]
fn a_thousand_groups_list_exactly_the_failures_that_happened_in_their_order() {
    let failed = Mutex::new(0);
    for seed in 0..1_000_u64 {
        for profile in sim::Profile::ALL {
            let ev = Backend::Simulated { profile, seed }.make();
            let fates = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 7;
            let (failures, happened) = ev.run_until_complete(storm(fates)).unwrap();
            assert_eq!(failures, happened, "seed {seed}, {profile}");
            *failed.lock().unwrap() += usize::from(failures.len() > 1);
        }
    }
    let failed = failed.into_inner().unwrap();
    assert!(failed > 500, "only {failed} groups had several failures");
}

#[test]
fn a_hundred_groups_of_production_lose_no_failure() {
    for backend in [Backend::CurrentThread, Backend::MultiThread] {
        let ev = backend.make();
        for seed in 0..100_u64 {
            let fates = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 7;
            let (mut failures, mut happened) = ev.run_until_complete(storm(fates)).unwrap();
            // On two workers a task may note its end first and end second.
            failures.sort_unstable();
            happened.sort_unstable();
            assert_eq!(failures, happened, "seed {seed}, {backend}");
        }
    }
}

#[test]
fn the_same_seed_fails_the_same_way() {
    on(Simulated, |backend| {
        let run = || {
            backend
                .make()
                .run_until_complete(storm(0x1234_5678_9ABC_DEF0))
        };
        assert_eq!(run(), run());
    });
}

#[test]
fn who_is_woken_by_a_spawn_may_look_into_the_group() {
    struct Looks(Mutex<Option<TaskGroup>>, Log<String>);
    impl Wake for Looks {
        fn wake(self: Arc<Self>) {
            let group = self.0.lock().unwrap();
            self.1.note(format!("{:?}", group.as_ref().unwrap()));
        }
    }
    on(Simulated, |backend| {
        if backend.profile() != Some(sim::Profile::TokioMt) {
            return;
        }
        let (ev, log) = (backend.make(), Log::new());
        let looks = Arc::new(Looks(Mutex::new(None), log.clone()));
        ev.run_until_complete(async move {
            let given = looks.clone();
            let mut grouped = pin!(task_group(move |group: TaskGroup| {
                *given.0.lock().unwrap() = Some(group);
                pending::<Result<(), Failure>>()
            }));
            let waker = Waker::from(looks.clone());
            let first = grouped.as_mut().poll(&mut Context::from_waker(&waker));
            assert!(first.is_pending());
            while has_budget_remaining() {
                consume_budget().await;
            }
            let group = looks.0.lock().unwrap().clone().unwrap();
            // The look at the new task finds no budget, and wakes who waits.
            group.spawn(pending::<()>()).unwrap();
            *looks.0.lock().unwrap() = None;
        })
        .unwrap();
        assert_eq!(log.take(), ["TaskGroup(2 tasks)"]);
    });
}
