//! What a port changes: imports, and the few paths listed here. `docs/PORTING.md` shows it.
//!
//! `UPDATE_DOCS=1 cargo test -p tests --test ported` renders it again.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use similar::{DiffOp, TextDiff};

const SERVICES: [&str; 2] = ["router", "broker"];

/// Paths in the code which a port may swap, and why they are no imports.
const SWAPS: [(&str, &str, &str); 1] = [(
    "tokio::select!",
    "event_loop::select!",
    "a macro is called by its path, as tokio's own documentation has it",
)];

/// Where each service has its twin with a bug, and what the bug is.
const BUGS: [(&str, &str, &str); 2] = [
    (
        "router",
        "pool.rs",
        "permits are counted by hand, and one is lost with whoever gives up while connecting",
    ),
    (
        "broker",
        "session.rs",
        "closing with something unread resets the connection, and what was flushed is lost",
    ),
];

/// One file of a service, before and after.
struct Pair {
    name: String,
    tokio: String,
    event_loop: String,
}

fn folder(service: &str) -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ported");
    tests.join(service)
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn files(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder)
        .expect("there is the folder")
        .map(|entry| {
            let name = entry.expect("it can be read").file_name();
            name.into_string().expect("names are text")
        });
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

fn pairs(service: &str) -> Vec<Pair> {
    let [tokio, event_loop] = ["tokio", "event_loop"].map(|of| folder(service).join(of));
    assert_eq!(files(&tokio), files(&event_loop));
    let names = files(&tokio).into_iter();
    let pair = |name: String| Pair {
        tokio: read(&tokio.join(&name)),
        event_loop: read(&event_loop.join(&name)),
        name,
    };
    names.map(pair).collect()
}

/// The lines, counted from 0, that are part of `use` items.
fn imports(text: &str) -> Vec<Range<usize>> {
    let file = syn::parse_file(text).expect("it is Rust");
    let uses = file.items.iter().filter_map(|item| match item {
        syn::Item::Use(item) => Some(syn::spanned::Spanned::span(item)),
        _ => None,
    });
    uses.map(|span| span.start().line - 1..span.end().line)
        .collect()
}

fn with_swaps(line: &str) -> String {
    SWAPS.iter().fold(line.to_owned(), |line, (from, to, _)| {
        line.replace(from, to)
    })
}

/// What differs between the two and is neither an import nor on the list.
fn surplus(pair: &Pair) -> Vec<String> {
    let diff = TextDiff::from_lines(&pair.tokio, &pair.event_loop);
    let (before, after) = (imports(&pair.tokio), imports(&pair.event_loop));
    let code = |lines: &[&str], range: Range<usize>, imports: &[Range<usize>]| {
        let of_code = range.filter(|line| !imports.iter().any(|import| import.contains(line)));
        of_code
            .map(|line| lines[line].to_owned())
            .collect::<Vec<_>>()
    };
    let changed = diff
        .ops()
        .iter()
        .filter(|op| !matches!(op, DiffOp::Equal { .. }));
    let differing = changed.flat_map(|op| {
        let old = code(diff.old_slices(), op.old_range(), &before);
        let new = code(diff.new_slices(), op.new_range(), &after);
        let expected: Vec<_> = old.iter().map(|line| with_swaps(line)).collect();
        if expected == new {
            Vec::new()
        } else {
            [old, new].concat()
        }
    });
    differing.collect()
}

/// The lines that changed, with so many around them.
fn rendered(before: &str, after: &str, around: usize) -> String {
    let diff = TextDiff::from_lines(before, after);
    let hunks = diff.unified_diff().context_radius(around).to_string();
    let lines = hunks
        .lines()
        .map(|line| if line.starts_with("@@") { "@@" } else { line });
    let text = lines.fold(String::new(), |text, line| text + line.trim_end() + "\n");
    let text = if around == 0 {
        text.replace("@@\n", "")
    } else {
        text
    };
    format!("```diff\n{text}```\n")
}

