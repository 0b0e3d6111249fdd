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
    /// The line of the attribute.
    pub line: u32,
}

impl TestCase {
    /// The name that the test harness knows: without the crate.
    pub(crate) fn path(&self) -> &'static str {
        self.name
            .split_once("::")
            .map_or(self.name, |(_, path)| path)
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
        let package = env::var("CARGO_PKG_NAME").ok()?;
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
        let kind = if is_test {
            format!("--test {stem}")
        } else if manifest.join("src/lib.rs").is_file() {
            "--lib".to_owned()
        } else {
            format!("--bin {stem}")
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
