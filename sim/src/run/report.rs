//! The report of a failing run: what an engineer needs on her screen at three in the morning.

use std::fmt;
use std::path::Path;
use std::process::Command;

use virtual_time::Instant;

use crate::run::artifacts::TRAFFIC;
use crate::run::case::{TestCase, program};
use crate::run::outcome::Account;
use crate::world::verdict::{Verdict, VerdictKind};

/// How many causes are listed before the rest is counted.
const CAUSES: usize = 8;

/// How many tasks that cannot go on are listed before the rest is counted.
const BLOCKED: usize = 20;

/// How many faults of the network are listed before the rest is counted.
const FAULTS: usize = 8;

/// A failing run, as it is printed.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    pub(crate) case: Option<&'a TestCase>,
    pub(crate) name: &'a str,
    pub(crate) seed: u64,
    /// `SIM_REPLAY`, if the run was one of listed entries.
    pub(crate) replay: Option<&'a str>,
    pub(crate) account: &'a Account,
    /// How the failure was confirmed, in words.
    pub(crate) checked: String,
    pub(crate) files: Option<&'a Path>,
    /// What else she has to know.
    pub(crate) notes: Vec<String>,
}

impl Report<'_> {
    /// The line to paste.
    fn replay_line(&self, case: &TestCase) -> String {
        let command = case.command();
        match self.replay {
            Some(entries) => {
                format!("SIM_SEED={:#x} SIM_REPLAY='{entries}' {command}", self.seed)
            }
            None => format!("SIM_SEED={:#x} {command}", self.seed),
        }
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let account = self.account;
        let Some(verdict) = &account.verdict else {
            return Ok(());
        };
        let Verdict {
            kind,
            message,
            location,
            at_nanos,
            event,
            task,
            blocked,
            earlier_panics,
        } = verdict;
        let mut lines = message.lines();
        let headline = lines.next().unwrap_or_default();
        write!(
            f,
            "sim FAILED  {}  {}: \"{headline}\"",
            self.name,
            kind.name()
        )?;
        match location {
            Some(location) => writeln!(f, " ({location})")?,
            None => writeln!(f)?,
        }
        for line in lines {
            writeln!(f, "           {line}")?;
        }
        if let Some(case) = self.case {
            writeln!(f, "  replay   {}", self.replay_line(case))?;
            let program = program();
            let program = program.display();
            writeln!(
                f,
                "  binary   {program} (run directly: the same features and flags)"
            )?;
        }
        writeln!(f, "  checked  {}", self.checked)?;
        writeln!(f, "  build    {}", Build)?;
        if account.events > 0 {
            write!(
                f,
                "  when     t={} s  event {event}",
                Instant::from_nanos(*at_nanos)
            )?;
            match task {
                Some(task) => writeln!(f, "  {task}")?,
                None => writeln!(f)?,
            }
            self.fmt_cause(f)?;
            let hosts = account.hosts;
            let plural = if hosts == 1 { "" } else { "s" };
            let took = Instant::from_nanos(account.elapsed_nanos);
            writeln!(
                f,
                "  world    {hosts} host{plural}, strategy {}, {} polls, {took} s",
                account.strategy, account.polls
            )?;
        }
        list(f, "faults", &self.faults())?;
        list(f, "earlier", earlier_panics)?;
        if *kind != VerdictKind::Blocking {
            list(f, "blocking", &account.blockings.lines())?;
        }
        list(f, "last", &account.last)?;
        let listed = blocked.len().min(BLOCKED);
        list(f, "blocked", &aligned(&blocked[..listed]))?;
        match blocked.len() - listed {
            0 => {}
            more => writeln!(f, "           … and {more} more in account.json")?,
        }
        list(f, "note", &self.notes)?;
        if let Some(files) = self.files {
            let traffic = match files.join(TRAFFIC).is_dir() {
                true => format!(", {TRAFFIC}/*.pcapng"),
                false => String::new(),
            };
            writeln!(
                f,
                "  files    {}/ {{account.json, choices.json, trace.jsonl, trace.txt{traffic}}}",
                files.display()
            )?;
        }
        Ok(())
    }
}

impl Report<'_> {
    /// What the test did to its network.
    fn faults(&self) -> Vec<String> {
        let rules = &self.account.rules;
        let mut lines: Vec<_> = rules.iter().take(FAULTS).map(ToString::to_string).collect();
        match rules.len() - lines.len() {
            0 => {}
            more => lines.push(format!("… and {more} more in account.json")),
        }
        lines
    }

    fn fmt_cause(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = &self.account.entries;
        match entries.len() {
            0 => return writeln!(f, "  cause    a plain run: every choice is production's"),
            1 => writeln!(f, "  cause    1 choice differs from a plain run")?,
            n => writeln!(f, "  cause    {n} choices differ from a plain run")?,
        }
        for entry in entries.iter().take(CAUSES) {
            writeln!(f, "             {entry}")?;
        }
        match entries.len().saturating_sub(CAUSES) {
            0 => Ok(()),
            more => writeln!(f, "             … and {more} more in choices.json"),
        }
    }
}

/// The table of who waits on what, in two columns: who, and what of it.
fn aligned(table: &[String]) -> Vec<String> {
    let split = |line: &String| {
        let ends = [") waits on ", ") is ready"].map(|end| line.find(end));
        ends.into_iter().flatten().min().map(|at| at + 1)
    };
    let columns = |line: &String| split(line).map(|at| line[..at].chars().count());
    let width = table.iter().filter_map(columns).max().unwrap_or(0);
    let pad = |line: &String| match split(line) {
        Some(at) => format!("{:<width$}{}", &line[..at], &line[at..]),
        None => line.clone(),
    };
    table.iter().map(pad).collect()
}

fn list(f: &mut fmt::Formatter<'_>, title: &str, lines: &[String]) -> fmt::Result {
    for (i, line) in lines.iter().enumerate() {
        writeln!(f, "  {:<9}{line}", if i == 0 { title } else { "" })?;
    }
    Ok(())
}

/// The commit and the platform.
struct Build;

impl fmt::Display for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let git = |args: &[&str]| {
            let output = Command::new("git").args(args).output().ok()?;
            output
                .status
                .success()
                .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        if let Some(commit) = git(&["rev-parse", "--short", "HEAD"]) {
            let dirty = git(&["status", "--porcelain"]).is_some_and(|changes| !changes.is_empty());
            write!(f, "commit {commit}{}  ", if dirty { "+dirty" } else { "" })?;
        }
        write!(f, "{}-{}", std::env::consts::ARCH, std::env::consts::OS)
    }
}
