//! Campaigns: many seeds of one test, each on a fresh thread, and the determinism check.

use std::env;
use std::future::Future;
use std::panic::{Location, resume_unwind};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use crate::config::Config;
use crate::run::case::TestCase;
use crate::run::child;
use crate::run::faults::Faults;
use crate::run::outcome::{Account, Outcome};
use crate::run::plan::Plan;
use crate::run::record::{self, Record, name_hash};
use crate::run::settings::{LogFormat, Settings};
use crate::run::{artifacts, once};
use crate::sim::Sim;
use crate::world::World;

/// Runs `main` under every seed of a campaign, each on a fresh thread, and panics with a report of
/// the first that fails.
///
/// For programs and for property tests; tests are better off with
/// [`#[sim::test]`](macro@crate::test), whose failing seeds are confirmed in a fresh process. A
/// closure has no process of its own to run in: its failures are confirmed in this one.
///
/// ```
/// use sim::Config;
///
/// sim::check(&Config::new().seeds(20), |sim| async move {
///     let first = sim.host("a").spawn(async { 1 });
///     let second = sim.host("b").spawn(async { 2 });
///     assert_eq!(first.await.unwrap() + second.await.unwrap(), 3);
/// });
/// ```
///
/// # Panics
/// If a run fails; if an environment variable of the campaign holds what it must not; inside a
/// world, which cannot hold another campaign (see [`run_once`](crate::run_once)).
#[track_caller]
pub fn check<M, F>(config: &Config, main: M)
where
    M: Fn(Sim) -> F + Sync,
    F: Future,
    F::Output: Outcome,
{
    let site = Location::caller();
    let identity = format!("{}:{}", site.file(), site.line());
    let settings = settings_here();
    Runner {
        identity,
        case: None,
        config,
        settings: &settings,
        site,
        main: &main,
    }
    .campaign();
}

/// A test of the attribute: [`check`], with a name by which a fresh process can run it.
#[doc(hidden)]
#[track_caller]
pub fn run_test<M, F>(case: TestCase, config: Config, main: M)
where
    M: Fn(Sim) -> F + Sync,
    F: Future,
    F::Output: Outcome,
{
    let settings = settings_here();
    let runner = Runner {
        identity: case.identity(),
        case: Some(&case),
        config: &config,
        settings: &settings,
        site: Location::caller(),
        main: &main,
    };
    match &settings.child {
        Some(folder) => runner.serve(folder),
        None => runner.campaign(),
    }
}

fn settings_here() -> Settings {
    if interpose::in_world() {
        fail(
            "sim: a campaign was started inside a world, whose environment is not for it: use \
             sim::run_once there, or start the campaign outside"
                .to_owned(),
        );
    }
    Settings::from_env().unwrap_or_else(|bad| fail(format!("sim: {bad}")))
}

/// One test with all it needs to be run.
pub(super) struct Runner<'a, M> {
    /// What tells the test from every other.
    pub(super) identity: String,
    pub(super) case: Option<&'a TestCase>,
    pub(super) config: &'a Config,
    pub(super) settings: &'a Settings,
    pub(super) site: &'static Location<'static>,
    pub(super) main: &'a M,
}

/// How the campaign makes its runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    InProcess,
    ProcessPerSeed,
}

