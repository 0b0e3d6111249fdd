//! Threads that a program makes inside of a world: they take turns, and wait in virtual time.
#![expect(
    clippy::disallowed_methods,
    reason = "its sleeps and clocks are what is tested"
)]

mod random_programs;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel, sync_channel};
use std::sync::{Arc, Barrier, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use event_loop::sync::oneshot;
use event_loop::time::sleep;
use sim::{Config, Profile, Run, Sim, VerdictKind};

const SEEDS: u64 = 50;

/// One run for each profile and some seeds, each twice: whatever it returned, all runs were alike.
fn everywhere<T, F>(main: fn(Sim) -> F, check: impl Fn(&T, &str))
where
    F: Future<Output = T> + 'static,
    T: Send + 'static,
{
    for profile in Profile::ALL {
        let config = Config::new().profile(profile);
        for seed in 0..SEEDS {
            let what = format!("{profile} {seed}");
            let run = sim::run_once(&config, seed, main);
            assert!(run.verdict.is_none(), "{what}: {:?}", run.verdict);
            check(run.value.as_ref().expect("it returns"), &what);
            let again = sim::record_once(&config, seed, main);
            assert_eq!(run.hash, again.hash, "{what}");
        }
    }
}

fn millis(since: Instant) -> u128 {
    since.elapsed().as_millis()
}

/// Has a thread say something to a task: the thread's join would block the loop.
async fn on_a_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (tell, told) = oneshot::channel();
    thread::spawn(move || tell.send(work()).ok().expect("somebody listens"));
    told.await.expect("it says something")
}

#[test]
fn a_thread_runs_beside_the_tasks_and_sleeps_in_virtual_time() {
    async fn main(_: Sim) -> (u128, u128) {
        let began = Instant::now();
        let slept = on_a_thread(move || {
            thread::sleep(Duration::from_secs(5));
            millis(began)
        });
        let slept = slept.await;
        (slept, millis(began))
    }
    everywhere(main, |(slept, all), what| {
        assert!((5_000..5_010).contains(slept), "{what}: {slept}");
        assert!((5_000..5_010).contains(all), "{what}: {all}");
    });
}

#[test]
fn tasks_go_on_while_a_thread_sleeps() {
    async fn main(_: Sim) -> u32 {
        let ticks = Arc::new(AtomicU64::new(0));
        let seen = ticks.clone();
        let ticker = event_loop::spawn(async move {
            loop {
                sleep(Duration::from_millis(10)).await;
                ticks.fetch_add(1, Ordering::Relaxed);
            }
        });
        let seen = on_a_thread(move || {
            thread::sleep(Duration::from_millis(105));
            seen.load(Ordering::Relaxed)
        });
        let seen = seen.await;
        drop(ticker);
        seen as u32
    }
    everywhere(main, |ticks, what| {
        assert!((9..=10).contains(ticks), "{what}: {ticks}")
    });
}

#[test]
fn a_lock_is_handed_on_in_virtual_time() {
    async fn main(_: Sim) -> (u64, u128) {
        let counter = Arc::new(Mutex::new(0));
        let began = Instant::now();
        let work = move || {
            let threads: Vec<_> = (0..5)
                .map(|_| {
                    let counter = counter.clone();
                    thread::spawn(move || {
                        let mut counter = counter.lock().unwrap();
                        let read = *counter;
                        thread::sleep(Duration::from_millis(20));
                        *counter = read + 1;
                    })
                })
                .collect();
            threads
                .into_iter()
                .for_each(|thread| thread.join().unwrap());
            *counter.lock().unwrap()
        };
        (on_a_thread(work).await, millis(began))
    }
    everywhere(main, |(count, took), what| {
        assert_eq!(*count, 5, "{what}");
        assert!((100..110).contains(took), "{what}: {took}");
    });
}

