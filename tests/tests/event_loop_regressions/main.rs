//! What production and simulation once did differently, or wrongly, about a loop.

mod accepting;
mod exception_handlers;
mod nesting;
mod panics;
mod races;
mod thread_locals;

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
