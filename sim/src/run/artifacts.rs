//! Files of a failing run: its choices and its trace, where a developer finds them.

use std::env;
use std::fs;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::run::once::Run;
use crate::run::settings::parse_seed;
use crate::trace::Traffic;
use crate::world::entry::{BadEntry, Entries};

/// The folder of what hosts sent to each other.
pub(crate) const TRAFFIC: &str = "net";

/// The version of `choices.json`.
const VERSION: u32 = 1;

/// What `choices.json` holds.
#[derive(Serialize, Deserialize)]
struct ChoicesFile {
    version: u32,
    test: String,
    seed: String,
    entries: Vec<String>,
}

/// Where files of tests go: `SIM_ARTIFACTS`, or `sim` in cargo's target directory.
pub(crate) fn root() -> PathBuf {
    if let Some(chosen) = env::var_os("SIM_ARTIFACTS").filter(|chosen| !chosen.is_empty()) {
        return chosen.into();
    }
    let program = env::current_exe().unwrap_or_default();
    // Cargo marks its target directory with this file.
    let target = program
        .ancestors()
        .find(|folder| folder.join("CACHEDIR.TAG").is_file());
    target
        .map_or_else(env::temp_dir, Path::to_path_buf)
        .join("sim")
}

/// The folder for one seed of one test, as a report names it.
pub(crate) fn folder(test: &str, seed: u64) -> PathBuf {
    root().join(plain(test)).join(format!("{seed:x}"))
}

/// The same while it is being filled: this process's own, for others may look into the same seed.
pub(crate) fn draft(test: &str, seed: u64) -> PathBuf {
    root()
        .join(plain(test))
        .join(format!("{seed:x}.{}", std::process::id()))
}

/// Moves a filled draft to where its report names it; returns where the files are.
pub(crate) fn settle(test: &str, seed: u64) -> PathBuf {
    let (draft, folder) = (draft(test, seed), folder(test, seed));
    let _ = fs::remove_dir_all(&folder);
    match fs::rename(&draft, &folder) {
        Ok(()) => folder,
        // Another process has just moved its own there: then both stay.
        Err(_) => draft,
    }
}

/// Throws a draft away, of a run that turned out to be no failure.
pub(crate) fn discard(test: &str, seed: u64) {
    let _ = fs::remove_dir_all(draft(test, seed));
}

/// A test's name as a folder.
fn plain(test: &str) -> String {
    test.replace("::", "-").replace(['/', '\\', ':'], "-")
}

/// Writes a recorded run's files into `folder`.
pub(crate) fn write<T>(folder: &Path, test: &str, seed: u64, run: &Run<T>) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let choices = ChoicesFile {
        version: VERSION,
        test: test.to_owned(),
        seed: format!("{seed:#x}"),
        entries: run
            .remains
            .deviations
            .iter()
            .map(|entry| entry.to_string())
            .collect(),
    };
    fs::write(
        folder.join("choices.json"),
        serde_json::to_vec_pretty(&choices)?,
    )?;
    if let Some(lines) = run.json_lines() {
        let mut file = BufWriter::new(fs::File::create(folder.join("trace.jsonl"))?);
        lines.write_to(&mut file)?;
        io::Write::flush(&mut file)?;
    }
    if let Some(timeline) = run.timeline() {
        fs::write(folder.join("trace.txt"), timeline.to_string())?;
    }
    if let Some(traffic) = &run.remains.traffic {
        write_traffic(&folder.join(TRAFFIC), traffic)?;
    }
    Ok(())
}

/// One file for each pair of hosts that have sent something to each other.
fn write_traffic(folder: &Path, traffic: &Traffic) -> io::Result<()> {
    for (one, other) in traffic.pairs() {
        fs::create_dir_all(folder)?;
        let name = plain(&format!("{one}-{other}.pcapng"));
        let file = BufWriter::new(fs::File::create(folder.join(name))?);
        traffic.write(one, other, file)?;
    }
    Ok(())
}

/// What `SIM_REPLAY` asks for: the choices of one run.
#[derive(Clone, Debug)]
pub(crate) struct Replay {
    pub(crate) entries: Entries,
    /// The seed of its entropy, if a file says so.
    pub(crate) seed: Option<u64>,
    /// The test it is of, if a file says so.
    pub(crate) test: Option<String>,
}

/// Entries as `SIM_REPLAY` gives them: inline, or the path of a `choices.json`.
pub(crate) fn read_replay(text: &str) -> Result<Replay, String> {
    if !text.ends_with(".json") {
        let entries = text.parse();
        let entries = entries
            .map_err(|bad: BadEntry| format!("entries, or the path of a choices.json; {bad}"))?;
        return Ok(Replay {
            entries,
            seed: None,
            test: None,
        });
    }
    let bytes = fs::read(text).map_err(|why| format!("a readable choices.json; {why}"))?;
    let file: ChoicesFile =
        serde_json::from_slice(&bytes).map_err(|why| format!("a choices.json; {why}"))?;
    if file.version != VERSION {
        let found = file.version;
        return Err(format!(
            "a choices.json of version {VERSION}; this one has {found}"
        ));
    }
    let seed = parse_seed(&file.seed)
        .ok_or_else(|| format!("a choices.json; its seed \"{}\" is no number", file.seed))?;
    let mut entries = Entries::default();
    for entry in file.entries {
        entries.insert(
            entry
                .parse()
                .map_err(|bad| format!("a choices.json; {bad}"))?,
        );
    }
    Ok(Replay {
        entries,
        seed: Some(seed),
        test: Some(file.test),
    })
}
