//! One run: a world, a main future, and what is left of them.

use std::future::Future;
use std::io::{self, Write};
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use crate::Config;
use event_loop::backend::as_task;
use event_loop::properties::Property;

use crate::net::RuleAccount;
use crate::run::child;
use crate::run::outcome::Account;
use crate::run::panics;
use crate::run::plan::Plan;
use crate::run::report::Report;
use crate::sim::Sim;
use crate::trace::{JsonLines, Log, Timeline};
use crate::world::blocking::Blocking;
pub use crate::world::entry::BadEntry;
use crate::world::verdict::{Verdict, VerdictKind};
use crate::world::{Drive, Remains, World};

/// Makes one run of `main` under `seed`, on this thread and in this process, and says how it went.
///
/// The quick way for programs and benches. What a thread keeps between runs (std's hash keys, the
/// state of a thread's random generator) is kept here too; [`check`](crate::check) starts every
/// run on a fresh thread instead.
///
/// ```
/// use sim::{Config, Profile};
///
/// let config = Config::new().profile(Profile::Exact);
/// let run = sim::run_once(&config, 3, |_sim| async { 6 * 7 });
/// assert_eq!(run.value, Some(42));
/// assert_eq!(run.hash, sim::run_once(&config, 3, |_sim| async { 6 * 7 }).hash);
/// ```
#[track_caller]
pub fn run_once<M, F>(config: &Config, seed: u64, main: M) -> Run<F::Output>
where
    M: FnOnce(Sim) -> F,
    F: Future,
{
    run_plan(
        config,
        Plan::of_seed(seed),
        Location::caller(),
        main,
        |_| (),
    )
}

/// [`run_once`], with the trace kept in full: see [`Run::timeline`] and [`Run::json_lines`].
///
/// Recording changes nothing about the run; its hash is the same.
#[track_caller]
pub fn record_once<M, F>(config: &Config, seed: u64, main: M) -> Run<F::Output>
where
    M: FnOnce(Sim) -> F,
    F: Future,
{
    run_plan(
        config,
        Plan::of_seed(seed).recorded(),
        Location::caller(),
        main,
        |_| (),
    )
}

/// Makes the run that a list of entries describes, with the trace kept in full. `seed` decides
/// entropy only.
///
/// Entries are what reports list: `TASK#WAKE+TIMES` passes a wake over, `TASK?LABEL#OCCURRENCE=VALUE`
/// sets a choice; `;` joins them.
///
/// # Errors
/// The part of `entries` that is none.
#[track_caller]
pub fn replay_once<M, F>(
    config: &Config,
    seed: u64,
    entries: &str,
    main: M,
) -> Result<Run<F::Output>, BadEntry>
where
    M: FnOnce(Sim) -> F,
    F: Future,
{
    let plan = Plan::of_entries(seed, entries.parse()?);
    Ok(run_plan(config, plan, Location::caller(), main, |_| ()))
}

/// How a run went.
#[derive(Debug)]
#[non_exhaustive]
pub struct Run<T> {
    /// What the main future returned; `None` if it did not finish.
    pub value: Option<T>,
    /// Why the run failed, if it did.
    pub verdict: Option<Verdict>,
    /// The hash of its trace: the same for the same seed and binary.
    pub hash: u64,
    /// How many polls it took.
    pub polls: u64,
    /// How many events its trace has.
    pub events: u64,
    /// How much virtual time it took.
    pub elapsed: Duration,
    pub(crate) remains: Remains,
}

