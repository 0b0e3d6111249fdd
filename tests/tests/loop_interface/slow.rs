//! Callbacks and polls that keep a loop busy for too long: clause E3.

use std::time::Duration;

use event_loop::time::{Instant, sleep};
use event_loop::{
    ErrorContext, EventLoop, LoopConfig, SlowCallback, block_for, production, spawn_named,
};
use insta::assert_snapshot;
use sim::{Config, Profile, Sim};

use crate::backends::Backends::{Everywhere, Simulated};
use crate::backends::on;
use crate::log::Log;
use crate::sites::without_sites;

const SLOW: Duration = Duration::from_millis(20);

/// Everything slow that the loop tells of, from now on.
fn told_of(ev: &EventLoop) -> Log<SlowCallback> {
    let log = Log::new();
    let told = log.clone();
    ev.set_slow_callback_handler(Some(move |_: &EventLoop, slow: &SlowCallback| {
        told.note(slow.clone());
    }));
    log
}

async fn block(span: Duration) {
    block_for(span);
}

#[test]
fn a_slow_callback_and_a_slow_poll_are_told_of() {
    on(Everywhere, |backend| {
        let ev = backend.make();
        ev.set_slow_callback(Some(SLOW)).unwrap();
        let told = told_of(&ev);
        ev.run_until_complete(async {
            let ev = event_loop::current().unwrap();
            ev.call_soon(|| block_for(2 * SLOW)).unwrap();
            spawn_named("busy", block(3 * SLOW)).await.unwrap();
            event_loop::spawn(block(4 * SLOW)).await.unwrap();
        })
        .unwrap();
        // A real machine may be slow at other things too.
        let mut told = told.take();
        told.retain(|slow| slow.task_name.as_deref() != Some("main"));
        told.sort_by_key(|slow| (slow.task.is_none(), slow.task));
        assert_eq!(told.len(), 3, "{told:?}");
        for (slow, spans) in told.iter().zip([3, 4, 2]) {
            assert!(slow.took >= spans * SLOW, "{slow}");
            assert!(slow.created_at.file().ends_with("slow.rs"));
        }
        let sentences = told.iter().map(|slow| {
            // A world counts the future it is driven for among its tasks.
            let id = slow
                .task
                .map_or_else(|| "?".to_owned(), |id| id.to_string());
            let text = without_sites(slow).replace(&id, "[id]");
            text.split_once(" took").unwrap().0.to_owned()
        });
        assert_snapshot!(sentences.collect::<Vec<_>>().join("\n"), @r#"
        Executing <task "busy" spawned at [site]
        Executing <task [id] spawned at [site]
        Executing <callback scheduled at [site]
        "#);
    });
}

#[test]
fn when_nobody_asked_nothing_is_told() {
    on(Everywhere, |backend| {
        let ev = backend.make();
        let told = told_of(&ev);
        ev.run_until_complete(async {
            spawn_named("busy", block(SLOW)).await.unwrap();
        })
        .unwrap();
        assert_eq!(told.take(), []);
    });
}

#[test]
fn a_world_tells_exactly_what_was_slow() {
    on(Simulated, |backend| {
        let ev = backend.make();
        ev.set_slow_callback(Some(SLOW)).unwrap();
        let told = told_of(&ev);
        ev.call_soon(|| block_for(SLOW)).unwrap();
        ev.call_soon(|| block_for(SLOW - Duration::from_millis(1)))
            .unwrap();
        ev.run_until_complete(async { sleep(10 * SLOW).await })
            .unwrap();
        let told = told.take();
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].took, SLOW);
        assert!(told[0].to_string().ends_with("took 0.020 seconds"));
    });
}

#[test]
fn a_handler_that_panics_is_told_of_itself() {
    on(Everywhere, |backend| {
        let ev = backend.make();
        ev.set_slow_callback(Some(SLOW)).unwrap();
        ev.set_slow_callback_handler(Some(|_: &EventLoop, _: &SlowCallback| panic!("told")));
        let errors = Log::new();
        let told = errors.clone();
        ev.set_exception_handler(Some(move |_: &EventLoop, error: &ErrorContext| {
            told.note(format!("{}: {}", error.message, error.error));
        }));
        ev.call_soon(|| block_for(SLOW)).unwrap();
        ev.run_until_complete(async { sleep(SLOW).await }).unwrap();
        let told = errors.take();
        assert!(told.contains(&"Exception in slow-callback handler: told".to_owned()));
    });
}

