//! Tasks that never leave their thread.

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use event_loop::task::{JoinSet, consume_budget, id};
use event_loop::time::sleep;
use event_loop::{LoopError, cancelled, spawn, spawn_local, try_spawn, try_spawn_local, yield_now};
use futures::channel::oneshot;
use insta::assert_snapshot;

use crate::backends::Backends::{Everywhere, Production, Simulated};
use crate::backends::{Backend, on};
use crate::log::{Log, OnDrop};
use crate::{TICK, reports, until};

/// Runs `f` on another thread of that name.
fn elsewhere<R: Send>(name: &str, f: impl FnOnce() -> R + Send) -> R {
    thread::scope(|scope| {
        let thread = thread::Builder::new().name(name.to_owned());
        thread.spawn_scoped(scope, f).unwrap().join().unwrap()
    })
}

#[test]
fn a_local_task_needs_no_send_and_neither_does_its_value() {
    on(Everywhere, |backend| {
        let ev = backend.make();
        let here = thread::current().id();
        let value = ev.run_borrowed(async {
            let shared = Rc::new(Cell::new(0));
            let tasks = [1, 2, 3].map(|n| {
                let shared = shared.clone();
                spawn_local(async move {
                    sleep(TICK).await;
                    yield_now().await;
                    assert_eq!(thread::current().id(), here);
                    shared.set(shared.get() + n);
                    shared
                })
            });
            for task in tasks {
                assert!(Rc::ptr_eq(&task.await.unwrap(), &shared));
            }
            shared.get()
        });
        assert_eq!(value, Ok(6));
    });
}

#[test]
fn callbacks_and_local_tasks_may_start_local_tasks() {
    on(Everywhere, |backend| {
        let ev = backend.make();
        let log = Log::new();
        let (here, noted) = (ev.unowned(), log.clone());
        ev.call_soon(move || {
            let inner = noted.clone();
            here.spawn_local(async move {
                spawn_local(async move { inner.note("inner") })
                    .await
                    .unwrap();
                noted.note("outer");
                event_loop::current().unwrap().stop();
            })
            .detach();
        })
        .unwrap();
        ev.run_forever().unwrap();
        assert_eq!(log.take(), ["inner", "outer"]);
    });
}

#[test]
fn a_task_may_start_one_where_it_is_on_the_loops_thread() {
    on(Everywhere, |backend| {
        let ev = backend.make();
        let (value, panic) = ev
            .run_until_complete(async {
                let spawned = try_spawn_local(async { 7 }).map(|task| task.abort_handle());
                if let Ok(task) = &spawned {
                    until(|| task.is_finished()).await;
                }
                let panic = spawn(async { spawn_local(async {}).detach() }).await.err();
                (spawned.map(drop), panic)
            })
            .unwrap();
        if backend != Backend::MultiThread {
            assert_eq!((value, panic.is_none()), (Ok(()), true));
            return;
        }
        let refused = value.unwrap_err();
        let worker = "worker";
        let (LoopError::NotOnLoopThread { thread, here, .. }, panic) = (&refused, panic.unwrap())
        else {
            panic!("{refused}");
        };
        let plain = |text: String| text.replace(&**thread, "main").replace(&**here, worker);
        assert_snapshot!(plain(refused.to_string()), @"Non-thread-safe operation invoked on an event loop other than the current one: spawn_local on thread 'worker', but the local tasks of this loop live on thread 'main': call it there, from a callback or a local task, or make the future Send and use spawn");
        assert_eq!(
            plain(panic.to_string()),
            format!("the task panicked: {}", plain(refused.to_string()))
        );
    });
}

#[test]
fn local_tasks_live_on_between_two_runs() {
    on(Everywhere, |backend| {
        let ev = backend.make();
        let steps = Rc::new(RefCell::new(Vec::new()));
        let noted = steps.clone();
        let (go_on, told) = oneshot::channel::<()>();
        let mut task = ev.spawn_local(async move {
            noted.borrow_mut().push(0);
            told.await.unwrap();
            for n in 1..3 {
                noted.borrow_mut().push(n);
                sleep(TICK).await;
            }
            noted
        });
        assert_eq!(steps.borrow().len(), 0);
        ev.run_until_complete(sleep_a_tick()).unwrap();
        assert_eq!(*steps.borrow(), [0]);
        go_on.send(()).unwrap();
        let joined = ev.run_borrowed(&mut task).unwrap().unwrap();
        assert!(Rc::ptr_eq(&joined, &steps));
        assert_eq!(*steps.borrow(), [0, 1, 2]);
    });
}

