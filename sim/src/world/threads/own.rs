//! Threads of the simulator's own: what blocking work and homes run on.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use event_loop::backend::outside_tokio_s_budget;
use interpose::ThreadId;

use super::{On, Outcome, Seat, What};
use crate::world::presence::Presence;
use crate::world::verdict::VerdictKind;
use crate::world::{World, here};

impl World {
    /// Makes a simulated thread of the host, which runs `body` at its turns; the host's loop is
    /// current in it. `name` is what traces and entries call it by.
    ///
    /// A panic of `body` fails the run.
    ///
    /// # Errors
    /// What the operating system has to say, if it has no thread to give.
    pub(crate) fn spawn_thread(
        self: &Arc<Self>,
        name: &str,
        host: u32,
        body: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<ThreadId> {
        self.pin();
        let seat = Arc::new(Seat::default());
        let id = self.core(|core| core.add_thread(host, What::Own(None), seat.clone(), name));
        let world = self.clone();
        let made = {
            // To the operating system it is the simulator's.
            let _real = interpose::suspend();
            let routine = move || run(world, id, host, seat, body);
            thread::Builder::new().name(name.to_owned()).spawn(routine)
        };
        let made = made.inspect_err(|_| self.core(|core| core.thread_over(id)))?;
        self.core(|core| {
            if let Some(thread) = core.thread(id) {
                thread.what = What::Own(Some(made));
            }
            core.thread_ready(id);
        });
        Ok(id)
    }

    /// Blocks the calling thread, one of [`spawn_thread`](Self::spawn_thread)'s, until somebody
    /// [unparks](Self::unpark_thread) it; at once, if somebody has since it parked last. A thread
    /// that is parked has no work: no one waits for it, and at the end of the run it ends.
    ///
    /// False if it is to end now: the world is over, or its host is gone.
    #[must_use]
    pub(crate) fn park_thread(&self) -> bool {
        let Some(id) = self.current_thread() else {
            return false;
        };
        let unparked = self.core(|core| {
            let thread = core.thread(id);
            thread.is_some_and(|thread| std::mem::take(&mut thread.unparked))
        });
        unparked || !matches!(self.block(On::Park, None), None | Some(Outcome::Over))
    }

    /// Lets a thread that [parks](Self::park_thread) go on.
    pub(crate) fn unpark_thread(&self, thread: ThreadId) {
        self.enter(|core| {
            let parks = core.thread(thread).map(|thread| match thread.state {
                super::State::Blocked { on: On::Park, .. } => true,
                _ => {
                    thread.unparked = true;
                    false
                }
            });
            if parks == Some(true) {
                core.wake_thread(thread, Outcome::Woken);
            }
        });
    }
}

thread_local! {
    /// The calling thread's last, if it is the simulator's: it is dropped behind every other
    /// thread-local, for it was the first.
    static LAST: RefCell<Option<Last>> = const { RefCell::new(None) };
}

/// At whose end a thread leaves the world and gives its turn away for good.
struct Last {
    world: Arc<World>,
    id: ThreadId,
    presence: Option<Presence>,
    /// It has no turn to give away.
    is_over: bool,
}

impl Drop for Last {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        // Nothing of the loop's is left to be put back: its own thread-locals are gone.
        drop(self.presence.take());
        self.world.core(|core| core.thread_ends(self.id));
        self.world.leave_turn();
    }
}

/// The calling thread vanishes: what it has stays, but it does not keep the world.
pub(super) fn forget() {
    let last = LAST.try_with(|last| last.borrow_mut().take());
    if let Ok(Some(mut last)) = last {
        std::mem::forget(last.presence.take());
        last.is_over = true;
    }
}

