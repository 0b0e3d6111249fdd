//! Campaigns: many seeds of one test, the determinism check, and what follows from a failure.

use std::env;
use std::ffi::{CString, OsStr};
use std::future::Future;
use std::io::Write;
use std::panic::{Location, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::config::Config;
use crate::run::case::TestCase;
use crate::run::child::{self, Errand};
use crate::run::outcome::{Account, Outcome};
use crate::run::plan::Plan;
use crate::run::record::{self, Record, name_hash};
use crate::run::report::Report;
use crate::run::settings::{self, LogFormat, Settings, parse_seed};
use crate::run::watchdog;
use crate::run::{artifacts, once};
use crate::sim::Sim;
use crate::trace;
use crate::world::World;
use crate::world::verdict::VerdictKind;

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
/// If a run fails; if an environment variable of the campaign holds what it must not.
#[track_caller]
pub fn check<M, F>(config: &Config, main: M)
where
    M: Fn(Sim) -> F + Sync,
    F: Future,
    F::Output: Outcome,
{
    let site = Location::caller();
    let name = format!("{}:{}", site.file(), site.line());
    let settings = Settings::from_env().unwrap_or_else(|bad| fail(format!("sim: {bad}")));
    let runner = Runner {
        name: &name,
        case: None,
        config,
        settings: &settings,
        site,
        main: &main,
    };
    runner.campaign();
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
    let settings = Settings::from_env().unwrap_or_else(|bad| fail(format!("sim: {bad}")));
    let site = Location::caller();
    let (name, case) = (case.name, Some(&case));
    let runner = Runner {
        name,
        case,
        config: &config,
        settings: &settings,
        site,
        main: &main,
    };
    match &settings.child {
        Some(folder) => runner.serve(folder),
        None => runner.campaign(),
    }
}

/// One test with all it needs to be run.
struct Runner<'a, M> {
    name: &'a str,
    case: Option<&'a TestCase>,
    config: &'a Config,
    settings: &'a Settings,
    site: &'static Location<'static>,
    main: &'a M,
}

