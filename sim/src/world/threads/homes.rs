//! Homes: threads that the tasks of one host live on, so that one of them can block while other
//! hosts go on.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use event_loop::backend::{Polled, Runnable, ScheduledCall, drop_task, run_task, with_budget};
use interpose::ThreadId;

use super::{On, Outcome};
use crate::world::core::{Core, Step};
use crate::world::presence::Entered;
use crate::world::verdict::VerdictKind;
use crate::world::{World, here};

/// What a home is asked to do.
#[derive(Debug)]
pub(crate) enum Errand {
    Poll(Runnable),
    Call(ScheduledCall),
    Drop(Runnable),
}

impl World {
    /// From here on the host's tasks and callbacks run on a thread of its own. Asked before it has
    /// any, for those that never leave their thread; not for the host of the root, which lives on
    /// the thread that drives.
    ///
    /// # Errors
    /// What the operating system has to say, if it has no thread to give.
    pub(crate) fn give_home(self: &Arc<Self>, host: u32) -> std::io::Result<()> {
        let name = self.core(|core| core.hosts[host as usize].name.clone());
        let id = self.spawn_thread(&format!("{name}-home"), host, move || keep_house(host))?;
        self.core(|core| {
            if let Some(threads) = &mut core.threads {
                threads.homes.insert(host, id);
            }
        });
        Ok(())
    }

    /// Has a home do something; what the poll came to, if it was one and has ended.
    pub(in crate::world) fn send_home(&self, home: ThreadId, errand: Errand) -> Polled {
        self.core(|core| {
            if let Some(thread) = core.thread(home) {
                thread.errand = Some(errand);
            }
        });
        self.resume(home)
    }

    /// Whether the calling thread runs loops: it drives the world, or is the home of a host.
    pub(crate) fn is_on_loop_thread(&self) -> bool {
        self.current_thread().is_none_or(|id| {
            let is_home = |core: &mut Core| {
                let threads = core.threads.as_ref();
                threads.is_some_and(|threads| threads.homes.values().any(|home| *home == id))
            };
            self.enter(is_home).unwrap_or(false)
        })
    }

    /// Does what the calling thread, which is a home, was asked for.
    fn run_errand(self: &Arc<Self>, host: u32, entered: &mut Entered) {
        let here = self.current_thread();
        let errand = self.core(|core| core.thread(here?)?.errand.take());
        let Some(errand) = errand else { return };
        entered.host(self, host);
        let work = || match errand {
            Errand::Poll(runnable) => {
                self.begin_poll(runnable.meta(), entered);
                with_budget(self.profile.budget(), || run_task(runnable))
            }
            Errand::Call(call) => {
                if self.is_recording() {
                    self.note_polled(call.site());
                }
                call.run();
                Polled::Pending
            }
            Errand::Drop(runnable) => {
                let id = runnable.meta().id;
                drop_task(runnable);
                Polled::Finished(id)
            }
        };
        match catch_unwind(AssertUnwindSafe(work)) {
            Ok(polled) => self.core(|core| {
                if let Some(threads) = &mut core.threads {
                    threads.handed.polled = polled;
                }
            }),
            Err(payload) => self.panicked(VerdictKind::Unread, &*payload),
        }
    }
}

/// What a home does all its life.
fn keep_house(host: u32) {
    let mut entered = Entered::default();
    while let Ok(world) = here::world() {
        // There may be one already: that is why it has its first turn.
        world.run_errand(host, &mut entered);
        if world.block(On::Errand, None) == Some(Outcome::Over) {
            return;
        }
    }
}

impl Core {
    /// The home of a host, if it is not the thread that drives.
    #[inline]
    pub(in crate::world) fn home_of(&self, host: u32) -> Option<ThreadId> {
        self.threads.as_ref()?.homes.get(&host).copied()
    }

    /// Sends what is to be done for a host to its home, if that is not the thread that drives.
    #[inline]
    pub(in crate::world) fn at_home(&self, step: Step) -> Step {
        match &self.threads {
            Some(threads) if !threads.homes.is_empty() => self.sent_home(step),
            _ => step,
        }
    }

