//! Profiles `asyncio` and `uvloop`: what their iterations fix, and what they leave to the seed.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use event_loop::EventLoop;
use event_loop::time::{Instant, sleep, sleep_until};
use sim::{Config, Profile, Sim, VerdictKind};
use tests::workload::{cluster, config};

const SEEDS: u64 = 40;
const ITERATING: [Profile; 2] = [Profile::Asyncio, Profile::Uvloop];
const MS: Duration = Duration::from_millis(1);
/// A tick of Windows' clocks.
const TICK: Duration = Duration::from_nanos(15_625_000);

type Log = Arc<Mutex<Vec<String>>>;

fn note(log: &Log, what: impl Into<String>) {
    log.lock().unwrap().push(what.into());
}

fn asyncio() -> Config {
    Config::new().profile(Profile::Asyncio)
}

/// What `main` noted in the run of each seed.
fn logs<F>(config: &Config, main: impl Fn(Sim, Log) -> F + Copy) -> Vec<Vec<String>>
where
    F: Future<Output = ()>,
{
    let run = |seed| {
        let log = Log::default();
        let run = sim::run_once(config, seed, |sim| main(sim, log.clone()));
        assert!(run.verdict.is_none(), "seed {seed}: {:?}", run.verdict);
        log.lock().unwrap().clone()
    };
    (0..SEEDS).map(run).collect()
}

#[test]
fn steps_of_tasks_and_callbacks_share_one_queue() {
    async fn main(sim: Sim, log: Log) {
        let ev = sim.event_loop();
        let mut tasks = Vec::new();
        for n in 0..3 {
            let noted = log.clone();
            tasks.push(ev.spawn(async move {
                note(&noted, format!("step {n}"));
                event_loop::yield_now().await;
                note(&noted, format!("second step {n}"));
            }));
            let noted = log.clone();
            ev.call_soon(move || note(&noted, format!("call {n}")))
                .unwrap();
        }
        for task in tasks {
            task.await.unwrap();
        }
    }
    let expected = [
        "step 0",
        "call 0",
        "step 1",
        "call 1",
        "step 2",
        "call 2",
        "second step 0",
        "second step 1",
        "second step 2",
    ];
    for profile in ITERATING {
        for log in logs(&Config::new().profile(profile), main) {
            assert_eq!(log, expected, "{profile}");
        }
    }
}

#[test]
fn a_sleeping_task_comes_an_iteration_after_its_timer() {
    async fn main(sim: Sim, log: Log) {
        let ev = sim.event_loop();
        let (sleeper, called) = (log.clone(), log.clone());
        let task = ev.spawn(async move {
            sleep(MS).await;
            note(&sleeper, "task");
        });
        event_loop::yield_now().await;
        ev.call_later(MS, move || note(&called, "callback"))
            .unwrap();
        task.await.unwrap();
    }
    // CPython's timer sets the result of a future, whose callback is the task's step.
    for profile in ITERATING {
        for log in logs(&Config::new().profile(profile), main) {
            assert_eq!(log, ["callback", "task"], "{profile}");
        }
    }
}

async fn three_timers_of_one_deadline(sim: Sim, log: Log) {
    let ev = sim.event_loop();
    let deadline = ev.now() + MS;
    for name in ["a", "b", "c"] {
        let log = log.clone();
        ev.call_at(deadline, move || note(&log, name)).unwrap();
    }
    sleep(2 * MS).await;
}

#[test]
fn asyncio_leaves_the_order_of_equal_deadlines_to_the_seed() {
    let logs = logs(&asyncio(), three_timers_of_one_deadline);
    assert_eq!(logs[0], ["a", "b", "c"]);
    let orders: BTreeSet<_> = logs.into_iter().collect();
    assert_eq!(orders.len(), 6);
}

#[test]
fn uvloop_runs_equal_deadlines_in_the_order_of_their_registration() {
    let config = Config::new().profile(Profile::Uvloop);
    for log in logs(&config, three_timers_of_one_deadline) {
        assert_eq!(log, ["a", "b", "c"]);
    }
}

#[test]
fn a_tie_is_recorded_as_an_entry_that_replays_it() {
    let log = Log::default();
    let entries = "main?loop.tie#1=2";
    sim::replay_once(&asyncio(), 0, entries, |sim| {
        three_timers_of_one_deadline(sim, log.clone())
    })
    .unwrap();
    assert_eq!(*log.lock().unwrap(), ["c", "a", "b"]);
    for seed in 1..SEEDS {
        let [log, again] = [Log::default(), Log::default()];
        let main = |log: &Log| {
            let log = log.clone();
            move |sim| three_timers_of_one_deadline(sim, log)
        };
        let recorded = sim::record_once(&asyncio(), seed, main(&log));
        let entries = recorded.entries().unwrap();
        let replayed = sim::replay_once(&asyncio(), seed, &entries, main(&again)).unwrap();
        assert_eq!(recorded.hash, replayed.hash, "{entries}");
        assert_eq!(*log.lock().unwrap(), *again.lock().unwrap());
    }
}

