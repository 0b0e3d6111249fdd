//! The invariants of ARCHITECTURE.md that can be read off the sources and manifests.

#[path = "tidy/search.rs"]
mod search;

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};
use toml::de::DeTable;

use search::{
    FLOAT, Impurity, STATIC, Source, THREAD_LOCAL, for_each_ident, impurities, read, relative,
    root, sources,
};

/// What files of `sim` may use all the same, and why.
const ALLOWED_IN_SIM: &[(&str, &[&str], &str)] = &[
    (
        "sim/src/host/status.rs",
        &["std::process"],
        "a main function may return the exit code of a process",
    ),
    (
        "sim/src/event_loop/mod.rs",
        &["std::time::SystemTime"],
        "the type of the loop's wall clock, which is made from virtual time",
    ),
    (
        "sim/src/event_loop/net/unix.rs",
        &["std::os"],
        "addresses of Unix sockets are std's own type, and only that",
    ),
    (
        "sim/src/run/artifacts.rs",
        &["std::env", "std::fs", "std::process"],
        "writes the files of a failure where the environment says",
    ),
    (
        "sim/src/run/campaign.rs",
        &["std::env"],
        "each variable is read once",
    ),
    (
        "sim/src/run/case.rs",
        &["std::env"],
        "where this test's binary is, to start it again",
    ),
    (
        "sim/src/run/child.rs",
        &["std::env", "std::fs", "std::os", "std::process"],
        "starts processes, which leave their accounts in files",
    ),
    (
        "sim/src/run/frames.rs",
        &["std::env"],
        "a backtrace calls files by the folder the process is in",
    ),
    (
        "sim/src/run/guard.rs",
        &["std::env", "std::process"],
        "a hang ends the process, a crash starts one",
    ),
    (
        "sim/src/run/judge.rs",
        &["std::os"],
        "which process crashed is the operating system's to say",
    ),
    (
        "sim/src/run/once.rs",
        &["std::process"],
        "a run whose thread is stuck ends the process of who waits for it",
    ),
    (
        "sim/src/run/panics.rs",
        &[STATIC, THREAD_LOCAL],
        "the process has one panic hook, and it knows its thread only; emptied for each run",
    ),
    (
        "sim/src/run/play.rs",
        &["std::thread"],
        "each run of a test is on a fresh thread",
    ),
    (
        "sim/src/run/record.rs",
        &["std::fs", "std::os", "std::process", STATIC],
        "the process has one book of what is under way, a file that bears its id",
    ),
    (
        "sim/src/run/report.rs",
        &["std::env", "std::process"],
        "says on which platform and commit the failure was",
    ),
    (
        "sim/src/run/settings.rs",
        &["std::env"],
        "the variables that people set",
    ),
    (
        "sim/src/run/sweep.rs",
        &["std::thread"],
        "each run of a sweep is on a fresh thread",
    ),
    (
        "sim/src/run/watchdog.rs",
        &["std::thread", STATIC],
        "a hang is a matter of real time; the process has one watchdog",
    ),
    (
        "sim/src/trace/text.rs",
        &["std::fs"],
        "compares two kept timelines for a report",
    ),
    (
        "sim/src/world/here.rs",
        &["std::thread", STATIC, THREAD_LOCAL],
        "which world a thread is in while it drives one, and its name where it is in none",
    ),
    (
        "sim/src/world/inbox.rs",
        &["std::thread"],
        "the name of a foreign thread, for its verdict",
    ),
    (
        "sim/src/world/presence.rs",
        &[STATIC, THREAD_LOCAL],
        "which CPU a thread is bound to while it drives a world",
    ),
    (
        "sim/src/world/threads/mod.rs",
        &["std::thread"],
        "simulated threads are threads of the operating system that take turns",
    ),
    (
        "sim/src/world/hosts/process.rs",
        &["std::thread"],
        "names the thread that asks from outside",
    ),
    (
        "sim/src/world/siblings.rs",
        &["std::thread"],
        "a loop of a thread's own waits by the thread's parking",
    ),
    (
        "sim/src/world/threads/own.rs",
        &["std::thread", STATIC, THREAD_LOCAL],
        "the simulator's own threads, and whose loop is current in each",
    ),
    (
        "sim/src/world/threads/seat.rs",
        &[STATIC, THREAD_LOCAL],
        "which thread of which world this one is",
    ),
];

/// What a test says as a float is made a whole number here, by what IEEE 754 defines to the bit, or
/// told back to it; nothing else may know of floats.
const FLOATS_AT_THE_DOOR: [&str; 2] = [
    "net-sim/src/config_error.rs",
    "net-sim/src/link/probability.rs",
];

/// Files that may have more than [`LONG`] lines, and why.
const ALLOWED_TO_BE_LONG: &[(&str, &str)] = &[];
const LONG: usize = 600;

/// Dependencies that do not inherit from the workspace, and why.
const ALLOWED_TO_NOT_INHERIT: &[(&str, &str, &str)] = &[(
    "sim/macros/Cargo.toml",
    "sim",
    "by path alone: a version would have to be published before this crate's own",
)];

