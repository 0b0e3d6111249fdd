//! A run that is stuck says who waits on what, and by whom it is held.

use std::future::Future;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use event_loop::spawn_named;
use event_loop::sync::{
    Barrier, Mutex, Notify, OnceCell, RwLock, Semaphore, SetOnce, broadcast, mpsc, oneshot, watch,
};
use event_loop::time::sleep;
use insta::assert_snapshot;
use sim::{Config, Profile, VerdictKind};

/// The table of a run that ends in a deadlock, its call sites counted in lines from here.
#[track_caller]
fn table<F: Future>(main: impl FnOnce() -> F) -> String {
    let here = Location::caller();
    let config = Config::new().profile(Profile::Exact);
    let run = sim::record_once(&config, 0, |_sim| main());
    let verdict = run.verdict.expect("nothing can go on");
    assert_eq!(verdict.kind, VerdictKind::Deadlock);
    let table = verdict.blocked.join("\n");
    let mut parts = table.split(here.file());
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let mut site = part[1..].splitn(2, ':');
        let line: u32 = site.next().and_then(|line| line.parse().ok()).unwrap();
        let rest = site.next().unwrap().trim_start_matches(char::is_numeric);
        match line.checked_sub(here.line()) {
            Some(line) => format!("{text}line {line}{rest}"),
            None => format!("{text}the run's{rest}"),
        }
    })
}

