//! The cooperative budget: clause K11.

use std::future::{Future, poll_fn, ready};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::Poll;
use std::time::Duration;

use event_loop::net::{TcpListener, TcpStream};
use event_loop::task::coop::{cooperative, has_budget_remaining};
use event_loop::task::{consume_budget, unconstrained};
use event_loop::time::{sleep, timeout};
use event_loop::{spawn, yield_now};
use sim::{Config, Profile};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::backends::Backend;
use crate::clause::Reach::{Everywhere, Only};
use crate::clause::clauses;

const MILLISECOND: Duration = Duration::from_millis(1);

clauses! {
    K11 {
        a_thousand_handles_of_ended_tasks_take_eight_polls: Everywhere,
        a_thousand_timers_that_are_due_take_eight_polls: Everywhere,
        a_thousand_writes_and_as_many_reads_take_eight_polls_each: Everywhere,
        three_hundred_connections_take_three_polls_to_accept: Everywhere,
        what_is_made_cooperative_takes_of_the_budget_too: Everywhere,
        an_operation_that_is_pending_gives_back_what_it_took: Everywhere,
        what_is_unconstrained_takes_one_poll: Everywhere,
        a_task_that_is_always_ready_lets_others_run: Only(
            keeps_a_budget,
            "without a budget nobody else would ever run",
        ),
        a_future_that_uses_up_every_budget_does_not_outlive_its_timeout: Only(
            keeps_a_budget,
            "without a budget it would never return",
        ),
        a_sleep_until_the_past_takes_one_operation: Everywhere,
    }
}

/// Runs `operations`, all of which are ready, and checks how many polls they take.
async fn take_polls(backend: Backend, count: u64, operations: impl Future<Output = ()>) {
    let mut operations = pin!(operations);
    let mut polls = 0;
    // From here on the budget is whole.
    yield_now().await;
    poll_fn(|cx| {
        polls += 1;
        operations.as_mut().poll(cx)
    })
    .await;
    let whole = count.div_ceil(128);
    match backend {
        // A task that another has woken gets what that one has left of its budget.
        Backend::MultiThread => assert!(polls >= whole, "{polls} polls"),
        _ if !keeps_a_budget(backend) => assert_eq!(polls, 1),
        _ => assert_eq!(polls, whole),
    }
}

fn keeps_a_budget(backend: Backend) -> bool {
    matches!(
        backend.profile(),
        None | Some(Profile::TokioMt | Profile::TokioCt)
    )
}

fn a_thousand_handles_of_ended_tasks_take_eight_polls(backend: Backend) {
    let polled = backend.make().run_until_complete(async move {
        let tasks: Vec<_> = (0..1_000).map(|n| spawn(async move { n })).collect();
        while tasks.iter().any(|task| !task.is_finished()) {
            yield_now().await;
        }
        let join = async {
            for (n, task) in tasks.into_iter().enumerate() {
                assert_eq!(task.await.unwrap(), n);
            }
        };
        take_polls(backend, 1_000, join).await;
    });
    polled.unwrap();
}

fn a_thousand_timers_that_are_due_take_eight_polls(backend: Backend) {
    let polled = backend.make().run_until_complete(async move {
        // Long enough that none is due when it is polled first, on a busy machine too.
        let mut sleeps: Vec<_> = (0..1_000)
            .map(|_| Box::pin(sleep(50 * MILLISECOND)))
            .collect();
        poll_fn(|cx| {
            for sleep in &mut sleeps {
                let _ = sleep.as_mut().poll(cx);
            }
            Poll::Ready(())
        })
        .await;
        sleep(100 * MILLISECOND).await;
        let wait = async {
            for sleep in sleeps {
                sleep.await;
            }
        };
        take_polls(backend, 1_000, wait).await;
    });
    polled.unwrap();
}

/// The two ends of a connection.
async fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let client = spawn(async move { TcpStream::connect(address).await.unwrap() });
    let (server, _) = listener.accept().await.unwrap();
    (client.await.unwrap(), server)
}

fn a_thousand_writes_and_as_many_reads_take_eight_polls_each(backend: Backend) {
    let polled = backend.make().run_until_complete(async move {
        let (mut client, mut server) = connection().await;
        let write = async {
            for _ in 0..1_000 {
                assert_eq!(client.write(&[7]).await.unwrap(), 1);
            }
        };
        take_polls(backend, 1_000, write).await;
        sleep(50 * MILLISECOND).await;
        let read = async {
            for _ in 0..1_000 {
                assert_eq!(server.read_u8().await.unwrap(), 7);
            }
        };
        take_polls(backend, 1_000, read).await;
    });
    polled.unwrap();
}

