//! What is set before a loop starts: clause L9.

use std::time::Duration;

use event_loop::{LoopConfig, LoopError, production};
use insta::assert_snapshot;
use sim::{Config, Profile};

use crate::backends::Backends::Everywhere;
use crate::backends::on;
use crate::sites::without_sites;

#[test]
fn a_setting_that_comes_in_time_is_in_force() {
    on(Everywhere, |backend| {
        let ev = backend.make();
        let span = Duration::from_millis(7);
        ev.set_slow_callback(Some(span)).unwrap();
        ev.set_debug(true).unwrap();
        let described = ev.describe();
        assert_eq!(
            (described.debug, described.slow_callback),
            (true, Some(span))
        );
        ev.set_slow_callback(None).unwrap();
        ev.set_debug(false).unwrap();
        assert_eq!(ev.describe().slow_callback, None);
    });
}

#[test]
fn a_setting_that_comes_too_late_is_refused_by_its_name() {
    on(Everywhere, |backend| {
        let ev = backend.make();
        ev.run_until_complete(async {}).unwrap();
        let before = ev.describe();
        assert_snapshot!(without_sites(ev.set_debug(true).unwrap_err()), @"Cannot set debug after the event loop has run (first at [site]): set it before the first run, or where the loop is made");
        let late = ev.set_slow_callback(Some(Duration::ZERO)).unwrap_err();
        let LoopError::SetTooLate { setting, started } = late else {
            panic!("{late}");
        };
        assert_eq!(setting, "slow_callback");
        assert!(started.file().ends_with("config.rs"));
        assert_eq!(ev.describe(), before);
        ev.close().unwrap();
        assert_eq!(ev.set_debug(true), Err(LoopError::Closed));
    });
}

#[test]
fn a_world_that_runs_the_loop_has_set_it() {
    let slow = Duration::from_millis(100);
    let config = Config::new().profile(Profile::TokioCt).slow_callback(slow);
    let run = sim::run_once(&config, 0, |sim| async move {
        let ev = sim.host("svc").event_loop();
        (ev.describe().to_string(), ev.set_debug(true))
    });
    let (described, late) = run.value.unwrap();
    assert_snapshot!(described, @"svc: simulated, tokio-ct, 1 worker, slow from 100ms");
    assert!(matches!(
        late,
        Err(LoopError::SetTooLate {
            setting: "debug",
            ..
        })
    ));
}

#[test]
fn a_loop_refuses_workers_it_cannot_have() {
    let config = |workers| LoopConfig::default().worker_threads(workers);
    let none = production::multi_thread(config(0)).unwrap_err();
    assert_snapshot!(none, @"worker_threads = 0 cannot be: allowed is 1 and more: somebody has to poll the tasks");
    let many = production::current_thread(config(2)).unwrap_err();
    assert_snapshot!(many, @"worker_threads = 2 cannot be: allowed is 1: a current-thread loop polls its tasks on the thread that runs it");
    let one = production::current_thread(config(1)).unwrap();
    assert_eq!(one.describe().workers, 1);
}
