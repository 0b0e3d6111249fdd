//! A wait on the thread of a loop for what another thread, a task, or nobody will do.

use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use event_loop::time::sleep;
use event_loop::{spawn_local, spawn_named};
use futures::executor::block_on;
use sim::{
    BlockingCall, Config, OnBlocking, Profile, Run, Sim, VerdictKind, record_once, run_once,
};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

fn exact(policy: OnBlocking) -> Config {
    Config::new().profile(Profile::Exact).on_blocking(policy)
}

#[track_caller]
fn kind<T>(run: &Run<T>) -> VerdictKind {
    run.verdict.as_ref().expect("the run failed").kind
}

/// The verdict's lines, without what is known only with all the debug information.
#[track_caller]
fn told<T>(run: &Run<T>) -> String {
    let mut text = run.verdict.as_ref().expect("the run failed").to_string();
    while let Some(at) = text.find(" in blocking::") {
        let rest = &text[at + 4..];
        let end = rest.find(' ').map_or(text.len(), |end| at + 4 + end);
        text.replace_range(at..end, "");
    }
    text.replace("futures_executor::local_pool::", "") // Line tables alone tell no path.
}

/// Two tasks and a mutex of std: the first holds it across an await.
async fn a_mutex_across_an_await() {
    let shared = Arc::new(Mutex::new(0));
    let kept = shared.clone();
    let drain = spawn_local(async move {
        let mut kept = kept.lock().unwrap();
        sleep(SECOND).await;
        *kept += 1;
    });
    let client = spawn_named("client", async move {
        sleep(MS * 10).await;
        *shared.lock().unwrap() += 1;
    });
    client.await.unwrap();
    drain.await.unwrap();
}

