//! The watchdog: a thread in real time that sees a poll which never returns.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use crate::world::World;

/// A run that is watched until this is dropped.
#[derive(Debug)]
pub(crate) struct Watched(u64);

/// What is done about a hang, on the watchdog's thread; gets how many polls had begun. It ends the
/// process, for the poll cannot be stopped; if it returns, the run is watched on.
pub(crate) type OnHang = Box<dyn FnMut(u64) + Send>;

struct Run {
    id: u64,
    world: Weak<World>,
    limit: Duration,
    polls: u64,
    /// How long it has made no progress, by the watchdog's own rounds: time in which the whole
    /// process stood still, in a debugger or a suspended machine, does not count.
    stalled: Duration,
    /// Absent while it is being called.
    on_hang: Option<OnHang>,
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
        stalled: Duration::ZERO,
        on_hang: Some(on_hang),
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
        // One hang a round: what is done about it takes its time, in which others go on.
        if let Some((id, polls, mut on_hang)) = find_hang() {
            on_hang(polls);
            let mut guard = lock();
            let runs = guard.iter_mut().flat_map(|runs| &mut runs.runs);
            if let Some(run) = runs.into_iter().find(|run| run.id == id) {
                run.on_hang = Some(on_hang);
                run.stalled = Duration::ZERO;
            }
        }
    }
}

fn find_hang() -> Option<(u64, u64, OnHang)> {
    let mut guard = lock();
    let runs = &mut guard.as_mut()?.runs;
    for run in &mut *runs {
        let world = run.world.upgrade();
        let polls = world.as_ref().map_or(0, |world| world.polls());
        // Of a run that was given up nobody takes this away.
        let is_over = world.is_some_and(|world| world.is_over());
        if polls == run.polls && !is_over {
            run.stalled += PERIOD;
        } else {
            run.polls = polls;
            run.stalled = Duration::ZERO;
        }
    }
    let hung = runs
        .iter_mut()
        .find(|run| run.stalled >= run.limit && run.on_hang.is_some())?;
    Some((hung.id, hung.polls, hung.on_hang.take()?))
}

fn lock() -> MutexGuard<'static, Option<Runs>> {
    RUNS.lock().unwrap_or_else(PoisonError::into_inner)
}
