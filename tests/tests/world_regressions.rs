//! Defects the world once had, each with the least program that showed it.

use std::future::Future as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use event_loop::time::sleep;
use futures::channel::oneshot;
use futures::{SinkExt, StreamExt};
use sim::{Config, Host, Profile, Sim, Verdict, VerdictKind, record_once, replay_once, run_once};
use tests::outside::Outside;

/// A waker whose end is a message.
struct SendsWhenDropped(Mutex<Option<oneshot::Sender<()>>>);

impl Wake for SendsWhenDropped {
    fn wake(self: Arc<Self>) {}
}

impl Drop for SendsWhenDropped {
    fn drop(&mut self) {
        if let Some(sender) = self.0.get_mut().unwrap().take() {
            let _ = sender.send(());
        }
    }
}

/// The wakers in a task's record were dropped with the world's state open, where a wake is put
/// aside; and nobody looked there before the world was called deadlocked.
#[test]
fn a_wake_from_the_end_of_a_task_s_record_is_no_deadlock() {
    for seed in 0..10 {
        let run = run_once(&Config::new(), seed, |_| async {
            let (sender, receiver) = oneshot::channel();
            let task = event_loop::spawn(async move {
                let waker = Waker::from(Arc::new(SendsWhenDropped(Mutex::new(Some(sender)))));
                let mut cancelled = pin!(event_loop::cancelled());
                let asked = cancelled.as_mut().poll(&mut Context::from_waker(&waker));
                assert!(asked.is_pending());
                drop(waker);
                sleep(Duration::from_secs(1)).await;
            });
            receiver.await.unwrap();
            drop(task);
        });
        assert_eq!((run.verdict, run.value), (None, Some(())), "seed {seed}");
    }
}

/// A callback's destructor asked its host for a loop that was gone, and its panic failed the run.
#[test]
fn a_callback_that_is_dropped_at_the_end_may_spawn() {
    struct SpawnsWhenDropped(Host, oneshot::Sender<bool>);

    impl Drop for SpawnsWhenDropped {
        fn drop(&mut self) {
            let refused = self.0.spawn(async {}).is_finished();
            let (sender, _) = oneshot::channel();
            let _ = std::mem::replace(&mut self.1, sender).send(refused);
        }
    }

    let (sender, mut receiver) = oneshot::channel();
    let run = run_once(&Config::new(), 0, |sim: Sim| async move {
        // A later host than the callback's: every loop stays until all are closed.
        let (svc, later) = (sim.host("svc"), sim.host("later"));
        let guard = SpawnsWhenDropped(later, sender);
        svc.event_loop()
            .call_later(Duration::from_secs(60), move || drop(guard))
            .unwrap();
    });
    assert_eq!(run.verdict, None);
    assert_eq!(receiver.try_recv(), Ok(Some(true)));
}

#[test]
fn what_a_host_is_asked_after_the_run_is_refused() {
    let mut kept = None;
    let run = run_once(&Config::new(), 0, |sim: Sim| {
        kept = Some((sim.clone(), sim.host("svc")));
        async {}
    });
    let (sim, svc) = kept.unwrap();
    let spawned = move || {
        assert!(svc.event_loop().is_closed());
        assert!(svc.event_loop().call_soon(|| ()).is_err());
        svc.spawn(async {}).is_finished()
    };
    assert!(spawned());
    assert!(std::thread::spawn(spawned).join().unwrap());
    assert_eq!(sim.host("svc").name(), "svc");
    let refused = catch_unwind(AssertUnwindSafe(|| sim.host("new"))).unwrap_err();
    let text = refused.downcast_ref::<String>().unwrap();
    assert!(text.contains("the run is over"), "{text}");
    assert_eq!(run.verdict, None);
}

