//! What is on disk before user code runs: which seed of which test is under way.
//!
//! A process has one file of 64-byte records, one a test under way. A process that is killed
//! leaves it behind, and the next run of that test looks into the seed first.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::run::artifacts;

const SIZE: usize = 64;
const MAGIC: [u8; 4] = *b"sim1";

/// A test under way; its record says so until it is dropped.
#[derive(Debug)]
pub(crate) struct Record {
    test: u64,
    /// Absent where the file could not be made: a campaign is not refused for that.
    slot: Option<usize>,
}

/// The file of this process.
static BOOK: Mutex<Option<Book>> = Mutex::new(None);

#[derive(Debug)]
struct Book {
    file: File,
    path: PathBuf,
    /// Which slots are in use.
    taken: Vec<bool>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Over = 0,
    Running = 1,
}

impl Record {
    /// A record for a test of this name.
    pub(crate) fn open(test: &str) -> Self {
        let mut book = BOOK.lock().unwrap_or_else(PoisonError::into_inner);
        if book.is_none() {
            *book = Book::create(&folder()).ok();
        }
        let slot = book.as_mut().map(Book::take_slot);
        Self {
            test: name_hash(test),
            slot,
        }
    }

    /// Says that this seed begins, before it does. One write of 64 bytes.
    pub(crate) fn begin(&self, seed: u64) {
        self.write(Phase::Running, seed);
    }

    fn write(&self, phase: Phase, seed: u64) {
        let Some(slot) = self.slot else { return };
        let book = BOOK.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(book) = &*book {
            // A disk that is full loses the record, not the campaign.
            let _ = write_at(
                &book.file,
                &encode(phase, self.test, seed),
                (slot * SIZE) as u64,
            );
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.write(Phase::Over, 0);
        let mut book = BOOK.lock().unwrap_or_else(PoisonError::into_inner);
        let (Some(slot), Some(open)) = (self.slot, book.as_mut()) else {
            return;
        };
        open.taken[slot] = false;
        if open.taken.iter().all(|taken| !taken)
            && let Some(book) = book.take()
        {
            let _ = fs::remove_file(&book.path);
        }
    }
}

/// The seed that this test is at has been reported: nobody needs to look into it again. For the
/// process that is about to end on it.
pub(crate) fn reported_here(test: &str) {
    strike(
        &folder().join(std::process::id().to_string()),
        name_hash(test),
    );
}

/// The same, for the process that was started by the crash of `process`.
pub(crate) fn reported_for(process: u32, test: &str) {
    strike(&folder().join(process.to_string()), name_hash(test));
}

fn strike(path: &Path, test: u64) {
    let Ok(mut bytes) = fs::read(path) else {
        return;
    };
    for record in bytes.chunks_exact_mut(SIZE) {
        if decode(record).is_some_and(|(of, _)| of == test) {
            record.copy_from_slice(&encode(Phase::Over, test, 0));
        }
    }
    let _ = fs::write(path, bytes);
}

/// The seeds of this test that were under way in processes that are gone. Each is told once.
pub(crate) fn lost_seeds(test: &str) -> Vec<u64> {
    lost_seeds_in(&folder(), name_hash(test), process_is_alive)
}

fn lost_seeds_in(folder: &Path, test: u64, is_alive: impl Fn(u32) -> bool) -> Vec<u64> {
    let mut seeds = Vec::new();
    let Ok(files) = fs::read_dir(folder) else {
        return seeds;
    };
    let mut files: Vec<_> = files.flatten().map(|file| file.path()).collect();
    files.sort();
    for path in files {
        let pid = path
            .file_name()
            .and_then(|name| name.to_str()?.parse().ok());
        let (Some(pid), Ok(bytes)) = (pid, fs::read(&path)) else {
            continue;
        };
        if is_alive(pid) {
            continue;
        }
        let mut records: Vec<_> = bytes.chunks_exact(SIZE).filter_map(decode).collect();
        let before = records.len();
        records.retain(|(of, seed)| {
            if *of == test {
                seeds.push(*seed);
            }
            *of != test
        });
        let rest = records
            .iter()
            .flat_map(|(of, seed)| encode(Phase::Running, *of, *seed));
        let _ = match records.len() {
            0 => fs::remove_file(&path),
            left if left < before => fs::write(&path, rest.collect::<Vec<_>>()),
            _ => Ok(()),
        };
    }
    seeds
}

impl Book {
    fn create(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let path = folder.join(std::process::id().to_string());
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)?;
        Ok(Self {
            file,
            path,
            taken: Vec::new(),
        })
    }

