//! Measuring: every figure from a fresh child process, and the median of them.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::contender::Contender;
use crate::rows::Figure;
use crate::work::{self, LiveBytes, Work};

/// A figure, or why there is none.
pub type Measured = Result<f64, String>;

/// What was measured, by what is done and who does it.
pub type Figures = BTreeMap<(Figure, Contender), Measured>;

/// What a child does that is called with a work and a contender: its figure printed.
pub fn answer_arguments(live_bytes: Option<LiveBytes>) -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (Some(work), Some(contender)) = (arguments.next(), arguments.next()) else {
        eprintln!("two arguments are needed, a work and a contender");
        return ExitCode::from(2);
    };
    answer(&work, &contender, live_bytes)
}

/// What a child does: one work by one contender, its figure printed.
pub fn answer(work: &str, contender: &str, live_bytes: Option<LiveBytes>) -> ExitCode {
    let figure = Work::named(work)
        .ok_or_else(|| format!("no work is called {work:?}"))
        .and_then(|work| {
            let contender: Contender = contender.parse()?;
            let figure = contender.measure(work, live_bytes);
            figure.ok_or_else(|| format!("{contender} cannot do {} here", work.name()))
        });
    match figure {
        Ok(figure) => {
            println!("{figure}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("{why}");
            ExitCode::from(2)
        }
    }
}

/// The binaries that children are started from; what this one does not contain is built when a
/// row first needs it, and what cannot be built is told row by row.
#[derive(Debug)]
pub struct Bench {
    ours: PathBuf,
    target: PathBuf,
    counting: OnceCell<Result<PathBuf, String>>,
    peers: OnceCell<Result<PathBuf, String>>,
    net_peers: OnceCell<Result<PathBuf, String>>,
    madsim: OnceCell<Result<PathBuf, String>>,
}

impl Bench {
    /// Finds this binary.
    ///
    /// # Errors
    ///
    /// When its path cannot be read.
    pub fn new() -> Result<Self, String> {
        let ours = std::env::current_exe()
            .map_err(|error| format!("the path of this binary is unknown: {error}"))?;
        let release = ours.parent().ok_or("this binary lies in no folder")?;
        let target = release.parent().ok_or("the target folder has no parent")?;
        Ok(Self {
            target: target.to_owned(),
            ours,
            counting: OnceCell::new(),
            peers: OnceCell::new(),
            net_peers: OnceCell::new(),
            madsim: OnceCell::new(),
        })
    }

    /// The median of `rounds` children for each contender. A round asks everyone once, so that a
    /// machine that slows down slows everyone down.
    pub fn medians(&self, wanted: &[(Figure, Contender)], rounds: usize) -> Figures {
        let mut figures: BTreeMap<_, Result<Vec<f64>, String>> = BTreeMap::new();
        for _ in 0..rounds {
            for &(figure, contender) in wanted {
                let so_far = figures.entry((figure, contender));
                let so_far = so_far.or_insert_with(|| Ok(Vec::new()));
                if let Ok(list) = so_far {
                    match self.figure(figure, contender) {
                        Ok(value) => list.push(value),
                        Err(why) => *so_far = Err(why),
                    }
                }
            }
        }
        figures
            .into_iter()
            .map(|(wanted, list)| (wanted, list.map(median)))
            .collect()
    }

    fn figure(&self, figure: Figure, contender: Contender) -> Measured {
        match figure {
            Figure::Of(work) => self.child(work, contender),
            Figure::PerSleepingTask => {
                let asleep = self.child(Work::Asleep, contender)?;
                let none = self.child(Work::NoneAsleep, contender)?;
                Ok((asleep - none) / work::ASLEEP as f64)
            }
        }
    }

    fn child(&self, work: Work, contender: Contender) -> Measured {
        let mut command = match contender {
            Contender::Madsim => Command::new(self.madsim(work.counts_heap())?),
            _ if work.counts_heap() => Command::new(self.counting()?),
            Contender::Ours(..) | Contender::Production | Contender::WholeTokio => {
                let mut command = Command::new(&self.ours);
                command.arg("measure");
                command
            }
            _ if work.is_networked() => Command::new(self.net_peers()?),
            _ => Command::new(self.peers()?),
        };
        command.arg(work.name());
        if contender != Contender::Madsim {
            command.arg(contender.to_string());
        }
        // glibc moves both thresholds while a program runs: the same code would then differ by
        // what ran before it. 32 MiB is the most it takes for the second.
        command.env("MALLOC_TRIM_THRESHOLD_", "1073741824");
        command.env("MALLOC_MMAP_THRESHOLD_", "33554432");
        let output = command
            .output()
            .map_err(|error| format!("{command:?}: {error}"))?;
        let text = String::from_utf8_lossy(&output.stdout);
        match text.trim().parse() {
            Ok(figure) if output.status.success() => Ok(figure),
            _ => Err(reason(&output.stderr)),
        }
    }
}

impl Bench {
    fn counting(&self) -> Result<&Path, String> {
        self.built(&self.counting, "counting", &[])
    }

    fn peers(&self) -> Result<&Path, String> {
        self.built(&self.peers, "peers", &["--no-default-features"])
    }

    fn net_peers(&self) -> Result<&Path, String> {
        let features = ["--no-default-features", "--features", "turmoil"];
        self.built(&self.net_peers, "net-peers", &features)
    }

    fn madsim(&self, counting: bool) -> Result<PathBuf, String> {
        let folder = self.madsim.get_or_init(|| {
            let target = self.target.join("madsim-peer");
            let here = Path::new(env!("CARGO_MANIFEST_DIR"));
            let mut cargo = cargo_build(&here.join("madsim-peer"), &target);
            // The encoded form would win over the one given here.
            cargo.env_remove("CARGO_ENCODED_RUSTFLAGS");
            cargo.env("RUSTFLAGS", "--cfg madsim");
            run(cargo).map(|()| target.join("release"))
        });
        let name = if counting {
            "madsim-counting"
        } else {
            "madsim-peer"
        };
        Ok(folder.as_ref()?.join(name))
    }

    fn built<'a>(
        &self,
        cell: &'a OnceCell<Result<PathBuf, String>>,
        name: &str,
        features: &[&str],
    ) -> Result<&'a Path, String> {
        let binary = cell.get_or_init(|| {
            let mut cargo = cargo_build(Path::new(env!("CARGO_MANIFEST_DIR")), &self.target);
            cargo.args(["--bin", name]).args(features);
            run(cargo).map(|()| self.target.join("release").join(name))
        });
        Ok(binary.as_deref()?)
    }
}

