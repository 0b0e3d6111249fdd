//! What production and simulation once did differently, or wrongly, about a loop.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use event_loop::net::{TcpListener, TcpStream};
use event_loop::time::{sleep, timeout};
use event_loop::{ErrorContext, EventLoop, LoopConfig, LoopError, Runner, production, spawn};
use sim::{Config, Profile, Sim};

const TICK: Duration = Duration::from_millis(20);

/// A loop of each kind.
fn loops() -> [(&'static str, EventLoop); 3] {
    let config = LoopConfig::default;
    [
        (
            "current-thread",
            production::current_thread(config()).unwrap(),
        ),
        (
            "multi-thread",
            production::multi_thread(config().worker_threads(2)).unwrap(),
        ),
        ("simulated", sim::factory(0, Profile::TokioMt).unwrap()),
    ]
}

mod accepting {
    use super::*;

    async fn listen() -> (Arc<TcpListener>, std::net::SocketAddr) {
        let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
        let mut address = listener.local_addr().unwrap();
        address.set_ip([127, 0, 0, 1].into());
        (Arc::new(listener), address)
    }

    #[test]
    fn from_several_tasks_wakes_all_that_are_needed() {
        for (kind, ev) in loops() {
            let served = ev.run_borrowed(async {
                let (listener, address) = listen().await;
                let acceptors = [(); 3].map(|()| {
                    let listener = listener.clone();
                    spawn(async move { listener.accept().await.map(drop) })
                });
                sleep(TICK).await;
                for _ in 0..acceptors.len() {
                    drop(TcpStream::connect(address).await.unwrap());
                    sleep(TICK).await;
                }
                let mut served = 0;
                for acceptor in acceptors {
                    served += usize::from(timeout(100 * TICK, acceptor).await.is_ok());
                }
                served
            });
            assert_eq!(served, Ok(3), "{kind}");
            ev.close().unwrap();
        }
    }

    #[test]
    fn goes_on_elsewhere_when_one_is_cancelled() {
        for (kind, ev) in loops() {
            let served = ev.run_borrowed(async {
                let (listener, address) = listen().await;
                let other = listener.clone();
                let steady = spawn(async move { other.accept().await.map(drop) });
                sleep(TICK).await;
                // It came last, and its waker may be the one that is known.
                let mut gone = Box::pin(listener.accept());
                poll_fn(|cx| {
                    assert!(gone.as_mut().poll(cx).is_pending());
                    Poll::Ready(())
                })
                .await;
                drop(gone);
                drop(TcpStream::connect(address).await.unwrap());
                timeout(100 * TICK, steady).await.is_ok()
            });
            assert_eq!(served, Ok(true), "{kind}");
            ev.close().unwrap();
        }
    }

    #[test]
    fn by_hand_and_by_future_are_both_woken() {
        for (kind, ev) in loops() {
            let served = ev.run_borrowed(async {
                let (listener, address) = listen().await;
                let acceptors: [Pin<Box<dyn Future<Output = _> + Send>>; 2] = {
                    let (one, two) = (listener.clone(), listener);
                    [
                        Box::pin(async move { one.accept().await.map(drop) }),
                        Box::pin(
                            async move { poll_fn(|cx| two.poll_accept(cx).map_ok(drop)).await },
                        ),
                    ]
                };
                let acceptors = acceptors.map(spawn);
                for _ in 0..acceptors.len() {
                    sleep(TICK).await;
                    drop(TcpStream::connect(address).await.unwrap());
                }
                let mut served = 0;
                for acceptor in acceptors {
                    served += usize::from(timeout(100 * TICK, acceptor).await.is_ok());
                }
                served
            });
            assert_eq!(served, Ok(2), "{kind}");
            ev.close().unwrap();
        }
    }
}

mod nesting {
    use super::*;

    /// Tries to run each kind of loop, and a runner, here.
    fn refusals() -> Vec<(&'static str, Result<(), LoopError>)> {
        let mut refusals = Vec::new();
        for (kind, ev) in loops() {
            refusals.push((kind, ev.run_borrowed(async {})));
            refusals.push((kind, ev.run_until_complete(async {})));
            ev.close().unwrap();
        }
        let mut runner = Runner::new(|| production::current_thread(LoopConfig::default()));
        refusals.push(("runner", runner.run(async {})));
        refusals
    }

    #[track_caller]
    fn assert_refused(place: &str, refusals: Vec<(&'static str, Result<(), LoopError>)>) {
        assert_eq!(refusals.len(), 7);
        for (kind, outcome) in refusals {
            let refused = match kind {
                "runner" => matches!(outcome, Err(LoopError::RunnerInsideLoop { .. })),
                _ => matches!(outcome, Err(LoopError::AnotherLoopRunning { .. })),
            };
            assert!(refused, "{kind} in {place}: {outcome:?}");
        }
    }

    fn in_a_world<F>(main: impl FnOnce(Sim) -> F + Send + 'static) -> F::Output
    where
        F: Future + Send,
        F::Output: Send + 'static,
    {
        let run = sim::run_once(&Config::new(), 0, main);
        assert_eq!(run.verdict, None);
        run.value.unwrap()
    }

    #[test]
    fn is_refused_in_the_body_of_a_world() {
        assert_refused("the body", in_a_world(|_| async { refusals() }));
    }

    #[test]
    fn is_refused_in_a_task_of_a_world() {
        let refusals = in_a_world(|_| async { spawn(async { refusals() }).await.unwrap() });
        assert_refused("a task", refusals);
    }

    #[test]
    fn is_refused_in_a_callback_of_a_world() {
        let refusals = in_a_world(|sim| async move {
            let (sender, receiver) = futures::channel::oneshot::channel();
            let call = move || drop(sender.send(refusals()));
            sim.event_loop().call_soon(call).unwrap();
            receiver.await.unwrap()
        });
        assert_refused("a callback", refusals);
    }

    fn tokio_runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
    }

    #[test]
    fn is_refused_inside_a_runtime_of_tokios_own() {
        tokio_runtime().block_on(async {
            for (kind, ev) in loops().into_iter().take(2) {
                let spawned = Arc::new(());
                let main = spawned.clone();
                let refused = [
                    ev.run_borrowed(async {}),
                    ev.run_until_complete(async move { drop(main) }),
                    ev.run_forever(),
                ];
                for refused in refused {
                    let outer = match &refused {
                        Err(LoopError::AnotherLoopRunning { outer, .. }) => *outer,
                        other => panic!("{kind}: {other:?}"),
                    };
                    assert_eq!(outer, None);
                    assert!(
                        refused
                            .unwrap_err()
                            .to_string()
                            .contains("runtime of tokio's")
                    );
                }
                assert_eq!(
                    Arc::strong_count(&spawned),
                    1,
                    "{kind}: nothing was started"
                );
                ev.close().unwrap();
            }
        });
    }

    // Where tokio lets code block, a loop runs.
    #[test]
    fn is_no_nesting_where_a_runtime_of_tokios_lets_code_block() {
        let runtime = tokio_runtime();
        let run = || {
            let ev = production::current_thread(LoopConfig::default()).unwrap();
            let value = ev.run_borrowed(async { 7 });
            ev.close().unwrap();
            value
        };
        {
            let _entered = runtime.enter();
            assert_eq!(run(), Ok(7), "entered");
        }
        let job = runtime.block_on(async { tokio::task::spawn_blocking(run).await });
        assert_eq!(job.unwrap(), Ok(7), "in a blocking job");
    }

    #[test]
    fn names_the_task_of_the_world_it_is_refused_in() {
        let (line, refused) = in_a_world(|_| async {
            let task = spawn(async {
                let ev = production::current_thread(LoopConfig::default()).unwrap();
                ev.run_borrowed(async {})
            });
            (line!() - 4, task.await.unwrap())
        });
        let Err(LoopError::AnotherLoopRunning { outer, .. }) = refused else {
            panic!("{refused:?}");
        };
        let outer = outer.expect("it is one of ours");
        assert_eq!((outer.file(), outer.line()), (file!(), line));
    }
}

mod thread_locals {
    use std::cell::RefCell;
    use std::sync::mpsc;
    use std::thread;

    use event_loop::time::Instant;

    use super::*;

    type AtExit = Box<dyn FnOnce() + Send>;

    struct Last(RefCell<Option<AtExit>>);

    impl Drop for Last {
        fn drop(&mut self) {
            if let Some(at_exit) = self.0.take() {
                at_exit();
            }
        }
    }

    thread_local! {
        static LAST: Last = const { Last(RefCell::new(None)) };
    }

    /// Runs `at_exit` in a thread-local's destructor, once before and once after the loop's own
    /// thread-local is gone.
    fn at_exit_of_a_thread<T: Send + 'static>(at_exit: fn(EventLoop) -> T) -> Vec<T> {
        let mut seen = Vec::new();
        for (_, ev) in loops().into_iter().take(2) {
            for ours_first in [true, false] {
                let (sender, receiver) = mpsc::channel();
                let on_thread = ev.clone();
                let thread = thread::spawn(move || {
                    let touch_loop = || drop(on_thread.enter());
                    let at_end = on_thread.clone();
                    let prepare = move || {
                        LAST.with(|last| {
                            let at_exit = move || sender.send(at_exit(at_end)).unwrap();
                            last.0.replace(Some(Box::new(at_exit)));
                        });
                    };
                    if ours_first {
                        prepare();
                        touch_loop();
                    } else {
                        touch_loop();
                        prepare();
                    }
                });
                thread.join().unwrap();
                seen.push(receiver.recv().expect("the destructor ran to its end"));
            }
            ev.close().unwrap();
        }
        assert_eq!(seen.len(), 4);
        seen
    }

    #[test]
    fn find_no_loop_in_their_destructors() {
        let seen = at_exit_of_a_thread(|_| {
            let _ = Instant::now();
            let found = event_loop::current().is_ok() || event_loop::running().is_ok();
            found || event_loop::try_spawn(async {}).is_ok()
        });
        assert_eq!(seen, [false; 4]);
    }

    #[test]
    fn use_a_loop_they_have_in_their_destructors() {
        let seen = at_exit_of_a_thread(|ev| {
            let _entered = ev.enter();
            let task = ev.spawn(async {});
            let called = ev.call_soon(|| ()).is_ok();
            called && task.id().is_some()
        });
        assert_eq!(seen, [true; 4]);
    }
}

mod exception_handlers {
    use super::*;

    /// Sets a handler that holds its own loop and `token`.
    fn keep_in_handler(ev: &EventLoop, token: Arc<()>) {
        let own = ev.clone();
        ev.set_exception_handler(Some(move |_: &EventLoop, _: &ErrorContext| {
            let _ = (&own, &token);
        }));
    }

    #[test]
    fn that_hold_their_loop_go_when_it_closes() {
        for (kind, ev) in loops() {
            let token = Arc::new(());
            keep_in_handler(&ev, token.clone());
            ev.close().unwrap();
            assert_eq!(Arc::strong_count(&token), 1, "{kind}");
            keep_in_handler(&ev, token.clone());
            assert_eq!(Arc::strong_count(&token), 1, "{kind}, set after close");
        }
    }

    #[test]
    fn that_hold_their_loop_go_with_the_last_panic_nobody_read() {
        for (kind, ev) in loops() {
            let token = Arc::new(());
            keep_in_handler(&ev, token.clone());
            let task = ev.spawn(async { panic!("unread") as () });
            ev.run_borrowed(async { sleep(TICK / 10).await }).unwrap();
            ev.close().unwrap();
            assert_eq!(Arc::strong_count(&token), 2, "{kind}: it may yet be told");
            drop(task);
            assert_eq!(Arc::strong_count(&token), 1, "{kind}");
        }
    }

    #[test]
    fn that_hold_their_loop_go_when_its_world_ends() {
        let token = Arc::new(());
        let held = token.clone();
        let run = sim::run_once(&Config::new(), 0, |sim| async move {
            keep_in_handler(&sim.event_loop(), held.clone());
            keep_in_handler(&sim.host("other").event_loop(), held);
        });
        assert_eq!(run.verdict, None);
        assert_eq!(Arc::strong_count(&token), 1);
    }

    #[test]
    fn are_told_of_what_destructors_panic_with_at_the_end() {
        struct Panics;

        impl Drop for Panics {
            fn drop(&mut self) {
                panic!("at the end");
            }
        }

        for (kind, ev) in loops() {
            let told = Arc::new(Mutex::new(Vec::new()));
            let telling = told.clone();
            ev.set_exception_handler(Some(move |_: &EventLoop, context: &ErrorContext| {
                telling.lock().unwrap().push(context.error.clone());
            }));
            let panics = Panics;
            ev.spawn(async move {
                let _panics = panics;
                std::future::pending::<()>().await;
            })
            .detach();
            ev.run_borrowed(async { sleep(TICK / 10).await }).unwrap();
            ev.close().unwrap();
            assert_eq!(*told.lock().unwrap(), ["at the end"], "{kind}");
        }
    }
}

mod entering {
    use super::*;

    fn current_is(ev: &EventLoop) -> bool {
        event_loop::current().is_ok_and(|current| current.same_loop(ev))
    }

    #[test]
    fn a_loop_in_a_task_of_another_makes_it_current() {
        for ((kind, ev), (_, other)) in loops().into_iter().zip(loops()) {
            let (own, entered) = (ev.clone(), other.clone());
            let seen = ev.run_until_complete(async move {
                let mut seen = vec![current_is(&own)];
                {
                    let _entered = entered.enter();
                    seen.push(current_is(&entered));
                    {
                        let _again = own.enter();
                        seen.push(current_is(&own));
                    }
                    seen.push(current_is(&entered));
                }
                seen.push(current_is(&own));
                event_loop::yield_now().await;
                seen.push(current_is(&own));
                seen
            });
            assert_eq!(seen, Ok(vec![true; 6]), "{kind}");
            ev.close().unwrap();
            other.close().unwrap();
        }
    }

    // What is entered around a run has no say inside its tasks.
    #[test]
    fn a_loop_around_the_run_of_another_does_not() {
        for ((kind, ev), (_, other)) in loops().into_iter().zip(loops()) {
            let _entered = other.enter();
            let own = ev.clone();
            let seen = ev.run_until_complete(async move { current_is(&own) });
            assert_eq!(seen, Ok(true), "{kind}");
            assert!(current_is(&other), "{kind}");
        }
    }

    #[test]
    fn a_world_in_a_task_of_production_makes_its_loop_current() {
        let ev = production::current_thread(LoopConfig::default()).unwrap();
        let seen = ev.run_until_complete(async {
            let run = sim::run_once(&Config::new(), 0, |sim| async move {
                (
                    current_is(&sim.event_loop()),
                    spawn(async { 7 }).await.unwrap(),
                )
            });
            run.value
        });
        assert_eq!(seen, Ok(Some((true, 7))));
        ev.close().unwrap();
    }
}

mod cancelling {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Wake, Waker};

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn keeps_no_waker_of_a_future_that_is_gone() {
        for (kind, ev) in loops() {
            let (counts, woken) = ev
                .run_until_complete(async {
                    let task = spawn(async {
                        let counts = [(); 100].map(|()| Arc::new(Count::default()));
                        for count in &counts {
                            let waker = Waker::from(count.clone());
                            let mut gone = Box::pin(event_loop::cancelled());
                            assert!(
                                gone.as_mut()
                                    .poll(&mut Context::from_waker(&waker))
                                    .is_pending()
                            );
                        }
                        let kept = counts.iter().map(|count| Arc::strong_count(count) - 1);
                        let kept: usize = kept.sum();
                        event_loop::cancelled().await;
                        (kept, counts)
                    });
                    sleep(TICK / 10).await;
                    task.request_cancel();
                    let (kept, counts) = task.await.unwrap();
                    let woken = counts.iter().map(|count| count.0.load(Ordering::Relaxed));
                    (kept, woken.sum::<usize>())
                })
                .unwrap();
            assert_eq!((counts, woken), (0, 0), "{kind}");
            ev.close().unwrap();
        }
    }
}