    #[cold]
    fn sent_home(&self, step: Step) -> Step {
        let host = match &step {
            Step::Poll(runnable) | Step::Drop(runnable) => runnable.meta().host,
            Step::Call(host, _) => *host,
            _ => return step,
        };
        let Some(home) = self.home_of(host) else {
            return step;
        };
        let errand = match step {
            Step::Poll(runnable) => Errand::Poll(runnable),
            Step::Drop(runnable) => Errand::Drop(runnable),
            Step::Call(_, call) => Errand::Call(call),
            other => return other,
        };
        Step::At(home, Box::new(errand))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;
    use std::sync::{Arc, Mutex, Weak};
    use std::thread::{self, ThreadId};
    use std::time::Duration;

    use event_loop::spawn_local;
    use event_loop::time::sleep;

    use crate::world::World;
    use crate::{Config, OnBlocking, Profile, Sim};

    const TICK: Duration = Duration::from_millis(10);

    #[expect(clippy::disallowed_methods, reason = "it blocks in virtual time")]
    fn block(ticks: u32) {
        thread::sleep(TICK * ticks);
    }

    /// Runs `main` everywhere, each seed twice, and looks how many keep the world afterwards.
    fn everywhere<F>(keepers: usize, main: impl Fn(Sim) -> F) -> Vec<F::Output>
    where
        F: Future,
        F::Output: PartialEq + std::fmt::Debug,
    {
        let mut values = Vec::new();
        for profile in Profile::ALL {
            for seed in 0..20 {
                let config = Config::new()
                    .profile(profile)
                    .on_blocking(OnBlocking::Allow);
                let world: Mutex<Weak<World>> = Mutex::default();
                let body = |sim: Sim| {
                    *world.lock().unwrap() = Arc::downgrade(&sim.world);
                    main(sim)
                };
                let run = crate::run_once(&config, seed, body);
                assert!(run.verdict.is_none(), "{profile} {seed}: {:?}", run.verdict);
                let kept = world.lock().unwrap().strong_count();
                assert!(kept <= keepers, "{profile} {seed}: {kept} keep the world");
                let again = crate::record_once(&config, seed, body);
                assert_eq!(run.hash, again.hash, "{profile} {seed}");
                assert_eq!(run.value, again.value, "{profile} {seed}");
                values.extend(run.value);
            }
        }
        values
    }

    #[test]
    fn a_host_blocks_while_others_go_on() {
        let ends = everywhere(0, |sim| async move {
            let ticks = Rc::new(Cell::new(0));
            let svc = sim.host("svc");
            let blocked = svc.spawn(async move {
                sleep(TICK).await;
                block(10);
            });
            let beside = svc.spawn(async {
                sleep(TICK * 2).await;
            });
            let counted = ticks.clone();
            let ticker = spawn_local(async move {
                loop {
                    sleep(TICK).await;
                    counted.set(counted.get() + 1);
                }
            });
            beside.await.unwrap();
            let late = sim.now();
            blocked.await.unwrap();
            drop(ticker);
            (ticks.get(), late.as_nanos() / 1_000_000)
        });
        for (ticks, late) in ends {
            assert!((9..=11).contains(&ticks), "{ticks}");
            assert!((110..120).contains(&late), "{late}");
        }
    }

    #[test]
    fn all_of_a_host_happens_on_its_own_thread() {
        struct Ends(Arc<Mutex<Vec<ThreadId>>>);
        impl Drop for Ends {
            fn drop(&mut self) {
                self.0.lock().unwrap().push(thread::current().id());
            }
        }
        let seen = Arc::new(Mutex::new(Vec::new()));
        everywhere(0, |sim| {
            let (seen, here) = (seen.clone(), thread::current().id());
            async move {
                let svc = sim.host("svc");
                seen.lock().unwrap().clear();
                let ends = Ends(seen.clone());
                let local = seen.clone();
                let main = svc.spawn(async move {
                    let rc = Rc::new(Ends(local));
                    spawn_local(async move {
                        sleep(TICK).await;
                        drop(rc);
                    })
                    .await
                    .unwrap();
                });
                let kept = svc.spawn(async move {
                    let _ends = ends;
                    std::future::pending::<()>().await;
                });
                let called = seen.clone();
                let call = move || called.lock().unwrap().push(thread::current().id());
                svc.event_loop().call_soon(call).unwrap();
                main.await.unwrap();
                kept.abort();
                sleep(TICK).await;
                let seen = seen.lock().unwrap();
                assert_eq!(seen.len(), 3);
                assert!(seen.iter().all(|id| *id == seen[0] && *id != here));
            }
        });
    }

    #[test]
    fn a_run_ends_while_a_home_is_blocked() {
        // The task that never ends has its loop for good.
        everywhere(usize::MAX, |sim| async move {
            let svc = sim.host("svc");
            let idle = sim.host("idle");
            svc.spawn(async { block(1_000) }).detach();
            idle.spawn(std::future::pending::<()>()).detach();
            sleep(TICK).await;
        });
    }
}
