//! One run of a test, on a thread of its own: its files, its log, and what becomes of it if the thread
//! never returns.

use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread;

use crate::config::Config;
use crate::run::campaign::fail;
use crate::run::case::TestCase;
use crate::run::once::Run;
use crate::run::outcome::{Account, Outcome};
use crate::run::plan::Plan;
use crate::run::settings::{LogFormat, Settings};
use crate::run::{artifacts, child, once};
use crate::sim::Sim;
use crate::world::World;

/// All that the runs of a test have in common, but its body.
#[derive(Debug)]
pub(super) struct Test {
    /// What tells it from every other.
    pub(super) identity: String,
    pub(super) case: Option<TestCase>,
    pub(super) config: Config,
    pub(super) settings: Settings,
    pub(super) site: &'static Location<'static>,
}

/// Makes a run on a fresh thread; its files go into the folder, if there is one.
pub(super) type Play<'a> = dyn Fn(Plan, Option<&Path>) -> Account + 'a;

/// What becomes of the account of a run whose thread is stuck for ever; called on that thread.
type GiveUp = Box<dyn FnOnce(Account) + Send>;

impl Test {
    /// The test's name in reports.
    pub(super) fn name(&self) -> &str {
        self.case.map_or(&self.identity, |case| case.name)
    }

    /// Where the files of a seed are while it is looked into.
    pub(super) fn draft(&self, seed: u64) -> PathBuf {
        artifacts::draft(&self.identity, seed)
    }

    /// Makes runs of a body that lives as long as any thread.
    pub(super) fn owned<M, F>(self: Arc<Self>, main: M) -> impl Fn(Plan, Option<&Path>) -> Account
    where
        M: Fn(Sim) -> F + Send + Sync + 'static,
        F: Future,
        F::Output: Outcome,
    {
        let main = Arc::new(main);
        move |plan, folder| {
            let (test, main) = (self.clone(), main.clone());
            let folder = folder.map(Path::to_path_buf);
            let (ended, end) = mpsc::channel();
            let run = move || {
                let stuck = ended.clone();
                let give_up = Box::new(move |account| {
                    // Who waits for this has gone only if the process ends.
                    let _ = stuck.send(Some(account));
                });
                let run = || test.run(plan, folder.as_deref(), &*main, give_up);
                let account = catch_unwind(AssertUnwindSafe(run));
                let _ = ended.send(None);
                account.unwrap_or_else(|panic| resume_unwind(panic))
            };
            let spawned = thread::Builder::new().name(self.thread_name()).spawn(run);
            let thread = spawned.unwrap_or_else(|why| no_thread(&why));
            match end.recv() {
                // The thread is left where it stands.
                Ok(Some(account)) => account,
                Ok(None) | Err(_) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
            }
        }
    }

    /// Makes runs of a body that may borrow. If a thread of it is stuck, what it borrows can never
    /// be given back: then the process ends with the report.
    pub(super) fn borrowed<M, F>(
        self: Arc<Self>,
        main: M,
    ) -> impl Fn(Plan, Option<&Path>) -> Account
    where
        M: Fn(Sim) -> F + Sync,
        F: Future,
        F::Output: Outcome,
    {
        move |plan, folder| {
            thread::scope(|scope| {
                let (test, seed) = (self.clone(), plan.seed);
                let give_up =
                    Box::new(move |account| once::end_process(test.name(), seed, &account));
                let run = || self.run(plan, folder, &main, give_up);
                let spawned = thread::Builder::new()
                    .name(self.thread_name())
                    .spawn_scoped(scope, run);
                let thread = spawned.unwrap_or_else(|why| no_thread(&why));
                thread.join().unwrap_or_else(|panic| resume_unwind(panic))
            })
        }
    }

    fn thread_name(&self) -> String {
        let path = self.case.as_ref().map(TestCase::path);
        path.unwrap_or("sim").to_owned()
    }

    /// Makes one run on this thread.
    fn run<M, F>(
        self: &Arc<Self>,
        plan: Plan,
        folder: Option<&Path>,
        main: &M,
        give_up: GiveUp,
    ) -> Account
    where
        M: Fn(Sim) -> F,
        F: Future,
        F::Output: Outcome,
    {
        let seed = plan.seed;
        let wanted = folder.is_some() || self.settings.log.is_some();
        let plan = if wanted { plan.recorded() } else { plan };
        let _note = self.crash_note(seed);
        // What the body returns is read, and dropped, inside the world.
        let body = async |sim| main(sim).await.failure();
        let watch = |world: &Arc<World>| {
            let (test, folder) = (self.clone(), folder.map(Path::to_path_buf));
            world.on_stuck(Box::new(move |run: Run<()>| {
                let account = Account::read(&run);
                test.keep(folder.as_deref(), seed, &run, &account);
                give_up(account);
            }));
            self.watch(world, seed)
        };
        let run = once::run_plan(&self.config, plan, self.site, body, watch);
        let (account, run) = Account::of(run);
        self.keep(folder, seed, &run, &account);
        account
    }

    /// Writes a run's files and its log, as far as they are wanted.
    fn keep(&self, folder: Option<&Path>, seed: u64, run: &Run<()>, account: &Account) {
        if let Some(folder) = folder {
            let written = artifacts::write(folder, &self.identity, seed, run)
                .and_then(|()| child::leave(folder, account));
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
    }
}

fn no_thread(why: &std::io::Error) -> ! {
    fail(format!("sim: no thread for a run: {why}"))
}
