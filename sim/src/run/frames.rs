//! Where in the code under test a future waits: the frame of a backtrace that is the user's.

use std::backtrace::Backtrace;
use std::env;
use std::fmt;

use crate::trace::Names;

/// Crates whose frames are nobody's await.
const RUNTIME: [&str; 4] = ["std", "core", "alloc", "__rustc"];
const OURS: [&str; 5] = ["sim", "event_loop", "interpose", "net_sim", "virtual_time"];
const EXECUTORS: [&str; 3] = ["futures", "tokio", "async_task"];

/// The places where the backtraces' futures are awaited, each once: `file:line in function (leaf)`.
pub(crate) fn awaits(backtraces: &[Backtrace], names: &Names) -> Vec<String> {
    let mut places = Vec::new();
    for backtrace in backtraces {
        let text = backtrace.to_string();
        let frames = frames(&text);
        if let Some((_, place)) = place(&frames) {
            let file = Folder::of(&frames, names).relative(place.file);
            let place = Place {
                file: &file,
                ..place
            }
            .to_string();
            if !places.contains(&place) {
                places.push(place);
            }
        }
    }
    places
}

/// A call that the user's code makes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CallSite {
    /// What is called, as far as there is debug information.
    pub(crate) function: Option<String>,
    /// `file:line in function`.
    pub(crate) place: String,
    /// `file:line`.
    pub(crate) location: Option<String>,
}

/// The call of the user's code that a backtrace is inside of.
pub(crate) fn call(backtrace: &Backtrace, names: &Names) -> Option<CallSite> {
    let text = backtrace.to_string();
    let frames = frames(&text);
    let (user, place) = place(&frames)?;
    let file = Folder::of(&frames, names).relative(place.file);
    let location = (!file.is_empty()).then(|| format!("{file}:{}", place.line));
    let called = user.checked_sub(1).map(|called| called_as(&frames[called]));
    Some(CallSite {
        function: called.filter(|called| !called.is_empty()),
        place: Place {
            file: &file,
            leaf: None,
            ..place
        }
        .to_string(),
        location,
    })
}

/// The function of a frame by the path that its documentation has, and not where it is defined.
fn called_as(frame: &Frame<'_>) -> String {
    let function = plain(frame.function);
    if crate_of(frame.function).is_some() {
        return public(&function);
    }
    // With line tables alone the file is all that is known of its path.
    let file = frame.at.map_or("", |(file, _)| file);
    let Some((_, file)) = file.split_once("/library/std/src/") else {
        return function;
    };
    let modules = file.trim_end_matches(".rs").split('/');
    let modules = modules.filter(|module| *module != "mod");
    let types = modules.map(|module| match module {
        "mutex" => "Mutex",
        "rwlock" => "RwLock",
        "condvar" => "Condvar",
        "barrier" => "Barrier",
        "join_handle" => "JoinHandle",
        module => module,
    });
    public(&format!(
        "std::{}::{function}",
        types.collect::<Vec<_>>().join("::")
    ))
}

/// A path in std without its private modules.
fn public(path: &str) -> String {
    const PRIVATE: [&str; 10] = [
        "poison",
        "nonpoison",
        "mutex",
        "rwlock",
        "condvar",
        "barrier",
        "once_lock",
        "functions",
        "join_handle",
        "thread",
    ];
    let of = ["std::sync::", "std::thread::"].into_iter();
    let Some((of, rest)) = of
        .filter_map(|of| Some((of, path.strip_prefix(of)?)))
        .next()
    else {
        return path.to_owned();
    };
    let public = rest.split("::").filter(|name| !PRIVATE.contains(name));
    format!("{of}{}", public.collect::<Vec<_>>().join("::"))
}

/// One frame of a backtrace's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Frame<'a> {
    function: &'a str,
    /// File and line; absent where there is no debug information.
    at: Option<(&'a str, u32)>,
}

