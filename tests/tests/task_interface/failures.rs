//! A task whose `Err` is a failure: clause K4 beyond panics.

use std::fmt;

use event_loop::time::sleep;
use event_loop::{spawn_fallible, yield_now};
use insta::assert_snapshot;

use crate::backends::Backends::Everywhere;
use crate::backends::{Backend, on};
use crate::log::{Log, OnDrop, sentence};
use crate::{TICK, reports, until};

#[test]
fn an_err_that_nobody_reads_goes_to_the_exception_handler() {
    on(Everywhere, |backend| {
        let ev = backend.make();
        let reports = reports(&ev);
        let told = reports.clone();
        let (detached, dropped) = ev
            .run_until_complete(async move {
                let mut one = Vec::new();
                let task = spawn_fallible(async { "x".parse::<u32>() });
                let id = task.id();
                task.detach();
                until(|| {
                    one.extend(told.take());
                    !one.is_empty()
                })
                .await;
                assert_eq!(one[0].task, id);
                let task = spawn_fallible(async { Err::<(), _>("unread, too") });
                until(|| task.is_finished()).await;
                assert_eq!(told.take().len(), 0, "somebody may yet read it");
                drop(task);
                let mut two = Vec::new();
                until(|| {
                    two.extend(told.take());
                    !two.is_empty()
                })
                .await;
                (one, two)
            })
            .unwrap();
        assert_eq!((detached.len(), dropped.len()), (1, 1));
        assert_eq!(detached[0].message, "Task exception was never retrieved");
        assert_eq!(detached[0].error, "invalid digit found in string");
        assert_eq!(dropped[0].error, "unread, too");
        if let Backend::CurrentThread = backend {
            let shown = dropped[0]
                .to_string()
                .replace("#2", "#1")
                .replace("#3", "#1");
            let shown = sentence(shown);
            let (shown, _) = shown.rsplit_once(" at ").unwrap();
            assert_snapshot!(shown, @r#"
            Task exception was never retrieved: unread, too
              in task #1, spawned at [site]
              on loop "loop",
            "#);
        }
    });
}

#[test]
fn an_err_that_is_read_is_the_readers() {
    on(Everywhere, |backend| {
        let ev = backend.make();
        let reports = reports(&ev);
        let (value, error) = ev
            .run_until_complete(async {
                let value = spawn_fallible(async { "7".parse::<u32>() }).await;
                let error = spawn_fallible(async { "x".parse::<u32>() }).await;
                (value.unwrap(), error.unwrap())
            })
            .unwrap();
        assert_eq!((value, error.is_err()), (Ok(7), true));
        ev.close().unwrap();
        assert_eq!(reports.take().len(), 0);
    });
}

#[test]
fn the_value_of_an_ordinary_task_is_never_a_failure() {
    on(Everywhere, |backend| {
        let ev = backend.make();
        let reports = reports(&ev);
        ev.run_until_complete(async {
            event_loop::spawn(async { Err::<(), _>("ignored") }).detach();
            sleep(5 * TICK).await;
        })
        .unwrap();
        ev.close().unwrap();
        assert_eq!(reports.take().len(), 0);
    });
}

#[test]
fn an_err_left_in_a_handle_is_told_of_however_late_the_handle_goes() {
    on(Everywhere, |backend| {
        let ev = backend.make();
        let reports = reports(&ev);
        let task = ev.spawn_fallible(async { Err::<(), _>("late") });
        while !task.is_finished() {
            ev.run_until_complete(async { sleep(TICK).await }).unwrap();
        }
        ev.close().unwrap();
        assert_eq!(reports.take().len(), 0);
        drop(task);
        let reports = reports.take();
        assert_eq!((reports.len(), &*reports[0].error), (1, "late"));
    });
}

#[test]
fn a_failure_is_told_of_before_its_value_is_dropped_and_once() {
    on(Everywhere, |backend| {
        let ev = backend.make();
        let (log, reports) = (Log::new(), reports(&ev));
        let dropped = log.clone();
        let failure = Failure(OnDrop::new(move || dropped.note("dropped")));
        ev.run_until_complete(async move {
            spawn_fallible(async move { Err::<(), _>(failure) }).detach();
            sleep(5 * TICK).await;
        })
        .unwrap();
        ev.close().unwrap();
        assert_eq!((log.take(), reports.take().len()), (vec!["dropped"], 1));
    });
}

#[test]
fn an_error_whose_text_panics_is_a_panic() {
    struct Mute;
    impl fmt::Display for Mute {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("no words")
        }
    }
    on(Everywhere, |backend| {
        let ev = backend.make();
        let error = ev.run_until_complete(async {
            yield_now().await;
            spawn_fallible(async { Err::<(), _>(Mute) }).await
        });
        let Err(error) = error.unwrap() else {
            panic!("the error cannot be told");
        };
        assert_snapshot!(error, @"the task panicked: no words");
    });
}

struct Failure<F: FnOnce()>(OnDrop<F>);

impl<F: FnOnce()> fmt::Display for Failure<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("failed")
    }
}