impl<T> Run<T> {
    /// The trace as text, if the run was recorded.
    #[must_use]
    pub fn timeline(&self) -> Option<Timeline<'_>> {
        self.log().map(Timeline::new)
    }

    /// The trace as JSON lines, if the run was recorded.
    #[must_use]
    pub fn json_lines(&self) -> Option<JsonLines<'_>> {
        self.log().map(JsonLines::new)
    }

    /// Writes what two hosts sent to each other as a pcapng file, for Wireshark and its kin, if
    /// the run was recorded; its times are virtual.
    ///
    /// ```
    /// use sim::Config;
    /// use event_loop::net::{TcpListener, TcpStream};
    ///
    /// let run = sim::record_once(&Config::new(), 0, |sim| async move {
    ///     let listener = TcpListener::bind("0.0.0.0:80").await?;
    ///     let client = sim.host("client").run(|_| TcpStream::connect("main:80"));
    ///     listener.accept().await
    /// });
    /// let mut file = vec![];
    /// run.write_pcapng("main", "client", &mut file)?;
    /// assert!(!file.is_empty());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::NotFound`] if the run was not recorded or no such host has used the
    /// network; those of `out`.
    pub fn write_pcapng(&self, one: &str, other: &str, out: impl io::Write) -> io::Result<()> {
        let traffic = self.remains.traffic.as_ref().ok_or_else(|| {
            let text = "the run was not recorded; `record_once` and `replay_once` do it";
            io::Error::new(io::ErrorKind::NotFound, text)
        })?;
        traffic.write(one, other, out)
    }

    /// The choices in which the run differs from a plain one, as [`replay_once`] reads them, if
    /// it was recorded.
    #[must_use]
    pub fn entries(&self) -> Option<String> {
        self.log().map(|_| self.remains.deviations.to_string())
    }

    /// Every property that is linked into this program, in the catalogue's order, and how often
    /// this run met it.
    pub fn properties(&self) -> impl Iterator<Item = PropertyHits> {
        event_loop::properties::linked()
            .iter()
            .enumerate()
            .map(|(index, property)| {
                let met = self
                    .remains
                    .properties
                    .of(index)
                    .copied()
                    .unwrap_or_default();
                PropertyHits {
                    property: *property,
                    reached: met.reached,
                    hits: met.hits,
                }
            })
    }

    /// What the test did to its network, in the order in which it did, and what each did.
    ///
    /// ```
    /// use sim::Config;
    ///
    /// let run = sim::run_once(&Config::new(), 0, |sim| async move {
    ///     let _ = sim.host("db");
    ///     drop(sim::net::partition("main", "db"));
    /// });
    /// let [cut] = run.rules() else { panic!() };
    /// assert_eq!((&*cut.rule, cut.applied), ("partition main | db", 0));
    /// ```
    #[must_use]
    pub fn rules(&self) -> &[RuleAccount] {
        &self.remains.rules
    }

    /// The calls that blocked the thread of a loop, in the order in which they ended: the one that
    /// failed the run, or what policy [`OnBlocking::Report`](crate::OnBlocking::Report) tells. The
    /// first 100 are kept. Who was kept waiting, and from where each was called, is known of runs
    /// that were recorded.
    ///
    /// ```
    /// use std::time::Duration;
    /// use sim::{Config, OnBlocking};
    ///
    /// let config = Config::new().on_blocking(OnBlocking::Report);
    /// let run = sim::record_once(&config, 0, |sim| async move {
    ///     let naps = sim.host("svc").spawn(async { std::thread::sleep(Duration::from_secs(2)) });
    ///     naps.await
    /// });
    /// for blocking in run.blockings() {
    ///     println!("{blocking}");
    /// }
    /// ```
    #[must_use]
    pub fn blockings(&self) -> &[Blocking] {
        &self.remains.blockings.kept
    }

    pub(crate) fn of(value: Option<T>, mut remains: Remains) -> Self {
        let verdict = remains.verdict.take().map(|verdict| *verdict);
        Self {
            value,
            verdict,
            hash: remains.hash,
            polls: remains.polls,
            events: remains.events,
            elapsed: remains.ended_at - virtual_time::Instant::BEGIN,
            remains,
        }
    }

    pub(crate) fn without_value(self) -> Run<()> {
        let Self {
            value: _,
            verdict,
            hash,
            polls,
            events,
            elapsed,
            remains,
        } = self;
        Run {
            value: None,
            verdict,
            hash,
            polls,
            events,
            elapsed,
            remains,
        }
    }

    pub(crate) fn log(&self) -> Option<&Log> {
        self.remains.log.as_deref()
    }
}

/// How often a run met a property.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct PropertyHits {
    /// What is stated, and where.
    pub property: Property,
    /// How often the place was passed.
    pub reached: u64,
    /// How often the condition of `always!` held or that of `sometimes!` was met, `reachable!`
    /// was passed, or `buggify!` was true; 0 for `unreachable!`.
    pub hits: u64,
}

/// Makes the run of a plan. What `watch` returns is kept while the run lasts.
pub(crate) fn run_plan<M, F, W>(
    config: &Config,
    plan: Plan,
    site: &'static Location<'static>,
    main: M,
    watch: impl FnOnce(&Arc<World>) -> W,
) -> Run<F::Output>
where
    M: FnOnce(Sim) -> F,
    F: Future,
{
    panics::forget();
    let seed = plan.seed;
    let world = World::new(config, plan);
    let _watched = watch(&world);
    world.add_host("main", None, site);
    let sim = Sim {
        world: world.clone(),
        seed,
    };
    let mut presence = world.visit();
    let mut value = None;
    let mut cut_off = false;
    {
        // `main` is called at the first poll, inside the world.
        let mut root = Box::pin(async { value = Some(main(sim).await) });
        match world.drive(&mut presence, 0, "main", site, root.as_mut()) {
            Drive::Done => {}
            // What is cut off finds the world closed, as the tasks do after it.
            Drive::Verdict => {
                cut_off = true;
                world.refuse();
            }
            Drive::Panicked(payload, meta) => {
                as_task(meta, || world.panicked(VerdictKind::Panic, &*payload));
            }
        }
        // Its destructors run in the world, like its polls.
        world.inside(&mut presence, 0, || drop(root));
        // Its value comes too late if it took one more poll, after the verdict, to have it.
        if cut_off {
            world.inside(&mut presence, 0, || drop(value.take()));
        }
    }
    Run::of(value, world.close(&mut presence))
}

/// Ends the process with the report of a run whose thread is stuck, and with it whoever it was
/// called by: nobody can give them what they wait for.
pub(crate) fn end_process(name: &str, seed: u64, account: &Account) {
    let report = Report {
        case: None,
        name,
        seed,
        replay: None,
        account,
        checked: "not confirmed: its thread is stuck".to_owned(),
        files: None,
        notes: vec![
            format!("the seed is {seed:#x}"),
            "the process ends here, for who made the run waits for its thread".to_owned(),
        ],
    }
    .to_string();
    // Past libtest's capture, which dies with the process.
    let _ = write!(io::stderr(), "{report}");
    std::process::exit(child::HARNESS_FAILURE);
}
