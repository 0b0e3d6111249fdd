//! docs/TOKIO.md against tokio and the loop: each path that is the same is used in a program that
//! compiles and runs with both.

#[macro_use]
mod net;
#[macro_use]
mod signals;
#[macro_use]
mod unix;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use sim::{Config, Profile, Sim};
use walkdir::WalkDir;

/// The same programs, of either crate.
macro_rules! programs {
    ($module:ident, $lib:ident) => {
        #[allow(deprecated, reason = "two of tokio's paths have moved, and still work")]
        mod $module {
            use std::future::{pending, poll_fn, ready};
            use std::pin::Pin;
            use std::sync::Arc;
            use std::task::{Context, Poll};

            use $lib::time::Duration;

            pub(crate) async fn all() {
                macros().await;
                tasks().await;
                blocking().await;
                budget().await;
                time().await;
                mutexes().await;
                notices().await;
                semaphores().await;
                channels().await;
                shared().await;
                net::all().await.unwrap();
                #[cfg(target_os = "linux")]
                unix::all().await.unwrap();
                signals::all().await.unwrap();
            }

            async fn macros() {
                let task = $lib::spawn(async { 1 });
                let (a, b) = $lib::join!(task, async { 2 });
                assert_eq!(a.unwrap() + b, 3);
                assert_eq!(
                    $lib::try_join!(async { Ok::<_, ()>(1) }, ready(Ok(2))),
                    Ok((1, 2))
                );
                let pinned = async { 3 };
                $lib::pin!(pinned);
                let n = $lib::select! {
                    n = &mut pinned => n,
                    () = pending() => 0,
                };
                assert_eq!(n, 3);
            }

            async fn tasks() {
                let task: $lib::task::JoinHandle<u32> = $lib::task::spawn(async {
                    $lib::task::yield_now().await;
                    let id: $lib::task::Id = $lib::task::id();
                    assert_eq!($lib::task::try_id(), Some(id));
                    7
                });
                assert_eq!(task.await.unwrap(), 7);
                let stuck = $lib::spawn(pending::<()>());
                let abort: $lib::task::AbortHandle = stuck.abort_handle();
                assert!(!abort.is_finished() && !stuck.is_finished());
                stuck.abort();
                abort.abort();
                let error: $lib::task::JoinError = stuck.await.unwrap_err();
                assert!(error.is_cancelled() && !error.is_panic());
                assert!(error.try_into_panic().is_err());

                let mut set = $lib::task::JoinSet::new();
                for n in 0..3 {
                    set.spawn(async move { n });
                }
                assert_eq!(set.len(), 3);
                let first = set.join_next().await.unwrap().unwrap();
                let (_, second) = set.join_next_with_id().await.unwrap().unwrap();
                let rest: u32 = set.join_all().await.into_iter().sum();
                assert_eq!(first + second + rest, 3);
                let mut set = $lib::task::JoinSet::<()>::default();
                set.spawn(pending());
                set.abort_all();
                assert!(set.join_next().await.unwrap().is_err());
                assert!(set.try_join_next().is_none() && set.is_empty());
                set.spawn(pending());
                set.shutdown().await;
                set.detach_all();
            }

            async fn blocking() {
                let job: $lib::task::JoinHandle<u32> = $lib::task::spawn_blocking(|| 7);
                assert_eq!(job.await.unwrap(), 7);
                let broken = $lib::task::spawn_blocking(|| panic!("boom"));
                let error: $lib::task::JoinError = broken.await.map(|(): ()| ()).unwrap_err();
                assert!(error.is_panic() && !error.is_cancelled());
                let mut set = $lib::task::JoinSet::new();
                set.spawn_blocking(|| 1);
                let (_, one) = set.join_next_with_id().await.unwrap().unwrap();
                assert_eq!(one, 1);

                let (to_job, mut inbox) = $lib::sync::mpsc::channel(1);
                let (reply, answer) = $lib::sync::oneshot::channel();
                let locked = Arc::new($lib::sync::Mutex::new(0));
                let shared = locked.clone();
                let job = $lib::task::spawn_blocking(move || {
                    while let Some(n) = inbox.blocking_recv() {
                        *shared.blocking_lock() += n;
                    }
                    answer.blocking_recv().unwrap()
                });
                for n in 0..4 {
                    to_job.send(n).await.unwrap();
                }
                drop(to_job);
                reply.send(()).unwrap();
                job.await.unwrap();
                assert_eq!(*locked.lock().await, 6);
            }

            async fn budget() {
                $lib::task::consume_budget().await;
                $lib::task::coop::consume_budget().await;
                let free: $lib::task::Unconstrained<_> = $lib::task::unconstrained(ready(1));
                let freed: $lib::task::coop::Unconstrained<_> =
                    $lib::task::coop::unconstrained(free);
                let counted: $lib::task::coop::Coop<_> = $lib::task::coop::cooperative(freed);
                assert_eq!(counted.await, 1);
                poll_fn(|cx| {
                    assert!($lib::task::coop::has_budget_remaining());
                    $lib::task::coop::poll_proceed(cx)
                        .map(|taken: $lib::task::coop::RestoreOnPending| taken.made_progress())
                })
                .await;
            }

            async fn time() {
                let millisecond = Duration::from_millis(1);
                let start: $lib::time::Instant = $lib::time::Instant::now();
                $lib::time::sleep(millisecond).await;
                $lib::time::sleep_until(start + millisecond).await;
                assert!(start.elapsed() >= millisecond);
                let later = start.checked_add(millisecond).unwrap();
                assert_eq!(later.checked_sub(millisecond), Some(start));
                assert_eq!(later.duration_since(start), millisecond);
                assert_eq!(start.checked_duration_since(later), None);
                assert_eq!(start.saturating_duration_since(later), Duration::ZERO);
                assert_eq!(later - start, millisecond);

                let sleep: $lib::time::Sleep = $lib::time::sleep(millisecond);
                $lib::pin!(sleep);
                assert_eq!(
                    (sleep.deadline() > start, sleep.is_elapsed()),
                    (true, false)
                );
                sleep.as_mut().await;
                sleep
                    .as_mut()
                    .reset($lib::time::Instant::now() + millisecond);
                sleep.await;

                let late = $lib::time::timeout(millisecond, pending::<()>()).await;
                let late: $lib::time::error::Elapsed = late.unwrap_err();
                assert_eq!(late.to_string(), "deadline has elapsed");
                assert_eq!(
                    std::io::Error::from(late).kind(),
                    std::io::ErrorKind::TimedOut
                );
                assert!($lib::time::timeout_at(start, ready(1)).await.is_ok());
                let mut limited: $lib::time::Timeout<_> =
                    $lib::time::timeout(millisecond, ready(2));
                *limited.get_mut() = ready(3);
                let _limited: &std::future::Ready<u32> = limited.get_ref();
                assert_eq!(limited.into_inner().await, 3);

                let mut ticks: $lib::time::Interval = $lib::time::interval(millisecond);
                let first = ticks.tick().await;
                assert_eq!(
                    poll_fn(|cx| ticks.poll_tick(cx)).await,
                    first + ticks.period()
                );
                let mut ticks = $lib::time::interval_at(first, 2 * millisecond);
                ticks.set_missed_tick_behavior($lib::time::MissedTickBehavior::Skip);
                let behavior = ticks.missed_tick_behavior();
                assert_eq!(behavior, $lib::time::MissedTickBehavior::Skip);
                ticks.reset();
                ticks.reset_after(millisecond);
                ticks.reset_at(first);
                ticks.reset_immediately();
                ticks.tick().await;
            }

            async fn mutexes() {
                let mutex = Arc::new($lib::sync::Mutex::new((1, 2)));
                {
                    let guard: $lib::sync::MutexGuard<'_, (u32, u32)> = mutex.lock().await;
                    let refused: $lib::sync::TryLockError = mutex.try_lock().unwrap_err();
                    assert_eq!(refused.to_string(), "operation would block");
                    let mut second: $lib::sync::MappedMutexGuard<'_, u32> =
                        $lib::sync::MutexGuard::map(guard, |pair| &mut pair.1);
                    *second += 1;
                }
                let owned: $lib::sync::OwnedMutexGuard<_> = mutex.clone().lock_owned().await;
                assert_eq!(*owned, (1, 3));
                drop(owned);
                assert!(mutex.clone().try_lock_owned().is_ok());
                let mut alone = Arc::try_unwrap(mutex).unwrap();
                alone.get_mut().0 = 4;
                assert_eq!(alone.into_inner(), (4, 3));
            }

            async fn notices() {
                static LATE: $lib::sync::Notify = $lib::sync::Notify::const_new();
                LATE.notify_one();
                LATE.notified().await;
                let notify = Arc::new($lib::sync::Notify::new());
                let early: $lib::sync::futures::Notified<'_> = notify.notified();
                let owned: $lib::sync::futures::OwnedNotified = notify.clone().notified_owned();
                notify.notify_waiters();
                early.await;
                owned.await;
                notify.notify_last();
                let noted = notify.notified();
                $lib::pin!(noted);
                assert!(noted.as_mut().enable());
                noted.await;
            }

            async fn semaphores() {
                let semaphore = Arc::new($lib::sync::Semaphore::new(3));
                let mut one: $lib::sync::SemaphorePermit<'_> = semaphore.acquire().await.unwrap();
                one.merge(semaphore.acquire_many(2).await.unwrap());
                let full: $lib::sync::TryAcquireError = semaphore.try_acquire().unwrap_err();
                assert_eq!(full, $lib::sync::TryAcquireError::NoPermits);
                drop(one.split(1));
                let owned: $lib::sync::OwnedSemaphorePermit =
                    semaphore.clone().acquire_owned().await.unwrap();
                owned.forget();
                semaphore.add_permits(1);
                assert_eq!(semaphore.available_permits(), 1);
                semaphore.close();
                let closed: $lib::sync::AcquireError = semaphore.acquire().await.unwrap_err();
                assert_eq!(closed.to_string(), "semaphore closed");
            }

            async fn channels() {
                let (sender, mut receiver): (
                    $lib::sync::mpsc::Sender<u32>,
                    $lib::sync::mpsc::Receiver<u32>,
                ) = $lib::sync::mpsc::channel(2);
                sender.send(1).await.unwrap();
                sender.reserve().await.unwrap().send(2);
                let full = sender.try_send(3).unwrap_err();
                assert_eq!(full, $lib::sync::mpsc::error::TrySendError::Full(3));
                let mut all = Vec::new();
                assert_eq!(receiver.recv_many(&mut all, 8).await, 2);
                drop(sender);
                assert_eq!((all, receiver.recv().await), (vec![1, 2], None));

                let (sender, mut receiver): (
                    $lib::sync::mpsc::UnboundedSender<u32>,
                    $lib::sync::mpsc::UnboundedReceiver<u32>,
                ) = $lib::sync::mpsc::unbounded_channel();
                sender.send(1).unwrap();
                assert_eq!(receiver.recv().await, Some(1));
                receiver.close();
                sender.closed().await;
                assert!(receiver.try_recv().is_err());

                let (sender, receiver): (
                    $lib::sync::oneshot::Sender<u32>,
                    $lib::sync::oneshot::Receiver<u32>,
                ) = $lib::sync::oneshot::channel();
                sender.send(1).unwrap();
                assert_eq!(receiver.await, Ok(1));
                let (sender, receiver) = $lib::sync::oneshot::channel::<u32>();
                drop(sender);
                let lost: $lib::sync::oneshot::error::RecvError = receiver.await.unwrap_err();
                assert_eq!(lost.to_string(), "channel closed");
            }

            async fn shared() {
                let lock = Arc::new($lib::sync::RwLock::new((1, 2)));
                {
                    let one: $lib::sync::RwLockReadGuard<'_, (u32, u32)> = lock.read().await;
                    assert_eq!((*one, *lock.read().await), ((1, 2), (1, 2)));
                    assert!(lock.try_write().is_err());
                }
                let mut write: $lib::sync::RwLockWriteGuard<'_, (u32, u32)> = lock.write().await;
                write.0 = 3;
                let second: $lib::sync::RwLockMappedWriteGuard<'_, u32> =
                    $lib::sync::RwLockWriteGuard::map(write, |pair| &mut pair.1);
                drop(second);
                let owned: $lib::sync::OwnedRwLockReadGuard<(u32, u32)> =
                    lock.clone().read_owned().await;
                drop(owned);
                let owned: $lib::sync::OwnedRwLockWriteGuard<(u32, u32)> = lock.write_owned().await;
                assert_eq!(owned.0, 3);

                let (sender, mut receiver): (
                    $lib::sync::watch::Sender<u32>,
                    $lib::sync::watch::Receiver<u32>,
                ) = $lib::sync::watch::channel(1);
                sender.send(2).unwrap();
                receiver.changed().await.unwrap();
                {
                    let seen: $lib::sync::watch::Ref<'_, u32> = receiver.borrow_and_update();
                    assert_eq!(*seen, 2);
                }
                drop(sender);
                let lost: $lib::sync::watch::error::RecvError =
                    receiver.changed().await.unwrap_err();
                assert_eq!(lost.to_string(), "channel closed");

                let (sender, mut receiver): (
                    $lib::sync::broadcast::Sender<u32>,
                    $lib::sync::broadcast::Receiver<u32>,
                ) = $lib::sync::broadcast::channel(1);
                assert_eq!(sender.send(1).unwrap() + sender.send(2).unwrap(), 2);
                let lagged = receiver.recv().await.unwrap_err();
                assert_eq!(lagged, $lib::sync::broadcast::error::RecvError::Lagged(1));
                assert_eq!(receiver.recv().await, Ok(2));

                let barrier = Arc::new($lib::sync::Barrier::new(2));
                let other = barrier.clone();
                let other = $lib::spawn(async move { other.wait().await.is_leader() });
                let here: $lib::sync::BarrierWaitResult = barrier.wait().await;
                assert!(here.is_leader() != other.await.unwrap());

                let cell = $lib::sync::OnceCell::new();
                assert_eq!(*cell.get_or_init(async || 1).await, 1);
                let refused: $lib::sync::SetError<u32> = cell.set(2).unwrap_err();
                assert!(refused.is_already_init_err());
                let once = $lib::sync::SetOnce::new();
                once.set(1).unwrap();
                assert_eq!(*once.wait().await, 1);
                let refused: $lib::sync::SetOnceError<u32> = once.set(2).unwrap_err();
                assert_eq!(refused.0, 2);
            }

            net_programs!($lib);
            #[cfg(target_os = "linux")]
            unix_programs!($lib);
            signal_programs!($lib);

            /// A leaf of one's own, in tokio's manner.
            pub(crate) struct Leaf(pub(crate) u32);

            impl Future for Leaf {
                type Output = u32;

                fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<u32> {
                    let taken = std::task::ready!($lib::task::coop::poll_proceed(cx));
                    taken.made_progress();
                    self.0 += 1;
                    Poll::Ready(self.0)
                }
            }
        }
    };
}

