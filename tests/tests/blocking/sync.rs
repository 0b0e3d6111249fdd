//! Primitives between jobs, which block their thread, and tasks, which wait.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use event_loop::sync::{Mutex, RwLock, Semaphore, broadcast, mpsc, oneshot};
use event_loop::time::sleep;
use event_loop::{EventLoop, run_blocking};

use crate::backends::{Backends, on};

const TICK: Duration = Duration::from_millis(1);

#[test]
fn a_job_waits_for_what_a_task_sends_and_a_task_for_what_a_job_sends() {
    on(Backends::Everywhere, |backend| {
        let ev = backend.make();
        let sum = ev.run_until_complete(async {
            let (to_job, mut inbox) = mpsc::channel(1);
            let (to_task, mut outbox) = mpsc::channel(1);
            let job = run_blocking(move || {
                while let Some(n) = inbox.blocking_recv() {
                    to_task.blocking_send(n * 2).unwrap();
                }
            });
            event_loop::spawn(async move {
                for n in 0..10 {
                    sleep(TICK).await;
                    to_job.send(n).await.unwrap();
                }
            })
            .detach();
            let mut sum = 0;
            while let Some(n) = outbox.recv().await {
                sum += n;
            }
            job.await.unwrap();
            sum
        });
        assert_eq!(sum, Ok(90));
    });
}

#[test]
fn an_unbounded_channel_a_oneshot_and_a_broadcast_give_to_a_job() {
    on(Backends::Everywhere, |backend| {
        let ev = backend.make();
        let got = ev.run_until_complete(async {
            let (items, mut inbox) = mpsc::unbounded_channel();
            let (quotes, mut chart) = broadcast::channel(4);
            let (reply, answer) = oneshot::channel();
            let (late, mut many) = mpsc::channel(8);
            let job = run_blocking(move || {
                let mut buffer = Vec::new();
                let taken = many.blocking_recv_many(&mut buffer, 8);
                let first = inbox.blocking_recv();
                let rest = inbox.blocking_recv_many(&mut buffer, 8);
                (
                    taken,
                    first,
                    rest,
                    chart.blocking_recv(),
                    answer.blocking_recv(),
                    buffer,
                )
            });
            sleep(TICK).await;
            late.send(1).await.unwrap();
            sleep(TICK).await;
            items.send(2).unwrap();
            sleep(TICK).await;
            drop(items);
            quotes.send(3).unwrap();
            sleep(TICK).await;
            reply.send(4).unwrap();
            job.await.unwrap()
        });
        assert_eq!(got, Ok((1, Some(2), 0, Ok(3), Ok(4), vec![1])));
    });
}

#[test]
fn a_job_locks_what_tasks_lock() {
    on(Backends::Everywhere, |backend| {
        let ev = backend.make();
        let counts = ev.run_until_complete(async {
            let (mutex, rwlock) = (Arc::new(Mutex::new(0)), Arc::new(RwLock::new(0)));
            let semaphore = Arc::new(Semaphore::new(2));
            let (held, permits) = (mutex.lock().await, semaphore.acquire_many(2).await.unwrap());
            let jobs: Vec<_> = (0..4)
                .map(|_| {
                    let (mutex, rwlock) = (mutex.clone(), rwlock.clone());
                    let semaphore = semaphore.clone();
                    run_blocking(move || {
                        *mutex.blocking_lock() += 1;
                        *mutex.blocking_lock_owned() += 1;
                        *rwlock.blocking_write() += 1;
                        assert!(*rwlock.blocking_read() > 0);
                        drop(semaphore.blocking_acquire().unwrap());
                        drop(semaphore.blocking_acquire_many_owned(2).unwrap());
                    })
                })
                .collect();
            sleep(TICK).await;
            drop(held);
            sleep(TICK).await;
            drop(permits);
            for job in jobs {
                job.await.unwrap();
            }
            (
                *mutex.lock().await,
                *rwlock.read().await,
                semaphore.available_permits(),
            )
        });
        assert_eq!(counts, Ok((8, 4, 2)));
    });
}

