//! The README's examples, copied into an empty crate as a new user would: one prints what the README
//! shows, the other passes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests is a member")
        .to_owned()
}

/// The code blocks of the README whose first line is a comment that names their file, and the
/// report.
fn blocks() -> Vec<String> {
    let readme = fs::read_to_string(workspace().join("README.md")).expect("there is a README");
    readme
        .split("```")
        .skip(1)
        .step_by(2)
        .map(|block| block.to_owned())
        .collect()
}

fn block_beginning(with: &str) -> String {
    let body = |block: String| block.split_once('\n').map(|(_, body)| body.to_owned());
    let mut bodies = blocks().into_iter().filter_map(body);
    bodies
        .find(|body| body.starts_with(with))
        .unwrap_or_else(|| panic!("no block begins {with}"))
}

#[test]
fn the_examples_work_in_an_empty_crate() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("my-service");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(folder.join("src")).unwrap();
    fs::create_dir_all(folder.join("tests")).unwrap();
    fs::write(
        folder.join("src/lib.rs"),
        block_beginning("// src/lib.rs\n"),
    )
    .unwrap();
    for test in ["shutdown", "partition"] {
        let text = block_beginning(&format!("// tests/{test}.rs\n"));
        fs::write(folder.join("tests").join(test).with_extension("rs"), text).unwrap();
    }
    let package = "[package]\nname = \"my-service\"\nversion = \"0.1.0\"\nedition = \"2024\"\n";
    let workspace = workspace();
    let dependencies = block_beginning("# Cargo.toml").replace(
        "../solipsism",
        workspace.to_str().expect("the path is text"),
    );
    fs::write(
        folder.join("Cargo.toml"),
        format!("{package}\n[workspace]\n\n{dependencies}"),
    )
    .unwrap();
    // The same versions as ours, so that nothing has to be fetched.
    fs::copy(workspace.join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    let run = |test: &str| {
        let output = Command::new(env!("CARGO"))
            .args(["test", "--test", test, "--", "--nocapture"])
            .current_dir(&folder)
            .env("CARGO_TARGET_DIR", folder.join("target"))
            .output()
            .expect("cargo starts");
        let printed = [output.stdout, output.stderr].concat();
        let printed = String::from_utf8_lossy(&printed).into_owned();
        (output.status.success(), printed)
    };
    let (passes, printed) = run("partition");
    assert!(passes, "{printed}");
    let (passes, printed) = run("shutdown");
    assert!(!passes, "{printed}");
    let shown = block_beginning("sim FAILED");
    for line in shown.lines().filter(|line| line.trim() != "…") {
        assert!(
            printed.contains(line),
            "the README shows\n{line}\nbut there is only\n{printed}"
        );
    }
}