programs!(theirs, tokio);
programs!(ours, event_loop);

/// What has another name, or is not quite the same.
#[allow(unused_imports, reason = "that they are there is all")]
mod differing {
    use event_loop::EventLoop;
    use event_loop::LoopConfig;
    use event_loop::Runner;
    use event_loop::current;
    use event_loop::task::spawn_local;
}

#[test]
fn what_is_the_same_runs_on_tokio() {
    let mut multi_thread = tokio::runtime::Builder::new_multi_thread();
    let runtime = multi_thread.worker_threads(2).enable_all().build().unwrap();
    let all = runtime.spawn(async {
        theirs::all().await;
        theirs::Leaf(1).await
    });
    assert_eq!(runtime.block_on(all).unwrap(), 2);
}

#[test]
fn what_is_the_same_runs_on_the_loop_in_production() {
    let config = || event_loop::LoopConfig::default();
    for ev in [
        event_loop::production::current_thread(config()),
        event_loop::production::multi_thread(config().worker_threads(2)),
    ] {
        let all = async {
            ours::all().await;
            ours::Leaf(1).await
        };
        assert_eq!(ev.unwrap().run_until_complete(all), Ok(2));
    }
}

#[test]
fn what_is_the_same_runs_in_worlds() {
    for profile in Profile::ALL {
        let config = Config::new().seeds(20).profile(profile);
        sim::check(&config, |_: Sim| ours::all());
    }
}

