//! A sweep acts at every event of a run, and each of its runs is the first one up to there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use event_loop::time::sleep;
use sim::{Config, Profile, Sim};

/// A service of two tasks that wake each other, and a client that looks on.
async fn ping_pong(sim: Sim) {
    let svc = sim.host("svc").run(|ev| async move {
        let (to, mut from) = event_loop::sync::mpsc::channel(1);
        let echo = ev.spawn_named("echo", async move {
            while let Some(n) = from.recv().await {
                sleep(Duration::from_millis(n)).await;
            }
        });
        for n in 0..5 {
            to.send(n).await.unwrap();
        }
        drop(to);
        echo.await.unwrap();
    });
    svc.await.unwrap();
}

fn configs() -> impl Iterator<Item = Config> {
    Profile::ALL
        .into_iter()
        .map(|with| Config::new().profile(with))
}

#[test]
fn something_is_done_at_every_event_from_the_host_s_first_on() {
    for config in configs() {
        for seed in [0, 3] {
            let times = Arc::new(AtomicU64::new(0));
            let counted = times.clone();
            let count = move |_: &sim::Host| {
                counted.fetch_add(1, Ordering::Relaxed);
            };
            let sweep = sim::sweep(&config, seed, "svc", count, ping_pong);
            assert_eq!(sweep.failing, []);
            assert_eq!(sweep.acted, times.load(Ordering::Relaxed));
            let events = sweep.untouched.events;
            assert!(events > 20, "{events}");
            // Before the first poll of main there is no such host; and the end of the world is an
            // event as well, behind all others.
            assert!(sweep.acted >= events - 10, "{} of {events}", sweep.acted);
        }
    }
}

#[test]
fn up_to_the_moment_a_run_is_the_untouched_one() {
    for config in configs() {
        let untouched = sim::record_once(&config, 5, ping_pong);
        let untouched = untouched.timeline().unwrap().to_string();
        for event in [8, 13, 21] {
            let act = |svc: &sim::Host| svc.spawn(async {}).detach();
            let swept = sim::record_swept(&config, 5, event, "svc", act, ping_pong);
            let swept = swept.timeline().unwrap().to_string();
            let same = untouched.lines().zip(swept.lines());
            let same = same.take_while(|(one, other)| one == other).count();
            // What is done comes at the end of the poll in which the event is.
            assert!(
                (event as usize..event as usize + 10).contains(&same),
                "{same} for {event}"
            );
            assert_ne!(untouched, swept);
        }
    }
}

/// Fails if the host is interrupted between its two sleeps' middle and end.
async fn fragile(sim: Sim, interrupted: Arc<AtomicBool>) -> Result<(), &'static str> {
    let svc = sim.host("svc").run(move |_| async move {
        sleep(Duration::from_millis(5)).await;
        let before = interrupted.load(Ordering::Relaxed);
        sleep(Duration::from_millis(5)).await;
        before == interrupted.load(Ordering::Relaxed)
    });
    let whole = svc.await.unwrap();
    whole.then_some(()).ok_or("it was interrupted half-way")
}

#[test]
fn the_moments_that_fail_are_found_and_can_be_repeated() {
    let config = Config::new();
    // A world's own flag: each run makes it anew.
    let flag = || Arc::new(AtomicBool::new(false));
    let shared = flag();
    let raise = {
        let shared = shared.clone();
        move |_: &sim::Host| shared.store(true, Ordering::Relaxed)
    };
    let main = |sim| {
        shared.store(false, Ordering::Relaxed);
        fragile(sim, shared.clone())
    };
    let sweep = sim::sweep(&config, 0, "svc", raise.clone(), main);
    assert_eq!(sweep.untouched.verdict, None);
    assert!(!sweep.failing.is_empty());
    assert!((sweep.failing.len() as u64) < sweep.acted);
    for swept in &sweep.failing {
        assert!(
            swept.verdict.message.contains("half-way"),
            "{}",
            swept.verdict
        );
        let again = sim::record_swept(&config, 0, swept.event, "svc", raise.clone(), main);
        assert!(again.timeline().is_some());
        assert!(swept.verdict.same_failure(&again.verdict.unwrap()));
    }
}

#[test]
fn a_run_that_fails_untouched_is_not_swept() {
    let main = |_: Sim| async { Err::<(), _>("of itself") };
    let sweep = sim::sweep(&Config::new(), 0, "main", |_| (), main);
    let verdict = sweep.untouched.verdict.unwrap();
    assert!(verdict.message.contains("of itself"), "{verdict}");
    assert_eq!((sweep.acted, sweep.failing), (0, vec![]));
}

#[test]
fn a_panic_of_what_is_done_fails_the_run() {
    let act = |_: &sim::Host| panic!("done badly");
    let sweep = sim::sweep(&Config::new(), 0, "svc", act, ping_pong);
    assert_eq!(sweep.failing.len() as u64, sweep.acted);
    let verdict = &sweep.failing[0].verdict;
    assert!(verdict.message.contains("done badly"), "{verdict}");
}