/// How the campaign makes its runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
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
        if let Some(entries) = &self.settings.replay {
            let seed = self.settings.seed.unwrap_or(0);
            let account = self.run(Plan::of_entries(seed, entries.clone()), None);
            return self.judge_single(seed, account);
        }
        if let Some(seed) = self.settings.seed {
            let account = self.run(Plan::of_seed(seed), None);
            if account.verdict.is_none() {
                self.check_determinism(seed, &account);
            }
            return self.judge_single(seed, account);
        }
        self.look_into_lost_runs();
        let record = Record::open(self.name);
        let mut mode = Mode::InProcess;
        for index in 0..self.settings.seeds.unwrap_or(self.config.seeds) {
            let seed = self.seed(index);
            record.begin(seed);
            let failed = match mode {
                Mode::InProcess => {
                    let account = self.run(Plan::of_seed(seed), None);
                    if seed == 0 && account.verdict.is_none() {
                        self.check_determinism(seed, &account);
                    }
                    account.verdict.is_some().then_some(account)
                }
                Mode::ProcessPerSeed => {
                    let account = self.in_child(seed, "");
                    account.filter(|account| account.verdict.is_some())
                }
            };
            if let Some(account) = failed {
                mode = self.judge(seed, account, mode);
            }
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
    fn run(&self, plan: Plan, folder: Option<&Path>) -> Account {
        let seed = plan.seed;
        let plan = if folder.is_some() || self.settings.log.is_some() {
            plan.recorded()
        } else {
            plan
        };
        thread::scope(|scope| {
            let run = || {
                let _note = self.crash_note(seed);
                let main = |sim| (self.main)(sim);
                let watch = |world: &Arc<World>| self.watch(world, seed);
                let run = once::run_plan(self.config, plan, self.site, main, watch);
                let (account, run) = Account::of(run);
                if let Some(folder) = folder
                    && let Err(why) = artifacts::write(folder, self.name, seed, &run)
                {
                    eprintln!("sim: cannot write to {}: {why}", folder.display());
                }
                match self.settings.log {
                    Some(LogFormat::Text) => eprint!("{}", text_of(run.timeline())),
                    Some(LogFormat::Json) => print_json(run.json_lines()),
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
        let seed = self.settings.seed.unwrap_or(0);
        let plan = match &self.settings.replay {
            Some(entries) => Plan::of_entries(seed, entries.clone()),
            None => Plan::of_seed(seed),
        };
        let account = self.run(plan, Some(folder));
        if let Err(why) = child::leave(folder, &account) {
            fail(format!("sim: cannot write to {}: {why}", folder.display()));
        }
    }

    /// A run of the test in a fresh process; `None` where that cannot be.
    fn in_child(&self, seed: u64, part: &str) -> Option<Account> {
        let case = self.case?;
        let replay = env::var(settings::REPLAY).ok();
        let replay = replay.as_deref().filter(|text| !text.is_empty());
        match (Errand { case, seed, replay }).run(&self.folder(seed).join(part)) {
            Ok(account) => Some(account),
            Err(why) => {
                eprintln!("sim: no fresh process for seed {seed:#x}: {why}");
                None
            }
        }
    }

    fn folder(&self, seed: u64) -> PathBuf {
        match self.case {
            Some(case) => artifacts::folder(case.name, seed),
            None => artifacts::folder(&self.name.replace(['/', '\\', ':'], "-"), seed),
        }
    }

    /// The one run that was asked for.
    fn judge_single(&self, seed: u64, account: Account) {
        if account.verdict.is_some()
            && self.judge(seed, account, Mode::InProcess) == Mode::InProcess
        {
            return;
        }
        eprintln!("sim: {} passes under seed {seed:#x}", self.name);
    }

    /// A run has failed: it is confirmed, and reported if it is true. Returns how the campaign
    /// goes on if it is not.
    fn judge(&self, seed: u64, account: Account, mode: Mode) -> Mode {
        if self.case.is_none() {
            self.judge_closure(seed, account);
        }
        let Some(first) = self.in_child(seed, "") else {
            // Better an unconfirmed report than none.
            self.report(
                seed,
                &account,
                "no fresh process could be started".to_owned(),
                Vec::new(),
            );
        };
        let second = self
            .in_child(seed, "again")
            .unwrap_or_else(|| first.clone());
        if !first.agrees_with(&second) {
            self.report_divergence(seed, first, "two fresh processes");
        }
        let trace = format!("trace {:016x}", first.hash);
        let checked = match first.verdict.as_ref().map(|verdict| verdict.kind) {
            Some(VerdictKind::Abort) => "2 of 2 re-runs ended so in fresh processes".to_owned(),
            _ => format!("2 of 2 re-runs identical in fresh processes ({trace})"),
        };
        if first.verdict.is_none() {
            eprintln!(
                "sim: {} failed under seed {seed:#x} in this process ({}) and passes in a fresh \
                 one: something outlives a run, such as a static; going on with a process per seed",
                self.name,
                account
                    .verdict
                    .map_or_else(String::new, |verdict| verdict.message),
            );
            return Mode::ProcessPerSeed;
        }
        let mut notes = Vec::new();
        if mode == Mode::InProcess && account.hash != 0 && account.hash != first.hash {
            notes.push(
                "the campaign's own process went differently: something outlives a run, such as \
                 a static or a lazily made value"
                    .to_owned(),
            );
        }
        self.report(seed, &first, checked, notes)
    }

    /// A failure of a closure: run again here, for it can be run nowhere else.
    fn judge_closure(&self, seed: u64, account: Account) -> ! {
        let folder = self.folder(seed);
        let plan = || match &self.settings.replay {
            Some(entries) => Plan::of_entries(seed, entries.clone()),
            None => Plan::of_seed(seed),
        };
        let again = self.run(plan(), Some(&folder));
        if !again.agrees_with(&account) {
            self.run(plan(), Some(&folder.join("again")));
            self.report_divergence(seed, account, "two runs in this process");
        }
        let checked = format!(
            "1 of 1 re-runs identical, in this process only (trace {:016x})",
            again.hash
        );
        let how = format!("run this program again with SIM_SEED={seed:#x} in its environment");
        self.report(seed, &again, checked, vec![how])
    }

    /// The run once more: a test that differs from itself cannot be replayed.
    fn check_determinism(&self, seed: u64, first: &Account) {
        let plan = || Plan::of_seed(seed);
        let second = self.run(plan(), None);
        if second.agrees_with(first) {
            return;
        }
        let third = self.run(plan(), None);
        if third.agrees_with(&second) {
            eprintln!(
                "sim: {}: the first run in a process differs from those after it: something is \
                 made on first use and kept, such as a lazy static; seeds are confirmed in fresh \
                 processes, so what is reported stays true",
                self.name
            );
            return;
        }
        let folder = self.folder(seed);
        let account = self.run(plan(), Some(&folder));
        self.run(plan(), Some(&folder.join("again")));
        self.report_divergence(seed, account, "two runs in this process")
    }

    /// Two runs of one seed differ: that is the failure, whatever either of them did.
    fn report_divergence(&self, seed: u64, mut account: Account, between: &str) -> ! {
        let folder = self.folder(seed);
        let difference = trace::first_difference(
            &folder.join("trace.txt"),
            &folder.join("again").join("trace.txt"),
        );
        let what = format!(
            "{between} of one seed differ: the test depends on something the seed does not decide"
        );
        account.verdict = Account::lost(VerdictKind::Divergence, what, 0).verdict;
        let mut notes = difference.unwrap_or_else(|| {
            vec!["the recorded runs agree: the difference comes and goes".to_owned()]
        });
        notes.push(
            "likely leaks: entropy past libc, a file or socket of the machine, an address in a \
             decision, a static that outlives a run"
                .to_owned(),
        );
        if !interpose::SUPPORTED {
            notes.push(
                "on this platform std's clocks and the order of a HashMap are the machine's, not \
                 the seed's"
                    .to_owned(),
            );
        }
        self.report(seed, &account, format!("{between} differ"), notes)
    }

    /// A process died under a seed, and this one was started to look into it.
    fn autopsy(&self, words: &str) {
        let seed = words
            .split_once("SIM_SEED=")
            .and_then(|(_, seed)| parse_seed(seed.trim()));
        if let (Some(seed), Some(_)) = (seed, self.case) {
            #[cfg(unix)]
            record::reported_for(std::os::unix::process::parent_id(), self.name);
            let lost = Account::lost(VerdictKind::Abort, String::new(), 0);
            self.judge(seed, lost, Mode::ProcessPerSeed);
        }
    }

    /// Seeds that were under way in a process that was killed: they come first.
    fn look_into_lost_runs(&self) {
        if self.case.is_none() {
            return;
        }
        for seed in record::lost_seeds(self.name) {
            eprintln!(
                "sim: an earlier process died while {} was running under seed {seed:#x}; looking \
                 into it first",
                self.name
            );
            if let Some(account) = self.in_child(seed, "")
                && account.verdict.is_some()
            {
                self.judge(seed, account, Mode::ProcessPerSeed);
            }
        }
    }

    /// The last words of this thread, should the process die in a run.
    fn crash_note(&self, seed: u64) -> Option<interpose::CrashNote> {
        let case = self.case.filter(|_| self.settings.child.is_none())?;
        let line = format!("sim: {} died under SIM_SEED={seed:#x}", self.name);
        let program = env::current_exe().ok()?;
        let arguments = [case.path(), "--exact", "--nocapture", "--include-ignored"];
        let argv = [program.as_os_str()]
            .into_iter()
            .chain(arguments.map(OsStr::new));
        let variables = env::vars_os().map(|(mut name, held)| {
            name.push("=");
            name.push(held);
            name
        });
        let c_string = |text: &OsStr| CString::new(text.as_encoded_bytes()).ok();
        let variables: Vec<_> = variables
            .filter_map(|variable| c_string(&variable))
            .collect();
        let command = interpose::CrashCommand::new(argv.filter_map(c_string), variables)
            .line_as(settings::AUTOPSY)
            .time_limit(Duration::from_secs(120));
        Some(interpose::note_crash(line.as_bytes()).with_command(command))
    }

    /// Has the run watched for polls that do not return.
    fn watch(&self, world: &Arc<World>, seed: u64) -> Option<watchdog::Watched> {
        let limit = self.settings.hang_after?;
        let name = self.name.to_owned();
        let case = self.case.copied();
        let child = self.settings.child.clone();
        let files = self.folder(seed);
        let polled = Arc::downgrade(world);
        Some(watchdog::watch(
            world,
            limit,
            Box::new(move |polls| {
                let who = polled.upgrade().and_then(|world| world.polled_site());
                let who = who.map_or_else(String::new, |who| format!(" of {who}"));
                let message = format!(
                    "a poll{who} has not returned for {} s of real time",
                    limit.as_secs()
                );
                let mut account = Account::lost(VerdictKind::Hang, message, polls);
                if let Some(folder) = child {
                    let _ = child::leave(&folder, &account);
                    std::process::exit(101);
                }
                let mut checked = "not confirmed: a closure has no fresh process".to_owned();
                if let Some(case) = &case {
                    let replay = env::var(settings::REPLAY)
                        .ok()
                        .filter(|text| !text.is_empty());
                    let errand = Errand {
                        case,
                        seed,
                        replay: replay.as_deref(),
                    };
                    match errand.run(&files) {
                        Ok(again) if again.agrees_with_kind(VerdictKind::Hang) => {
                            account = again;
                            checked = "1 of 1 re-runs hangs in a fresh process".to_owned();
                        }
                        _ => checked = "0 of 1 re-runs hangs in a fresh process".to_owned(),
                    }
                }
                let report = Report {
                    case: case.as_ref(),
                    name: &name,
                    seed,
                    replay: None,
                    account: &account,
                    checked,
                    files: None,
                    notes: vec!["the process ends here, for the poll cannot be stopped".to_owned()],
                };
                record::reported_here(&name);
                // Past libtest's capture, which dies with the process.
                let _ = write!(std::io::stderr(), "{report}");
                std::process::exit(101);
            }),
        ))
    }

    fn report(&self, seed: u64, account: &Account, checked: String, notes: Vec<String>) -> ! {
        let folder = self.folder(seed);
        let replay = env::var(settings::REPLAY)
            .ok()
            .filter(|text| !text.is_empty());
        let report = Report {
            case: self.case,
            name: self.name,
            seed,
            replay: replay.as_deref(),
            account,
            checked,
            files: folder.join("trace.jsonl").is_file().then_some(&folder),
            notes,
        };
        eprint!("{report}");
        let verdict = account.verdict.as_ref();
        fail_with(verdict.map_or_else(String::new, |verdict| verdict.message.clone()))
    }
}

fn text_of(timeline: Option<trace::Timeline<'_>>) -> String {
    timeline.map_or_else(String::new, |timeline| timeline.to_string())
}

fn print_json(lines: Option<trace::JsonLines<'_>>) {
    let mut text = Vec::new();
    if let Some(lines) = lines
        && lines.write_to(&mut text).is_ok()
    {
        eprint!("{}", String::from_utf8_lossy(&text));
    }
}

/// Fails the test with a line of its own.
fn fail(line: String) -> ! {
    eprintln!("{line}");
    fail_with(line)
}

/// Fails the test without the panic hook's lines: all that is to be said has been printed. The
/// text is what `#[should_panic(expected = …)]` looks at.
fn fail_with(text: String) -> ! {
    resume_unwind(Box::new(text))
}