async fn sleep_a_tick() {
    sleep(TICK).await;
}

#[test]
fn another_thread_can_neither_start_run_nor_close_until_they_have_ended() {
    on(Everywhere, |backend| {
        let ev = backend.make();
        let (end, ended) = oneshot::channel::<()>();
        let task = ev.spawn_local(async move {
            let _ = ended.await;
        });
        let refused = elsewhere("other", || {
            [
                ev.try_spawn_local(async {}).err(),
                ev.run_borrowed(async {}).err(),
                ev.close().err(),
            ]
        });
        for (refused, asks) in refused.into_iter().zip(["spawn_local", "run", "close"]) {
            let Some(LoopError::NotOnLoopThread { asked, here, .. }) = refused else {
                panic!("{refused:?}");
            };
            assert_eq!((asked, &*here), (asks, "other"));
        }
        drop(end);
        ev.run_borrowed(task).unwrap().unwrap();
        elsewhere("other", || {
            let value = ev.run_borrowed(async { spawn_local(async { Rc::new(7) }).await });
            assert_eq!(*value.unwrap().unwrap(), 7);
            ev.close().unwrap();
        });
    });
}

#[test]
fn closing_drops_them_in_creation_order_and_their_destructors_are_refused() {
    on(Everywhere, |backend| {
        let ev = backend.make();
        let reports = reports(&ev);
        let log = Log::new();
        let here = thread::current().id();
        let mut wakes = None;
        for n in 0..6 {
            let (wake, woken) = oneshot::channel::<()>();
            let (wakes, noted) = (wakes.replace(wake), log.clone());
            let again = ev.unowned();
            let held = OnDrop::new(move || {
                // Wakes its neighbour, which may be gone.
                drop(wakes);
                assert_eq!(thread::current().id(), here);
                let refusals = [
                    try_spawn_local(async {}).err(),
                    again.try_spawn_local(async {}).err(),
                    try_spawn(async {}).err(),
                ];
                assert_eq!(refusals, [const { Some(LoopError::Closed) }; 3]);
                assert!(again.spawn_local(async {}).id().is_none());
                assert!(spawn_local(async {}).is_finished());
                noted.note((n, id()));
            });
            let start = || {
                let ends = ev.spawn_local(async move {
                    let _held = held;
                    if n % 2 == 0 {
                        let _ = woken.await;
                    }
                    sleep(Duration::from_hours(1)).await;
                });
                let id = ends.id().unwrap();
                ends.detach();
                id
            };
            let known = start();
            log.note((n, known));
            if n == 3 {
                ev.run_until_complete(sleep_a_tick()).unwrap();
            }
        }
        let started = log.take();
        ev.close().unwrap();
        drop(wakes);
        assert_eq!(log.take(), started);
        let reports = reports.take();
        assert_eq!(reports.len(), 0, "{reports:?}");
    });
}

#[test]
fn a_destructor_that_panics_keeps_no_other_from_its_turn() {
    on(Everywhere, |backend| {
        let ev = backend.make();
        let (log, reports) = (Log::new(), reports(&ev));
        for n in 0..4 {
            let noted = log.clone();
            let held = OnDrop::new(move || {
                noted.note(n);
                assert!(n != 1, "in a destructor");
            });
            ev.spawn_local(async move {
                let _held = held;
                pending::<()>().await;
            })
            .detach();
        }
        ev.run_until_complete(sleep_a_tick()).unwrap();
        ev.close().unwrap();
        assert_eq!(log.take(), [0, 1, 2, 3]);
        let reports = reports.take();
        assert_eq!(reports.len(), 1);
        assert_eq!(reports[0].error, "in a destructor");
    });
}

#[test]
fn the_last_owner_on_another_thread_leaves_them_and_says_so() {
    on(Everywhere, |backend| {
        let ev = backend.make();
        let (log, reports) = (Log::new(), reports(&ev));
        let held = OnDrop::new(log.noting("dropped"));
        let (wake, woken) = oneshot::channel::<()>();
        let task = ev.spawn_local(async move {
            let _held = held;
            let _ = woken.await;
        });
        elsewhere("other", move || drop(ev));
        let told = reports.take();
        assert_eq!((told.len(), log.take().len()), (1, 0));
        assert_eq!(
            told[0].message,
            "Local tasks were left undropped by the last owner of their loop"
        );
        drop(wake);
        task.abort();
        drop(task);
        assert_eq!(log.take().len(), 0);
    });
}

