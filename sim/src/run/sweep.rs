//! Sweeps: one seed, run again with something done to a host at every event of its run.

use std::panic::Location;
use std::sync::{Arc, mpsc};
use std::thread;

use crate::run::once::{Run, run_plan};
use crate::run::outcome::Outcome;
use crate::run::plan::Plan;
use crate::world::World;
use crate::world::intervention::Intervention;
use crate::{Config, Host, Sim, Verdict};

/// Runs `main` under `seed`, and again for every event of that run, with `act` done to the host of
/// this name once the run has had so many events: a signal, a kill, a cut of its network.
///
/// The moments are exact: up to there each run is the first one, event for event. Between two polls
/// is where a signal arrives, so `act` runs where the poll ends in which the event was. A moment at
/// which there is no such host yet is left out. Each run has a thread of its own, as those of a
/// campaign have. If the first run fails, it is the only one.
///
/// ```
/// use std::time::Duration;
/// use event_loop::net::TcpListener;
/// use event_loop::time::sleep;
/// use sim::Config;
///
/// let sweep = sim::sweep(
///     &Config::new(),
///     7,
///     "svc",
///     |svc| svc.spawn(async { event_loop::yield_now().await }).detach(),
///     |sim| async move {
///         let svc = sim.host("svc").run(|_| async {
///             let _listener = TcpListener::bind("0.0.0.0:80").await?;
///             sleep(Duration::from_secs(1)).await;
///             std::io::Result::Ok(())
///         });
///         svc.await.expect("nobody aborts it")
///     },
/// );
/// assert!(sweep.acted > 5);
/// assert_eq!(sweep.failing, []);
/// ```
///
/// # Panics
/// If the system has no thread left.
#[track_caller]
pub fn sweep<A, M, F>(config: &Config, seed: u64, host: &str, act: A, main: M) -> Sweep
where
    A: Fn(&Host) + Clone + Send + Sync + 'static,
    M: Fn(Sim) -> F + Sync,
    F: Future,
    F::Output: Outcome,
{
    let sweeping = Sweeping {
        config,
        seed,
        host,
        act,
        main,
        site: Location::caller(),
    };
    let untouched = sweeping.on_a_thread(None, false);
    let mut sweep = Sweep {
        untouched: untouched.run,
        acted: 0,
        failing: Vec::new(),
    };
    if sweep.untouched.verdict.is_some() {
        return sweep;
    }
    for event in 0..sweep.untouched.events {
        let swept = sweeping.on_a_thread(Some(event), false);
        sweep.acted += u64::from(swept.acted);
        if let Some(verdict) = swept.run.verdict {
            sweep.failing.push(Swept { event, verdict });
        }
    }
    sweep
}

/// One run of a [`sweep`], with its trace kept: that in which `act` is done after so many events.
///
/// # Panics
/// If the system has no thread left.
#[track_caller]
pub fn record_swept<A, M, F>(
    config: &Config,
    seed: u64,
    event: u64,
    host: &str,
    act: A,
    main: M,
) -> Run<()>
where
    A: Fn(&Host) + Clone + Send + Sync + 'static,
    M: Fn(Sim) -> F + Sync,
    F: Future,
    F::Output: Outcome,
{
    let sweeping = Sweeping {
        config,
        seed,
        host,
        act,
        main,
        site: Location::caller(),
    };
    sweeping.on_a_thread(Some(event), true).run
}

/// What came of a [`sweep`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Sweep {
    /// The run in which nothing is done.
    pub untouched: Run<()>,
    /// In how many runs something was done.
    pub acted: u64,
    /// The moments whose runs failed, in ascending order.
    pub failing: Vec<Swept>,
}

/// A moment of a [`Sweep`] whose run failed.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Swept {
    /// How many events the run had had; [`record_swept`] repeats it.
    pub event: u64,
    /// Why it failed.
    pub verdict: Verdict,
}

struct Sweeping<'a, A, M> {
    config: &'a Config,
    seed: u64,
    host: &'a str,
    act: A,
    main: M,
    site: &'static Location<'static>,
}

struct Made {
    run: Run<()>,
    /// The moment came, and the host was there.
    acted: bool,
}

impl<A, M, F> Sweeping<'_, A, M>
where
    A: Fn(&Host) + Clone + Send + Sync + 'static,
    M: Fn(Sim) -> F + Sync,
    F: Future,
    F::Output: Outcome,
{
    fn on_a_thread(&self, event: Option<u64>, record: bool) -> Made {
        thread::scope(|threads| {
            let made = threads.spawn(|| self.make(event, record)).join();
            made.expect("a run catches the panics of what it runs")
        })
    }

    fn make(&self, event: Option<u64>, record: bool) -> Made {
        let mut plan = Plan::of_seed(self.seed);
        plan.record = record;
        let (did, has_acted) = mpsc::channel();
        let seed = self.seed;
        let intervene = |world: &Arc<World>| {
            let Some(at) = event else { return };
            let (host, act) = (self.host.to_owned(), self.act.clone());
            let code = Box::new(move |world: &Arc<World>| {
                let Some(index) = world.ask(|core| core.host_named(&host)) else {
                    return;
                };
                let world = world.clone();
                let _ = did.send(());
                act(&Sim { world, seed }.handle(index));
            });
            world.intervene_at(Intervention { at, code });
        };
        let main = |sim| async { (self.main)(sim).await.failure() };
        let run = run_plan(self.config, plan, self.site, main, intervene).judged();
        Made {
            run,
            acted: has_acted.try_recv().is_ok(),
        }
    }
}