#[test]
fn a_mutex_held_across_an_await_is_named_with_its_holder() {
    let run = record_once(&exact(OnBlocking::Fail), 0, |_| a_mutex_across_an_await());
    insta::assert_snapshot!(told(&run), @r#"
    blocking: the loop's thread waits in a blocking call, and nobody is left who could end it (tests/tests/blocking/policy_locks.rs:49) at 1.000000000 s
      std::sync::Mutex::lock at tests/tests/blocking/policy_locks.rs:49 by host main task "client" (tests/tests/blocking/policy_locks.rs:47:18) since 0.010000000 s
      the mutex is held across an await by host main task "policy_locks.rs:42" (tests/tests/blocking/policy_locks.rs:42:17), which could run, but for this call
      kept waiting: task "policy_locks.rs:42" (tests/tests/blocking/policy_locks.rs:42:17)
    "#);
    let [blocking] = run.blockings() else {
        panic!("{:#?}", run.blockings());
    };
    assert_eq!((blocking.call, blocking.took), (BlockingCall::Wait, None));
    assert!(
        blocking
            .holder
            .as_ref()
            .unwrap()
            .contains("task \"policy_locks.rs:")
    );
}

#[test]
fn it_is_found_in_every_profile_and_under_every_seed() {
    for profile in [Profile::TokioMt, Profile::TokioCt, Profile::Exact] {
        for seed in 0..20 {
            let config = Config::new().profile(profile);
            let run = || record_once(&config, seed, |_| a_mutex_across_an_await());
            let (one, other) = (run(), run());
            assert_eq!(kind(&one), VerdictKind::Blocking, "{profile:?} {seed}");
            assert_eq!(told(&one), told(&other), "{profile:?} {seed}");
            assert_eq!(one.hash, other.hash, "{profile:?} {seed}");
            let plain = run_once(&config, seed, |_| a_mutex_across_an_await());
            assert_eq!(plain.hash, one.hash, "{profile:?} {seed}");
        }
    }
}

#[test]
fn where_blocking_is_allowed_it_is_a_deadlock() {
    let run = record_once(&exact(OnBlocking::Allow), 0, |_| a_mutex_across_an_await());
    assert_eq!(kind(&run), VerdictKind::Deadlock);
    assert!(told(&run).contains("held across an await by host main task \"policy_locks.rs:"));
}

/// A thread holds the lock for a while that the body then asks for.
async fn a_lock_of_a_thread(hold: Duration) -> Duration {
    let shared = Arc::new(Mutex::new(()));
    let (tell, told) = mpsc::channel();
    let kept = shared.clone();
    let holder = thread::spawn(move || {
        let _kept = kept.lock().unwrap();
        tell.send(()).unwrap();
        thread::sleep(hold);
    });
    while told.try_recv().is_err() {
        sleep(MS).await;
    }
    let begun = std::time::Instant::now();
    drop(shared.lock().unwrap());
    let waited = begun.elapsed();
    holder.join().unwrap();
    waited
}

#[test]
fn a_lock_that_a_thread_releases_takes_its_time() {
    for (policy, fails) in [
        (OnBlocking::Fail, true),
        (OnBlocking::Report, false),
        (OnBlocking::Allow, false),
    ] {
        let run = record_once(&exact(policy), 0, |_| a_lock_of_a_thread(MS * 100));
        let waited = run.value.expect("the call returns");
        assert!(waited >= MS * 98 && waited <= MS * 100, "{waited:?}");
        match fails {
            true => assert_eq!(kind(&run), VerdictKind::Blocking),
            false => assert!(run.verdict.is_none(), "{:?}", run.verdict),
        }
        let told = run.blockings().len();
        assert_eq!(told, usize::from(policy != OnBlocking::Allow), "{policy:?}");
        if let Some(blocking) = run.blockings().first() {
            assert_eq!(blocking.function.as_deref(), Some("std::sync::Mutex::lock"));
        }
    }
}

#[test]
fn a_join_of_a_thread_is_told_as_such() {
    let run = record_once(&exact(OnBlocking::Fail), 0, |_| async {
        thread::spawn(|| thread::sleep(SECOND)).join().unwrap();
    });
    let [blocking] = run.blockings() else {
        panic!("{:#?}", run.blockings());
    };
    assert_eq!(blocking.took, Some(SECOND));
    assert_eq!(blocking.call, BlockingCall::Join);
}

#[test]
fn what_a_thread_blocks_is_its_own_business() {
    let run = run_once(&exact(OnBlocking::Fail), 0, |_| async {
        let thread = thread::spawn(|| thread::sleep(SECOND));
        sleep(SECOND * 2).await;
        thread.join().unwrap();
    });
    assert!(run.verdict.is_none(), "{:?}", run.verdict);
}

#[test]
fn a_nested_block_on_is_a_blocking_call_with_both_sites() {
    let run = record_once(&exact(OnBlocking::Fail), 0, |_| async {
        let outer = spawn_named("outer", async {
            block_on(sleep(SECOND));
        });
        outer.await.unwrap();
    });
    insta::assert_snapshot!(told(&run), @r#"
    blocking: the loop's thread waited for 1s in a blocking call; `on_blocking` says what becomes of such a run (tests/tests/blocking/policy_locks.rs:168) at 1.000000000 s
      block_on at tests/tests/blocking/policy_locks.rs:168 by host main task "outer" (tests/tests/blocking/policy_locks.rs:167:21) at 0.000000000 s, for 1s
      it is nested in the run of tests/tests/blocking/policy_locks.rs:166:15, whose thread it takes: await the future instead
    "#);
    assert_eq!(run.blockings()[0].took, Some(SECOND));
}

#[test]
fn a_nested_block_on_of_another_task_is_freed_by_its_end() {
    let run = record_once(&exact(OnBlocking::Fail), 0, |_| async {
        let (send, receive) = futures::channel::oneshot::channel::<()>();
        let sender = spawn_named("sender", async move {
            sleep(SECOND).await;
            let _ = send.send(());
        });
        let outer = spawn_named("outer", async {
            let _ = block_on(receive);
        });
        outer.await.unwrap();
        sender.await.unwrap();
    });
    insta::assert_snapshot!(told(&run), @r#"
    blocking: the loop's thread waits in a blocking call, and nobody is left who could end it (tests/tests/blocking/policy_locks.rs:189) at 1.000000000 s
      block_on at tests/tests/blocking/policy_locks.rs:189 by host main task "outer" (tests/tests/blocking/policy_locks.rs:188:21) since 0.000000000 s
      what it waits for is in the hands of host main task "sender" (tests/tests/blocking/policy_locks.rs:184:22), which could run, but for this call
      it is nested in the run of tests/tests/blocking/policy_locks.rs:182:15, whose thread it takes: await the future instead
      kept waiting: task "sender" (tests/tests/blocking/policy_locks.rs:184:22)
    "#);
}

#[test]
fn other_hosts_go_on_while_one_is_blocked() {
    for policy in [OnBlocking::Report, OnBlocking::Allow] {
        let run = record_once(&exact(policy), 0, |sim: Sim| async move {
            let napper = sim.host("svc").spawn(async { thread::sleep(SECOND) });
            let client = sim.host("client");
            let ticks = client.spawn(async {
                let begun = std::time::Instant::now();
                for _ in 0..10 {
                    sleep(MS * 50).await;
                }
                begun.elapsed()
            });
            let took = ticks.await.unwrap();
            napper.await.unwrap();
            took
        });
        assert_eq!(run.value, Some(MS * 500), "{policy:?} {:?}", run.verdict);
        assert_eq!(run.elapsed, SECOND, "{policy:?}");
    }
}

#[test]
fn a_host_that_was_restarted_blocks_nobody_else_either() {
    let run = record_once(&exact(OnBlocking::Report), 0, |sim: Sim| async move {
        let svc = sim.host("svc").start(|_| async { thread::sleep(SECOND) });
        sleep(MS * 10).await;
        svc.kill();
        sleep(MS * 10).await;
        svc.restart();
        let begun = std::time::Instant::now();
        sleep(MS * 50).await;
        let ticked = begun.elapsed();
        svc.wait().await;
        (ticked, begun.elapsed())
    });
    let (ticked, ended) = run.value.unwrap_or_else(|| panic!("{:?}", run.verdict));
    assert_eq!((ticked, ended), (MS * 50, SECOND));
    assert_eq!(run.blockings().len(), 1, "{:?}", run.blockings());
}
