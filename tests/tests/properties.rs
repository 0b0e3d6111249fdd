//! The properties that a service states in its own code: judged and counted in a world, and not even
//! evaluated elsewhere.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use event_loop::properties::{PropertyKind, catalogue};
use event_loop::time::sleep;
use event_loop::{EventLoop, LoopConfig, always, buggify, production, reachable, sometimes};
use sim::{Config, PropertyHits, Run, Sim, VerdictKind, record_once, replay_once, run_once};
use tests::outside::Outside;

const SEEDS: u64 = 20;

/// The count of one label.
#[track_caller]
fn hits<T>(run: &Run<T>, label: &str) -> (u64, u64) {
    let PropertyHits { reached, hits, .. } = run
        .properties()
        .find(|hits| hits.property.label() == label)
        .expect("the label is in the catalogue");
    (reached, hits)
}

#[test]
fn an_always_that_does_not_hold_fails_the_run_when_the_poll_returns() {
    for seed in 0..SEEDS {
        let after = Arc::new(AtomicUsize::new(0));
        let seen = after.clone();
        let place = format!("{}:{}", file!(), line!() + 5);
        let run = run_once(&Config::new(), seed, |sim: Sim| async move {
            let svc = sim.host("svc").run(|_| async move {
                sleep(Duration::from_millis(2)).await;
                let held = 5;
                always!(held <= 4, "the pool keeps its limit", "{held} of {}", 4);
                always!(held <= 3, "a second one is not the cause");
                seen.fetch_add(1, Ordering::Relaxed);
                event_loop::yield_now().await;
                seen.fetch_add(10, Ordering::Relaxed);
            });
            svc.await.unwrap();
        });
        assert_eq!(after.load(Ordering::Relaxed), 1, "seed {seed}");
        assert_eq!(hits(&run, "the pool keeps its limit"), (1, 0));
        assert_eq!(hits(&run, "a second one is not the cause"), (0, 0));
        let verdict = run.verdict.expect("the run failed");
        assert_eq!(verdict.kind, VerdictKind::Property);
        assert_eq!(
            verdict.message,
            "always \"the pool keeps its limit\" does not hold: 5 of 4"
        );
        assert_eq!(verdict.location, Some(place));
        assert!(verdict.at_nanos >= 2_000_000, "{verdict}");
        assert!(verdict.task.is_some());
    }
}

#[test]
fn a_place_that_is_never_to_be_reached_fails_the_run() {
    let run = run_once(&Config::new(), 0, |_| async {
        event_loop::unreachable!("a connection is known");
    });
    let verdict = run.verdict.expect("the run failed");
    assert_eq!(verdict.kind, VerdictKind::Property);
    assert_eq!(
        verdict.message,
        "unreachable \"a connection is known\" was reached"
    );
}

#[test]
fn the_code_cannot_catch_it() {
    let run = run_once(&Config::new(), 0, |_| async {
        let caught = std::panic::catch_unwind(|| always!(false, "nothing is thrown"));
        assert!(caught.is_ok());
    });
    assert_eq!(run.verdict.unwrap().kind, VerdictKind::Property);
}

#[test]
fn what_a_run_meets_is_counted_afresh_for_every_run() {
    for seed in 0..3 {
        let run = run_once(&Config::new(), seed, |_| async {
            for i in 0..5 {
                sometimes!(i == 3, "the fourth turn");
                sometimes!(i == 7, "the eighth turn");
                always!(i < 5, "five turns");
            }
            reachable!("the end");
        });
        assert_eq!(run.verdict, None);
        assert_eq!(hits(&run, "the fourth turn"), (5, 1));
        assert_eq!(hits(&run, "the eighth turn"), (5, 0));
        assert_eq!(hits(&run, "five turns"), (5, 5));
        assert_eq!(hits(&run, "the end"), (1, 1));
        assert_eq!(hits(&run, "never called"), (0, 0));
    }
}

#[test]
fn destructors_at_the_end_of_a_run_are_judged_too() {
    struct Leaves;
    impl Drop for Leaves {
        fn drop(&mut self) {
            always!(false, "nothing is left at the end");
        }
    }
    let run = run_once(&Config::new(), 0, |_| async {
        let leaves = Leaves;
        let waits = async move {
            let _leaves = leaves;
            std::future::pending::<()>().await;
        };
        event_loop::spawn(waits).detach();
        event_loop::yield_now().await;
    });
    let verdict = run.verdict.expect("the run failed");
    assert!(
        verdict.message.contains("nothing is left at the end"),
        "{verdict}"
    );
}

