//! What looks after a run from outside: last words if its process dies, and an eye on polls that
//! do not return.

use std::env;
use std::ffi::{CString, OsStr};
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use crate::run::campaign::variable;
use crate::run::child::{self, Errand};
use crate::run::outcome::Account;
use crate::run::play::Test;
use crate::run::record;
use crate::run::report::Report;
use crate::run::settings;
use crate::run::watchdog::{self, Watched};
use crate::world::World;
use crate::world::verdict::VerdictKind;

impl Test {
    /// The last words of this thread, should the process die in a run: a line, and a fresh process
    /// that looks into it.
    pub(super) fn crash_note(&self, seed: u64) -> Option<interpose::CrashNote> {
        let case = self
            .case
            .as_ref()
            .filter(|_| self.settings.child.is_none())?;
        let line = format!("sim: {} died under SIM_SEED={seed:#x}", self.name());
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
    pub(super) fn watch(&self, world: &Arc<World>, seed: u64) -> Option<Watched> {
        let limit = self.settings.hang_after?;
        let (identity, name) = (self.identity.clone(), self.name().to_owned());
        let (case, child) = (self.case, self.settings.child.clone());
        let folder = self.draft(seed);
        let watched = Arc::downgrade(world);
        let on_hang = move |polls| {
            let Some(world) = watched.upgrade() else {
                return;
            };
            let who = world
                .polled_site()
                .map_or_else(String::new, |who| format!(" of {who}"));
            let message = format!(
                "a poll{who} has not returned for {} s of real time",
                limit.as_secs()
            );
            // A run that has failed is not failed by the look into it: then that is cut short.
            let failed = world.failed();
            let was_failed = failed.is_some();
            let mut account =
                failed.unwrap_or_else(|| Account::lost(VerdictKind::Hang, message, polls));
            if let Some(folder) = &child {
                let _ = child::leave(folder, &account);
                std::process::exit(child::HARNESS_FAILURE);
            }
            let mut checked = "not confirmed: a closure has no fresh process".to_owned();
            if was_failed {
                checked = "the look into who waits did not end, and was cut short".to_owned();
            } else if let Some(case) = &case {
                let replay = variable(settings::REPLAY);
                match (Errand {
                    case,
                    seed,
                    replay: replay.as_deref(),
                })
                .run(&folder)
                {
                    Ok(again) if again.agrees_with_kind(VerdictKind::Hang) => {
                        account = again;
                        checked = "1 of 1 re-runs hangs in a fresh process".to_owned();
                    }
                    // Slow here and not there, or over by now: it is not called a hang.
                    Ok(_) => {
                        eprintln!(
                            "sim: {name}: a poll under seed {seed:#x} takes more than {} s of \
                             real time here, and does not in a fresh process",
                            limit.as_secs()
                        );
                        return;
                    }
                    Err(why) => checked = format!("not confirmed: no fresh process: {why}"),
                }
            }
            if world.polls() != polls {
                return;
            }
            let report = Report {
                case: case.as_ref(),
                name: &name,
                seed,
                replay: variable(settings::REPLAY).as_deref(),
                account: &account,
                checked,
                files: None,
                notes: vec!["the process ends here, for the poll cannot be stopped".to_owned()],
            }
            .to_string();
            record::reported_here(&identity);
            // Past libtest's capture, which dies with the process.
            let _ = write!(std::io::stderr(), "{report}");
            std::process::exit(child::HARNESS_FAILURE);
        };
        Some(watchdog::watch(world, limit, Box::new(on_hang)))
    }
}