#[test]
fn aborted_before_its_first_poll_a_local_task_never_runs() {
    on(Everywhere, |backend| {
        let ev = backend.make();
        let (log, noted) = (Log::new(), Log::new());
        let (started, dropped) = (log.clone(), noted.clone());
        let held = OnDrop::new(move || dropped.note("dropped"));
        let error = ev.run_borrowed(async move {
            let task = spawn_local(async move {
                let _held = held;
                started.note("started");
            });
            task.abort();
            task.await.unwrap_err()
        });
        assert!(error.unwrap().is_aborted());
        assert_eq!((log.take(), noted.take()), (vec![], vec!["dropped"]));
    });
}

#[test]
fn asked_before_its_first_poll_a_local_task_sees_it_at_once() {
    on(Everywhere, |backend| {
        let ev = backend.make();
        let asked = ev.run_borrowed(async {
            let task = spawn_local(async {
                let at_once = std::pin::pin!(cancelled());
                futures::poll!(at_once).is_ready()
            });
            task.request_cancel();
            task.await.unwrap()
        });
        assert_eq!(asked, Ok(true));
    });
}

#[test]
fn an_abort_after_the_end_leaves_a_local_tasks_result() {
    on(Everywhere, |backend| {
        let ev = backend.make();
        let result = ev.run_borrowed(async {
            let task = spawn_local(async { Rc::new(7) });
            let end = task.abort_handle();
            assert_eq!(end.id(), task.id());
            until(|| task.is_finished()).await;
            assert!(end.is_finished());
            task.abort();
            task.request_cancel();
            end.abort();
            task.await
        });
        assert_eq!(*result.unwrap().unwrap(), 7);
    });
}

#[test]
fn a_local_task_that_aborts_itself_ends_at_its_next_await_or_with_its_result() {
    on(Everywhere, |backend| {
        let ev = backend.make();
        for awaits in [false, true] {
            let result = ev.run_borrowed(async move {
                let own = Rc::new(RefCell::new(None::<event_loop::AbortHandle>));
                let known = own.clone();
                let task = spawn_local(async move {
                    known.borrow().as_ref().unwrap().abort();
                    if awaits {
                        pending::<()>().await;
                    }
                    7
                });
                *own.borrow_mut() = Some(task.abort_handle());
                task.await.map_err(|error| error.is_aborted())
            });
            assert_eq!(result, Ok(if awaits { Err(true) } else { Ok(7) }));
        }
    });
}

#[test]
fn cleanup_awaits_after_a_request_and_only_destructors_run_after_an_abort() {
    on(Everywhere, |backend| {
        let ev = backend.make();
        let log = Log::new();
        ev.run_borrowed(async {
            for ends_by_request in [true, false] {
                let (flushed, dropped) = (log.clone(), log.clone());
                let task = spawn_local(async move {
                    let _held = OnDrop::new(move || dropped.note("dropped"));
                    cancelled().await;
                    sleep(2 * TICK).await;
                    flushed.note("flushed");
                });
                sleep(TICK).await;
                if ends_by_request {
                    task.request_cancel();
                } else {
                    task.abort();
                }
                assert_eq!(task.await.is_ok(), ends_by_request);
                log.note("joined");
            }
        })
        .unwrap();
        assert_eq!(
            log.take(),
            ["flushed", "dropped", "joined", "dropped", "joined"]
        );
    });
}

#[test]
fn a_local_panic_that_nobody_reads_goes_to_the_exception_handler() {
    on(Everywhere, |backend| {
        let ev = backend.make();
        let reports = reports(&ev);
        let id = ev
            .run_borrowed(async {
                let read = spawn_local(async { panic!("read") as () });
                assert!(read.await.unwrap_err().is_panic());
                let unread = spawn_local(async { panic!("unread") as () });
                let id = unread.id();
                unread.detach();
                sleep(2 * TICK).await;
                id
            })
            .unwrap();
        let reports = reports.take();
        assert_eq!(reports.len(), 1);
        assert_eq!((&*reports[0].error, reports[0].task), ("unread", id));
    });
}

