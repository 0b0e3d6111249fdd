//! A crash leaves its note on standard error, runs its command, and stays the crash it was.
//!
//! To see one child under valgrind, which needs to be told to keep its registers exact at a fault:
//! `INTERPOSE_TEST_CRASH=null valgrind --vex-iropt-register-updates=allregs-at-mem-access
//! target/debug/deps/crash-… --exact child --nocapture`.
#![cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
#![allow(
    clippy::disallowed_methods,
    reason = "real time is tested here, or bounds the test"
)]

use std::arch::asm;
use std::env;
use std::ffi::{CString, c_int};
use std::hint::black_box;
use std::os::unix::process::ExitStatusExt;
use std::process::{self, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use interpose::{CrashCommand, CrashNote, Kernel, note_crash};

// ---- The child: this binary again, told by a variable which crash to die of.

const CRASH: &str = "INTERPOSE_TEST_CRASH";
const LINE: &str = "INTERPOSE_TEST_LINE";

#[test]
fn child() {
    let Ok(crash) = env::var(CRASH) else { return };
    match crash.as_str() {
        "abort" => {
            let _note = note_crash(b"noted: abort");
            process::abort()
        }
        "overflow" => {
            let _note = note_crash(b"noted: overflow");
            overflow(0);
        }
        "null" => {
            let _note = note_crash(b"noted: null");
            write_to_null();
        }
        "ud2" => {
            let _note = note_crash(b"noted: ud2");
            // SAFETY: an instruction that does nothing but fault.
            unsafe { asm!("ud2") }
        }
        "division" => {
            let _note = note_crash(b"noted: division");
            // SAFETY: clobbers what it says, and faults.
            unsafe { asm!("xor {0:e}, {0:e}", "div {0:e}", out(reg) _, out("eax") _, out("edx") _) }
        }
        raised if raised.starts_with("raise ") => {
            let _note = note_crash(format!("noted: {raised}").as_bytes());
            let signal = raised["raise ".len()..].parse().unwrap();
            raise(signal);
            // The standard library lets the first SIGSEGV or SIGBUS that is no fault pass, and only
            // takes its handler away.
            raise(signal);
        }
        "other thread" => {
            let _note = note_crash(b"noted: mine");
            thread::spawn(write_to_null).join().unwrap();
        }
        "several threads" => {
            let _note = note_crash(b"noted: mine");
            let crashing = || {
                let _note = note_crash(b"noted: the other's");
                write_to_null();
            };
            thread::spawn(crashing).join().unwrap();
        }
        "dropped" => {
            let older = note_crash(b"noted: older");
            let middle = note_crash(b"noted: middle");
            let newest = note_crash(b"noted: newest");
            drop(middle);
            let _kept = (older, newest);
            process::abort()
        }
        "all dropped" => {
            drop(note_crash(b"noted: dropped"));
            process::abort()
        }
        "updated" => {
            let mut note = note_crash(b"noted: first");
            note.update(b"noted: second\n");
            let mut silent = note_crash(b"noted: silent");
            silent.update(b"");
            process::abort()
        }
        "long" => {
            let _note = note_crash(&[b'x'; CrashNote::CAPACITY + 100]);
            process::abort()
        }
        "simulated" => {
            struct Panicking;
            impl Kernel for Panicking {
                fn now(&self, _: interpose::ClockId) -> Duration {
                    panic!("a kernel asked for the time")
                }
                fn fill_random(&self, _: &mut [u8]) {
                    panic!("a kernel asked for entropy")
                }
            }
            let world = interpose::enter(Arc::new(Panicking));
            let _note = note_crash(b"noted: simulated");
            black_box(Instant::now());
            drop(world);
        }
        "survived" => {
            static HANDLED: AtomicU32 = AtomicU32::new(0);
            extern "C" fn handler(_: c_int) {
                HANDLED.fetch_add(1, Ordering::Relaxed);
            }
            // SAFETY: a handler that only counts.
            unsafe { libc::signal(libc::SIGFPE, handler as *const () as usize) };
            let mut note = note_crash(b"noted: one");
            raise(libc::SIGFPE);
            raise(libc::SIGFPE);
            note.update(b"noted: two");
            raise(libc::SIGFPE);
            assert_eq!(HANDLED.load(Ordering::Relaxed), 3);
            note.update(b"noted: three");
            process::abort()
        }
        "command" => {
            let _older = note_crash(b"noted: older").with_command(again("report older", 60));
            let mut note = note_crash(b"noted: newer").with_command(again("report", 60));
            note.update(b"noted: seed 7");
            write_to_null();
        }
        "command after overflow" => {
            let _note = note_crash(b"noted: deep").with_command(again("report", 60));
            overflow(0);
        }
        "command in a lock" => {
            let _note = note_crash(b"noted: locked").with_command(again("report", 60));
            // As a crash inside the allocator or a print would.
            let _locked = std::io::stdout().lock();
            process::abort()
        }
        "command too slow" => {
            let command = again("sleep", 1);
            let _note = note_crash(b"noted: slow").with_command(command);
            process::abort()
        }
        "command missing" => {
            let program = CString::new("/nonexistent/program").unwrap();
            let command = CrashCommand::new([program], []);
            let _note = note_crash(b"noted: missing").with_command(command);
            process::abort()
        }
        "sleep" => thread::sleep(Duration::from_secs(600)),
        "report" => {
            let line = env::var(LINE).unwrap();
            // SAFETY: a set for writing.
            let blocked = unsafe {
                let mut blocked = std::mem::zeroed();
                libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &mut blocked);
                [libc::SIGABRT, libc::SIGSEGV].map(|signal| libc::sigismember(&blocked, signal))
            };
            eprintln!(
                "report: <{line}> blocked {blocked:?} home {:?}",
                env::var("HOME").ok()
            );
            return;
        }
        other => unreachable!("no such crash: {other}"),
    }
    unreachable!("{crash} did not end the process");
}