#[test]
fn channels_condvars_barriers_scopes_and_parking_wait_in_virtual_time() {
    async fn main(_: Sim) -> Vec<u128> {
        let began = Instant::now();
        on_a_thread(move || {
            let mut at = Vec::new();
            let (send, receive) = channel();
            let (give, take) = sync_channel::<u32>(0);
            thread::scope(|scope| {
                scope.spawn(|| {
                    thread::sleep(Duration::from_millis(10));
                    send.send(7).unwrap();
                    give.send(8).unwrap();
                });
                assert_eq!(receive.recv(), Ok(7));
                at.push(millis(began));
                thread::sleep(Duration::from_millis(10));
                assert_eq!(take.recv(), Ok(8));
            });
            at.push(millis(began));
            let waited = receive.recv_timeout(Duration::from_millis(30));
            assert_eq!(waited, Err(RecvTimeoutError::Timeout));
            at.push(millis(began));
            let pair = Arc::new((Mutex::new(false), Condvar::new()));
            let other = pair.clone();
            let setter = thread::spawn(move || {
                thread::sleep(Duration::from_millis(5));
                *other.0.lock().unwrap() = true;
                other.1.notify_all();
            });
            let mut set = pair.0.lock().unwrap();
            while !*set {
                set = pair.1.wait(set).unwrap();
            }
            drop(set);
            at.push(millis(began));
            setter.join().unwrap();
            let here = thread::current();
            let unparker = thread::spawn(move || {
                thread::sleep(Duration::from_millis(5));
                here.unpark();
            });
            thread::park();
            at.push(millis(began));
            unparker.join().unwrap();
            thread::park_timeout(Duration::from_millis(15));
            at.push(millis(began));
            let barrier = Arc::new(Barrier::new(3));
            let late: Vec<_> = (1..3)
                .map(|n| {
                    let barrier = barrier.clone();
                    thread::spawn(move || {
                        thread::sleep(Duration::from_millis(n * 10));
                        barrier.wait();
                    })
                })
                .collect();
            barrier.wait();
            at.push(millis(began));
            late.into_iter().for_each(|late| late.join().unwrap());
            at
        })
        .await
    }
    everywhere(main, |at, what| {
        let first = at[0];
        let since: Vec<_> = at.iter().map(|at| at - first).collect();
        assert_eq!(since, [0, 10, 40, 45, 50, 65, 85], "{what}");
    });
}

#[test]
fn a_thread_s_panic_is_its_join_handle_s_business() {
    async fn main(_: Sim) -> String {
        on_a_thread(|| {
            let thread = thread::spawn(|| panic!("of the thread's own"));
            let payload = thread.join().unwrap_err();
            thread::spawn(|| panic!("that nobody reads"));
            (*payload.downcast::<&str>().unwrap()).to_owned()
        })
        .await
    }
    everywhere(main, |text, what| {
        assert_eq!(text, "of the thread's own", "{what}")
    });
}

#[test]
fn a_thread_that_yields_until_something_happens_gets_there() {
    async fn main(_: Sim) -> u128 {
        let began = Instant::now();
        let flag = Arc::new(AtomicBool::new(false));
        let set = flag.clone();
        let waits = on_a_thread(move || {
            while !flag.load(Ordering::Relaxed) {
                thread::yield_now();
            }
            millis(began)
        });
        let setter = async move {
            sleep(Duration::from_millis(3)).await;
            set.store(true, Ordering::Relaxed);
            std::future::pending::<()>().await;
        };
        let setter = event_loop::spawn(setter);
        let at = waits.await;
        drop(setter);
        at
    }
    for profile in Profile::ALL {
        for seed in 0..3 {
            let config = Config::new().profile(profile);
            let run = sim::run_once(&config, seed, main);
            let at = run.value.expect("time passes for who yields");
            assert!((3..6).contains(&at), "{profile} {seed}: {at}");
        }
    }
}

#[test]
fn the_order_of_threads_is_the_seed_s() {
    async fn main(_: Sim) -> Vec<u32> {
        on_a_thread(|| {
            let order = Mutex::new(Vec::new());
            thread::scope(|scope| {
                for n in 0..4 {
                    let order = &order;
                    scope.spawn(move || order.lock().unwrap().push(n));
                }
            });
            order.into_inner().unwrap()
        })
        .await
    }
    for profile in Profile::ALL {
        let config = Config::new().profile(profile);
        let of = |seed| sim::run_once(&config, seed, main).value.unwrap();
        assert_eq!(of(0), [0, 1, 2, 3], "{profile}");
        let orders: std::collections::BTreeSet<_> = (0..SEEDS).map(of).collect();
        assert!(orders.len() > 10, "{profile}: {orders:?}");
    }
}