#[test]
fn a_thread_that_runs_a_loop_is_refused_in_tokio_s_words() {
    const WORDS: &str = "Cannot block the current thread from within a runtime.";
    fn refused<R>(what: &str, f: impl FnOnce() -> R) {
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(f())));
        let panic = panic.expect_err(what);
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        assert!(text.unwrap_or_default().starts_with(WORDS), "{what}");
    }
    fn all() {
        let mutex = Arc::new(Mutex::new(()));
        refused("blocking_lock", || drop(mutex.blocking_lock()));
        refused("blocking_lock_owned", || {
            drop(mutex.clone().blocking_lock_owned())
        });
        let rwlock = RwLock::new(());
        refused("blocking_read", || drop(rwlock.blocking_read()));
        refused("blocking_write", || drop(rwlock.blocking_write()));
        let semaphore = Semaphore::new(1);
        refused("blocking_acquire", || {
            semaphore.blocking_acquire().map(drop)
        });
        let (sender, mut receiver) = mpsc::channel(1);
        refused("blocking_send", || sender.blocking_send(1));
        refused("blocking_recv", || receiver.blocking_recv());
        let (_sender, mut receiver) = mpsc::unbounded_channel::<()>();
        refused("unbounded blocking_recv", || receiver.blocking_recv());
        let (_sender, receiver) = oneshot::channel::<()>();
        refused("oneshot blocking_recv", || receiver.blocking_recv());
        let (_sender, mut receiver) = broadcast::channel::<()>(1);
        refused("broadcast blocking_recv", || receiver.blocking_recv());
    }
    on(Backends::Everywhere, |backend| {
        let ev = backend.make();
        ev.run_until_complete(async {
            all();
            // In a callback as in a task, and not on a thread that has merely entered the loop.
            let (tell, told) = oneshot::channel();
            let ev = event_loop::current().unwrap();
            ev.call_soon(move || {
                all();
                tell.send(()).unwrap();
            })
            .unwrap();
            told.await.unwrap();
        })
        .unwrap();
    });
}

#[test]
fn a_thread_of_one_s_own_may_block_though_it_has_entered_the_loop() {
    on(Backends::Everywhere, |backend| {
        let ev = backend.make();
        let got = ev.run_until_complete(async {
            let ev: EventLoop = event_loop::current().unwrap();
            let (reply, answer) = oneshot::channel();
            let (done, ended) = oneshot::channel();
            let thread = thread::spawn(move || {
                let _entered = ev.enter();
                done.send(answer.blocking_recv()).unwrap();
            });
            sleep(TICK).await;
            reply.send(7).unwrap();
            let got = ended.await.unwrap();
            run_blocking(|| thread.join().unwrap()).await.unwrap();
            got
        });
        assert_eq!(got, Ok(Ok(7)));
    });
}

#[test]
fn a_job_drives_a_future_with_any_block_on() {
    on(Backends::Everywhere, |backend| {
        let ev = backend.make();
        let value = ev.run_until_complete(async {
            let begun = event_loop::time::Instant::now();
            let job = run_blocking(|| {
                futures::executor::block_on(async {
                    sleep(TICK * 5).await;
                    event_loop::spawn(async { 42 }).await.unwrap()
                })
            });
            (job.await.unwrap(), begun.elapsed() >= TICK * 5)
        });
        assert_eq!(value, Ok((42, true)));
        // The loop's own run is refused: it runs already.
        let refused = ev.run_until_complete(async {
            let ev = event_loop::current().unwrap();
            run_blocking(move || ev.run_borrowed(async {}).unwrap_err().to_string()).await
        });
        let text = refused.unwrap().unwrap();
        assert!(
            text.starts_with("This event loop is already running"),
            "{text}"
        );
    });
}