/// A binary of this package beside this one, built with these features.
pub(crate) fn sibling_binary(name: &str, features: &[&str]) -> Result<PathBuf, String> {
    let bench = Bench::new()?;
    bench
        .built(&OnceCell::new(), name, features)
        .map(Path::to_owned)
}

fn cargo_build(package: &Path, target: &Path) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(package);
    command.args(["build", "--release", "--quiet", "--target-dir"]);
    command.arg(target);
    command
}

fn run(mut command: Command) -> Result<(), String> {
    let output = command
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("not built: {}", reason(&output.stderr)))
}

/// The one line of a child's or cargo's last words that says why.
fn reason(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    let panic = lines()
        .skip_while(|line| !line.contains("panicked at"))
        .nth(1);
    let error = || lines().find(|line| line.starts_with("error"));
    let why = panic.or_else(error).or_else(|| lines().next_back());
    why.unwrap_or("it said nothing").to_owned()
}

pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    if figures.len() % 2 == 1 {
        figures[middle]
    } else {
        f64::midpoint(figures[middle - 1], figures[middle])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_between_the_two_in_the_middle() {
        assert_eq!(median(vec![9.0, 1.0, 5.0]), 5.0);
        assert_eq!(median(vec![9.0, 1.0, 5.0, 7.0]), 6.0);
    }

    #[test]
    fn the_reason_is_the_panic_or_the_error_or_the_last_line() {
        let panic = b"thread 'main' panicked at src/x.rs:1:1:\nout of luck\nnote: run with";
        assert_eq!(reason(panic), "out of luck");
        assert_eq!(
            reason(b"warning: x\nerror: no such thing\n\nmore\n"),
            "error: no such thing"
        );
        assert_eq!(reason(b"cannot do it\n\n"), "cannot do it");
    }
}