#[test]
fn a_run_of_many_hosts_is_recorded_and_replayed() {
    for profile in ITERATING {
        let config = config().profile(profile);
        let mut hashes = BTreeSet::new();
        for seed in 0..10 {
            // On fresh threads, for std keeps hash keys per thread.
            let fresh = |run: Box<dyn FnOnce() -> (u64, Option<u64>, String) + Send>| {
                std::thread::spawn(run).join().unwrap()
            };
            let settings = config.clone();
            let recorded = fresh(Box::new(move || {
                let run = sim::record_once(&settings, seed, cluster);
                (run.hash, run.value, run.entries().unwrap())
            }));
            let (settings, entries) = (config.clone(), recorded.2.clone());
            let replayed = fresh(Box::new(move || {
                let run = sim::replay_once(&settings, seed, &entries, cluster).unwrap();
                (run.hash, run.value, run.entries().unwrap())
            }));
            assert!(recorded.1.is_some(), "{profile}, seed {seed}");
            assert_eq!(recorded, replayed, "{profile}, seed {seed}");
            hashes.insert(recorded.0);
        }
        assert_eq!(hashes.len(), 10, "{profile}");
    }
}

#[test]
fn hosts_interleave_in_any_order_and_each_keeps_its_own() {
    async fn main(sim: Sim, log: Log) {
        let hosts = ["a", "b"].map(|name| sim.host(name));
        let mut tasks = Vec::new();
        for host in &hosts {
            for n in 0..2 {
                let (log, name) = (log.clone(), host.name().to_owned());
                tasks.push(host.spawn(async move { note(&log, format!("{name}{n}")) }));
            }
        }
        for task in tasks {
            task.await.unwrap();
        }
    }
    let mut orders = BTreeSet::new();
    for log in logs(&asyncio(), main) {
        for name in ['a', 'b'] {
            let own: Vec<_> = log.iter().filter(|n| n.starts_with(name)).collect();
            assert!(own.is_sorted(), "{log:?}");
        }
        orders.insert(log);
    }
    assert_eq!(orders.len(), 6, "{orders:?}");
}

#[test]
fn asyncio_sleeps_for_whole_milliseconds_when_it_has_nothing_to_do() {
    let woken = sim::run_once(&asyncio(), 0, |_| async {
        sleep(Duration::from_micros(1_300)).await;
        Instant::now().as_nanos()
    });
    assert_eq!(woken.value, Some(2_000_000));
    // Who keeps it busy finds the timer due in time.
    let woken = sim::run_once(&asyncio(), 0, |sim| async move {
        let busy = sim.event_loop().spawn(async {
            loop {
                event_loop::yield_now().await;
            }
        });
        sleep(Duration::from_micros(1_300)).await;
        busy.abort();
        Instant::now().as_nanos()
    });
    let woken = woken.value.unwrap();
    assert!((1_300_000..1_302_000).contains(&woken), "{woken}");
}

#[test]
fn a_timer_is_up_to_one_tick_of_a_coarse_clock_early_in_asyncio_alone() {
    for profile in Profile::ALL {
        let config = Config::new().profile(profile).clock_granularity(TICK);
        let early = sim::run_once(&config, 0, |_| async {
            let deadline = Instant::now() + 20 * MS;
            sleep_until(deadline).await;
            let now = Instant::now();
            assert_eq!(now.as_nanos() % TICK.as_nanos() as u64, 0);
            deadline - now
        });
        let early = early.value.unwrap();
        if profile == Profile::Asyncio {
            assert_eq!(early, 20 * MS - TICK);
        } else {
            assert_eq!(early, Duration::ZERO, "{profile}");
        }
    }
}

/// A keep-alive timer that looks whether it is really time, and waits on if not.
fn keep_alive(ev: &EventLoop, deadline: Instant, looks: Arc<Mutex<u64>>) {
    let here = ev.unowned();
    ev.call_at(deadline, move || {
        *looks.lock().unwrap() += 1;
        if here.now() <= deadline {
            keep_alive(&here, deadline, looks);
        }
    })
    .unwrap();
}

#[test]
fn a_timer_that_rearms_itself_until_its_deadline_has_passed_gets_there() {
    for granularity in [Duration::ZERO, TICK] {
        let config = asyncio().clock_granularity(granularity);
        let run = sim::run_once(&config, 0, |sim| async move {
            let looks = Arc::<Mutex<u64>>::default();
            let ev = sim.event_loop();
            keep_alive(&ev, ev.now() + 20 * MS, looks.clone());
            sleep(100 * MS).await;
            *looks.lock().unwrap()
        });
        // On a real clock, too, it spins until the clock has moved on.
        assert!(run.value.unwrap() > 1);
    }
}

#[test]
fn a_loop_of_yields_is_a_livelock() {
    for profile in ITERATING {
        let config = Config::new().profile(profile).polls_at_once(20_000);
        let run = sim::run_once(&config, 0, |_| async {
            loop {
                event_loop::yield_now().await;
            }
        });
        assert_eq!(
            run.verdict.unwrap().kind,
            VerdictKind::Livelock,
            "{profile}"
        );
    }
}

#[test]
fn a_callback_stands_for_a_run() {
    let run = sim::run_once(&asyncio(), 0, |sim| async move {
        let (tell, told) = futures::channel::oneshot::channel();
        let ask = move || {
            let other = sim::factory(0, Profile::Asyncio).unwrap();
            let refused = other.run_until_complete(async {}).unwrap_err();
            tell.send(refused.to_string()).unwrap();
        };
        sim.event_loop().call_soon(ask).unwrap();
        told.await.unwrap()
    });
    let refused = run.value.unwrap();
    let sentence = "Cannot run the event loop while another loop is running";
    assert!(refused.starts_with(sentence), "{refused}");
}
