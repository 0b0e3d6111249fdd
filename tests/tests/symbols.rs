//! What production carries: the symbol table of a program on the loop of production has neither the
//! simulator nor one of libc's symbols that it interposes.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cargo_metadata::Message;
use object::{Object, ObjectSymbol};

/// What `interpose` defines of libc.
const INTERPOSED: [&str; 17] = [
    "clock_gettime",
    "gettimeofday",
    "time",
    "getrandom",
    "getentropy",
    "syscall",
    "sched_getaffinity",
    "nanosleep",
    "clock_nanosleep",
    "usleep",
    "sleep",
    "sched_yield",
    "pthread_create",
    "pthread_join",
    "pthread_tryjoin_np",
    "pthread_timedjoin_np",
    "pthread_detach",
];

/// The crates that belong to a simulation, as paths begin with them.
const SIMULATOR: [&str; 4] = ["sim::", "net_sim::", "virtual_time::", "interpose::"];

#[test]
fn production_defines_no_interposed_symbol_and_carries_no_simulator() {
    let echo = Symbols::of(&build_echo());
    assert!(echo.has_code_of("event_loop::"), "the search finds nothing");
    let interposed: Vec<_> = INTERPOSED
        .iter()
        .filter(|name| echo.defines(name))
        .collect();
    assert!(interposed.is_empty(), "it defines {interposed:?}");
    for of_crate in SIMULATOR {
        let found = echo.code_of(of_crate);
        assert!(found.is_empty(), "it has code of {of_crate} {found:#?}");
    }
}

#[test]
fn a_simulation_defines_every_interposed_symbol_and_carries_the_simulator() {
    let run = sim::run_once(&sim::Config::new(), 0, |_| async {});
    assert_eq!(run.verdict, None);
    let this = Symbols::of(&std::env::current_exe().expect("it runs"));
    let missing: Vec<_> = INTERPOSED
        .iter()
        .filter(|name| !this.defines(name))
        .collect();
    assert!(missing.is_empty(), "{missing:?} are libc's");
    for of_crate in SIMULATOR {
        assert!(this.has_code_of(of_crate), "no code of {of_crate}");
    }
}

/// Builds the loop interface's example with what this test was built with, and says where it is.
fn build_echo() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .expect("a folder in target");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--message-format=json"])
        .args(["-p", "solipsism-event-loop", "--example", "echo"])
        .arg("--target-dir")
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo starts");
    assert!(built.status.success(), "the example does not build");
    Message::parse_stream(&*built.stdout)
        .find_map(|message| match message.expect("cargo writes JSON") {
            Message::CompilerArtifact(artifact) if artifact.target.name == "echo" => {
                artifact.executable
            }
            _ => None,
        })
        .expect("the example is a program")
        .into()
}

/// The symbols that a program defines itself, Rust's as paths.
struct Symbols(BTreeSet<String>);

impl Symbols {
    fn of(program: &Path) -> Self {
        let bytes = std::fs::read(program).expect("the program can be read");
        let file = object::File::parse(&*bytes).expect("the program is an ELF file");
        let all = file.symbols().chain(file.dynamic_symbols());
        let defined = all.filter(|symbol| !symbol.is_undefined());
        let names = defined.filter_map(|symbol| symbol.name().ok());
        // Without the hash that ends a mangled name.
        Self(
            names
                .map(|name| format!("{:#}", rustc_demangle::demangle(name)))
                .collect(),
        )
    }

    fn defines(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    /// The symbols in which a path begins so: functions, and those that are generic over such.
    fn code_of(&self, start: &str) -> Vec<&str> {
        let within_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
        let begins = |name: &&str| {
            let places = name.match_indices(start);
            places
                .into_iter()
                .any(|(at, _)| !name[..at].ends_with(within_path))
        };
        self.0.iter().map(String::as_str).filter(begins).collect()
    }

    fn has_code_of(&self, start: &str) -> bool {
        !self.code_of(start).is_empty()
    }
}