/// Evaluates what nobody may evaluate.
fn state_all(evaluated: &Cell<u32>) {
    let count = || {
        evaluated.set(evaluated.get() + 1);
        false
    };
    always!(count(), "outside: always", "{}", count());
    sometimes!(count(), "outside: sometimes");
    reachable!("outside: reachable");
    event_loop::unreachable!("outside: unreachable", "{}", count());
    assert!(!buggify!("outside: buggify"));
}

#[test]
fn nothing_is_evaluated_in_production_nor_outside_a_loop_nor_on_another_thread() {
    let threads = [Outside::start(), Outside::start()];
    // From here on the process has had a world.
    let run = run_once(&Config::new(), 1, |sim: Sim| async move {
        let ev = sim.event_loop();
        let foreign = move || {
            let _entered = ev.enter();
            let evaluated = Cell::new(0);
            always!(true, "outside: on an entered thread");
            evaluated.get()
        };
        let outside = || {
            let evaluated = Cell::new(0);
            state_all(&evaluated);
            evaluated.get()
        };
        [
            threads[0].run(foreign).unwrap(),
            threads[1].run(outside).unwrap(),
        ]
    });
    assert_eq!(run.verdict, None);
    assert_eq!(run.value, Some([0, 0]));
    assert_eq!(hits(&run, "outside: on an entered thread"), (0, 0));
    let evaluated = Cell::new(0);
    state_all(&evaluated);
    let ev: EventLoop = production::current_thread(LoopConfig::default()).unwrap();
    ev.run_borrowed(async { state_all(&evaluated) }).unwrap();
    assert_eq!(evaluated.get(), 0);
}

async fn misbehave(_: Sim) -> Vec<bool> {
    let mut all = Vec::new();
    for _ in 0..40 {
        all.push(buggify!("the disk is slow"));
        let in_task = event_loop::spawn(async { buggify!("the queue is full") });
        all.push(in_task.await.unwrap());
    }
    all
}

#[test]
fn buggify_is_off_in_the_plain_run_and_takes_part_in_a_quarter_of_the_others() {
    let plain = run_once(&Config::new(), 0, misbehave);
    assert!(plain.value.unwrap().iter().all(|&misbehaves| !misbehaves));
    let (mut taking_part, mut times) = (0, 0);
    for seed in 1..=400 {
        let run = run_once(&Config::new(), seed, misbehave);
        let (reached, hits) = hits(&run, "the disk is slow");
        assert_eq!(reached, 40);
        taking_part += u64::from(hits > 0);
        times += hits;
    }
    assert!((70..130).contains(&taking_part), "{taking_part} of 400");
    let each = times as f64 / taking_part as f64;
    assert!((8.0..12.0).contains(&each), "{each} of 40 times");
}

#[test]
fn buggify_is_recorded_under_its_label_and_replayed() {
    let mut replayed_any = false;
    for seed in 1..SEEDS {
        let recorded = record_once(&Config::new(), seed, misbehave);
        let plain = run_once(&Config::new(), seed, misbehave);
        assert_eq!((plain.hash, &plain.value), (recorded.hash, &recorded.value));
        let entries = recorded.entries().expect("it was recorded");
        let (_, slow) = hits(&recorded, "the disk is slow");
        assert_eq!(
            entries.matches("?the disk is slow#").count() as u64,
            slow,
            "{entries}"
        );
        replayed_any |= slow > 0;
        let replayed = replay_once(&Config::new(), seed, &entries, misbehave).unwrap();
        assert_eq!(
            (replayed.hash, replayed.value),
            (recorded.hash, recorded.value)
        );
    }
    assert!(replayed_any);
}

#[expect(
    dead_code,
    reason = "a label is in the catalogue though nobody calls its code"
)]
fn never_called<T>(_: T) {
    reachable!("never called");
}

#[test]
fn the_catalogue_lists_every_label_of_the_program_in_order() {
    let all = catalogue().expect("every label stands for one place");
    assert!(all.is_sorted_by_key(|property| (property.label(), property.file(), property.line())));
    let of = |label| all.iter().find(|property| property.label() == label);
    let never = of("never called").expect("it is linked");
    assert_eq!(never.kind(), PropertyKind::Reachable);
    assert_eq!(never.file(), file!());
    assert!(never.line() < line!());
    assert_eq!(
        never.to_string(),
        format!("reachable \"never called\" ({}:{})", file!(), never.line())
    );
    assert_eq!(
        of("the disk is slow").unwrap().kind(),
        PropertyKind::Buggify
    );
    let run = run_once(&Config::new(), 0, |_| async {});
    assert!(
        run.properties()
            .map(|hits| hits.property)
            .eq(all.iter().copied())
    );
}
