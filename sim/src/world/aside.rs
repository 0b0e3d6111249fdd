//! Hosts that do not run for now: what is picked of theirs is kept, and is queued again in that
//! order once they go on.
//!
//! Time passes for them meanwhile: their timers fire and what is sent to them arrives, as it does
//! for a process that is stopped. They find all of it when they go on.

use std::collections::BTreeMap;

use event_loop::backend::{Runnable, TaskMeta};

use super::core::Core;
use super::ready::Ready;

/// Who is set aside, and what is kept of theirs.
#[derive(Debug, Default)]
pub(super) struct Aside {
    /// How many reasons there are for each host.
    hosts: BTreeMap<u32, u32>,
    kept: Vec<Ready>,
    /// Where loops run in iterations: whose entries were picked, one by one.
    turns: Vec<u32>,
}

impl Aside {
    /// The tasks that are kept, for the end of the world.
    pub(super) fn take_tasks(&mut self) -> Vec<Runnable> {
        let kept = std::mem::take(&mut self.kept);
        kept.into_iter().filter_map(Ready::into_task).collect()
    }

    fn has(&self, host: u32) -> bool {
        self.hosts.contains_key(&host)
    }
}

#[allow(
    dead_code,
    reason = "a host that is paused is set aside by its own calls"
)]
impl Core {
    /// From now on nothing of the host runs: no task, no callback, not the root. May be asked
    /// several times; the host goes on once it was [taken back](Self::take_back) as often.
    ///
    /// A poll that is under way goes on to its end.
    pub(crate) fn set_aside(&mut self, host: u32) {
        let aside = self.aside.get_or_insert_default();
        *aside.hosts.entry(host).or_insert(0) += 1;
    }

    /// Takes one [`set_aside`](Self::set_aside) back. With the last of them the host goes on: what
    /// was kept of it can run, in the order in which it would have.
    ///
    /// Of a host that is not set aside it does nothing.
    pub(crate) fn take_back(&mut self, host: u32) {
        let Some(aside) = &mut self.aside else { return };
        let Some(reasons) = aside.hosts.get_mut(&host) else {
            return;
        };
        *reasons -= 1;
        if *reasons > 0 {
            return;
        }
        aside.hosts.remove(&host);
        self.go_on();
    }

    /// Whether nothing of the host runs for now.
    pub(crate) fn is_aside(&self, host: u32) -> bool {
        self.aside.as_ref().is_some_and(|aside| aside.has(host))
    }

    /// What was picked, unless it is to be kept.
    #[cold]
    pub(super) fn keep_aside(&mut self, picked: Ready) -> Option<Ready> {
        let host = match self.whose(&picked) {
            Some(meta) if self.is_aside(meta.host) => meta.host,
            _ => return Some(picked),
        };
        debug_assert!(self.iterations.is_none(), "host {host} has a loop");
        self.aside.as_mut()?.kept.push(picked);
        None
    }

    /// Whether the entry of a host's loop that was picked is to be kept, and does so.
    #[cold]
    pub(super) fn keep_turn(&mut self, host: u32) -> bool {
        let kept = self.aside.as_mut().filter(|aside| aside.has(host));
        let is_kept = kept.is_some();
        if let Some(aside) = kept {
            aside.turns.push(host);
        }
        is_kept
    }

    /// Queues again what is kept of hosts that are no longer set aside.
    fn go_on(&mut self) {
        let Some(mut aside) = self.aside.take() else {
            return;
        };
        for ready in std::mem::take(&mut aside.kept) {
            match self.whose(&ready) {
                Some(meta) if aside.has(meta.host) => aside.kept.push(ready),
                Some(meta) => self.queue(ready, &meta),
                // The run it would have woken is over.
                None => {}
            }
        }
        for host in std::mem::take(&mut aside.turns) {
            if aside.has(host) {
                aside.turns.push(host);
            } else {
                self.count_in(host);
            }
        }
        if !aside.hosts.is_empty() {
            self.aside = Some(aside);
        }
    }

