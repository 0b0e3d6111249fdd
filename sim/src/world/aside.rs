//! Hosts that do not run for now: what is picked of theirs is kept, and is queued again in that
//! order once they go on.
//!
//! Time passes for them meanwhile: their timers fire and what is sent to them arrives, as it does
//! for a process that is stopped. They find all of it when they go on.

use std::collections::{BTreeMap, BTreeSet};

use event_loop::backend::Runnable;
use interpose::ThreadId;

use super::core::Core;
use super::iterations::Turn;
use super::ready::Ready;
use super::threads::Threads;

/// Who is set aside, and what is kept of theirs.
#[derive(Debug, Default)]
pub(super) struct Aside {
    /// How many reasons there are for each host.
    hosts: BTreeMap<u32, u32>,
    /// Whose home is blocked: its threads go on.
    homes: BTreeSet<u32>,
    /// In how many frames the driver is blocked, which is the home of all that have none.
    frames: u32,
    kept: Vec<Ready>,
    /// Where loops run in iterations: whose entries were picked, one by one.
    turns: Vec<Turn>,
}

impl Aside {
    /// Takes those of the tasks that are kept which are `meant`, to be dropped.
    pub(super) fn take_tasks(&mut self, meant: impl Fn(&Runnable) -> bool) -> Vec<Runnable> {
        let meant = |ready: &mut Ready| matches!(ready, Ready::Task(task) if meant(task));
        let taken = self.kept.extract_if(.., meant);
        taken.filter_map(Ready::into_task).collect()
    }

    fn is_over(&self) -> bool {
        self.hosts.is_empty() && self.homes.is_empty() && self.frames == 0
    }

    /// Whether the tasks and callbacks of a host are aside.
    fn has_loop(&self, host: u32, threads: Option<&Threads>) -> bool {
        let has_home = || threads.is_some_and(|threads| threads.has_home(host));
        self.hosts.contains_key(&host)
            || self.homes.contains(&host)
            || (self.frames > 0 && !has_home())
    }

    fn has_turn(&self, turn: Turn, threads: Option<&Threads>) -> bool {
        match turn {
            Turn::Host(host) => self.has_loop(host, threads),
            Turn::Thread(thread) => self.has_thread(thread, threads),
        }
    }

    fn has_thread(&self, thread: ThreadId, threads: Option<&Threads>) -> bool {
        let Some(threads) = threads else { return false };
        let host = threads.host_of(thread);
        threads.is_buried(thread) || host.is_some_and(|host| self.hosts.contains_key(&host))
    }
}

impl Core {
    /// From now on nothing of the host runs: no task, no callback, no thread, not
    /// the root. May be asked
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
    #[cfg(test)]
    fn is_aside(&self, host: u32) -> bool {
        let aside = self.aside.as_ref();
        aside.is_some_and(|aside| aside.hosts.contains_key(&host))
    }

    /// The home of a host is blocked: none of its tasks and callbacks runs.
    pub(super) fn set_home_aside(&mut self, host: u32) {
        self.aside.get_or_insert_default().homes.insert(host);
    }

    pub(super) fn take_home_back(&mut self, host: u32) {
        let aside = self.aside.as_mut();
        if aside.is_some_and(|aside| aside.homes.remove(&host)) {
            self.go_on();
        }
    }

    /// The driver is blocked, in one more frame.
    pub(super) fn set_driver_aside(&mut self) {
        self.aside.get_or_insert_default().frames += 1;
    }

    pub(super) fn take_driver_back(&mut self) {
        if let Some(aside) = &mut self.aside {
            aside.frames -= 1;
            self.go_on();
        }
    }

    /// What was picked, unless it is to be kept.
    #[cold]
    pub(super) fn keep_aside(&mut self, picked: Ready) -> Option<Ready> {
        let aside = self.aside.as_ref()?;
        if !self.has_aside(aside, &picked) {
            return Some(picked);
        }
        self.aside.as_mut()?.kept.push(picked);
        None
    }

    /// Whether the turn that was picked is to be kept, and does so.
    #[cold]
    pub(super) fn keep_turn(&mut self, turn: Turn) -> bool {
        let threads = self.threads.as_deref();
        let has = |aside: &&mut Box<Aside>| aside.has_turn(turn, threads);
        let Some(aside) = self.aside.as_mut().filter(has) else {
            return false;
        };
        aside.turns.push(turn);
        true
    }

    /// Queues again what is kept of those that are no longer set aside.
    fn go_on(&mut self) {
        let Some(mut aside) = self.aside.take() else {
            return;
        };
        for ready in std::mem::take(&mut aside.kept) {
            if self.has_aside(&aside, &ready) {
                aside.kept.push(ready);
                continue;
            }
            match ready {
                Ready::Thread(thread) => self.queue_thread(thread),
                Ready::Task(ref runnable) => {
                    let meta = *runnable.meta();
                    self.queue(ready, &meta);
                }
                Ready::Root => {
                    if let Some(meta) = self.root {
                        self.queue(ready, &meta);
                    }
                }
            }
        }
        for turn in std::mem::take(&mut aside.turns) {
            if aside.has_turn(turn, self.threads.as_deref()) {
                aside.turns.push(turn);
                continue;
            }
            match turn {
                Turn::Host(host) => self.count_in(host),
                Turn::Thread(thread) => self.queue_thread(thread),
            }
        }
        if !aside.is_over() {
            self.aside = Some(aside);
        }
    }

    fn has_aside(&self, aside: &Aside, ready: &Ready) -> bool {
        let threads = self.threads.as_deref();
        match ready {
            Ready::Task(runnable) => aside.has_loop(runnable.meta().host, threads),
            Ready::Root => self
                .root
                .is_some_and(|root| aside.has_loop(root.host, threads)),
            Ready::Thread(thread) => aside.has_thread(*thread, threads),
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
