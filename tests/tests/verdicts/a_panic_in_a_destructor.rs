//! Destructors that panic, wherever one may run, fail the run and nothing else.

use super::*;

struct Bomb(&'static str);

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("{}", self.0);
    }
}

/// Where [`Bomb`] panics.
fn place() -> Option<String> {
    Some(format!("{}:{}", file!(), line!() - 6))
}

#[track_caller]
fn assert_reported(run: Run<()>, text: &str) {
    let verdict = run.verdict.expect("the run failed");
    assert_eq!(verdict.kind, VerdictKind::Unread, "{verdict}");
    assert!(verdict.message.contains(text), "{verdict}");
    assert_eq!(verdict.location, place());
}

#[test]
fn at_the_end_of_the_world_is_reported() {
    for seed in 0..SEEDS {
        let run = run_once(&Config::new(), seed, |_| async {
            let bomb = Bomb("of a task that waits");
            event_loop::spawn(async move {
                let _bomb = bomb;
                std::future::pending::<()>().await;
            })
            .detach();
            sleep(Duration::from_millis(1)).await;
        });
        assert_reported(run, "of a task that waits");
    }
}

#[test]
fn of_a_task_that_was_never_polled_is_reported() {
    let run = run_once(&Config::new(), 0, |_| async {
        let bomb = Bomb("of a task without a poll");
        event_loop::spawn(async move {
            let _bomb = bomb;
            std::future::pending::<()>().await;
        })
        .detach();
    });
    assert_reported(run, "of a task without a poll");
}

#[test]
fn of_a_callback_that_never_ran_is_reported() {
    let run = run_once(&Config::new(), 0, |sim: Sim| async move {
        let bomb = Bomb("of a callback");
        let ev = sim.event_loop();
        ev.call_later(Duration::from_hours(1), || drop(bomb))
            .unwrap();
    });
    assert_reported(run, "of a callback");
}

#[test]
fn of_a_callback_keeps_no_other_from_its_turn() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let shared = dropped.clone();
    let run = run_once(&Config::new(), 0, |sim: Sim| async move {
        let ev = sim.event_loop();
        for _ in 0..3 {
            let owned = (Bomb("one of three callbacks"), Counted(shared.clone()));
            ev.call_later(Duration::from_hours(1), || drop(owned))
                .unwrap();
        }
    });
    assert_reported(run, "one of three callbacks");
    assert_eq!(dropped.load(Ordering::Relaxed), 3);
}

#[test]
fn of_an_aborted_task_is_reported() {
    let run = run_once(&Config::new(), 0, |_| async {
        let bomb = Bomb("of an aborted task");
        let task = event_loop::spawn(async move {
            let _bomb = bomb;
            std::future::pending::<()>().await;
        });
        event_loop::yield_now().await;
        task.abort();
        sleep(Duration::from_millis(1)).await;
    });
    assert_reported(run, "of an aborted task");
}

#[test]
fn of_the_body_that_is_cut_off_does_not_hide_the_cause() {
    let run = run_once(&Config::new(), 0, |_| async {
        let _bomb = Bomb("of the body");
        std::future::pending::<()>().await;
    });
    assert_eq!(verdict(run).kind, VerdictKind::Deadlock);
}

#[test]
fn leaves_the_other_tasks_their_destructors() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let shared = dropped.clone();
    let run = run_once(&Config::new(), 0, |_| async move {
        for _ in 0..10 {
            let shared = shared.clone();
            event_loop::spawn(async move {
                let _bomb = Bomb("one of ten");
                let _counted = Counted(shared);
                std::future::pending::<()>().await;
            })
            .detach();
        }
        event_loop::yield_now().await;
    });
    assert_reported(run, "one of ten");
    assert_eq!(dropped.load(Ordering::Relaxed), 10);
    assert_eq!(Arc::strong_count(&dropped), 1);
}

struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}
