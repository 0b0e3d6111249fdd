//! Files of a failing run: its choices and its trace, where a developer finds them.

use std::env;
use std::fs;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::run::once::Run;
use crate::world::entry::Entries;

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

/// The folder for one seed of one test.
pub(crate) fn folder(test: &str, seed: u64) -> PathBuf {
    root()
        .join(test.replace("::", "-"))
        .join(format!("{seed:x}"))
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
    Ok(())
}

/// Entries as `SIM_REPLAY` gives them: inline, or the path of a `choices.json`.
pub(crate) fn read_entries(text: &str) -> Result<Entries, String> {
    if !text.ends_with(".json") {
        return text.parse().map_err(|bad: crate::world::entry::BadEntry| {
            format!("entries, or the path of a choices.json; {bad}")
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
    let mut entries = Entries::default();
    for entry in file.entries {
        entries.insert(
            entry
                .parse()
                .map_err(|bad| format!("a choices.json; {bad}"))?,
        );
    }
    Ok(entries)
}
