//! Random programs of threads with locks, condition variables, channels, sleeps and joins: a run is
//! repeated by its seed and by its entries, and computes what real threads do.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use proptest::prelude::*;
use sim::{Config, Profile, Sim};

use super::on_a_thread;

/// What a thread does. Whatever the order, the sums at the end are the same.
#[derive(Clone, Debug)]
enum Action {
    /// Adds to a counter behind a lock, and sleeps with it held.
    Add {
        counter: usize,
        slept: u8,
    },
    Sleep(u8),
    Yield,
    /// Sends a number to the collector.
    Send(u32),
    /// Opens a gate, once and for all.
    Open,
    /// Waits until the gate is open, or a while.
    Gate {
        patience: Option<u8>,
    },
    /// Makes a thread that does this, and joins it if it says so.
    Thread {
        actions: Vec<Action>,
        joins: bool,
    },
}

#[derive(Debug)]
struct Shared {
    counters: [Mutex<u64>; 3],
    gate: (Mutex<bool>, Condvar),
    left: Mutex<Vec<thread::JoinHandle<()>>>,
}

fn action() -> impl Strategy<Value = Action> {
    let leaf = prop_oneof![
        (0..3_usize, 0..3_u8).prop_map(|(counter, slept)| Action::Add { counter, slept }),
        (0..4_u8).prop_map(Action::Sleep),
        Just(Action::Yield),
        (1..100_u32).prop_map(Action::Send),
        Just(Action::Open),
        proptest::option::of(0..3_u8).prop_map(|patience| Action::Gate { patience }),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        (proptest::collection::vec(inner, 0..5), any::<bool>())
            .prop_map(|(actions, joins)| Action::Thread { actions, joins })
    })
}

fn act(actions: &[Action], shared: &Arc<Shared>, collector: &Sender<u32>) {
    for action in actions {
        match action {
            Action::Add { counter, slept } => {
                let mut counter = shared.counters[*counter].lock().unwrap();
                let read = *counter;
                if *slept > 0 {
                    thread::sleep(Duration::from_millis(u64::from(*slept)));
                }
                *counter = read + 1;
            }
            Action::Sleep(span) => thread::sleep(Duration::from_millis(u64::from(*span))),
            Action::Yield => thread::yield_now(),
            Action::Send(number) => collector.send(*number).unwrap(),
            Action::Open => {
                *shared.gate.0.lock().unwrap() = true;
                shared.gate.1.notify_all();
            }
            Action::Gate { patience } => {
                let (lock, opened) = &shared.gate;
                let open = lock.lock().unwrap();
                // Nobody may ever open it: who has no patience of its own gets some.
                let span = Duration::from_millis(u64::from(patience.unwrap_or(20)));
                drop(opened.wait_timeout_while(open, span, |open| !*open));
            }
            Action::Thread { actions, joins } => {
                let (actions, shared_there) = (actions.clone(), shared.clone());
                let collector = collector.clone();
                let thread = thread::spawn(move || act(&actions, &shared_there, &collector));
                if *joins {
                    thread.join().unwrap();
                } else {
                    shared.left.lock().unwrap().push(thread);
                }
            }
        }
    }
}

/// The counters and the sum of what was sent, and in which order that came.
fn play(program: &[Vec<Action>]) -> (Vec<u64>, u64, Vec<u32>) {
    let shared = Arc::new(Shared {
        counters: Default::default(),
        gate: Default::default(),
        left: Mutex::default(),
    });
    let (sender, receiver): (_, Receiver<u32>) = channel();
    for actions in program {
        let (actions, shared, sender) = (actions.clone(), shared.clone(), sender.clone());
        let left = shared.clone();
        let thread = thread::spawn(move || act(&actions, &shared, &sender));
        left.left.lock().unwrap().push(thread);
    }
    drop(sender);
    let came: Vec<_> = receiver.iter().collect();
    loop {
        let thread = shared.left.lock().unwrap().pop();
        match thread {
            Some(thread) => thread.join().unwrap(),
            None => break,
        }
    }
    let counters = shared.counters.each_ref().map(|c| *c.lock().unwrap());
    (
        counters.to_vec(),
        came.iter().map(|&n| u64::from(n)).sum(),
        came,
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn threads_compute_what_real_ones_do_and_are_repeated(
        program in proptest::collection::vec(proptest::collection::vec(action(), 0..6), 1..4),
        seed in 0..1_000_u64,
        profile in proptest::sample::select(Profile::ALL.to_vec()),
    ) {
        let (counters, sum, _) = play(&program);
        let main = |_: Sim| {
            let program = program.clone();
            async move { on_a_thread(move || play(&program)).await }
        };
        let config = Config::new().profile(profile);
        let run = sim::run_once(&config, seed, main);
        prop_assert!(run.verdict.is_none(), "{:?}", run.verdict);
        let value = run.value.expect("it returns");
        prop_assert_eq!((&value.0, value.1), (&counters, sum));

        let again = sim::record_once(&config, seed, main);
        prop_assert_eq!(again.hash, run.hash);
        prop_assert_eq!(again.value.as_ref(), Some(&value));
        let entries = again.entries().expect("it is recorded");
        let replayed = sim::replay_once(&config, seed, &entries, main).unwrap();
        prop_assert_eq!(replayed.hash, run.hash);
        prop_assert_eq!(replayed.value, Some(value));
    }
}