/// The one crate with unsafe code.
const UNSAFE: &str = "interpose";

#[test]
fn virtual_time_and_net_sim_read_no_clock_entropy_environment_file_or_global() {
    let found = ["virtual-time/src", "net-sim/src"].map(impurities).concat();
    let surplus = found
        .iter()
        .filter(|found| found.what != FLOAT || !FLOATS_AT_THE_DOOR.contains(&&*found.file));
    assert_none("impure", surplus.map(Impurity::to_string));
}

#[test]
fn sim_reads_them_only_in_the_files_that_must() {
    let found = impurities("sim/src");
    let allowed: BTreeSet<_> = ALLOWED_IN_SIM
        .iter()
        .flat_map(|(file, whats, _)| whats.iter().map(|what| (*file, *what)))
        .collect();
    let surplus = found
        .iter()
        .filter(|found| !allowed.contains(&(&*found.file, found.what)));
    assert_none("not allowed", surplus.map(Impurity::to_string));
    let used = found
        .iter()
        .map(|found| (&*found.file, found.what))
        .collect();
    let stale = allowed.difference(&used);
    assert_none(
        "allowed for nothing",
        stale.map(|(file, what)| format!("{file}: {what}")),
    );
}

#[test]
fn unsafe_appears_in_interpose_alone() {
    let mut found = Vec::new();
    let mut in_interpose = 0;
    for source in sources("") {
        let mut lines = Vec::new();
        for_each_ident(source.tokens(), &mut |name, span, _| {
            if name == "unsafe" {
                lines.push(span.start().line);
            }
        });
        if source.file.starts_with(&format!("{UNSAFE}/")) {
            in_interpose += lines.len();
        } else {
            found.extend(lines.iter().map(|line| format!("{}:{line}", source.file)));
        }
    }
    assert!(in_interpose > 0, "the search finds no `unsafe` at all");
    assert_none("unsafe outside of interpose", found);
}

#[test]
fn every_member_takes_the_lints_of_the_workspace() {
    let root = manifest("Cargo.toml");
    let ours = &root["workspace"]["lints"];
    let mut found = Vec::new();
    for file in member_manifests() {
        let lints = manifest(&file).remove("lints");
        let Some(lints) = lints else {
            found.push(format!("{file}:1: no [lints]"));
            continue;
        };
        if file != format!("{UNSAFE}/Cargo.toml") {
            if lints.get("workspace") != Some(&true.into()) {
                found.push(format!("{file}: its own [lints]"));
            }
            continue;
        }
        // A table of its own, which repeats the workspace's: what is missing there is allowed.
        for (tool, table) in ours.as_table().expect("a table of tools") {
            for lint in table.as_table().expect("a table of lints").keys() {
                let level = lints.get(tool).and_then(|table| table.get(lint));
                if lint != "unsafe_code" && level.is_none_or(|level| *level == "allow".into()) {
                    found.push(format!("{file}: [lints.{tool}] lacks {lint}"));
                }
            }
        }
        let documented = lints["clippy"].get("undocumented_unsafe_blocks");
        if documented != Some(&"deny".into()) {
            found.push(format!("{file}: undocumented_unsafe_blocks is not denied"));
        }
    }
    assert_none("not under the workspace's lints", found);
    assert_eq!(ours["rust"]["unsafe_code"], "forbid".into());
}

#[test]
fn no_file_is_longer_than_anybody_reads() {
    let (mut found, mut allowed) = (Vec::new(), BTreeSet::new());
    for source in sources("") {
        let lines = source.text.lines().count();
        if lines <= LONG {
            continue;
        }
        match ALLOWED_TO_BE_LONG
            .iter()
            .find(|(file, _)| *file == source.file)
        {
            Some((file, _)) => drop(allowed.insert(*file)),
            None => found.push(format!("{}:{lines}: more than {LONG} lines", source.file)),
        }
    }
    assert_none("too long", found);
    let stale = ALLOWED_TO_BE_LONG
        .iter()
        .filter(|(file, _)| !allowed.contains(file));
    assert_none(
        "allowed for nothing",
        stale.map(|(file, _)| (*file).to_owned()),
    );
}

#[test]
fn every_file_of_a_crate_opens_by_saying_what_it_is() {
    let of_a_crate = |source: &Source| source.file.split('/').any(|folder| folder == "src");
    let silent = sources("")
        .into_iter()
        .filter(|source| of_a_crate(source) && !source.text.starts_with("//! "));
    assert_none(
        "opens without a `//!` line",
        silent.map(|source| format!("{}:1", source.file)),
    );
}

#[test]
fn nothing_is_left_to_do() {
    let mut found = Vec::new();
    for source in sources("") {
        for_each_ident(source.tokens(), &mut |name, span, next| {
            if matches!(name, "todo" | "unimplemented" | "dbg") && next == Some('!') {
                found.push(format!("{}:{}: {name}!", source.file, span.start().line));
            }
        });
    }
    assert_none("left to do", found);
}