/// `main` was called where the caller is, so what it spawned at once was the caller's.
#[test]
fn what_a_host_s_main_spawns_at_once_is_the_host_s() {
    let run = record_once(&Config::new(), 0, |sim: Sim| async move {
        let name = || event_loop::current().unwrap().describe().name;
        let svc = sim.host("svc").run(|_| {
            let child = event_loop::spawn_named("child", async move { name() });
            async move { child.await.unwrap() }
        });
        (svc.await.unwrap(), name())
    });
    assert!(run.timeline().unwrap().to_string().contains("svc/child"));
    assert_eq!(run.value, Some(("svc".to_owned(), "main".to_owned())));
}

/// Between two polls of the inner run the outer run's task was the current one, and went into the
/// inner run's hash.
#[test]
fn a_run_inside_a_task_is_the_same_run() {
    async fn waits_for_ever(_: Sim) {
        let task = event_loop::spawn(event_loop::yield_now());
        task.await.unwrap();
        std::future::pending::<()>().await;
    }
    let inner = || {
        let run = run_once(&Config::new(), 3, waits_for_ever);
        (run.hash, run.verdict.map(|verdict| verdict.task))
    };
    let outer = run_once(&Config::new(), 0, |_| async move {
        let spawned = event_loop::spawn(async move { inner() }).await.unwrap();
        (spawned, event_loop::spawn(async {}).await.is_ok())
    });
    assert_eq!(outer.value, Some((inner(), true)));
    assert_eq!(inner().1, Some(None));
}

/// A touch in the run's last poll was never looked at, nor one by a call on the [`Sim`] itself.
mod a_thread_outside_is_told_on {
    use super::*;

    /// The run of a body that has `touch` done by another thread and waits for that thread.
    fn joined<T>(touch: impl FnOnce(Sim) -> T + Send + 'static) -> (Verdict, Option<String>)
    where
        T: Send + 'static,
    {
        let outside = Outside::start();
        let run = run_once(&Config::new(), 0, |sim: Sim| async move {
            let touched = outside.run(move || drop(touch(sim)));
            touched.err().map(|panic| match panic.downcast::<String>() {
                Ok(text) => *text,
                Err(_) => "no text".to_owned(),
            })
        });
        (run.verdict.unwrap(), run.value.flatten())
    }

    #[test]
    fn though_the_run_ends_with_the_same_poll() {
        let ev = Arc::new(Mutex::new(None));
        let known = ev.clone();
        let outside = Outside::start();
        let run = run_once(&Config::new(), 0, |sim: Sim| async move {
            *known.lock().unwrap() = Some(sim.event_loop());
            let spawns = move || drop(known.lock().unwrap().take().unwrap().spawn(async {}));
            outside.run(spawns).unwrap();
        });
        assert_eq!(run.verdict.unwrap().kind, VerdictKind::ForeignThread);
    }

    #[test]
    fn though_the_body_panics_over_it() {
        let outside = Outside::start();
        let run = run_once(&Config::new(), 0, |sim: Sim| async move {
            let flips = move || sim.flip("from outside");
            outside.run(flips).unwrap()
        });
        assert_eq!(run.verdict.unwrap().kind, VerdictKind::ForeignThread);
    }

    #[test]
    fn whatever_it_asks_of_the_sim() {
        for (verdict, panic) in [
            joined(|sim| sim.flip("from outside")),
            joined(|sim| sim.host("svc")),
            joined(|sim| sim.event_loop()),
        ] {
            assert_eq!(verdict.kind, VerdictKind::ForeignThread, "{verdict}");
            let text = panic.expect("the call panicked");
            assert!(text.contains("this thread is not of the world"), "{text}");
        }
    }

    #[test]
    fn also_while_the_world_ends() {
        struct Touches(Option<Sim>, Outside);

        impl Drop for Touches {
            fn drop(&mut self) {
                let sim = self.0.take().unwrap();
                let _ = self.1.run(move || sim.flip("from outside"));
            }
        }

        let outside = Outside::start();
        let run = run_once(&Config::new(), 0, |sim: Sim| async move {
            let touches = Touches(Some(sim), outside);
            event_loop::spawn(async move {
                let _touches = touches;
                std::future::pending::<()>().await;
            })
            .detach();
            event_loop::yield_now().await;
        });
        assert_eq!(run.verdict.unwrap().kind, VerdictKind::ForeignThread);
    }
}

/// Names and labels with the characters of entries in them, and two tasks of one name, made
/// entries that could not be read back or were of another task.
mod entries_are_faithful {
    use super::*;

