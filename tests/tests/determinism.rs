//! Same seed, same run: across builds, processes and worlds at once. And leaks are caught.

use std::process::{Command, Output};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use tests::workload::{cluster, config};

const SEEDS: u64 = 20;

fn hashes_of(program: &mut Command) -> String {
    let output = program.output().expect("the program starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout).expect("it prints text")
}

fn debug_program() -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_hashes"));
    program.arg(SEEDS.to_string());
    program
}

/// The workload's hashes on this process's threads.
fn hashes_here() -> Vec<u64> {
    let run = |seed| thread::spawn(move || sim::run_once(&config(), seed, cluster).hash);
    (0..SEEDS)
        .map(|seed| run(seed).join().expect("a run does not panic"))
        .collect()
}

#[test]
fn two_processes_run_alike() {
    let first = hashes_of(&mut debug_program());
    assert_eq!(first, hashes_of(&mut debug_program()));
    assert_eq!(first.lines().count() as u64, SEEDS);
    assert!(!first.contains("verdict"), "{first}");
}

#[test]
fn debug_and_release_run_alike() {
    let release = hashes_of(Command::new(env!("CARGO")).args([
        "run",
        "--release",
        "--quiet",
        "-p",
        "tests",
        "--bin",
        "hashes",
        "--",
        &SEEDS.to_string(),
    ]));
    assert_eq!(release, hashes_of(&mut debug_program()));
}

#[test]
fn eight_worlds_at_once_run_like_one() {
    let alone = hashes_here();
    let crowd: Vec<_> = (0..8).map(|_| thread::spawn(hashes_here)).collect();
    for world in crowd {
        assert_eq!(world.join().expect("no world panics"), alone);
    }
}

#[test]
fn seeds_lead_to_different_runs() {
    let mut hashes = hashes_here();
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len() as u64, SEEDS);
}

#[test]
fn recording_changes_nothing() {
    for seed in 0..SEEDS {
        // Both on fresh threads, for std keeps hash keys per thread.
        let plain = thread::spawn(move || sim::run_once(&config(), seed, cluster).hash);
        let recorded = thread::spawn(move || sim::record_once(&config(), seed, cluster).hash);
        assert_eq!(
            plain.join().unwrap(),
            recorded.join().unwrap(),
            "seed {seed}"
        );
    }
}

#[test]
fn the_recorded_entries_replay_the_run() {
    for seed in 0..SEEDS {
        let recorded = thread::spawn(move || {
            let run = sim::record_once(&config(), seed, cluster);
            (run.hash, run.value, run.entries().expect("it was recorded"))
        });
        let (hash, value, entries) = recorded.join().unwrap();
        let replayed = thread::spawn(move || {
            let run = sim::replay_once(&config(), seed, &entries, cluster).expect("entries");
            (run.hash, run.value)
        });
        assert_eq!(replayed.join().unwrap(), (hash, value), "seed {seed}");
    }
}

/// A planted leak fails its test with a divergence, which names where the runs part.
fn assert_caught(leak: &str) {
    let Output {
        status,
        stderr,
        stdout,
    } = Command::new(std::env::current_exe().unwrap())
        .args([
            &format!("planted::{leak}"),
            "--exact",
            "--ignored",
            "--nocapture",
        ])
        .output()
        .expect("this binary starts again");
    let printed = String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned();
    assert!(!status.success(), "the leak went unseen:\n{printed}");
    assert!(printed.contains("divergence"), "{printed}");
    assert!(printed.contains("one run goes on:"), "{printed}");
}

#[test]
fn entropy_past_libc_is_caught() {
    assert_caught("entropy_of_the_machine");
}

#[test]
fn an_address_in_a_decision_is_caught() {
    assert_caught("an_address");
}

#[test]
fn a_static_that_counts_runs_is_caught() {
    assert_caught("a_static_counter");
}

/// A value made on first use and kept is a first-run effect: told, but no failure.
#[test]
fn a_lazy_static_is_only_warned_of() {
    let Output { status, stderr, .. } = Command::new(std::env::current_exe().unwrap())
        .args([
            "planted::a_lazy_static",
            "--exact",
            "--ignored",
            "--nocapture",
        ])
        .output()
        .expect("this binary starts again");
    let printed = String::from_utf8_lossy(&stderr);
    assert!(status.success(), "{printed}");
    assert!(printed.contains("made on first use"), "{printed}");
}

/// Tests that fail on purpose; run by the ones above in processes of their own.
mod planted {
    use super::*;

    #[sim::test]
    #[ignore = "fails on purpose"]
    async fn entropy_of_the_machine() {
        let mut entropy = [0; 8];
        let mut urandom = std::fs::File::open("/dev/urandom").unwrap();
        std::io::Read::read_exact(&mut urandom, &mut entropy).unwrap();
        event_loop::time::sleep(Duration::from_millis(u64::from_le_bytes(entropy) % 1_000)).await;
    }

    #[sim::test]
    #[ignore = "fails on purpose"]
    async fn an_address() {
        // Never freed, so that no two runs get the same.
        let address = std::ptr::from_ref(Box::leak(Box::new([0_u8; 64]))).addr() as u64;
        event_loop::time::sleep(Duration::from_millis(address / 16 % 100_003)).await;
    }

    #[sim::test]
    #[ignore = "fails on purpose"]
    async fn a_static_counter() {
        static RUNS: AtomicU64 = AtomicU64::new(1);
        let runs = RUNS.fetch_add(1, Ordering::Relaxed);
        event_loop::time::sleep(Duration::from_millis(runs)).await;
    }

    #[sim::test(seeds = 3)]
    #[ignore = "warns on purpose"]
    async fn a_lazy_static() {
        static FIRST: AtomicU64 = AtomicU64::new(0);
        if FIRST.swap(1, Ordering::Relaxed) == 0 {
            event_loop::yield_now().await;
        }
    }
}