fn again(crash: &str, limit: u64) -> CrashCommand {
    let argv = ["/proc/self/exe", "--exact", "child", "--nocapture"];
    let env = [format!("{CRASH}={crash}")];
    CrashCommand::new(
        argv.map(|arg| CString::new(arg).unwrap()),
        env.map(|var| CString::new(var).unwrap()),
    )
    .line_as(LINE)
    .time_limit(Duration::from_secs(limit))
}

#[inline(never)]
#[allow(unconditional_recursion, reason = "the stack must end somewhere")]
fn overflow(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    overflow(depth + 1) + frame[3]
}

fn write_to_null() {
    // SAFETY: not sound, and meant so: the process ends here.
    unsafe { asm!("mov dword ptr [{}], 1", in(reg) 0usize) }
}

fn raise(signal: c_int) {
    // SAFETY: a signal to ourselves.
    unsafe { libc::raise(signal) };
}

// ---- The tests.

/// What is left of a child: the signal it died of, its notes in order, and all it said.
struct Remains {
    signal: Option<c_int>,
    notes: Vec<String>,
    stderr: String,
}

/// Lets a child die, on the thread libtest gives it.
fn die_of(crash: &str) -> Remains {
    remains(crash, &[])
}

fn remains(crash: &str, args: &[&str]) -> Remains {
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .args(args)
        .env(CRASH, crash)
        .env("RUST_BACKTRACE", "0")
        .stdout(Stdio::null())
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    Remains {
        signal: output.status.signal(),
        notes: stderr
            .lines()
            .filter(|line| line.starts_with("noted: "))
            .map(str::to_owned)
            .collect(),
        stderr,
    }
}

#[test]
fn an_abort_leaves_the_line() {
    let remains = die_of("abort");
    assert_eq!(remains.notes, ["noted: abort"], "{}", remains.stderr);
    assert_eq!(remains.signal, Some(libc::SIGABRT));
}

#[test]
fn a_stack_overflow_leaves_the_line_and_the_standard_librarys_message() {
    // On a thread, and on the main thread, whose stack and alternate stack are made differently.
    for args in [&[][..], &["--test-threads=1"]] {
        let remains = remains("overflow", args);
        assert_eq!(remains.notes, ["noted: overflow"], "{}", remains.stderr);
        assert!(
            remains.stderr.contains("has overflowed its stack"),
            "{}",
            remains.stderr
        );
        assert_eq!(remains.signal, Some(libc::SIGABRT));
    }
}

#[test]
fn a_null_write_leaves_the_line() {
    let remains = die_of("null");
    assert_eq!(remains.notes, ["noted: null"], "{}", remains.stderr);
    assert_eq!(remains.signal, Some(libc::SIGSEGV));
}

#[test]
fn a_faulting_instruction_leaves_the_line() {
    for (crash, signal) in [("ud2", libc::SIGILL), ("division", libc::SIGFPE)] {
        let remains = die_of(crash);
        assert_eq!(
            remains.notes,
            [format!("noted: {crash}")],
            "{}",
            remains.stderr
        );
        assert_eq!(remains.signal, Some(signal));
    }
}

