//! What is in force in a loop, what comes too late, and what takes too long: clauses L9 and E3.

use std::time::Duration;

use event_loop::time::sleep;
use event_loop::{EventLoop, LoopError, SlowCallback, block_for, spawn_named};
use insta::assert_snapshot;

use crate::backends::Backend;
use crate::clause::Reach::{Everywhere, Only};
use crate::clause::clauses;
use crate::log::{Log, sentence};

const SLOW: Duration = Duration::from_millis(15);

clauses! {
    L9 {
        what_is_set_in_time_is_in_force: Everywhere,
        what_is_set_after_the_start_is_refused_by_its_name: Everywhere,
    }
    E3 {
        what_takes_too_long_is_told_of_with_the_place_of_its_creation: Everywhere,
        what_takes_too_long_is_known_to_the_nanosecond: Only(
            |backend| backend.is_simulated() && !backend.is_uvloop(),
            "a real machine is slow at other things too, and uvloop's clock counts milliseconds",
        ),
    }
}

fn what_is_set_in_time_is_in_force(backend: Backend) {
    let ev = backend.make();
    let before = ev.describe();
    assert_eq!((before.debug, before.slow_callback), (false, None));
    ev.set_debug(true).unwrap();
    ev.set_slow_callback(Some(SLOW)).unwrap();
    let after = ev.describe();
    assert_eq!((after.debug, after.slow_callback), (true, Some(SLOW)));
    let text = after.to_string();
    let (_, settings) = text.split_once(" worker").unwrap();
    assert_snapshot!(settings.trim_start_matches('s'), @", debug, slow from 15ms");
}

fn what_is_set_after_the_start_is_refused_by_its_name(backend: Backend) {
    let ev = backend.make();
    let here = ev.unowned();
    let inside = ev.run_until_complete(async move { here.set_debug(true) });
    let described = ev.describe();
    for refused in [inside.unwrap(), ev.set_debug(true)] {
        assert_snapshot!(sentence(refused.unwrap_err()), @"Cannot set debug after the event loop has run (first at [site]): set it before the first run, or where the loop is made");
    }
    assert_snapshot!(sentence(ev.set_slow_callback(None).unwrap_err()), @"Cannot set slow_callback after the event loop has run (first at [site]): set it before the first run, or where the loop is made");
    assert_eq!(ev.describe(), described);
    ev.close().unwrap();
    assert_eq!(ev.set_debug(true), Err(LoopError::Closed));
}

/// Everything slow that the loop tells of.
fn told_of(ev: &EventLoop) -> Log<SlowCallback> {
    let told = Log::new();
    let noted = told.clone();
    ev.set_slow_callback_handler(Some(move |_: &EventLoop, slow: &SlowCallback| {
        noted.note(slow.clone());
    }));
    told
}

fn what_takes_too_long_is_told_of_with_the_place_of_its_creation(backend: Backend) {
    let ev = backend.make();
    ev.set_slow_callback(Some(SLOW)).unwrap();
    let told = told_of(&ev);
    let line = line!() + 1;
    ev.call_soon(|| block_for(SLOW)).unwrap();
    ev.run_until_complete(async {
        sleep(SLOW).await;
        spawn_named("busy", async { block_for(SLOW) })
            .await
            .unwrap();
    })
    .unwrap();
    let mut told = told.take();
    told.retain(|slow| slow.task_name.as_deref() != Some("main"));
    let [callback, poll] = &told[..] else {
        panic!("{told:?}");
    };
    assert!(callback.took >= SLOW && poll.took >= SLOW);
    assert_eq!(callback.created_at.line(), line);
    let sentences = [callback, poll].map(|slow| {
        let text = sentence(slow);
        text.split_once(" took ").unwrap().0.to_owned()
    });
    assert_snapshot!(sentences.join("\n"), @r#"
    Executing <callback scheduled at [site]
    Executing <task "busy" spawned at [site]
    "#);
}

fn what_takes_too_long_is_known_to_the_nanosecond(backend: Backend) {
    let ev = backend.make();
    let span = Duration::from_millis(150);
    ev.set_slow_callback(Some(span)).unwrap();
    let told = told_of(&ev);
    ev.call_soon(move || block_for(span)).unwrap();
    ev.call_soon(move || block_for(span - Duration::from_nanos(1)))
        .unwrap();
    let begun = ev.now();
    ev.run_until_complete(async {}).unwrap();
    assert!(ev.now() - begun >= 2 * span - Duration::from_nanos(1));
    let told = told.take();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].took, span);
    assert_snapshot!(sentence(&told[0]), @"Executing <callback scheduled at [site] took 0.150 seconds");
}