    fn take_slot(&mut self) -> usize {
        let free = self.taken.iter().position(|taken| !taken);
        let slot = free.unwrap_or_else(|| {
            self.taken.push(false);
            self.taken.len() - 1
        });
        self.taken[slot] = true;
        slot
    }
}

fn folder() -> PathBuf {
    artifacts::root().join("under-way")
}

fn encode(phase: Phase, test: u64, seed: u64) -> [u8; SIZE] {
    let mut record = [0; SIZE];
    record[..4].copy_from_slice(&MAGIC);
    record[4] = phase as u8;
    record[8..16].copy_from_slice(&test.to_le_bytes());
    record[16..24].copy_from_slice(&seed.to_le_bytes());
    record
}

/// A run that was under way: test and seed.
fn decode(record: &[u8]) -> Option<(u64, u64)> {
    let word = |at: usize| Some(u64::from_le_bytes(record[at..at + 8].try_into().ok()?));
    let running = record[..4] == MAGIC && record[4] == Phase::Running as u8;
    running.then(|| Some((word(8)?, word(16)?))).flatten()
}

/// FNV-1a: the same in every build, which std's hashers do not promise.
pub(crate) fn name_hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn process_is_alive(pid: u32) -> bool {
    // Where there is no /proc nobody can tell, and a live process's record must not be taken.
    !Path::new("/proc/self").exists() || Path::new("/proc").join(pid.to_string()).exists()
}

#[cfg(unix)]
fn write_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, at)
}

#[cfg(windows)]
fn write_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    std::os::windows::fs::FileExt::seek_write(file, bytes, at).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("sim-record-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn a_seed_whose_process_died_is_told_once() {
        let folder = scratch("died");
        let (mine, other) = (name_hash("mine"), name_hash("other"));
        let records = [
            encode(Phase::Running, mine, 7),
            encode(Phase::Running, other, 8),
        ];
        fs::write(folder.join("4711"), records.concat()).unwrap();
        assert_eq!(lost_seeds_in(&folder, mine, |_| false), [7]);
        assert_eq!(lost_seeds_in(&folder, mine, |_| false), [0; 0]);
        assert_eq!(lost_seeds_in(&folder, other, |_| false), [8]);
        assert!(!folder.join("4711").exists());
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_seed_that_was_reported_is_not_lost() {
        let folder = scratch("reported");
        let records = [encode(Phase::Running, 1, 7), encode(Phase::Running, 2, 8)];
        fs::write(folder.join("4711"), records.concat()).unwrap();
        strike(&folder.join("4711"), 1);
        assert_eq!(lost_seeds_in(&folder, 1, |_| false), [0; 0]);
        assert_eq!(lost_seeds_in(&folder, 2, |_| false), [8]);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_live_process_keeps_its_records() {
        let folder = scratch("live");
        let record = encode(Phase::Running, 1, 7);
        fs::write(folder.join("4711"), record).unwrap();
        assert_eq!(lost_seeds_in(&folder, 1, |_| true), [0; 0]);
        assert!(folder.join("4711").exists());
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_test_that_is_over_is_not_lost() {
        assert_eq!(decode(&encode(Phase::Over, 1, 7)), None);
        assert_eq!(decode(&encode(Phase::Running, 1, 7)), Some((1, 7)));
    }
}
