//! The steps of tasks among callbacks, what is awaited, and how tasks end.

use std::time::Duration;

use event_loop::time::{sleep, sleep_until, timeout};
use event_loop::yield_now;
use futures::FutureExt;
use futures::channel::oneshot;
use futures::future::join_all;

use crate::case::{Case, cases};

const MS: Duration = Duration::from_millis(1);

cases! {
    steps_among_callbacks,
    chains_of_yields_among_callbacks,
    a_spawned_task_begins_in_the_next_iteration,
    wakeups_of_a_future,
    joining_tasks,
    who_is_joined_wakes_in_the_next_iteration,
    gathering_what_is_ready,
    what_runs_after_main_is_done,
    cancel_before_the_start,
    cancel_after_the_end,
    sleepers_among_timers,
    a_sleeper_comes_behind_the_timers_of_its_instant,
    a_sleep_of_zero_is_one_iteration,
    a_value_at_the_limits_instant,
    a_value_behind_the_limits_instant,
    an_error_nobody_reads,
    an_error_that_is_read,
}

fn steps_among_callbacks(it: &Case) {
    for (task, call) in [
        ("task 0", "call 0"),
        ("task 1", "call 1"),
        ("task 2", "call 2"),
    ] {
        it.spawn_noting(task, 0).detach();
        it.soon(call);
    }
    it.once();
}

fn chains_of_yields_among_callbacks(it: &Case) {
    it.spawn_noting("a", 3).detach();
    it.soon_then("x", |it| {
        it.soon_then("y", |it| drop(it.soon("z")));
    });
    it.spawn_noting("b", 2).detach();
    for _ in 0..4 {
        it.once();
        it.tell("|");
    }
}

fn a_spawned_task_begins_in_the_next_iteration(it: &Case) {
    let outer = it.clone();
    let task = it.ev.spawn(async move {
        outer.tell("outer");
        outer.spawn_noting("inner", 0).detach();
        outer.soon("call");
        outer.tell("outer ends");
    });
    task.detach();
    it.soon("behind");
    it.once();
    it.tell("|");
    it.once();
}

fn wakeups_of_a_future(it: &Case) {
    let (set_result, future) = oneshot::channel::<()>();
    let future = future.shared();
    for name in ["a", "b", "c"] {
        let (it, future) = (it.clone(), future.clone());
        let waiting = it.ev.spawn({
            let it = it.clone();
            async move {
                future.await.unwrap();
                it.tell(name);
            }
        });
        waiting.detach();
    }
    drop(future);
    it.once();
    it.soon_then("before", |it| {
        set_result.send(()).unwrap();
        it.soon("after");
    });
    it.once();
    it.tell("|");
    it.once();
}

fn joining_tasks(it: &Case) {
    let main = it.clone();
    it.complete(async move {
        let tasks = [("a", 2), ("b", 0), ("c", 1)].map(|(name, n)| main.spawn_noting(name, n));
        for task in tasks {
            task.await.unwrap();
            main.tell("joined");
        }
    });
}

fn who_is_joined_wakes_in_the_next_iteration(it: &Case) {
    let main = it.clone();
    it.complete(async move {
        let task = main.spawn_noting("task", 0);
        main.soon_then("1", |it| {
            it.soon_then("2", |it| drop(it.soon("3")));
        });
        task.await.unwrap();
        main.tell("joined");
    });
}

fn gathering_what_is_ready(it: &Case) {
    let main = it.clone();
    it.complete(async move {
        let tasks = [0, 1, 2].map(|n| {
            let it = main.clone();
            main.ev.spawn(async move {
                for _ in n..3 {
                    yield_now().await;
                }
                it.tell(n);
                n
            })
        });
        let values: Vec<_> = join_all(tasks)
            .await
            .into_iter()
            .map(Result::unwrap)
            .collect();
        main.tell(format_args!("{values:?}"));
    });
}

fn what_runs_after_main_is_done(it: &Case) {
    let main = it.clone();
    it.complete(async move {
        main.spawn_noting("spawned", 3).detach();
        main.soon_then("called", |it| {
            it.soon_then("called later", |it| drop(it.soon("called last")));
        });
        main.tell("main");
    });
    it.tell("|");
    it.once();
}

fn cancel_before_the_start(it: &Case) {
    let main = it.clone();
    it.complete(async move {
        let task = main.spawn_noting("body", 0);
        task.abort();
        assert!(task.await.unwrap_err().is_aborted());
        main.tell("cancelled");
    });
}

fn cancel_after_the_end(it: &Case) {
    let main = it.clone();
    it.complete(async move {
        let task = main.spawn_noting("body", 0);
        yield_now().await;
        main.tell(if task.is_finished() { "True" } else { "False" });
        task.abort();
        task.await.unwrap();
        main.tell("result");
    });
}

fn sleepers_among_timers(it: &Case) {
    let sleeper = it.clone();
    let task = it.ev.spawn(async move {
        sleep(2 * MS).await;
        sleeper.tell("task a");
    });
    task.detach();
    it.once();
    it.stop_later(4 * MS);
    it.later(MS, "timer before");
    it.run_forever();
}

fn a_sleeper_comes_behind_the_timers_of_its_instant(it: &Case) {
    let when = it.ev.now() + 2 * MS;
    let sleeper = it.clone();
    let task = it.ev.spawn(async move {
        sleep_until(when).await;
        sleeper.tell("task");
    });
    task.detach();
    it.once();
    it.at(when, "timer");
    it.stop_later(4 * MS);
    it.run_forever();
}

fn a_sleep_of_zero_is_one_iteration(it: &Case) {
    let main = it.clone();
    it.complete(async move {
        main.soon_then("1", |it| drop(it.soon("2")));
        sleep(Duration::ZERO).await;
        main.tell("main");
        sleep(Duration::ZERO).await;
        main.tell("main again");
    });
}

fn a_value_at_the_limits_instant(it: &Case) {
    value_within(it, 2 * MS);
}

fn a_value_behind_the_limits_instant(it: &Case) {
    value_within(it, 3 * MS);
}

/// A value that comes after `span`, awaited for two milliseconds.
fn value_within(it: &Case, span: Duration) {
    let (set_result, future) = oneshot::channel::<()>();
    let set_result = move || {
        // Whoever waits may have given up.
        let _ = set_result.send(());
    };
    it.ev.call_later(span, set_result).unwrap();
    let main = it.clone();
    it.complete(async move {
        let value = timeout(2 * MS, future).await;
        main.tell(if value.is_ok() { "value" } else { "elapsed" });
    });
}

fn an_error_nobody_reads(it: &Case) {
    it.ev.spawn(async { panic!("boom") }).detach();
    it.once();
    it.once();
}

fn an_error_that_is_read(it: &Case) {
    let main = it.clone();
    it.complete(async move {
        let task = main.ev.spawn(async { panic!("boom") });
        let payload = task.await.unwrap_err().into_panic();
        main.tell(payload.downcast_ref::<&str>().unwrap());
    });
}