/// A line of the document's table.
struct Row {
    tokio: String,
    here: String,
    verdict: String,
}

fn rows() -> Vec<Row> {
    let document = fs::read_to_string(root().join("docs/TOKIO.md")).expect("the page is there");
    let lines = document
        .lines()
        .filter(|line| line.starts_with("| `tokio::"));
    let rows: Vec<_> = lines
        .map(|line| {
            let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
            let [tokio, here, verdict] = cells[..] else {
                panic!("three columns: {line}");
            };
            let path = |cell: &str| cell.trim_matches('`').to_owned();
            Row {
                tokio: path(tokio),
                here: path(here),
                verdict: verdict.to_owned(),
            }
        })
        .collect();
    assert!(rows.len() > 50, "{} rows", rows.len());
    rows
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The paths that the programs above use, without their crate.
fn used() -> BTreeSet<String> {
    let here = [
        include_str!("main.rs"),
        include_str!("net.rs"),
        include_str!("signals.rs"),
        include_str!("unix.rs"),
    ]
    .concat();
    let after = here.split("$lib::").skip(1);
    let of_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let paths = after.map(|text| text.split(|c| !of_path(c)).next().unwrap_or_default());
    paths
        .map(|path| path.trim_end_matches(':').to_owned())
        .collect()
}

#[test]
fn every_line_says_what_is_so() {
    let (used, here) = (used(), include_str!("main.rs"));
    for Row {
        tokio,
        here: ours,
        verdict,
    } in rows()
    {
        let path = tokio.strip_prefix("tokio::").unwrap();
        if verdict.starts_with("same") {
            assert_eq!(ours, format!("event_loop::{path}"));
            let deeper = format!("{path}::");
            let uses = |used: &String| used == path || used.starts_with(&deeper);
            assert!(
                used.iter().any(uses),
                "`$lib::{path}` is used in no program"
            );
        } else if verdict.starts_with("differs: ") {
            let named = format!("use {ours};");
            assert!(here.contains(&named), "`{named}` is missing");
        } else {
            assert!(
                verdict.starts_with("no") && ours.is_empty(),
                "{tokio}: {verdict}"
            );
            assert!(
                !is_there(path),
                "{tokio} is there by now: docs/TOKIO.md says no"
            );
        }
    }
}

#[test]
fn every_path_that_is_used_has_its_line() {
    let rows: BTreeSet<_> = rows().into_iter().map(|row| row.tokio).collect();
    for path in used() {
        // A variant, a method, or the path itself.
        let parent = path.rsplit_once("::").map_or("", |(parent, _)| parent);
        let known = [path.as_str(), parent].map(|path| rows.contains(&format!("tokio::{path}")));
        assert!(
            path.is_empty() || known.contains(&true),
            "`{path}` has no line"
        );
    }
}

/// Whether the loop's crate has something public of this name, where tokio has it.
fn is_there(path: &str) -> bool {
    let (module, name) = path.rsplit_once("::").unwrap_or(("", path));
    let folder = root()
        .join("event-loop/src")
        .join(module.replace("::", "/"));
    let declared = ["fn", "async fn", "struct", "enum", "mod", "type"]
        .map(|kind| format!("pub {kind} {name}"));
    let deep = if module.is_empty() { 1 } else { 9 };
    let files = WalkDir::new(folder)
        .max_depth(deep)
        .into_iter()
        .filter_map(Result::ok);
    let sources = files.filter(|file| file.path().extension().is_some_and(|e| e == "rs"));
    sources
        .filter_map(|file| fs::read_to_string(file.path()).ok())
        .any(|text| {
            text.lines().any(|line| {
                let rest = declared
                    .iter()
                    .find_map(|start| line.strip_prefix(start.as_str()));
                rest.is_some_and(|rest| {
                    !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_')
                })
            })
        })
}