// In a world it would be a foreign thread.
#[test]
#[expect(clippy::disallowed_methods, reason = "the loops are production's")]
fn another_thread_may_wake_ask_and_abort() {
    on(Production, |backend| {
        let ev = backend.make();
        let (wake, woken) = oneshot::channel();
        let joined = ev.run_borrowed(async {
            let waits = spawn_local(async move { Rc::new(woken.await.unwrap()) });
            let asked = spawn_local(cancelled());
            let aborted = spawn_local(pending::<()>());
            let ends = [asked.abort_handle(), aborted.abort_handle()];
            let other = thread::spawn(move || {
                thread::sleep(5 * TICK);
                wake.send(7).unwrap();
                thread::sleep(5 * TICK);
                ends[0].request_cancel();
                thread::sleep(5 * TICK);
                ends[1].abort();
            });
            let value = *waits.await.unwrap();
            asked.await.unwrap();
            let error = aborted.await.unwrap_err();
            other.join().unwrap();
            (value, error.is_aborted())
        });
        assert_eq!(joined, Ok((7, true)));
    });
}

#[test]
fn a_wake_from_another_thread_may_cross_the_close() {
    on(Production, |backend| {
        for _ in 0..50 {
            let ev = backend.make();
            let log = Log::new();
            let mut wakes = Vec::new();
            for n in 0..20 {
                let (wake, woken) = oneshot::channel::<()>();
                wakes.push(wake);
                let held = OnDrop::new(log.noting(n));
                ev.spawn_local(async move {
                    let _held = held;
                    let _ = woken.await;
                    pending::<()>().await;
                })
                .detach();
            }
            ev.run_borrowed(yield_now()).unwrap();
            thread::scope(|scope| {
                scope.spawn(|| wakes.into_iter().for_each(drop));
                ev.close().unwrap();
            });
            assert_eq!(log.take(), (0..20).collect::<Vec<_>>());
        }
    });
}

#[test]
fn a_local_task_that_never_rests_starves_nobody() {
    on(Everywhere, |backend| {
        // A world of profile `exact` has no budget to spend.
        for hogs_the_budget in [false, !backend.is_simulated()] {
            let ev = backend.make();
            let called = Arc::new(AtomicBool::new(false));
            let set = called.clone();
            let done = ev.run_borrowed(async {
                let hogs = [(); 2].map(|()| {
                    spawn_local(async move {
                        loop {
                            if hogs_the_budget {
                                consume_budget().await;
                            } else {
                                yield_now().await;
                            }
                        }
                    })
                });
                let ev = event_loop::current().unwrap();
                ev.call_soon(move || set.store(true, Ordering::Relaxed))
                    .unwrap();
                let task = spawn(async {
                    for _ in 0..10 {
                        yield_now().await;
                    }
                });
                let local = spawn_local(async {
                    for _ in 0..300 {
                        consume_budget().await;
                    }
                });
                task.await.unwrap();
                local.await.unwrap();
                sleep(2 * TICK).await;
                for hog in hogs {
                    hog.abort();
                    assert!(hog.await.unwrap_err().is_aborted());
                }
            });
            assert_eq!((done, called.load(Ordering::Relaxed)), (Ok(()), true));
        }
    });
}

#[test]
fn a_set_takes_local_tasks_too() {
    on(Everywhere, |backend| {
        let ev = backend.make();
        let values = ev.run_borrowed(async {
            let mut set = JoinSet::new();
            for n in 0..5_u64 {
                set.spawn_local(async move {
                    sleep((5 - n) as u32 * 2 * TICK).await;
                    Rc::new(n)
                });
            }
            set.join_all().await
        });
        let values: Vec<_> = values.unwrap().into_iter().map(|n| *n).collect();
        assert_eq!(values, [4, 3, 2, 1, 0]);
    });
}

#[test]
fn local_tasks_are_scheduled_by_the_seed_among_the_others() {
    let order = |backend: Backend| {
        let ev = backend.make();
        let log = Log::new();
        ev.run_borrowed(async {
            let mut set = JoinSet::new();
            for n in 0..4 {
                for local in [false, true] {
                    let noted = log.clone();
                    let steps = async move {
                        for _ in 0..3 {
                            noted.note((n, local));
                            yield_now().await;
                        }
                    };
                    if local {
                        set.spawn_local(steps);
                    } else {
                        set.spawn(steps);
                    }
                }
            }
            set.join_all().await;
        })
        .unwrap();
        log.take()
    };
    let orders = RefCell::new(std::collections::BTreeSet::new());
    on(Simulated, |backend| {
        let first = order(backend);
        assert_eq!(first, order(backend));
        orders.borrow_mut().insert(first);
    });
    assert!(orders.borrow().len() > 10, "{}", orders.borrow().len());
}