    async fn yields(times: u64) {
        for _ in 0..times {
            event_loop::yield_now().await;
        }
    }

    #[track_caller]
    fn assert_faithful<F: Future<Output = ()>>(what: &str, main: impl Fn(Sim) -> F) {
        let mut deviating = 0;
        for seed in 1..60 {
            let run = record_once(&Config::new(), seed, &main);
            let entries = run.entries().unwrap();
            let again = replay_once(&Config::new(), seed, &entries, &main);
            let again = again.unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(again.hash, run.hash, "{what}, seed {seed}: {entries}");
            deviating += u32::from(!entries.is_empty());
        }
        assert!(deviating > 30, "{what}: {deviating} seeds had entries");
    }

    #[test]
    fn whatever_a_label_has_in_it() {
        for label in ["lose it?", "a;b", "a=b#c", " blank ", "", "a/b~2@'x'"] {
            assert_faithful(
                label,
                |sim| async move { yields(sim.choose(label, 8)).await },
            );
        }
    }

    #[test]
    fn whatever_a_host_s_name_has_in_it() {
        for name in [
            "a;b", "eu?west", "it's", "node#1", " x ", "n+1", "a=b", "", "world",
        ] {
            assert_faithful(name, |sim| async move {
                let host = sim.host(name);
                let tasks: Vec<_> = (0..4).map(|_| host.spawn(yields(3))).collect();
                let chooses = host.spawn(async move { yields(sim.choose("n", 5)).await });
                for task in tasks.into_iter().chain([chooses]) {
                    task.await.unwrap();
                }
            });
        }
    }

    #[test]
    fn though_tasks_are_named_alike() {
        assert_faithful("alike", |sim| async move {
            let tasks = [
                sim.host("svc").run(|_| yields(6)),
                sim.host("svc").run(|_| yields(6)),
                event_loop::spawn_named("svc", async {
                    event_loop::spawn_named("x", yields(6)).await.unwrap();
                }),
                sim.host("svc").event_loop().spawn_named("x", yields(6)),
                event_loop::spawn_named("s?", yields(6)),
                event_loop::spawn_named("s#", yields(6)),
            ];
            for task in tasks {
                task.await.unwrap();
            }
        });
    }
}

/// Much work at one instant was a livelock, also where it got somewhere.
mod work_at_one_instant {
    use super::*;

    /// One task after the other, each of which yields once.
    async fn one_by_one(tasks: u32) {
        for _ in 0..tasks {
            event_loop::spawn(event_loop::yield_now()).await.unwrap();
        }
    }

    #[test]
    fn is_no_livelock_while_tasks_end() {
        let config = Config::new().polls_at_once(1_000);
        let run = run_once(&config, 0, |_| one_by_one(5_000));
        assert_eq!((run.verdict, run.value), (None, Some(())));
        assert!(run.polls > 10_000);
    }

    #[test]
    fn still_lets_a_timer_fire() {
        let run = run_once(&Config::new().profile(Profile::Exact), 0, |_| async {
            let spawns = std::pin::pin!(one_by_one(u32::MAX));
            let timer = std::pin::pin!(sleep(Duration::from_millis(5)));
            futures::future::select(spawns, timer).await;
        });
        assert_eq!((run.verdict, run.value), (None, Some(())));
    }