/// Where a future is awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place<'a> {
    file: &'a str,
    line: u32,
    /// Absent where only its last name is known.
    function: Option<&'a str>,
    leaf: Option<&'a str>,
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.file, self.function) {
            ("", function) => f.write_str(&plain(function.unwrap_or("?")))?,
            (file, None) => write!(f, "{file}:{}", self.line)?,
            (file, Some(function)) => write!(f, "{file}:{} in {}", self.line, plain(function))?,
        }
        match self.leaf {
            Some(leaf) => write!(f, " ({})", plain(of_trait(leaf).map_or(leaf, |(of, _)| of))),
            None => Ok(()),
        }
    }
}

/// The frames, innermost first, as std prints them: the number and the function, and below the place.
fn frames(text: &str) -> Vec<Frame<'_>> {
    let mut frames: Vec<Frame<'_>> = Vec::new();
    for line in text.lines() {
        let line = line.trim_start();
        if let Some(at) = line.strip_prefix("at ") {
            let mut parts = at.rsplitn(3, ':');
            let numbers = (
                parts.next(),
                parts.next().and_then(|line| line.parse().ok()),
            );
            if let (Some(last), (Some(_), Some(line)), Some(file)) =
                (frames.last_mut(), numbers, parts.next())
            {
                last.at = Some((file, line));
            }
        } else if let Some((number, function)) = line.split_once(": ")
            && number.bytes().all(|byte| byte.is_ascii_digit())
        {
            frames.push(Frame { function, at: None });
        }
    }
    frames
}

/// The innermost frame of the user's, its number, and the future that it polls.
fn place<'a>(frames: &[Frame<'a>]) -> Option<(usize, Place<'a>)> {
    let known = |frame: &Frame<'_>| frame.is_machinery() || frame.is_of(&EXECUTORS);
    let mut all = frames.iter();
    let users = all.position(|frame| !known(frame) && !frame.is_fetched());
    let user = users
        .or_else(|| frames.iter().position(|frame| !known(frame)))
        .or_else(|| frames.iter().position(|frame| !frame.is_machinery()))?;
    let Frame { function, at } = frames[user];
    let (file, line) = at.unwrap_or_default();
    let within = &frames[..user];
    let named = |frame: &&Frame<'_>| !frame.is_machinery() && crate_of(frame.function).is_some();
    let mut named = within.iter().filter(named).map(|frame| frame.function);
    let leaf = named.clone().find(|function| of_trait(function).is_some());
    let place = Place {
        file,
        line,
        function: crate_of(function).map(|_| function),
        leaf: leaf.or_else(|| named.next_back()),
    };
    Some((user, place))
}

impl Frame<'_> {
    /// Whether it is of a dependency, or of the toolchain.
    fn is_fetched(&self) -> bool {
        self.at.is_some_and(|(file, _)| {
            let file = file.replace('\\', "/");
            file.starts_with("/rustc/") || file.contains("/.cargo/") || file.contains("/rustlib/")
        })
    }

    /// Whether it is of Rust itself, or of ours.
    fn is_machinery(&self) -> bool {
        match crate_of(self.function) {
            Some(of) => RUNTIME.contains(&of) || OURS.contains(&of),
            // Where there is little debug information a function may be known by its last name.
            None => self.is_fetched() || self.at.is_none_or(|(file, _)| is_ours(file)),
        }
    }

    fn is_of(&self, families: &[&str]) -> bool {
        let Some(of) = crate_of(self.function) else {
            return false;
        };
        let member = |family: &&str| of == *family || of.starts_with(&format!("{family}_"));
        families.iter().any(member)
    }
}

/// Whether a file is of one of our crates, which stand beside each other.
fn is_ours(file: &str) -> bool {
    const SIM: &str = env!("CARGO_MANIFEST_DIR");
    let house = SIM.trim_end_matches("sim");
    // Of a file below the current folder std prints what comes behind it.
    let below = file.strip_prefix("./");
    let whole = below.and_then(|file| Some(env::current_dir().ok()?.join(file)));
    let whole = whole.as_ref().and_then(|file| file.to_str());
    let inside = whole
        .unwrap_or(file)
        .strip_prefix(house)
        .unwrap_or_default();
    let of = inside.split(['/', '\\']).next().unwrap_or_default();
    OURS.contains(&&*of.replace('-', "_"))
}