fn run(world: Arc<World>, id: ThreadId, host: u32, seat: Arc<Seat>, body: impl FnOnce()) {
    seat.sit();
    world.await_turn(&seat);
    let mut presence = world.visit_as(Some(id));
    presence.entered.host(&world, host);
    let ends = world.core(|core| core.thread_goes_on(id)) == Outcome::Over;
    LAST.set(Some(Last {
        world,
        id,
        presence: Some(presence),
        is_over: false,
    }));
    // From here on nothing on this stack keeps the world, should the thread vanish.
    drop(seat);
    if ends {
        return;
    }
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| outside_tokio_s_budget(body)))
        && let Ok(world) = here::world()
    {
        world.panicked(VerdictKind::Panic, &*payload);
    }
}

/// What its maker called the calling thread, which the thread itself is told after its making.
pub(super) fn own_name() -> Option<Box<str>> {
    thread::current().name().map(Into::into)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use event_loop::time::sleep;
    use interpose::{Deadline, Kernel};

    use crate::{Config, Profile, Sim};

    type Log = Arc<Mutex<Vec<String>>>;

    /// Two threads that unpark each other, and one that sleeps, beside a task.
    async fn ping_pong(sim: Sim, log: Log) {
        let world = sim.world.clone();
        let host = sim.host("svc").index;
        let say = move |log: &Log, sim: &Sim, who: &str| {
            let at = sim.now().as_nanos() / 1_000_000;
            log.lock().unwrap().push(format!("{at} {who}"));
        };
        let other = Arc::new(Mutex::new(None));
        let ids: Vec<_> = ["ping", "pong"]
            .into_iter()
            .map(|name| {
                let (sim, log, other) = (sim.clone(), log.clone(), other.clone());
                let body = move || {
                    for _ in 0..3 {
                        if !sim.world.park_thread() {
                            return;
                        }
                        say(&log, &sim, name);
                        let all: Vec<_> = other.lock().unwrap().clone().unwrap();
                        for id in all {
                            if Some(id) != sim.world.current_thread() {
                                sim.world.unpark_thread(id);
                            }
                        }
                    }
                };
                world.spawn_thread(name, host, body).unwrap()
            })
            .collect();
        *other.lock().unwrap() = Some(ids.clone());
        let (slept, told) = (sim.clone(), log.clone());
        let body = move || {
            for _ in 0..3 {
                let span = Deadline::After(Duration::from_millis(7));
                Kernel::sleep(&*slept.world, interpose::ClockId::Monotonic, span);
                say(&told, &slept, "slept");
            }
        };
        world.spawn_thread("sleeper", host, body).unwrap();
        sleep(Duration::from_millis(10)).await;
        say(&log, &sim, "root");
        world.unpark_thread(ids[0]);
        sleep(Duration::from_millis(20)).await;
        say(&log, &sim, "root");
    }

    #[test]
    fn threads_take_turns_in_virtual_time() {
        for profile in Profile::ALL {
            for seed in 0..30 {
                let config = Config::new().profile(profile);
                let (log, again) = (Log::default(), Log::default());
                let told = log.clone();
                let run = crate::run_once(&config, seed, |sim| ping_pong(sim, told));
                assert!(run.verdict.is_none(), "{:?}", run.verdict);
                let told = again.clone();
                let repeated = crate::record_once(&config, seed, |sim| ping_pong(sim, told));
                assert_eq!(run.hash, repeated.hash, "{profile} {seed}");
                let log = log.lock().unwrap().clone();
                assert_eq!(log, *again.lock().unwrap(), "{profile} {seed}");
                let of = |who: &str| log.iter().filter(|line| line.ends_with(who)).count();
                assert_eq!((of("ping"), of("pong")), (3, 3), "{log:?}");
                let slept = log.iter().filter_map(|line| line.strip_suffix(" slept"));
                let slept: Vec<u64> = slept.map(|at| at.parse().unwrap()).collect();
                assert_eq!(slept, [slept[0], slept[0] + 7, slept[0] + 14], "{log:?}");

                let again = Log::default();
                let told = again.clone();
                let entries = repeated.remains.deviations.to_string();
                let replayed =
                    crate::replay_once(&config, seed, &entries, |sim| ping_pong(sim, told));
                assert_eq!(
                    replayed.unwrap().hash,
                    run.hash,
                    "{profile} {seed} {entries}"
                );
            }
        }
    }
}