#[test]
fn threads_that_wait_for_each_other_are_a_deadlock_that_names_them() {
    async fn main(_: Sim) {
        on_a_thread(|| {
            let (send, receive) = channel::<()>();
            let reader = thread::Builder::new().name("reader".to_owned());
            let thread = reader.spawn(move || receive.recv().is_ok()).unwrap();
            thread.join().unwrap();
            drop(send);
        })
        .await;
    }
    for profile in Profile::ALL {
        let config = Config::new().profile(profile);
        let run: Run<()> = sim::record_once(&config, 3, main);
        let verdict = run.verdict.expect("nobody goes on");
        assert_eq!(verdict.kind, VerdictKind::Deadlock, "{profile}: {verdict}");
        assert!(
            verdict
                .message
                .contains("1 task and 2 threads wait for ever"),
            "{verdict}"
        );
        let blocked = verdict.blocked.join("\n");
        assert!(blocked.contains("waits on the end of thread"), "{blocked}");
        assert!(
            blocked.contains("called \"reader\", waits on a lock or a wake"),
            "{blocked}"
        );
    }
}

#[test]
fn a_thread_that_is_alive_at_the_end_of_the_run_never_goes_on() {
    static WENT_ON: AtomicBool = AtomicBool::new(false);
    struct Mark;
    impl Drop for Mark {
        fn drop(&mut self) {
            WENT_ON.store(true, Ordering::Relaxed);
        }
    }
    async fn main(_: Sim) {
        thread::spawn(|| {
            let _mark = Mark;
            thread::sleep(Duration::from_secs(1));
        });
        sleep(Duration::from_millis(1)).await;
    }
    everywhere(main, |(), _| ());
    assert!(!WENT_ON.load(Ordering::Relaxed));
}

#[test]
fn a_task_that_owns_a_worker_ends_it_as_the_world_ends() {
    struct Worker(Option<(std::sync::mpsc::Sender<u32>, thread::JoinHandle<u32>)>);
    static SUMS: AtomicU64 = AtomicU64::new(0);
    impl Drop for Worker {
        fn drop(&mut self) {
            let (jobs, thread) = self.0.take().expect("it is dropped once");
            drop(jobs);
            let sum = thread.join().expect("it does not panic");
            SUMS.fetch_add(u64::from(sum), Ordering::Relaxed);
        }
    }
    async fn main(_: Sim) {
        event_loop::spawn(async {
            let (jobs, work) = channel();
            let thread = thread::spawn(move || work.iter().sum());
            let worker = Worker(Some((jobs, thread)));
            for n in 1..=3 {
                worker.0.as_ref().unwrap().0.send(n).unwrap();
            }
            std::future::pending::<()>().await;
        })
        .detach();
        sleep(Duration::from_millis(1)).await;
    }
    everywhere(main, |(), _| ());
    assert_eq!(
        SUMS.load(Ordering::Relaxed),
        6 * 2 * SEEDS * Profile::ALL.len() as u64
    );
}

#[test]
fn a_loop_s_handles_are_used_from_its_threads() {
    async fn main(_: Sim) -> u32 {
        let ev = event_loop::running().unwrap();
        let (tell, told) = oneshot::channel();
        thread::spawn(move || {
            let task = ev.spawn(async move {
                sleep(Duration::from_millis(5)).await;
                tell.send(42).unwrap();
            });
            task.detach();
        });
        told.await.unwrap()
    }
    everywhere(main, |answer, what| assert_eq!(*answer, 42, "{what}"));
}

#[test]
fn no_loop_is_current_on_a_thread() {
    async fn main(_: Sim) -> bool {
        on_a_thread(|| event_loop::running().is_err()).await
    }
    everywhere(main, |alone, what| assert!(alone, "{what}"));
}
