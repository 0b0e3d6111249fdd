//! Campaigns: many seeds of one test, each on a fresh thread, and the determinism check.

use std::env;
use std::future::Future;
use std::panic::{Location, resume_unwind};
use std::path::Path;
use std::sync::Arc;

use crate::config::Config;
use crate::run::artifacts;
use crate::run::blocked::Blocked;
use crate::run::case::TestCase;
use crate::run::faults::Faults;
use crate::run::outcome::{Account, Outcome};
use crate::run::plan::Plan;
use crate::run::play::{Play, Test};
use crate::run::record::{self, Record, name_hash};
use crate::run::settings::Settings;
use crate::sim::Sim;

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
    let test = Arc::new(Test {
        identity,
        case: None,
        config: config.clone(),
        settings: settings_here(),
        site,
    });
    let play = test.clone().borrowed(main);
    Runner::new(&test, &play).campaign();
}

/// A test of the attribute: [`check`], with a name by which a fresh process can run it.
#[doc(hidden)]
#[track_caller]
pub fn run_test<M, F>(case: TestCase, config: Config, main: M)
where
    M: Fn(Sim) -> F + Send + Sync + 'static,
    F: Future,
    F::Output: Outcome,
{
    let test = Arc::new(Test {
        identity: case.identity(),
        case: Some(case),
        config,
        settings: settings_here(),
        site: Location::caller(),
    });
    let play = test.clone().owned(main);
    let runner = Runner::new(&test, &play);
    match &test.settings.child {
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

/// A test, and how its runs are made.
pub(super) struct Runner<'a> {
    pub(super) test: &'a Test,
    play: &'a Play<'a>,
}

/// How the campaign makes its runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    InProcess,
    ProcessPerSeed,
}

impl<'a> Runner<'a> {
    fn new(test: &'a Test, play: &'a Play<'a>) -> Self {
        Self { test, play }
    }

    fn campaign(&self) {
        if let Some(words) = &self.test.settings.autopsy {
            return self.autopsy(words);
        }
        if self.test.settings.replay.is_some() || self.test.settings.seed.is_some() {
            return self.single();
        }
        if let Err(bad) = event_loop::properties::catalogue() {
            fail(format!("sim: {bad}"));
        }
        self.look_into_lost_runs();
        let record = Record::open(&self.test.identity);
        let mut mode = Mode::InProcess;
        let mut faults = Faults::default();
        let mut blocked = Blocked::default();
        for index in 0..self.test.settings.seeds.unwrap_or(self.test.config.seeds) {
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
            blocked.add(seed, &account);
            if account.verdict.is_some() {
                mode = self.judge(seed, account, mode);
            } else if seed == 0 {
                self.check_determinism(seed, &account);
            }
        }
        for sentence in faults.idle() {
            eprintln!("sim: {}: {sentence}", self.name());
        }
        self.tell_blocked(&blocked);
    }

    /// Tells of calls that blocked the threads of loops in runs that went on.
    fn tell_blocked(&self, blocked: &Blocked) {
        if let Some((seed, sentence)) = blocked.told() {
            // Who called, and who was kept waiting, is known of recorded runs.
            let account = self.run(self.plan(seed).recorded(), None);
            eprintln!("sim: {}: {sentence}", self.name());
            for line in account.blockings.lines() {
                eprintln!("       {line}");
            }
        }
    }

    /// The one run that was asked for.
    fn single(&self) {
        let replay = self.test.settings.replay.as_ref();
        let seed = self
            .test
            .settings
            .seed
            .or(replay.and_then(|replay| replay.seed))
            .unwrap_or(0);
        if let Some(other) = replay.and_then(|replay| replay.test.as_ref())
            && *other != self.test.identity
        {
            eprintln!(
                "sim: the choices are those of {other}, this is {}",
                self.test.identity
            );
        }
        let account = self.run(self.plan(seed), None);
        if account.verdict.is_some() {
            self.judge(seed, account, Mode::InProcess);
        } else {
            self.check_determinism(seed, &account);
            let mut blocked = Blocked::default();
            blocked.add(seed, &account);
            self.tell_blocked(&blocked);
            eprintln!("sim: {} passes under seed {seed:#x}", self.name());
        }
    }

    /// The test's name in reports.
    pub(super) fn name(&self) -> &str {
        self.test.name()
    }

    /// The run of a seed, or of the entries that were asked for.
    pub(super) fn plan(&self, seed: u64) -> Plan {
        match &self.test.settings.replay {
            Some(replay) => Plan::of_entries(seed, replay.entries.clone()),
            None => Plan::of_seed(seed),
        }
    }

    /// The seed of the campaign's `index`th run; the first is the plain one.
    fn seed(&self, index: u64) -> u64 {
        match &self.test.settings.campaign {
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
        (self.play)(plan, folder)
    }

    /// As a child process: one recorded run, and its account left for the parent.
    fn serve(&self, folder: &Path) {
        self.run(
            self.plan(self.test.settings.seed.unwrap_or(0)),
            Some(folder),
        );
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
        let folder = self.test.draft(seed);
        let account = self.run(self.plan(seed), Some(&folder));
        self.run(self.plan(seed), Some(&folder.join("again")));
        self.report_divergence(seed, account, "two runs in this process")
    }

    /// Seeds that were under way in a process that was killed: they come first.
    fn look_into_lost_runs(&self) {
        if self.test.case.is_none() {
            return;
        }
        for seed in record::lost_seeds(&self.test.identity) {
            eprintln!(
                "sim: an earlier process died while {} was running under seed {seed:#x}; looking \
                 into it first",
                self.name()
            );
            match self.in_child(seed, "") {
                Ok(account) if account.verdict.is_some() => {
                    self.judge(seed, account, Mode::ProcessPerSeed);
                }
                Ok(_) => artifacts::discard(&self.test.identity, seed),
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
