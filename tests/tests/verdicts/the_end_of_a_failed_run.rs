//! A run that fails drops all it made: once, in order, and with nothing left.

use std::task::{Poll, Waker};

use super::*;

type Order = Arc<Mutex<Vec<&'static str>>>;

/// Says when it is dropped, tries what a destructor might, and notes what was not refused:
/// its own panic would be lost behind the verdict there is.
struct Guard {
    name: &'static str,
    order: Order,
}

impl Drop for Guard {
    fn drop(&mut self) {
        let mut order = self.order.lock().unwrap();
        order.push(self.name);
        let refused = [
            event_loop::try_spawn(async {}).is_err(),
            event_loop::spawn(async {})
                .now_or_never()
                .is_some_and(|outcome| outcome.is_err_and(|error| error.is_closed())),
            event_loop::current().is_err(),
            TcpStream::connect("10.0.0.1:7")
                .now_or_never()
                .is_some_and(|outcome| outcome.is_err()),
            TcpListener::bind("0.0.0.0:9")
                .now_or_never()
                .is_some_and(|outcome| outcome.is_err()),
            sleep(Duration::ZERO).now_or_never().is_none(),
        ];
        if refused != [true; 6] {
            order.push("what was not refused");
        }
    }
}

fn guards(order: &Order) -> impl Fn(&'static str) -> Guard {
    let order = order.clone();
    move |name| Guard {
        name,
        order: order.clone(),
    }
}