#[test]
fn every_dependency_is_declared_once_in_the_workspace() {
    let mut found = Vec::new();
    let mut exceptions = BTreeSet::new();
    for file in member_manifests() {
        for dependency in dependencies(&file) {
            if dependency.inherits {
                continue;
            }
            let exception = (file.as_str(), dependency.name.as_str());
            match ALLOWED_TO_NOT_INHERIT
                .iter()
                .find(|(file, name, _)| (*file, *name) == exception)
            {
                Some((file, name, _)) => drop(exceptions.insert((*file, *name))),
                None => found.push(format!("{file}:{}: {}", dependency.line, dependency.name)),
            }
        }
    }
    assert_none("not `.workspace = true`", found);
    let stale = ALLOWED_TO_NOT_INHERIT
        .iter()
        .filter(|(file, name, _)| !exceptions.contains(&(file, name)));
    assert_none(
        "allowed for nothing",
        stale.map(|(file, name, _)| format!("{file}: {name}")),
    );
}

#[test]
fn the_arrows_between_crates_point_down_only() {
    // Every crate that may be published, and all of ours that it may stand on, however deep.
    let below: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("virtual-time", [].as_slice()),
        ("net-sim", &["virtual-time"]),
        ("solipsism-event-loop-macros", &[]),
        ("solipsism-event-loop", &["solipsism-event-loop-macros"]),
        ("solipsism-interpose", &[]),
        ("solipsism-macros", &[]),
        (
            "solipsism",
            &[
                "virtual-time",
                "net-sim",
                "solipsism-event-loop",
                "solipsism-interpose",
                "solipsism-macros",
            ],
        ),
    ]);
    let graph = metadata();
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for package in graph.workspace_packages() {
        let name = package.name.as_str();
        seen.insert(name.to_owned());
        let file = relative(package.manifest_path.as_std_path());
        for dependency in &package.dependencies {
            let ours = dependency.path.is_some();
            let allowed = match below.get(name) {
                _ if dependency.kind == DependencyKind::Development => true,
                Some(_) if name == "virtual-time" => false,
                Some(allowed) if ours => allowed.contains(&dependency.name.as_str()),
                // Whatever is built on top may stand on everything, but nothing on it.
                _ => !ours || below.contains_key(dependency.name.as_str()),
            };
            if !allowed {
                let key = dependency.rename.as_ref().unwrap_or(&dependency.name);
                let line = dependencies(&file)
                    .into_iter()
                    .find(|d| d.name == *key && !d.for_tests)
                    .map_or(1, |d| d.line);
                found.push(format!(
                    "{file}:{line}: {name} depends on {}",
                    dependency.name
                ));
            }
        }
    }
    assert_none("an arrow that points up", found);
    assert!(below.keys().all(|name| seen.contains(*name)), "{seen:?}");
}

fn metadata() -> Metadata {
    let mut command = MetadataCommand::new();
    command.manifest_path(root().join("Cargo.toml")).no_deps();
    command.exec().expect("cargo knows the workspace")
}

fn member_manifests() -> Vec<String> {
    let metadata = metadata();
    let packages = metadata.workspace_packages();
    let files = packages
        .iter()
        .map(|p| relative(p.manifest_path.as_std_path()));
    files.collect()
}

fn manifest(file: &str) -> toml::Table {
    let text = read(&root().join(file));
    text.parse().unwrap_or_else(|why| panic!("{file}: {why}"))
}

/// A dependency as its manifest has it.
struct Dependency {
    name: String,
    line: usize,
    inherits: bool,
    for_tests: bool,
}

fn dependencies(file: &str) -> Vec<Dependency> {
    let text = read(&root().join(file));
    let parsed = DeTable::parse(&text).unwrap_or_else(|why| panic!("{file}: {why}"));
    let mut found = Vec::new();
    dependencies_of(parsed.get_ref(), &text, &mut found);
    found
}

/// The dependencies in a table, and in those below it: a platform's are in one of its own.
fn dependencies_of(table: &DeTable<'_>, text: &str, found: &mut Vec<Dependency>) {
    for (key, value) in table {
        let section = key.get_ref().as_ref();
        let Some(below) = value.get_ref().as_table() else {
            continue;
        };
        if !matches!(
            section,
            "dependencies" | "dev-dependencies" | "build-dependencies"
        ) {
            if section != "workspace" {
                dependencies_of(below, text, found);
            }
            continue;
        }
        for (name, dependency) in below {
            let workspace = dependency
                .get_ref()
                .as_table()
                .and_then(|table| table.get("workspace"));
            found.push(Dependency {
                name: name.get_ref().to_string(),
                line: text[..name.span().start].lines().count() + 1,
                inherits: workspace.and_then(|w| w.get_ref().as_bool()) == Some(true),
                for_tests: section == "dev-dependencies",
            });
        }
    }
}

/// Fails with the list of what was found, a line each.
#[track_caller]
fn assert_none(what: &str, found: impl IntoIterator<Item = String>) {
    let found: Vec<_> = found.into_iter().collect();
    assert!(found.is_empty(), "{what}:\n  {}", found.join("\n  "));
}
