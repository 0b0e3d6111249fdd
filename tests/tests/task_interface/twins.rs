//! Ambient functions without their panics: each says whether there is no loop, or a closed one.

use std::time::Duration;

use event_loop::time::{Instant, try_sleep, try_sleep_until, try_timeout};
use event_loop::{LoopError, try_spawn, try_spawn_fallible, try_spawn_named};
use insta::assert_snapshot;

use crate::backends::Backends::Everywhere;
use crate::backends::on;
use crate::{TICK, log::Log, log::OnDrop};

/// What each of them says here.
fn refusals() -> [Option<LoopError>; 6] {
    [
        try_spawn(async {}).err(),
        try_spawn_named("name", async {}).err(),
        try_spawn_fallible(async { Ok::<_, &str>(()) }).err(),
        try_sleep(TICK).err(),
        try_sleep_until(Instant::now()).err(),
        try_timeout(TICK, async {}).err(),
    ]
}

#[test]
fn without_a_loop_each_says_so() {
    let refusals = std::thread::Builder::new()
        .name("bare".into())
        .spawn(refusals);
    let refusals = refusals.unwrap().join().unwrap();
    let none = |refusal: &Option<LoopError>| matches!(refusal, Some(LoopError::NoCurrentLoop(_)));
    assert!(refusals.iter().all(none), "{refusals:?}");
    let [Some(refusal), ..] = refusals else {
        panic!("there is no loop");
    };
    assert_snapshot!(refusal, @"There is no current event loop in thread 'bare'; in a test take the loop as the test's argument, elsewhere call from within a task or callback, or use the loop's own methods");
}

#[test]
fn on_a_closing_loop_each_says_that_it_is_closed() {
    on(Everywhere, |backend| {
        let ev = backend.make();
        let log = Log::new();
        let noted = log.clone();
        let held = OnDrop::new(move || noted.note(refusals()));
        ev.spawn(async move {
            let _held = held;
            std::future::pending::<()>().await;
        })
        .detach();
        ev.close().unwrap();
        let refused = log.take();
        assert_eq!(refused, [[const { Some(LoopError::Closed) }; 6]]);
    });
}

#[test]
fn on_an_open_loop_each_does_what_its_twin_does() {
    on(Everywhere, |backend| {
        let ev = backend.make();
        ev.run_until_complete(async {
            assert_eq!(refusals(), [const { None }; 6]);
            assert_eq!(try_spawn(async { 1 }).unwrap().await.unwrap(), 1);
            assert_eq!(try_spawn_named("2", async { 2 }).unwrap().await.unwrap(), 2);
            let fallible = try_spawn_fallible(async { Ok::<_, &str>(3) }).unwrap();
            assert_eq!(fallible.await.unwrap(), Ok(3));
            let begun = Instant::now();
            try_sleep(TICK).unwrap().await;
            try_sleep_until(begun + 2 * TICK).unwrap().await;
            assert!(begun.elapsed() >= 2 * TICK);
            let limited = try_timeout(Duration::from_hours(1), async { 4 }).unwrap();
            assert_eq!(limited.await, Ok(4));
        })
        .unwrap();
    });
}