#[test]
fn two_that_wait_for_each_other_s_mutex() {
    let table = table(|| async {
        let accounts = Arc::new((Mutex::new(10), Mutex::new(20)));
        let both = accounts.clone();
        let deposit = spawn_named("deposit", async move {
            let mut a = both.0.lock().await;
            sleep(Duration::from_millis(1)).await;
            *a += *both.1.lock().await;
        });
        let withdraw = spawn_named("withdraw", async move {
            let mut b = accounts.1.lock().await;
            sleep(Duration::from_millis(1)).await;
            *b -= *accounts.0.lock().await;
        });
        deposit.await.unwrap();
        withdraw.await.unwrap();
    });
    assert_snapshot!(table, @r#"
    in a circle: task "deposit" → the mutex made at line 1, held by task "withdraw" → the mutex made at line 1, held by task "deposit"
    task "main" (line 0) waits on the end of task "deposit" since 0.000000000 s
    task "deposit" (line 3) waits on the mutex made at line 1 since 0.001000000 s, held by task "withdraw" (locked at line 9)
    task "withdraw" (line 8) waits on the mutex made at line 1 since 0.001000000 s, held by task "deposit" (locked at line 4)
    "#);
}

#[test]
fn holders_of_permits_and_those_of_owned_guards_are_named() {
    let table = table(|| async {
        let connections = Arc::new(Semaphore::new(5));
        let state = Arc::new(Mutex::new(()));
        for name in ["a", "b", "c", "d", "e"] {
            let permit = connections.clone().acquire_owned();
            let state = state.clone();
            spawn_named(name, async move {
                let _permit = permit.await.unwrap();
                let _locked = state.lock_owned().await;
                std::future::pending::<()>().await;
            })
            .detach();
        }
        sleep(Duration::from_millis(1)).await;
        let two = connections.acquire_many(2).await;
        drop(two);
    });
    assert_snapshot!(table, @r#"
    task "main" (line 0) waits on permits of the semaphore made at line 1 since 0.001000000 s, held by task "a" (taken at line 4), task "b" (taken at line 4), task "c" (taken at line 4) and 2 more
    task "a" (line 6) waits on an await of its own, for which it keeps no waker, since 0.000000000 s
    task "b" (line 6) waits on the mutex made at line 2 since 0.000000000 s, held by task "a" (locked at line 8)
    task "c" (line 6) waits on the mutex made at line 2 since 0.000000000 s, held by task "a" (locked at line 8)
    task "d" (line 6) waits on the mutex made at line 2 since 0.000000000 s, held by task "a" (locked at line 8)
    task "e" (line 6) waits on the mutex made at line 2 since 0.000000000 s, held by task "a" (locked at line 8)
    "#);
}

#[test]
fn who_let_go_holds_nothing() {
    let table = table(|| async {
        let semaphore = Semaphore::new(2);
        let mut both = semaphore.acquire_many(2).await.unwrap();
        let one = both.split(1).unwrap();
        drop(both);
        one.forget();
        let _last = semaphore.acquire().await;
        let _more = semaphore.acquire().await;
    });
    assert_snapshot!(table, @r#"
    in a circle: task "main" → a permit of the semaphore made at line 1, held by task "main"
    task "main" (line 0) waits on a permit of the semaphore made at line 1 since 0.000000000 s, held by task "main" (taken at line 6)
    "#);
}

#[test]
fn the_ends_of_channels_are_counted() {
    let table = table(|| async {
        let (sender, mut receiver) = mpsc::channel::<u8>(1);
        let _second = sender.clone();
        let _weak = sender.downgrade();
        let (full, _kept) = mpsc::channel(1);
        let (_reply, answer) = oneshot::channel::<u8>();
        let notify = Arc::new(Notify::new());
        let notified = notify.clone().notified_owned();
        let tasks = [
            spawn_named(
                "receive",
                async move { assert_eq!(receiver.recv().await, None) },
            ),
            spawn_named("send", async move {
                full.send(1).await.unwrap();
                full.send(2).await.unwrap();
            }),
            spawn_named("closed", async move { sender.closed().await }),
            spawn_named("answer", async move { drop(answer.await) }),
            spawn_named("notified", notified),
        ];
        for task in tasks {
            task.await.unwrap();
        }
    });
    assert_snapshot!(table, @r#"
    task "main" (line 0) waits on the end of task "receive" since 0.000000000 s
    task "receive" (line 9) waits on an item of the channel made at line 1 since 0.000000000 s, with 2 senders and 1 receiver left
    task "send" (line 13) waits on room in the channel made at line 4 since 0.000000000 s, with 1 sender and 1 receiver left
    task "closed" (line 17) waits on the closing of the channel made at line 1 since 0.000000000 s, with 2 senders and 1 receiver left
    task "answer" (line 18) waits on the value of the oneshot channel made at line 5 since 0.000000000 s, with 1 sender and 1 receiver left
    task "notified" (line 19) waits on a notification of the notify made at line 6 since 0.000000000 s
    "#);
}

#[test]
fn locks_cells_and_barriers_are_told_apart() {
    let table = table(|| async {
        static CELL: OnceCell<u8> = OnceCell::const_new();
        static ADDRESS: SetOnce<u8> = SetOnce::const_new();
        let (level, mut levels) = watch::channel(1);
        let (_quotes, mut items) = broadcast::channel::<u8>(1);
        let lock = Arc::new(RwLock::new(0));
        let (reading, writing) = (lock.clone(), lock.clone());
        let _locked = lock.read().await;
        let tasks = [
            spawn_named("write", async move { *writing.write().await = 1 }),
            spawn_named("read", async move { assert_eq!(*reading.read().await, 1) }),
            spawn_named("make", async {
                CELL.get_or_init(std::future::pending).await;
            }),
            spawn_named("use", async {
                CELL.get_or_init(async || 1).await;
            }),
            spawn_named("find", async { assert_eq!(*ADDRESS.wait().await, 1) }),
            spawn_named("meet", async {
                Barrier::new(2).wait().await;
            }),
            spawn_named("watch", async move { levels.changed().await.unwrap() }),
            spawn_named(
                "listen",
                async move { assert!(items.recv().await.is_err()) },
            ),
        ];
        for task in tasks {
            task.await.unwrap();
        }
        level.closed().await;
    });
    assert_snapshot!(table, @r#"
    in a circle: task "main" → the end of task "write" → the write lock of the rwlock made at line 5, held by task "main"
    task "main" (line 0) waits on the end of task "write" since 0.000000000 s
    task "write" (line 9) waits on the write lock of the rwlock made at line 5 since 0.000000000 s, held by task "main" (locked at line 7)
    task "read" (line 10) waits on a read lock of the rwlock made at line 5 since 0.000000000 s, held by task "main" (locked at line 7)
    task "make" (line 11) waits on an await of its own, for which it keeps no waker, since 0.000000000 s
    task "use" (line 14) waits on the value of the once-cell made at line 1 since 0.000000000 s, held by task "make" (begun at line 12)
    task "find" (line 17) waits on the value of the set-once made at line 2 since 0.000000000 s
    task "meet" (line 18) waits on the others at the barrier made at line 19 since 0.000000000 s
    task "watch" (line 21) waits on a change in the watch channel made at line 3 since 0.000000000 s, with 1 sender and 1 receiver left
    task "listen" (line 22) waits on an item of the broadcast channel made at line 4 since 0.000000000 s, with 1 sender and 1 receiver left
    "#);
}