fn render_ports() -> String {
    let mut text = String::new();
    for service in SERVICES {
        let pairs = pairs(service);
        let total: usize = pairs.iter().map(|pair| pair.tokio.lines().count()).sum();
        text += &format!("\n### The {service}: {total} lines\n");
        for pair in pairs.iter().filter(|pair| pair.tokio != pair.event_loop) {
            let diff = rendered(&pair.tokio, &pair.event_loop, 0);
            text += &format!("\n`{}`\n\n{diff}", pair.name);
        }
    }
    text += "\nBeside imports:\n\n";
    for (from, to, why) in SWAPS {
        text += &format!("- `{from}` becomes `{to}`: {why}.\n");
    }
    text + "\n"
}

fn render_bugs() -> String {
    let bugs = BUGS.map(|(service, file, what)| {
        let [port, broken] = ["event_loop", "broken"].map(|of| folder(service).join(of).join(file));
        let diff = rendered(&read(&port), &read(&broken), 1);
        format!("\n### The {service}: {what}\n\n`{file}`\n\n{diff}")
    });
    bugs.concat() + "\n"
}

#[test]
fn a_port_changes_imports_and_nothing_else() {
    for pair in SERVICES.iter().flat_map(|service| pairs(service)) {
        let surplus = surplus(&pair);
        assert!(surplus.is_empty(), "{}:\n{}", pair.name, surplus.concat());
    }
}

#[test]
fn every_swap_on_the_list_is_made() {
    let pairs: Vec<_> = SERVICES.iter().flat_map(|service| pairs(service)).collect();
    for (from, to, _) in SWAPS {
        assert!(pairs.iter().any(|pair| pair.tokio.contains(from)), "{from}");
        assert!(
            pairs.iter().any(|pair| pair.event_loop.contains(to)),
            "{to}"
        );
    }
}

#[test]
fn a_change_of_code_is_found() {
    let pair = |tokio: &str, event_loop: &str| Pair {
        name: "planted.rs".to_owned(),
        tokio: tokio.to_owned(),
        event_loop: event_loop.to_owned(),
    };
    let imports = pair(
        "use tokio::{\n    net,\n    time,\n};\nfn f() {}\n",
        "use event_loop::net;\nuse event_loop::time;\nfn f() {}\n",
    );
    assert_eq!(surplus(&imports), [""; 0]);
    let swapped = pair(
        "fn f() { tokio::select! {} }\n",
        "fn f() { event_loop::select! {} }\n",
    );
    assert_eq!(surplus(&swapped), [""; 0]);
    let beside = pair(
        "use tokio::net;\nfn f() {}\n",
        "use event_loop::net;\nfn g() {}\n",
    );
    assert_eq!(surplus(&beside), ["fn f() {}\n", "fn g() {}\n"]);
}

/// What stands in a file of its own here is the crate under test there.
fn render_first_test() -> String {
    let source = include_str!("first_test.rs");
    let (_, body) = source
        .split_once("use super::my_service;\n\n")
        .expect("it begins so");
    format!("\n```rust,ignore\n{body}```\n\n")
}

#[test]
fn the_page_shows_the_differences() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/PORTING.md");
    let text = read(&page);
    let parts = [
        ("first test", render_first_test()),
        ("diff", render_ports()),
        ("bugs", render_bugs()),
    ];
    let updated = parts
        .into_iter()
        .fold(text.clone(), |text, (what, rendered)| {
            let (begin, end) = (
                format!("<!-- {what} -->\n"),
                format!("<!-- end of the {what} -->\n"),
            );
            let (before, rest) = text.split_once(&begin).expect("it begins");
            let (_, after) = rest.split_once(&end).expect("it ends");
            [before, &begin, &rendered, &end, after].concat()
        });
    // Set by hand, to render the page again.
    if std::env::var_os("UPDATE_DOCS").is_some() {
        return fs::write(&page, updated).expect("the page can be written");
    }
    assert!(
        text == updated,
        "PORTING.md is out of date: UPDATE_DOCS=1 renders it again"
    );
}
