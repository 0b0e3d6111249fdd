//! The watchdog: a thread in real time that sees a poll which never returns.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use crate::world::World;

/// A run that is watched until this is dropped.
#[derive(Debug)]
pub(crate) struct Watched(u64);

/// What is done about a hang, on the watchdog's thread; gets how many polls had begun. It does not
/// return to the run, which cannot be stopped: it ends the process.
pub(crate) type OnHang = Box<dyn FnOnce(u64) + Send>;

struct Run {
    id: u64,
    world: Weak<World>,
    limit: Duration,
    polls: u64,
    since: Instant,
    on_hang: OnHang,
}

#[derive(Default)]
struct Runs {
    runs: Vec<Run>,
    next_id: u64,
    thread_started: bool,
}

static RUNS: Mutex<Option<Runs>> = Mutex::new(None);

/// How often it looks.
const PERIOD: Duration = Duration::from_millis(200);

/// Watches a run: `on_hang` is called once it has made no progress for `limit` of real time.
pub(crate) fn watch(world: &Arc<World>, limit: Duration, on_hang: OnHang) -> Watched {
    let mut guard = lock();
    let runs = guard.get_or_insert_with(Runs::default);
    runs.next_id += 1;
    let id = runs.next_id;
    runs.runs.push(Run {
        id,
        world: Arc::downgrade(world),
        limit,
        polls: world.polls(),
        since: real_now(),
        on_hang,
    });
    if !std::mem::replace(&mut runs.thread_started, true) {
        let started = thread::Builder::new()
            .name("sim-watchdog".to_owned())
            .spawn(patrol);
        // Without the thread a hang is seen by whoever waits for the test.
        runs.thread_started = started.is_ok();
    }
    Watched(id)
}

impl Drop for Watched {
    fn drop(&mut self) {
        let run = lock().as_mut().and_then(|runs| {
            let index = runs.runs.iter().position(|run| run.id == self.0)?;
            Some(runs.runs.swap_remove(index))
        });
        drop(run);
    }
}

#[expect(clippy::disallowed_methods, reason = "it patrols in real time")]
fn patrol() {
    loop {
        thread::sleep(PERIOD);
        while let Some((polls, on_hang)) = find_hang() {
            on_hang(polls);
        }
    }
}

fn find_hang() -> Option<(u64, OnHang)> {
    let now = real_now();
    let mut guard = lock();
    let runs = &mut guard.as_mut()?.runs;
    let hung = runs.iter_mut().position(|run| {
        let polls = run.world.upgrade().map_or(0, |world| world.polls());
        if polls != run.polls {
            run.polls = polls;
            run.since = now;
        }
        now.duration_since(run.since) >= run.limit
    })?;
    let run = runs.swap_remove(hung);
    Some((run.polls, run.on_hang))
}

fn lock() -> MutexGuard<'static, Option<Runs>> {
    RUNS.lock().unwrap_or_else(PoisonError::into_inner)
}

#[expect(clippy::disallowed_methods, reason = "a hang is a matter of real time")]
fn real_now() -> Instant {
    Instant::now()
}