#[test]
fn a_signal_that_was_sent_still_ends_the_process() {
    for signal in [
        libc::SIGABRT,
        libc::SIGSEGV,
        libc::SIGBUS,
        libc::SIGILL,
        libc::SIGFPE,
    ] {
        let remains = die_of(&format!("raise {signal}"));
        assert_eq!(
            remains.notes,
            [format!("noted: raise {signal}")],
            "{}",
            remains.stderr
        );
        assert_eq!(remains.signal, Some(signal));
    }
}

#[test]
fn another_threads_crash_writes_nothing() {
    let remains = die_of("other thread");
    assert_eq!(remains.notes, [""; 0]);
    assert_eq!(remains.signal, Some(libc::SIGSEGV));
}

#[test]
fn each_thread_has_its_own_note() {
    let remains = die_of("several threads");
    assert_eq!(remains.notes, ["noted: the other's"]);
    assert_eq!(remains.signal, Some(libc::SIGSEGV));
}

#[test]
fn dropped_notes_are_withdrawn_in_any_order() {
    let remains = die_of("dropped");
    assert_eq!(remains.notes, ["noted: newest", "noted: older"]);
    assert_eq!(die_of("all dropped").notes, [""; 0]);
}

#[test]
fn the_last_update_counts() {
    assert_eq!(die_of("updated").notes, ["noted: second"]);
}

#[test]
fn a_long_line_is_cut() {
    let remains = die_of("long");
    let longest = remains.stderr.lines().map(str::len).max();
    assert_eq!(longest, Some(CrashNote::CAPACITY), "{}", remains.stderr);
}

#[test]
fn a_kernel_that_panics_ends_the_process_with_its_message() {
    let remains = die_of("simulated");
    assert_eq!(remains.notes, ["noted: simulated"]);
    assert!(
        remains.stderr.contains("a kernel asked for the time"),
        "{}",
        remains.stderr
    );
    assert_eq!(remains.signal, Some(libc::SIGABRT));
}

#[test]
fn a_signal_the_process_survives_is_noted_once_and_the_next_update_starts_anew() {
    let remains = die_of("survived");
    assert_eq!(
        remains.notes,
        ["noted: one", "noted: two", "noted: three"],
        "{}",
        remains.stderr
    );
    assert_eq!(remains.signal, Some(libc::SIGABRT));
}

#[test]
fn the_command_gets_the_line_and_a_clean_start() {
    for (crash, line, signal) in [
        ("command", "noted: seed 7", libc::SIGSEGV),
        ("command after overflow", "noted: deep", libc::SIGABRT),
        ("command in a lock", "noted: locked", libc::SIGABRT),
    ] {
        let remains = die_of(crash);
        assert!(
            remains.notes.iter().any(|note| note == line),
            "{}",
            remains.stderr
        );
        let report = format!("report: <{line}> blocked [0, 0] home None");
        assert_eq!(
            remains.stderr.matches("report: ").count(),
            1,
            "{}",
            remains.stderr
        );
        assert!(remains.stderr.contains(&report), "{}", remains.stderr);
        assert_eq!(remains.signal, Some(signal));
    }
    let both = die_of("command").notes;
    assert_eq!(both, ["noted: seed 7", "noted: older"]);
}

#[test]
fn a_command_that_hangs_is_ended() {
    let start = Instant::now();
    let remains = die_of("command too slow");
    assert!(start.elapsed() < Duration::from_secs(60));
    assert!(
        start.elapsed() >= Duration::from_secs(1),
        "{}",
        remains.stderr
    );
    assert_eq!(remains.notes, ["noted: slow"]);
    assert_eq!(remains.signal, Some(libc::SIGABRT));
}

#[test]
fn a_command_that_cannot_be_run_changes_nothing() {
    let remains = die_of("command missing");
    assert_eq!(remains.notes, ["noted: missing"]);
    assert_eq!(remains.signal, Some(libc::SIGABRT));
}

#[test]
fn the_variables_name_is_checked() {
    for name in ["", "A=B", "A\0B", &"N".repeat(64)] {
        let program = CString::new("/bin/true").unwrap();
        let command = CrashCommand::new([program], []);
        let refusal = std::panic::catch_unwind(|| command.line_as(name));
        assert!(refusal.is_err(), "{name:?}");
    }
}