/// The crate of a function's path, or of the type whose method it is; `None` for a name without a
/// path.
fn crate_of(function: &str) -> Option<&str> {
    let path = function.trim_start_matches(['<', '&', '*', '(', '[']);
    let path = path.trim_start_matches("mut ").trim_start_matches("const ");
    let path = path.trim_start_matches("dyn ");
    let end = path.find(|c: char| !c.is_alphanumeric() && c != '_');
    let (of, rest) = path.split_at(end.unwrap_or(path.len()));
    match of {
        // A pointer to a function.
        "fn" | "unsafe" | "extern" => Some("core"),
        _ if rest.starts_with("::") => Some(of),
        _ => None,
    }
}

/// The type whose trait's method it is, and the method: `a::B<C>` and `poll` of
/// `<a::B<C> as d::E>::poll`.
fn of_trait(function: &str) -> Option<(&str, &str)> {
    let inner = function.strip_prefix('<')?;
    let mut depth = 0;
    let mut of = None;
    for (at, c) in inner.char_indices() {
        match c {
            '<' => depth += 1,
            '>' if inner[..at].ends_with('-') => {}
            '>' if depth == 0 => return Some((of?, inner[at + 1..].trim_start_matches(':'))),
            '>' => depth -= 1,
            ' ' if depth == 0 && inner[at..].starts_with(" as ") => of = Some(&inner[..at]),
            _ => {}
        }
    }
    None
}

/// A path without its generic arguments and closures; a method of a trait as one of the type.
fn plain(function: &str) -> String {
    let path = match of_trait(function) {
        Some((of, method)) => return plain(&format!("{of}::{method}")),
        None => function,
    };
    let mut text = String::new();
    let mut depth = 0_u32;
    let mut before = ' ';
    for c in path.chars() {
        match c {
            '<' => depth += 1,
            '>' if before != '-' => depth = depth.saturating_sub(1),
            _ if depth == 0 => text.push(c),
            _ => {}
        }
        before = c;
    }
    for closure in ["::{{closure}}", "::{closure}"] {
        text = text.replace(closure, "");
    }
    while let Some(from) = text.find("::{closure#") {
        let to = text[from..]
            .find('}')
            .map_or(text.len(), |to| from + to + 1);
        text.replace_range(from..to, "");
    }
    text.replace("::::", "::").trim_matches(':').to_owned()
}

/// From where the compiler named its files, so that a frame's file is called as `file!()` has it.
struct Folder {
    /// What a package's files have before them there.
    package: String,
    /// The folder itself.
    root: Option<String>,
}

impl Folder {
    /// Found by a file that a frame and a spawned task's place have in common.
    fn of(frames: &[Frame<'_>], names: &Names) -> Self {
        let mut package = String::new();
        for name in names.tasks.values() {
            let site = name.site.file();
            let same = |frame: &Frame<'_>| {
                let file = frame.at?.0.strip_prefix("./")?;
                let before = site.strip_suffix(file)?;
                (before.is_empty() || before.ends_with('/')).then(|| before.to_owned())
            };
            if let Some(before) = frames.iter().find_map(same) {
                package = before;
                break;
            }
        }
        let current = env::current_dir().ok();
        let current = current.and_then(|current| Some(current.to_str()?.to_owned()));
        let root = current.and_then(|current| {
            let root = format!("{current}/");
            Some(root.strip_suffix(&package)?.to_owned())
        });
        Self { package, root }
    }