impl<M, F> Runner<'_, M>
where
    M: Fn(Sim) -> F + Sync,
    F: Future,
    F::Output: Outcome,
{
    fn campaign(&self) {
        if let Some(words) = &self.settings.autopsy {
            return self.autopsy(words);
        }
        if self.settings.replay.is_some() || self.settings.seed.is_some() {
            return self.single();
        }
        if let Err(bad) = event_loop::properties::catalogue() {
            fail(format!("sim: {bad}"));
        }
        self.look_into_lost_runs();
        let record = Record::open(&self.identity);
        let mut mode = Mode::InProcess;
        let mut faults = Faults::default();
        for index in 0..self.settings.seeds.unwrap_or(self.config.seeds) {
            let seed = self.seed(index);
            record.begin(seed);
            let account = match mode {
                Mode::InProcess => self.run(self.plan(seed), None),
                Mode::ProcessPerSeed => self.in_child(seed, "").unwrap_or_else(|why| {
                    // A seed that cannot be run has not passed.
                    fail(format!(
                        "sim: no fresh process for {} under seed {seed:#x}: {why}",
                        self.name()
                    ))
                }),
            };
            faults.add(&account);
            if account.verdict.is_some() {
                mode = self.judge(seed, account, mode);
            } else if seed == 0 {
                self.check_determinism(seed, &account);
            }
        }
        for sentence in faults.idle() {
            eprintln!("sim: {}: {sentence}", self.name());
        }
    }

    /// The one run that was asked for.
    fn single(&self) {
        let replay = self.settings.replay.as_ref();
        let seed = self
            .settings
            .seed
            .or(replay.and_then(|replay| replay.seed))
            .unwrap_or(0);
        if let Some(other) = replay.and_then(|replay| replay.test.as_ref())
            && *other != self.identity
        {
            eprintln!(
                "sim: the choices are those of {other}, this is {}",
                self.identity
            );
        }
        let account = self.run(self.plan(seed), None);
        if account.verdict.is_some() {
            self.judge(seed, account, Mode::InProcess);
        } else {
            self.check_determinism(seed, &account);
            eprintln!("sim: {} passes under seed {seed:#x}", self.name());
        }
    }

    /// The test's name in reports.
    pub(super) fn name(&self) -> &str {
        self.case.map_or(&self.identity, |case| case.name)
    }

    /// The run of a seed, or of the entries that were asked for.
    pub(super) fn plan(&self, seed: u64) -> Plan {
        match &self.settings.replay {
            Some(replay) => Plan::of_entries(seed, replay.entries.clone()),
            None => Plan::of_seed(seed),
        }
    }

    /// The seed of the campaign's `index`th run; the first is the plain one.
    fn seed(&self, index: u64) -> u64 {
        match &self.settings.campaign {
            Some(campaign) if index > 0 => {
                let seed = name_hash(&format!("{campaign} {index}"));
                // Short enough to be read out, and never the plain run's.
                (seed ^ seed >> 32) & 0xffff_ffff | 1
            }
            _ => index,
        }
    }

    /// Makes one run on a fresh thread. Its files go into `folder`, if there is one.
    pub(super) fn run(&self, plan: Plan, folder: Option<&Path>) -> Account {
        let seed = plan.seed;
        let wanted = folder.is_some() || self.settings.log.is_some();
        let plan = if wanted { plan.recorded() } else { plan };
        thread::scope(|scope| {
            let run = || {
                let _note = self.crash_note(seed);
                // What the body returns is read, and dropped, inside the world.
                let main = async |sim| (self.main)(sim).await.failure();
                let watch = |world: &Arc<World>| self.watch(world, seed);
                let run = once::run_plan(self.config, plan, self.site, main, watch);
                let (account, run) = Account::of(run);
                if let Some(folder) = folder {
                    let written = artifacts::write(folder, &self.identity, seed, &run)
                        .and_then(|()| child::leave(folder, &account));
                    if let Err(why) = written {
                        eprintln!("sim: cannot write to {}: {why}", folder.display());
                    }
                }
                match self.settings.log {
                    Some(LogFormat::Text) => {
                        eprint!(
                            "{}",
                            run.timeline()
                                .map_or_else(String::new, |text| text.to_string())
                        );
                    }
                    Some(LogFormat::Json) => {
                        let mut text = Vec::new();
                        if let Some(lines) = run.json_lines()
                            && lines.write_to(&mut text).is_ok()
                        {
                            eprint!("{}", String::from_utf8_lossy(&text));
                        }
                    }
                    None => {}
                }
                account
            };
            let name = self.case.map_or("sim", TestCase::path).to_owned();
            let spawned = thread::Builder::new().name(name).spawn_scoped(scope, run);
            let thread =
                spawned.unwrap_or_else(|why| fail(format!("sim: no thread for a run: {why}")));
            thread.join().unwrap_or_else(|panic| resume_unwind(panic))
        })
    }

    /// As a child process: one recorded run, and its account left for the parent.
    fn serve(&self, folder: &Path) {
        self.run(self.plan(self.settings.seed.unwrap_or(0)), Some(folder));
    }

    /// The run once more: a test that differs from itself cannot be replayed.
    fn check_determinism(&self, seed: u64, first: &Account) {
        let second = self.run(self.plan(seed), None);
        if second.agrees_with(first) {
            return;
        }
        let third = self.run(self.plan(seed), None);
        if third.agrees_with(&second) {
            eprintln!(
                "sim: {}: the first run in a process differs from those after it: something is \
                 made on first use and kept, such as a lazy static; seeds are confirmed in fresh \
                 processes, so what is reported stays true",
                self.name()
            );
            return;
        }
        let folder = self.draft(seed);
        let account = self.run(self.plan(seed), Some(&folder));
        self.run(self.plan(seed), Some(&folder.join("again")));
        self.report_divergence(seed, account, "two runs in this process")
    }

    /// Seeds that were under way in a process that was killed: they come first.
    fn look_into_lost_runs(&self) {
        if self.case.is_none() {
            return;
        }
        for seed in record::lost_seeds(&self.identity) {
            eprintln!(
                "sim: an earlier process died while {} was running under seed {seed:#x}; looking \
                 into it first",
                self.name()
            );
            match self.in_child(seed, "") {
                Ok(account) if account.verdict.is_some() => {
                    self.judge(seed, account, Mode::ProcessPerSeed);
                }
                Ok(_) => artifacts::discard(&self.identity, seed),
                Err(why) => eprintln!("sim: no fresh process for it: {why}"),
            }
        }
    }
}

/// Whether the variable is set to something.
pub(super) fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|held| !held.is_empty())
}

/// Fails the test with a line of its own.
pub(super) fn fail(line: String) -> ! {
    eprintln!("{line}");
    fail_with(line)
}

/// Fails the test without the panic hook's lines: all that is to be said has been printed. The
/// text is what `#[should_panic(expected = …)]` looks at.
pub(super) fn fail_with(text: String) -> ! {
    resume_unwind(Box::new(text))
}