mod sleeping {
    use event_loop::time::{Instant, sleep_until};

    use super::*;

    /// At which poll a sleep is ready whose time has passed before the first.
    async fn polls_of(sleep: impl Future<Output = ()>) -> u32 {
        let mut sleep = Box::pin(sleep);
        let mut polls = 0;
        poll_fn(|cx| {
            polls += 1;
            sleep.as_mut().poll(cx)
        })
        .await;
        polls
    }

    #[test]
    fn until_the_past_takes_one_more_iteration() {
        for (kind, ev) in loops() {
            let polls = ev.run_borrowed(async {
                let past = Instant::now();
                let late = sleep(TICK / 20);
                sleep(TICK / 4).await;
                (polls_of(sleep_until(past)).await, polls_of(late).await)
            });
            let (past, late) = polls.unwrap();
            assert_eq!(past, 2, "{kind}");
            assert_eq!(late, 2, "{kind}");
            ev.close().unwrap();
        }
    }
}

mod a_hosted_loop {
    use super::*;

    #[test]
    fn is_closed_and_no_longer_running_after_its_world() {
        let run = sim::run_once(&Config::new(), 0, |sim| async move {
            let ev = sim.event_loop();
            let refused = matches!(ev.close(), Err(LoopError::CloseWhileRunning { .. }));
            (refused, ev)
        });
        let (refused, ev) = run.value.unwrap();
        assert!(refused);
        assert!(ev.is_closed() && !ev.is_running());
        assert_eq!(ev.close(), Ok(()));
    }
}

mod the_value_of_a_detached_task {
    use super::*;

    struct Panics;

    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("in the value");
        }
    }

    #[test]
    fn may_panic_when_it_is_dropped() {
        for (kind, ev) in loops() {
            let told = Arc::new(Mutex::new(Vec::new()));
            let telling = told.clone();
            ev.set_exception_handler(Some(move |_: &EventLoop, context: &ErrorContext| {
                telling.lock().unwrap().push(context.error.clone());
            }));
            let panics = Panics;
            ev.spawn(async { panics }).detach();
            let after = ev.run_borrowed(async { sleep(TICK / 10).await });
            assert_eq!(after, Ok(()), "{kind}");
            ev.close().unwrap();
            // A worker of tokio's drops the value outside the task, where no loop is current.
            if kind != "multi-thread" {
                assert_eq!(*told.lock().unwrap(), ["in the value"], "{kind}");
            }
        }
    }
}