    #[test]
    fn that_never_ends_ends_at_a_limit_that_is_named() {
        let limited = |config: Config| run_once(&config, 0, |_| one_by_one(u32::MAX)).verdict;
        let verdict = limited(Config::new().polls(50_000)).unwrap();
        assert_eq!(verdict.kind, VerdictKind::PollLimit);
        assert!(verdict.message.contains("`polls`"), "{verdict}");

        let run = run_once(&Config::new(), 0, |_| async {
            loop {
                event_loop::yield_now().await;
            }
        });
        let verdict = run.verdict.unwrap();
        assert_eq!(verdict.kind, VerdictKind::Livelock);
        assert!(verdict.message.contains("`polls_at_once`"), "{verdict}");

        let config = Config::new().time_limit(Duration::from_secs(1));
        let run = run_once(&config, 0, |_| sleep(Duration::from_secs(2)));
        let verdict = run.verdict.unwrap();
        assert_eq!(verdict.kind, VerdictKind::TimeLimit);
        assert!(verdict.message.contains("`time_limit`"), "{verdict}");
    }

    /// A pair of tasks that hand each other messages needs a higher limit, and has an argument
    /// for it.
    #[sim::test(seeds = 1, polls_at_once = 3_000_000)]
    async fn of_two_tasks_passes_with_a_higher_limit() {
        let (mut sender, mut receiver) = futures::channel::mpsc::channel::<u32>(0);
        let sends = event_loop::spawn(async move {
            for message in 0..600_000 {
                sender.send(message).await.unwrap();
            }
        });
        let mut received = 0;
        while receiver.next().await.is_some() {
            received += 1;
        }
        sends.await.unwrap();
        assert_eq!(received, 600_000);
    }
}

/// A simulated loop was bound to the thread that made it, and panicked on every other.
mod a_loop_of_the_factory_on_another_thread {
    use event_loop::{EventLoop, LoopError};

    use super::*;

    fn made() -> EventLoop {
        sim::factory(1, Profile::TokioMt).unwrap()
    }

    fn elsewhere<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> T {
        std::thread::spawn(act).join().unwrap()
    }

    #[test]
    fn runs_and_closes() {
        let ev = made();
        let here = ev.clone();
        let slept = elsewhere(move || {
            let first = ev.run_until_complete(async {
                sleep(Duration::from_secs(1)).await;
                5
            });
            (first, ev.clone().run_borrowed(async { 6 }))
        });
        assert_eq!(slept, (Ok(5), Ok(6)));
        assert_eq!(here.now().as_nanos() / 1_000_000_000, 1);
        let task = here.spawn(async { 7 });
        let ev = here.clone();
        assert_eq!(
            elsewhere(move || ev.run_borrowed(task).unwrap().unwrap()),
            7
        );
        let ev = here.clone();
        assert_eq!(elsewhere(move || ev.close()), Ok(()));
        assert!(here.is_closed());
        assert_eq!(here.run_borrowed(async {}), Err(LoopError::Closed));
    }

    #[test]
    fn has_the_same_run() {
        let run = |ev: &EventLoop| {
            let ids = ev.run_borrowed(async {
                let tasks: Vec<_> = (0..8)
                    .map(|id| {
                        event_loop::spawn(async move { (id, event_loop::time::Instant::now()) })
                    })
                    .collect();
                futures::future::join_all(tasks).await
            });
            format!("{ids:?}")
        };
        let here = run(&made());
        assert_eq!(elsewhere(move || run(&made())), here);
        let ev = made();
        assert_eq!(elsewhere(move || run(&ev)), here);
    }

    #[test]
    fn that_touches_a_run_under_way_ends_it() {
        let ev = made();
        let known = ev.clone();
        let outside = Outside::start();
        let ended = ev.run_borrowed(async move {
            let touched = outside.run(move || {
                assert!(known.spawn(async {}).is_finished());
                assert!(known.run_borrowed(async {}).is_err());
            });
            touched.unwrap();
            event_loop::yield_now().await;
        });
        let text = ended.unwrap_err().to_string();
        assert!(text.contains("foreign thread"), "{text}");
    }
}
