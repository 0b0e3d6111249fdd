//! A test: its name, and how one runs it again.

use std::env;
use std::path::{Path, PathBuf};

/// Where a test is written.
#[derive(Clone, Copy, Debug)]
#[doc(hidden)]
pub struct TestCase {
    /// Crate, modules and function: `app::shutdown::drain`.
    pub name: &'static str,
    /// The source file.
    pub file: &'static str,
    /// The line of the test's name.
    pub line: u32,
    /// The package it was built in, if cargo built it.
    pub package: Option<&'static str>,
    /// The program it is a part of, if it is of no library and no integration test.
    pub bin: Option<&'static str>,
}

impl TestCase {
    /// The name that the test harness knows: without the crate.
    pub(crate) fn path(&self) -> &'static str {
        self.name
            .split_once("::")
            .map_or(self.name, |(_, path)| path)
    }

    /// What tells it from every other test of a workspace.
    pub(crate) fn identity(&self) -> String {
        match self.package {
            Some(package) => format!("{package}::{}", self.name),
            None => self.name.to_owned(),
        }
    }

    /// The command that runs this test and no other.
    pub(crate) fn command(&self) -> String {
        let path = self.path();
        // Whoever runs an ignored test has asked for it, and must ask again.
        let ignored = env::args().any(|arg| arg == "--ignored" || arg == "--include-ignored");
        let ignored = if ignored { " --include-ignored" } else { "" };
        match self.cargo_target() {
            Some(target) => format!("cargo test {target} -- --exact {path}{ignored}"),
            None => format!("{} --exact {path}{ignored}", program().display()),
        }
    }

    /// What `cargo test` needs to be told to find the binary, if cargo started this process.
    fn cargo_target(&self) -> Option<String> {
        let package = self.package?;
        let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR")?);
        let program = program();
        // `deps/name-0123456789abcdef`
        let stem = program
            .file_stem()?
            .to_str()?
            .rsplit_once('-')?
            .0
            .to_owned();
        let tests = manifest.join("tests");
        let is_test = tests.join(format!("{stem}.rs")).is_file()
            || tests.join(&stem).join("main.rs").is_file();
        let kind = match self.bin {
            Some(bin) => format!("--bin {bin}"),
            None if is_test => format!("--test {stem}"),
            None => "--lib".to_owned(),
        };
        let release = program
            .components()
            .any(|part| part.as_os_str() == "release");
        let profile = if release { "--release " } else { "" };
        Some(format!("{profile}-p {package} {kind}"))
    }
}

/// This program, relative to the working directory where that is shorter.
pub(crate) fn program() -> PathBuf {
    let program = env::current_exe().unwrap_or_default();
    match env::current_dir()
        .ok()
        .and_then(|here| program.strip_prefix(here).ok().map(Path::to_path_buf))
    {
        Some(relative) => relative,
        None => program,
    }
}
