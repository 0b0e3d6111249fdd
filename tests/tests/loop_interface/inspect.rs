//! Who is live on a loop, and what it looks like from outside.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use event_loop::net::{TcpListener, TcpStream};
use event_loop::time::sleep;
use event_loop::{ErrorContext, EventLoop, spawn_named};
use insta::assert_snapshot;
use sim::{Config, Sim};
use tokio::io::AsyncReadExt;

use crate::backends::Backends::{Everywhere, Simulated};
use crate::backends::{Backend, on};
use crate::log::Log;
use crate::sites::without_sites;

const TICK: Duration = Duration::from_millis(1);

fn names(ev: &EventLoop) -> Vec<String> {
    let tasks = ev.all_tasks().into_iter();
    tasks
        .map(|task| task.name.unwrap_or_else(|| "-".to_owned()))
        .collect()
}

#[test]
fn live_tasks_are_listed_in_creation_order() {
    on(Everywhere, |backend| {
        let ev = backend.make();
        let first = ev.spawn(pending::<()>());
        let short = ev.spawn_named("short", async {});
        ev.spawn_named("second", pending::<()>()).detach();
        let many: Vec<_> = (0..100).map(|_| ev.spawn(pending::<()>())).collect();
        let main = ev.run_until_complete(async move {
            short.await.unwrap();
            let own = event_loop::current().unwrap();
            spawn_named("last", pending::<()>()).detach();
            own.all_tasks()
        });
        let tasks = main.unwrap();
        assert!(tasks.is_sorted_by_key(|task| task.id));
        assert_eq!(tasks.len(), 104);
        let named: Vec<_> = tasks.iter().filter_map(|t| t.name.as_deref()).collect();
        assert_eq!(named, ["second", "main", "last"]);
        assert_eq!(Some(tasks[0].id), first.id());
        assert!(tasks[0].spawned_at.file().ends_with("inspect.rs"));
        for task in many {
            task.abort();
        }
        ev.run_until_complete(async { sleep(2 * TICK).await })
            .unwrap();
        assert_eq!(names(&ev), ["-", "second", "last"]);
        ev.close().unwrap();
        assert_eq!(names(&ev), [""; 0]);
    });
}

#[test]
fn a_task_is_live_until_its_destructors_have_run() {
    struct Asks(Log<Vec<String>>);
    impl Drop for Asks {
        fn drop(&mut self) {
            let ev = event_loop::current().unwrap();
            self.0.note(names(&ev));
        }
    }
    on(Everywhere, |backend| {
        let ev = backend.make();
        let log = Log::new();
        let held = Asks(log.clone());
        let task = ev.spawn_named("held", async move {
            let _held = held;
            sleep(TICK).await;
        });
        ev.run_borrowed(async { task.await.unwrap() }).unwrap();
        assert_eq!(log.take(), [["held"]]);
        assert_eq!(names(&ev), [""; 0]);
    });
}

#[test]
fn a_dump_says_who_is_live_and_what_is_scheduled() {
    on(Everywhere, |backend| {
        let ev = backend.make();
        ev.spawn(pending::<()>()).detach();
        ev.spawn_named("sleeps", sleep_for_an_hour()).detach();
        ev.run_until_complete(async { sleep(2 * TICK).await })
            .unwrap();
        ev.call_soon(|| ()).unwrap();
        assert!(ev.call_soon(|| ()).unwrap().cancel());
        ev.call_later(Duration::from_hours(1), || ()).unwrap();
        let dump = ev.dump();
        assert_eq!((dump.callbacks_ready, dump.callbacks_timed), (1, 1));
        assert!(dump.next_deadline.unwrap() > dump.now);
        let text = without_sites(&dump);
        let tasks = text.split_once("tasks: ").unwrap().1;
        if backend.is_simulated() {
            return;
        }
        assert_snapshot!(tasks, @r#"
        2
          #1 spawned at [site]
          #2 "sleeps" spawned at [site]
        "#);
    });
}

async fn sleep_for_an_hour() {
    sleep(Duration::from_hours(1)).await;
}

/// What a task waits for is known without a recording: a program is told the same in every run.
#[test]
fn a_dump_of_a_world_says_what_tasks_wait_for() {
    let main = |sim: Sim| async move {
        let svc = sim.host("svc");
        svc.spawn(async {
            let listener = TcpListener::bind("0.0.0.0:80").await.unwrap();
            let (_accepted, _) = listener.accept().await.unwrap();
            pending::<()>().await
        })
        .detach();
        let client = sim.host("client");
        client
            .spawn(async {
                let mut stream = TcpStream::connect("svc:80").await.unwrap();
                stream.read_u8().await
            })
            .detach();
        svc.event_loop()
            .spawn_named("sleeps", sleep_for_an_hour())
            .detach();
        svc.event_loop()
            .call_later(Duration::from_mins(1), || ())
            .unwrap();
        sleep(10 * TICK).await;
        let dumps = ["svc", "client", "main"].map(|name| sim.host(name).event_loop().dump());
        without_sites(dumps.map(|dump| dump.to_string()).join("\n"))
    };
    let once = sim::run_once(&Config::new(), 0, main).value.unwrap();
    let recorded = sim::record_once(&Config::new(), 0, main).value.unwrap();
    assert_eq!(once, recorded);
    assert_snapshot!(once, @r#"
    svc: simulated, tokio-mt, 1 worker at 0.010000000s
    callbacks: 0 ready, 1 timed, the next at 60.000000000s
    tasks: 2
      #2 spawned at [site]
      #4 "sleeps" spawned at [site], waits on its timer at 3600.000000000s
    client: simulated, tokio-mt, 1 worker at 0.010000000s
    callbacks: 0 ready, 0 timed
    tasks: 1
      #3 spawned at [site], waits on news of socket 1
    main: simulated, tokio-mt, 1 worker at 0.010000000s
    callbacks: 0 ready, 0 timed
    tasks: 1
      #1 "main" spawned at [site]
    "#);
}

#[test]
fn an_error_names_its_task_on_every_loop() {
    on(Everywhere, |backend| {
        let ev = backend.make();
        let told = Arc::new(Log::new());
        let telling = told.clone();
        ev.set_exception_handler(Some(move |_: &EventLoop, context: &ErrorContext| {
            telling.note((context.task_name.clone(), context.created_at.is_some()));
        }));
        ev.spawn_named("fails", async { panic!("unread") }).detach();
        ev.run_until_complete(async { sleep(2 * TICK).await })
            .unwrap();
        drop(ev);
        assert_eq!(told.take(), [(Some("fails".to_owned()), true)]);
    });
}

#[test]
fn the_callbacks_of_a_hosted_loop_are_no_task() {
    on(Simulated, |backend| {
        let Backend::Simulated { profile, seed } = backend else {
            return;
        };
        let config = Config::new().profile(profile);
        let run = sim::run_once(&config, seed, |sim| async move {
            let ev = sim.event_loop();
            ev.call_soon(|| ()).unwrap();
            sleep(TICK).await;
            names(&ev)
        });
        assert_eq!(run.value, Some(vec!["main".to_owned()]));
    });
}
