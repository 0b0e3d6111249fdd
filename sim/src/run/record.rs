//! What is on disk before user code runs: which seed of which test is under way.
//!
//! A process has one file of 64-byte records, one a test under way, and holds its lock for as long as
//! it lives. A process that is killed leaves the file behind, unlocked, and the next run of that test
//! looks into the seed first.

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
    reported_for(std::process::id(), test);
}

/// The same, for the process that was started by the crash of `process`.
pub(crate) fn reported_for(process: u32, test: &str) {
    let prefix = format!("{process}-");
    for path in books(&folder()) {
        let name = path.file_name().and_then(|name| name.to_str());
        if name.is_some_and(|name| name.starts_with(&prefix)) {
            let _ = take_seeds(&path, name_hash(test));
        }
    }
}

/// The seeds of this test that were under way in processes that are gone. Each is told once.
pub(crate) fn lost_seeds(test: &str) -> Vec<u64> {
    lost_seeds_in(&folder(), name_hash(test))
}

fn lost_seeds_in(folder: &Path, test: u64) -> Vec<u64> {
    let mut seeds = Vec::new();
    for path in books(folder) {
        // A live process holds its lock; so does whoever reads the book of a dead one.
        let Ok(file) = OpenOptions::new().read(true).write(true).open(&path) else {
            continue;
        };
        if file.try_lock().is_err() {
            continue;
        }
        let (taken, others) = take_seeds(&path, test).unwrap_or_default();
        seeds.extend(taken);
        if !others {
            let _ = fs::remove_file(&path);
        }
    }
    seeds
}

/// The files of all processes, in a stable order.
fn books(folder: &Path) -> Vec<PathBuf> {
    let Ok(files) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut books: Vec<_> = files.flatten().map(|file| file.path()).collect();
    books.sort();
    books
}

/// Takes this test's seeds out of a book; also tells whether there are others' in it. Records are
/// written over in place, so that others' are never missing.
fn take_seeds(path: &Path, test: u64) -> io::Result<(Vec<u64>, bool)> {
    let bytes = fs::read(path)?;
    let file = OpenOptions::new().write(true).open(path)?;
    let (mut seeds, mut others) = (Vec::new(), false);
    for (slot, record) in bytes.chunks_exact(SIZE).enumerate() {
        match decode(record) {
            Some((of, seed)) if of == test => {
                seeds.push(seed);
                write_at(&file, &encode(Phase::Over, test, 0), (slot * SIZE) as u64)?;
            }
            Some(_) => others = true,
            None => {}
        }
    }
    Ok((seeds, others))
}

impl Book {
    fn create(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        // A number of a process comes again: the first free name is this one's.
        let name = |n: u32| folder.join(format!("{}-{n}", std::process::id()));
        let fresh = |path: &PathBuf| OpenOptions::new().write(true).create_new(true).open(path);
        // Until it is locked it looks like a dead process's, and may be swept away.
        let locked = |path: PathBuf| {
            let file = fresh(&path).ok()?;
            (file.lock().is_ok() && path.exists()).then_some((file, path))
        };
        let (file, path) = (0..1_000)
            .map(name)
            .find_map(locked)
            .ok_or(io::ErrorKind::AlreadyExists)?;
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
        fs::write(folder.join("4711-0"), records.concat()).unwrap();
        assert_eq!(lost_seeds_in(&folder, mine), [7]);
        assert_eq!(lost_seeds_in(&folder, mine), [0; 0]);
        assert_eq!(lost_seeds_in(&folder, other), [8]);
        assert!(!folder.join("4711-0").exists());
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_seed_that_was_reported_is_not_lost() {
        let folder = scratch("reported");
        let records = [encode(Phase::Running, 1, 7), encode(Phase::Running, 2, 8)];
        fs::write(folder.join("4711-0"), records.concat()).unwrap();
        take_seeds(&folder.join("4711-0"), 1).unwrap();
        assert_eq!(lost_seeds_in(&folder, 1), [0; 0]);
        assert_eq!(lost_seeds_in(&folder, 2), [8]);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_live_process_keeps_its_records() {
        let folder = scratch("live");
        let book = Book::create(&folder).unwrap();
        write_at(&book.file, &encode(Phase::Running, 1, 7), 0).unwrap();
        assert_eq!(lost_seeds_in(&folder, 1), [0; 0]);
        assert!(book.path.exists());
        drop(book);
        assert_eq!(lost_seeds_in(&folder, 1), [7]);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_process_with_the_number_of_a_dead_one_keeps_that_ones_record() {
        let folder = scratch("again");
        let number = std::process::id();
        fs::write(
            folder.join(format!("{number}-0")),
            encode(Phase::Running, 1, 7),
        )
        .unwrap();
        let _book = Book::create(&folder).unwrap();
        assert_eq!(lost_seeds_in(&folder, 1), [7]);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_test_that_is_over_is_not_lost() {
        assert_eq!(decode(&encode(Phase::Over, 1, 7)), None);
        assert_eq!(decode(&encode(Phase::Running, 1, 7)), Some((1, 7)));
    }
}