fn three_hundred_connections_take_three_polls_to_accept(backend: Backend) {
    let polled = backend.make().run_until_complete(async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut clients = Vec::new();
        for _ in 0..300 {
            clients.push(TcpStream::connect(address).await.unwrap());
        }
        sleep(20 * MILLISECOND).await;
        let accept = async {
            for _ in 0..300 {
                drop(listener.accept().await.unwrap());
            }
        };
        take_polls(backend, 300, accept).await;
    });
    polled.unwrap();
}

fn what_is_made_cooperative_takes_of_the_budget_too(backend: Backend) {
    let polled = backend.make().run_until_complete(async move {
        let operations = async {
            for n in 0..500 {
                consume_budget().await;
                assert_eq!(cooperative(ready(n)).await, n);
            }
        };
        take_polls(backend, 1_000, operations).await;
    });
    polled.unwrap();
}

fn an_operation_that_is_pending_gives_back_what_it_took(backend: Backend) {
    let polled = backend.make().run_until_complete(async move {
        let mut far = pin!(sleep(Duration::from_hours(1)));
        let operations = poll_fn(|cx| {
            for _ in 0..1_000 {
                assert!(far.as_mut().poll(cx).is_pending());
                assert!(has_budget_remaining());
            }
            Poll::Ready(())
        });
        take_polls(backend, 1, operations).await;
    });
    polled.unwrap();
}

fn what_is_unconstrained_takes_one_poll(backend: Backend) {
    let polled = backend.make().run_until_complete(async move {
        let operations = unconstrained(async {
            for _ in 0..1_000 {
                consume_budget().await;
            }
        });
        take_polls(backend, 1, operations).await;
    });
    polled.unwrap();
}

fn a_task_that_is_always_ready_lets_others_run(backend: Backend) {
    let stop = Arc::new(AtomicBool::new(false));
    let polled = backend.with_one_worker().run_until_complete(async move {
        let stopped = stop.clone();
        let busy = spawn(async move {
            let mut steps = 0_u64;
            while !stopped.load(Relaxed) {
                consume_budget().await;
                steps += 1;
            }
            steps
        });
        spawn(async move { stop.store(true, Relaxed) }).detach();
        busy.await.unwrap()
    });
    let steps = polled.unwrap();
    match backend {
        Backend::MultiThread => {}
        // The next would be the first of its second poll.
        _ if backend.is_plain() || backend == Backend::CurrentThread => assert_eq!(steps, 129),
        _ => assert!(steps == 0 || steps % 128 == 1, "{steps}"),
    }
}

fn a_future_that_uses_up_every_budget_does_not_outlive_its_timeout(backend: Backend) {
    let elapses = async {
        let busy = async {
            loop {
                consume_budget().await;
            }
        };
        timeout(MILLISECOND, busy).await.is_err()
    };
    let elapsed = if backend.is_simulated() {
        // Each poll takes a microsecond once there were as many at one instant.
        let config = Config::new().polls_at_once(100);
        backend.world(config, |_| elapses).value
    } else {
        backend.make().run_until_complete(elapses).ok()
    };
    assert_eq!(elapsed, Some(true));
}

fn a_sleep_until_the_past_takes_one_operation(backend: Backend) {
    let polled = backend.make().run_until_complete(async move {
        let mut past: Vec<Pin<Box<_>>> = Vec::new();
        let now = event_loop::time::Instant::now();
        past.extend((0..64).map(|_| Box::pin(event_loop::time::sleep_until(now))));
        sleep(20 * MILLISECOND).await;
        poll_fn(|cx| {
            for sleep in &mut past {
                assert!(sleep.as_mut().poll(cx).is_pending());
            }
            Poll::Ready(())
        })
        .await;
        sleep(20 * MILLISECOND).await;
        // Together they leave room for as many again.
        let wait = async {
            for sleep in past {
                sleep.await;
            }
            for _ in 0..64 {
                consume_budget().await;
            }
        };
        take_polls(backend, 128, wait).await;
    });
    polled.unwrap();
}