/// Tasks on two hosts, at all that one can wait for; the first wakes the last when it goes.
async fn many_tasks(sim: &Sim, guard: &impl Fn(&'static str) -> Guard) {
    let (wakes_the_last, woken) = oneshot::channel::<()>();
    let (server, client) = (sim.host("server"), sim.host("client"));
    let (first, second, third) = (guard("first"), guard("second"), guard("third"));
    let (fourth, last) = (guard("fourth"), guard("last"));
    let serve = async move {
        let _guards = (first, wakes_the_last);
        let listener = TcpListener::bind("0.0.0.0:7").await.unwrap();
        let _stream = listener.accept().await.unwrap();
        listener.accept().await.unwrap();
    };
    server.spawn(serve).detach();
    let read = async move {
        let _guard = second;
        sleep(Duration::from_millis(5)).await;
        let mut stream = TcpStream::connect("server:7").await.unwrap();
        stream.read_exact(&mut [0; 8]).await.unwrap();
    };
    client.spawn(read).detach();
    let wait = async move {
        let _guard = third;
        sleep(Duration::from_hours(1)).await;
    };
    client.spawn(wait).detach();
    let work = async move {
        let _guard = fourth;
        event_loop::cancelled().await;
    };
    server.spawn(work).detach();
    let listen = async move {
        let _guard = last;
        let _ = woken.await;
    };
    client.spawn(listen).detach();
    sleep(Duration::from_secs(1)).await;
}

#[test]
fn drops_every_task_once_in_creation_order_and_refuses_what_destructors_ask() {
    for seed in 0..SEEDS {
        let order = Order::default();
        let guard = guards(&order);
        let run = run_once(&Config::new(), seed, |sim: Sim| async move {
            many_tasks(&sim, &guard).await;
            // Its first poll never comes.
            let unpolled = guard("unpolled");
            event_loop::spawn(async move { drop(unpolled) }).detach();
            panic!("in the middle");
        });
        let verdict = verdict(run);
        assert_eq!(verdict.message, "in the middle", "{verdict}");
        let of_tasks = ["first", "second", "third", "fourth", "last", "unpolled"];
        assert_eq!(*order.lock().unwrap(), of_tasks, "seed {seed}");
        assert_eq!(Arc::strong_count(&order), 1);
    }
}

#[test]
fn drops_the_body_first_when_it_is_cut_off() {
    for seed in 0..SEEDS {
        let order = Order::default();
        let guard = guards(&order);
        let config = Config::new().time_limit(Duration::from_secs(2));
        let run = run_once(&config, seed, |sim: Sim| async move {
            let _of_main = guard("main");
            many_tasks(&sim, &guard).await;
            std::future::pending::<()>().await;
        });
        assert_eq!(verdict(run).kind, VerdictKind::TimeLimit);
        let expected = ["main", "first", "second", "third", "fourth", "last"];
        assert_eq!(*order.lock().unwrap(), expected, "seed {seed}");
    }
}

#[test]
fn drops_what_a_dropped_task_wakes_in_its_own_turn() {
    for seed in 0..SEEDS {
        let order = Order::default();
        let log = order.clone();
        let run = run_once(&Config::new(), seed, |_| async move {
            let (to_last, woken) = oneshot::channel::<()>();
            for (name, sender) in [("first", Some(to_last)), ("second", None)] {
                let log = log.clone();
                event_loop::spawn(async move {
                    let _sender = sender;
                    let _logged = Logged(log, name);
                    std::future::pending::<()>().await;
                })
                .detach();
            }
            event_loop::spawn(async move {
                let _logged = Logged(log, "last");
                let _ = woken.await;
            })
            .detach();
            sleep(Duration::from_millis(1)).await;
            panic!("in the middle");
        });
        assert_eq!(verdict(run).kind, VerdictKind::Panic);
        assert_eq!(
            *order.lock().unwrap(),
            ["first", "second", "last"],
            "seed {seed}"
        );
    }
}

struct Logged(Order, &'static str);

impl Drop for Logged {
    fn drop(&mut self) {
        self.0.lock().unwrap().push(self.1);
    }
}

/// A waker may be used with a lock held that the woken task's destructor takes too.
#[test]
fn a_wake_from_a_destructor_runs_no_other_destructor_inside() {
    #[derive(Default)]
    struct Shared {
        waker: Mutex<Option<Waker>>,
        dropped: AtomicUsize,
    }
    struct Locks(Arc<Shared>);
    impl Drop for Locks {
        fn drop(&mut self) {
            // Inside of another the lock is taken, and the count stays behind.
            if let Ok(mut waker) = self.0.waker.try_lock() {
                self.0.dropped.fetch_add(1, Ordering::Relaxed);
                if let Some(waker) = waker.take() {
                    waker.wake();
                }
            }
        }
    }

    let shared = Arc::new(Shared::default());
    let of_tasks = shared.clone();
    let run = run_once(&Config::new(), 0, |_| async move {
        for registers in [false, true] {
            let locks = Locks(of_tasks.clone());
            event_loop::spawn(std::future::poll_fn(move |cx| {
                if registers {
                    *locks.0.waker.lock().unwrap() = Some(cx.waker().clone());
                }
                // Both own their lock.
                let _ = &locks;
                Poll::<()>::Pending
            }))
            .detach();
        }
        sleep(Duration::from_millis(1)).await;
    });
    assert_eq!(run.verdict, None);
    assert_eq!(shared.dropped.load(Ordering::Relaxed), 2);
}

#[test]
fn leaves_nothing_after_a_thousand_failures() {
    struct Object(Arc<AtomicUsize>);
    impl Object {
        fn new(live: &Arc<AtomicUsize>) -> Self {
            live.fetch_add(1, Ordering::Relaxed);
            Self(live.clone())
        }
    }
    impl Drop for Object {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::Relaxed);
        }
    }

    let live = Arc::new(AtomicUsize::new(0));
    let made = Arc::new(AtomicUsize::new(0));
    let endings = [
        VerdictKind::Panic,
        VerdictKind::Unread,
        VerdictKind::Deadlock,
        VerdictKind::TimeLimit,
        VerdictKind::PollLimit,
    ];
    for seed in 0..1_000 {
        let ending = endings[seed as usize % endings.len()];
        let config = Config::new().time_limit(Duration::from_secs(60)).polls(
            if ending == VerdictKind::PollLimit {
                30
            } else {
                10_000
            },
        );
        let object = {
            let (live, made) = (live.clone(), made.clone());
            move || {
                made.fetch_add(1, Ordering::Relaxed);
                Object::new(&live)
            }
        };
        let run = run_once(&config, seed, |sim: Sim| async move {
            let _of_main = object();
            for host in ["a", "b", "c"] {
                let object = object.clone();
                let main = move |_| async move {
                    let listener = TcpListener::bind("0.0.0.0:7").await.unwrap();
                    let (of_callback, of_task) = (object(), object());
                    let ev = event_loop::current().unwrap();
                    ev.call_later(Duration::from_hours(2), || drop(of_callback))
                        .unwrap();
                    let waits = event_loop::spawn(async move {
                        let _object = of_task;
                        event_loop::cancelled().await;
                    });
                    let accepted = listener.accept().await;
                    drop((waits, accepted));
                };
                sim.host(host).run(main).detach();
            }
            let (_sender, receiver) = oneshot::channel::<Object>();
            sleep(Duration::from_millis(2)).await;
            let _stream = TcpStream::connect("a:7").await.unwrap();
            match ending {
                VerdictKind::Panic => panic!("in the middle"),
                VerdictKind::Unread => event_loop::spawn(async { panic!("unread") }).detach(),
                VerdictKind::PollLimit => loop {
                    event_loop::yield_now().await;
                },
                _ => {}
            }
            drop(receiver.await);
        });
        let verdict = verdict(run);
        // The callbacks are two hours away, so that the run ends at its limit.
        let expected = match ending {
            VerdictKind::Deadlock => VerdictKind::TimeLimit,
            ending => ending,
        };
        assert_eq!(verdict.kind, expected, "{verdict}");
        assert_eq!(live.load(Ordering::Relaxed), 0, "seed {seed}, {verdict}");
    }
    assert!(made.load(Ordering::Relaxed) >= 7_000);
    assert_eq!((Arc::strong_count(&live), Arc::strong_count(&made)), (1, 1));
}