    fn whose(&self, ready: &Ready) -> Option<TaskMeta> {
        match ready {
            Ready::Task(runnable) => Some(*runnable.meta()),
            Ready::Root => self.root,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use event_loop::task::yield_now;
    use event_loop::time::{sleep, timeout};

    use crate::{Config, Profile, Sim};

    type Log = Arc<Mutex<Vec<(u64, &'static str)>>>;

    /// Two tasks of `svc` that take turns, a message a step, and a third that counts milliseconds.
    fn two_and_a_clock(sim: &Sim, log: &Log) {
        let svc = sim.host("svc");
        for name in ["a", "b"] {
            let (log, sim) = (log.clone(), sim.clone());
            drop(svc.spawn(async move {
                for _ in 0..3 {
                    log.lock()
                        .unwrap()
                        .push((sim.now().as_nanos() / 1_000_000, name));
                    yield_now().await;
                }
            }));
        }
        let (log, sim) = (log.clone(), sim.clone());
        drop(svc.spawn(async move {
            for _ in 0..4 {
                sleep(Duration::from_millis(10)).await;
                log.lock()
                    .unwrap()
                    .push((sim.now().as_nanos() / 1_000_000, "tick"));
            }
        }));
    }

    fn run(profile: Profile, seed: u64, asides: usize) -> Vec<(u64, &'static str)> {
        let log = Log::default();
        let config = Config::new().profile(profile);
        let told = log.clone();
        let run = crate::run_once(&config, seed, |sim| async move {
            two_and_a_clock(&sim, &told);
            let svc = sim.host("svc").index;
            sleep(Duration::from_millis(15)).await;
            for _ in 0..asides {
                sim.world.core(|core| core.set_aside(svc));
            }
            sleep(Duration::from_millis(100)).await;
            for reason in (0..asides).rev() {
                assert!(sim.world.core(|core| core.is_aside(svc)));
                sim.world.core(|core| core.take_back(svc));
                assert_eq!(sim.world.core(|core| core.is_aside(svc)), reason > 0);
            }
            sleep(Duration::from_millis(100)).await;
        });
        assert!(run.verdict.is_none(), "{:?}", run.verdict);
        std::mem::take(&mut *log.lock().unwrap())
    }

    #[test]
    fn nothing_of_a_host_runs_while_it_is_aside_and_all_of_it_afterwards() {
        for profile in Profile::ALL {
            for seed in 0..20 {
                let log = run(profile, seed, 2);
                let ticks: Vec<_> = log.iter().filter(|(_, what)| *what == "tick").collect();
                assert_eq!(ticks.len(), 4, "{profile} {seed}: {log:?}");
                assert!(ticks[0].0 <= 12, "{profile} {seed}: {log:?}");
                let missing = log.iter().any(|(at, _)| (16..115).contains(at));
                assert!(!missing, "{profile} {seed}: {log:?}");
                assert!(
                    (115..118).contains(&ticks[1].0),
                    "{profile} {seed}: {log:?}"
                );
            }
        }
    }

    #[test]
    fn what_was_ready_keeps_its_order() {
        for profile in Profile::ALL {
            let log = Log::default();
            let told = log.clone();
            let config = Config::new().profile(profile);
            let run = crate::run_once(&config, 0, |sim| async move {
                let svc = sim.host("svc");
                sim.world.core(|core| core.set_aside(svc.index));
                two_and_a_clock(&sim, &told);
                sleep(Duration::from_millis(1)).await;
                assert!(told.lock().unwrap().is_empty());
                sim.world.core(|core| core.take_back(svc.index));
                sleep(Duration::from_millis(5)).await;
            });
            assert!(run.verdict.is_none(), "{:?}", run.verdict);
            let order: Vec<_> = log.lock().unwrap().iter().map(|(_, what)| *what).collect();
            assert_eq!(order, ["a", "b", "a", "b", "a", "b"], "{profile}");
        }
    }

    #[test]
    fn the_root_of_a_host_that_is_aside_waits_too() {
        for profile in Profile::ALL {
            for seed in 0..10 {
                let config = Config::new().profile(profile);
                let run = crate::run_once(&config, seed, |sim| async move {
                    let other = sim.host("other");
                    let world = sim.world.clone();
                    drop(other.spawn(async move {
                        world.core(|core| core.set_aside(0));
                        sleep(Duration::from_secs(1)).await;
                        world.core(|core| core.take_back(0));
                    }));
                    let late = timeout(Duration::from_millis(100), std::future::pending::<()>());
                    assert!(late.await.is_err());
                    sim.now().as_nanos() / 1_000_000
                });
                let at = run.value.expect("it ends");
                assert!((1_000..1_005).contains(&at), "{profile} {seed}: {at}");
            }
        }
    }

    #[test]
    fn a_run_with_a_host_aside_is_repeated_by_its_entries() {
        for profile in Profile::ALL {
            for seed in 1..20 {
                let config = Config::new().profile(profile);
                let body = |log: Log| {
                    |sim: Sim| async move {
                        two_and_a_clock(&sim, &log);
                        let svc = sim.host("svc").index;
                        yield_now().await;
                        sim.world.core(|core| core.set_aside(svc));
                        sleep(Duration::from_millis(30)).await;
                        sim.world.core(|core| core.take_back(svc));
                        sleep(Duration::from_millis(100)).await;
                    }
                };
                let (first, again) = (Log::default(), Log::default());
                let run = crate::record_once(&config, seed, body(first.clone()));
                let entries = run.remains.deviations.to_string();
                let repeated =
                    crate::replay_once(&config, seed, &entries, body(again.clone())).unwrap();
                let (first, again) = (first.lock().unwrap(), again.lock().unwrap());
                assert_eq!(*first, *again, "{profile} {seed}: {entries}");
                assert_eq!(run.hash, repeated.hash, "{profile} {seed}: {entries}");
            }
        }
    }

    #[test]
    fn a_world_that_ends_with_a_host_aside_drops_its_tasks() {
        for profile in Profile::ALL {
            let kept = Arc::new(());
            let held = kept.clone();
            let config = Config::new().profile(profile);
            let run = crate::run_once(&config, 0, |sim| async move {
                let svc = sim.host("svc");
                sim.world.core(|core| core.set_aside(svc.index));
                drop(svc.spawn(async move {
                    let _held = held;
                    yield_now().await;
                }));
                sleep(Duration::from_millis(1)).await;
            });
            assert!(run.verdict.is_none(), "{:?}", run.verdict);
            assert_eq!(Arc::strong_count(&kept), 1, "{profile}");
        }
    }
}
