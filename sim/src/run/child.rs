//! Runs in fresh processes: the test binary once more, for one test and one seed.
//!
//! A child leaves its account in a file; what else it prints is thrown away.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use crate::run::case::TestCase;
use crate::run::outcome::Account;
use crate::run::settings;
use crate::world::verdict::VerdictKind;

/// What the test harness ends with when a test has failed.
pub(crate) const HARNESS_FAILURE: i32 = 101;

/// Which run a child is to make.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Errand<'a> {
    pub(crate) case: &'a TestCase,
    pub(crate) seed: u64,
    /// `SIM_REPLAY` as it stands, for a run of listed entries.
    pub(crate) replay: Option<&'a str>,
}

impl Errand<'_> {
    /// Makes the run in a fresh process, which leaves its files in `folder`.
    ///
    /// # Errors
    /// If the process could not be started, or ended as if all were well and left no account: it
    /// could not write one, or knows no test of this name.
    pub(crate) fn run(self, folder: &Path) -> io::Result<Account> {
        fs::create_dir_all(folder)?;
        let account = account_file(folder);
        match fs::remove_file(&account) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut command = Command::new(env::current_exe()?);
        command
            .args([
                self.case.path(),
                "--exact",
                "--nocapture",
                "--include-ignored",
            ])
            .env(settings::CHILD, folder)
            .env(settings::SEED, format!("{:#x}", self.seed))
            .env_remove(settings::SEEDS)
            .env_remove(settings::LOG)
            .env_remove(settings::AUTOPSY)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        match self.replay {
            Some(entries) => command.env(settings::REPLAY, entries),
            None => command.env_remove(settings::REPLAY),
        };
        let status = command.status()?;
        match fs::read(&account) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::from),
            Err(why) if matches!(status.code(), Some(0 | HARNESS_FAILURE)) => {
                let what = format!("it ended with {status} and left no account: {why}");
                Err(io::Error::other(what))
            }
            Err(_) => Ok(Account::lost(VerdictKind::Abort, last_words(status), 0)),
        }
    }
}

/// Leaves a child's account where its parent looks. Written whole or not at all.
pub(crate) fn leave(folder: &Path, account: &Account) -> io::Result<()> {
    let draft = folder.join("account.tmp");
    fs::write(&draft, serde_json::to_vec(account)?)?;
    fs::rename(draft, account_file(folder))
}

fn account_file(folder: &Path) -> PathBuf {
    folder.join("account.json")
}

fn last_words(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return format!("the process was ended by {}", signal_name(signal));
    }
    format!("the process ended itself with {status}")
}

#[cfg(unix)]
fn signal_name(signal: i32) -> String {
    let name = match signal {
        4 => "SIGILL",
        6 => "SIGABRT (abort, or a stack overflow)",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        15 => "SIGTERM",
        other => return format!("signal {other}"),
    };
    name.to_owned()
}