#[test]
fn blocking_takes_its_time_and_lets_nobody_run() {
    on(Everywhere, |backend| {
        let ev = backend.make();
        let ran = Log::new();
        let other = ran.clone();
        let blocked = ev.run_borrowed(async {
            let ev = event_loop::current().unwrap();
            ev.call_later(SLOW / 2, move || other.note(Instant::now()))
                .unwrap();
            let begun = Instant::now();
            block_for(SLOW);
            let ended = Instant::now();
            assert!(ended - begun >= SLOW);
            sleep(SLOW).await;
            ended
        });
        assert!(ran.take()[0] >= blocked.unwrap(), "served afterwards");
    });
}

#[test]
fn what_is_slow_in_a_world_is_in_its_trace() {
    let main = |sim: Sim| async move {
        let svc = sim.host("svc");
        svc.event_loop()
            .spawn_named("busy", block(3 * SLOW))
            .await
            .unwrap();
        svc.event_loop().call_soon(|| block_for(SLOW)).unwrap();
        sleep(SLOW).await;
        // The last poll of all counts as well.
        block_for(2 * SLOW);
    };
    let config = Config::new().profile(Profile::Exact).slow_callback(SLOW);
    let run = sim::record_once(&config, 0, main);
    assert_eq!(run.verdict, None);
    let timeline = run.timeline().unwrap().to_string();
    let lines = timeline
        .lines()
        .filter(|l| l.contains(" block ") || l.contains(" slow "));
    assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @r"
    0.000000000 svc      svc/busy         block 60ms
    0.060000000 svc      svc/busy         slow 60ms
    0.060000000 svc      svc/callbacks    block 20ms
    0.080000000 svc      svc/callbacks    slow 20ms
    0.080000000 main     main             block 40ms
    0.120000000 main     main             slow 40ms
    ");
    let json = run.json_lines().unwrap();
    let mut text = Vec::new();
    json.write_to(&mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    assert!(
        text.contains(r#""kind":"slow","host":"svc","task":"svc/busy","span_ns":60000000"#),
        "{text}"
    );
    let again = sim::run_once(&config, 0, main);
    assert_eq!(again.hash, run.hash);
}

#[test]
fn the_modelled_cost_of_a_poll_counts() {
    let nanosecond = Duration::from_nanos(1);
    let config = Config::new().slow_callback(nanosecond);
    let slow_in = |seed| {
        let run = sim::record_once(&config, seed, |_| async { event_loop::yield_now().await });
        let timeline = run.timeline().unwrap().to_string();
        timeline.matches(" slow ").count()
    };
    assert_eq!(slow_in(0), 0, "an ideal clock");
    let told: Vec<_> = (1..20).map(slow_in).collect();
    assert!(told.contains(&0) && told.contains(&2), "{told:?}");
}

#[test]
fn blocking_for_too_long_ends_the_run() {
    let config = Config::new().time_limit(Duration::from_secs(1));
    let run = sim::run_once(&config, 0, |_| async {
        block_for(Duration::from_secs(2));
        event_loop::yield_now().await;
        unreachable!("the run has ended");
    });
    let verdict = run.verdict.unwrap();
    assert_eq!(verdict.kind, sim::VerdictKind::TimeLimit);
}

#[test]
fn debug_looks_as_asyncios_does() {
    let ev = production::current_thread(LoopConfig::default().debug(true)).unwrap();
    assert_snapshot!(ev.describe(), @"loop: tokio, current-thread, 1 worker, debug, slow from 100ms");
    let slow = Duration::from_millis(5);
    let config = LoopConfig::default()
        .name("api")
        .debug(true)
        .slow_callback(slow);
    let ev = production::current_thread(config).unwrap();
    assert_snapshot!(ev.describe(), @"api: tokio, current-thread, 1 worker, debug, slow from 5ms");
    assert_eq!(ev.describe().slow_callback, Some(slow));
}