    fn relative(&self, file: &str) -> String {
        if let Some(of_package) = file.strip_prefix("./") {
            return format!("{}{of_package}", self.package);
        }
        let inside = self.root.as_ref().and_then(|root| file.strip_prefix(root));
        inside.unwrap_or(file).to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONESHOT: &str = "   0: sim::world::diagnosis::Clones::waker::{{closure}}
             at /build/sim/src/world/diagnosis.rs:135:28
   1: <alloc::boxed::Box<F,A> as core::ops::function::Fn<Args>>::call
             at /rustc/5980/library/alloc/src/boxed.rs:2254:9
   2: <core::task::wake::Waker as core::clone::Clone>::clone
             at /rustc/5980/library/core/src/task/wake.rs:619:29
   3: futures_channel::oneshot::Inner<T>::recv
             at /home/me/.cargo/registry/src/index/futures-channel-0.3.34/src/oneshot.rs:267:35
   4: <futures_channel::oneshot::Receiver<T> as core::future::future::Future>::poll
             at /home/me/.cargo/registry/src/index/futures-channel-0.3.34/src/oneshot.rs:459:20
   5: <app::serve::Reader<fn() -> u8> as app::serve::Reads>::read_loop::<alloc::vec::Vec<u8>>::{{closure}}
             at ./src/serve.rs:57:12
   6: core::option::Option<T>::is_some_and
             at /rustc/5980/library/core/src/option.rs:664:24
   7: __rust_try
";

    fn place_of(text: &str) -> String {
        place(&frames(text)).expect("there is one").1.to_string()
    }

    #[test]
    fn the_innermost_frame_of_the_users_is_the_place_of_the_await() {
        assert_eq!(
            place_of(ONESHOT),
            "./src/serve.rs:57 in app::serve::Reader::read_loop (futures_channel::oneshot::Receiver)"
        );
    }

    #[test]
    fn a_future_of_the_users_own_is_its_own_leaf() {
        let text = "   0: <core::task::wake::Waker as core::clone::Clone>::clone
             at /rustc/5980/library/core/src/task/wake.rs:619:29
   1: <app::Gate as core::future::future::Future>::poll
             at ./src/gate.rs:12:30
   2: app::open::{closure#0}
             at ./src/gate.rs:40:5
";
        assert_eq!(place_of(text), "./src/gate.rs:12 in app::Gate::poll");
    }

    #[test]
    fn where_nothing_but_dependencies_is_left_the_innermost_of_them_is_told() {
        let text = "   0: tokio::sync::notify::Notified::poll_notified
   1: hyper::server::Watch::wait::{{closure}}
             at /home/me/.cargo/registry/src/index/hyper-1.12.0/src/server.rs:9:1
";
        assert!(place_of(text).ends_with(
            ":9 in hyper::server::Watch::wait (tokio::sync::notify::Notified::poll_notified)"
        ));
    }

    #[test]
    fn without_debug_information_the_function_alone_is_told() {
        let text =
            "   0: core::clone::Clone::clone\n   1: app::wait::{{closure}}\n   2: __rust_try\n";
        assert_eq!(place_of(text), "app::wait");
        assert_eq!(place(&frames("disabled backtrace")), None);
        assert_eq!(place(&frames("   0: <unknown>\n   1: __rust_try\n")), None);
    }

    #[test]
    fn functions_of_std_have_the_paths_of_its_documentation() {
        assert_eq!(
            public("std::thread::functions::sleep"),
            "std::thread::sleep"
        );
        let lock = "std::sync::poison::mutex::Mutex<T>::lock";
        let at = Some(("/rustc/5980/library/std/src/sync/poison/mutex.rs", 9));
        for function in [lock, "lock"] {
            assert_eq!(called_as(&Frame { function, at }), "std::sync::Mutex::lock");
        }
        let at = Some(("/rustc/5980/library/std/src/sync/mpsc/mod.rs", 9));
        let function = "recv<u8>";
        assert_eq!(called_as(&Frame { function, at }), "std::sync::mpsc::recv");
        assert_eq!(public("app::mutex::lock"), "app::mutex::lock");
    }

    #[test]
    fn with_line_tables_alone_the_line_is_told() {
        let text = "   0: <tokio::sync::oneshot::Receiver<T> as core::future::future::Future>::poll
             at /home/me/.cargo/registry/src/index/tokio-1.54.1/src/sync/oneshot.rs:1220:9
   1: {async_fn#0}
             at /build/app/src/serve.rs:34:12
   2: do_call<core::panic::unwind_safe::AssertUnwindSafe<app::serve>, bool>
             at /rustc/5980/library/std/src/panicking.rs:581:40
";
        assert_eq!(
            place_of(text),
            "/build/app/src/serve.rs:34 (tokio::sync::oneshot::Receiver)"
        );
    }
}