#[test]
fn leaves_no_world_behind_what_outlives_it() {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keeps = kept.clone();
    let tracked = Arc::new(());
    let weak = Arc::downgrade(&tracked);
    let run = run_once(&Config::new(), 0, |sim: Sim| async move {
        let task = event_loop::spawn(async move {
            let _tracked = tracked;
            std::future::pending::<()>().await;
        });
        let ev = sim.event_loop();
        let waker = std::future::poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
        keeps.lock().unwrap().push((sim, ev, task, waker));
        sleep(Duration::from_millis(1)).await;
        panic!("in the middle");
    });
    assert_eq!(verdict(run).kind, VerdictKind::Panic);
    assert_eq!(
        Weak::strong_count(&weak),
        0,
        "the task is gone, whoever keeps its handle"
    );
    for (sim, ev, task, waker) in kept.lock().unwrap().drain(..) {
        waker.wake();
        task.abort();
        task.request_cancel();
        assert!(task.is_finished());
        assert!(ev.is_closed());
        assert!(ev.try_spawn(async {}).is_err());
        assert!(ev.call_soon(|| ()).is_err());
        assert_eq!(sim.now().as_nanos(), 1_000_000);
    }
}

#[test]
fn is_no_part_of_its_trace_nor_of_its_entries() {
    struct Leaves(Sim);
    impl Drop for Leaves {
        fn drop(&mut self) {
            let _ = self.0.choose("at.the.end", 1 << 40);
        }
    }
    for seed in 0..SEEDS {
        let failing = |leaves: bool| {
            move |sim: Sim| async move {
                let _leaves = leaves.then(|| Leaves(sim.clone()));
                sim.host("a").spawn(std::future::pending::<()>()).detach();
                let _ = sim.choose("before", 1 << 40);
                std::future::pending::<()>().await;
            }
        };
        let quiet = record_once(&Config::new(), seed, failing(false));
        let busy = record_once(&Config::new(), seed, failing(true));
        assert_eq!((quiet.hash, quiet.events), (busy.hash, busy.events));
        assert_eq!(quiet.entries(), busy.entries());
        let timeline = busy.timeline().expect("it was recorded").to_string();
        let last = timeline.lines().last().unwrap_or_default();
        assert!(last.ends_with("failure"), "{last}");
        assert_eq!(busy.verdict.expect("it fails").event, busy.events);
    }
}
