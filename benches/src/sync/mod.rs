//! Our primitives in production and in a world, against tokio's on tokio: every figure from a fresh
//! child process, and the median of them.

mod work;

use std::process::{Command, ExitCode};

use event_loop::{LoopConfig, Runner, production};
use serde::Serialize;
use sim::Config;

use crate::measure::median;
use crate::report::number;
use crate::work::cpu::time_of;
pub use work::Work;

/// Whose primitives, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    /// Ours on a production loop, current-thread.
    Production,
    /// Ours in a world, in the default profile, the plain run.
    World,
    /// Tokio's on its current-thread runtime.
    Tokio,
}

impl Side {
    const ALL: [Self; 3] = [Self::Production, Self::World, Self::Tokio];

    fn name(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::World => "world",
            Self::Tokio => "tokio",
        }
    }

    /// How many times tokio's rate must be reached; none where the tasks' own cost is in it.
    fn bar(self, work: Work) -> Option<f64> {
        match (self, work) {
            (Self::Tokio, _) | (Self::Production, Work::MpscBetween) => None,
            // As good as tokio's, but for what the children of one side differ by.
            (Self::Production, _) => Some(0.95),
            (Self::World, _) => Some(0.8),
        }
    }

    fn run(self, work: Work) {
        match self {
            Self::Production => {
                let mut runner = Runner::new(|| production::current_thread(LoopConfig::default()));
                let done = runner.run(work::ours::work(work));
                done.expect("nothing stops the loop");
            }
            Self::World => {
                // A bench polls more than a test may, most of it while no time passes.
                let config = Config::new().polls(u64::MAX).polls_at_once(u64::MAX);
                let run = sim::run_once(&config, 0, |_sim| work::ours::work(work));
                assert!(run.verdict.is_none(), "{:?}", run.verdict);
            }
            Self::Tokio => {
                // With all its drivers, as ours has it in production.
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build();
                let runtime = runtime.expect("there is room for a runtime");
                let main = runtime.spawn(work::tokio_s::work(work));
                runtime.block_on(main).expect("nothing stops the task");
            }
        }
    }
}

/// What a child does: one work on one side, its CPU nanoseconds an operation printed.
pub fn answer(work: &str, side: &str) -> ExitCode {
    let work = Work::ALL.into_iter().find(|known| known.name() == work);
    let side = Side::ALL.into_iter().find(|known| known.name() == side);
    let (Some(work), Some(side)) = (work, side) else {
        eprintln!("two arguments are needed, a work and a side");
        return ExitCode::from(2);
    };
    let time = time_of(|| side.run(work));
    println!("{}", time.as_nanos() as f64 / f64::from(work::OPERATIONS));
    ExitCode::SUCCESS
}

/// Measures the rows asked for and prints each; whether every bar is met.
///
/// # Errors
///
/// When an id is unknown, or a child cannot be started or fails.
pub fn run(ids: &[String], json: bool, rounds: usize) -> Result<bool, String> {
    let known = |id: &&String| Work::ALL.iter().any(|work| work.name() == id.as_str());
    if let Some(id) = ids.iter().find(|id| !known(id)) {
        let all = Work::ALL.map(Work::name).join(", ");
        return Err(format!("no row is called {id:?}; there are {all}"));
    }
    if !json {
        println!(
            "{:<14}{:<12}{:>9}{:>9}{:>8}  {:<14}verdict",
            "row", "ours", "ns", "tokio's", "ratio", "bar"
        );
    }
    let mut all_met = true;
    for work in Work::ALL {
        if !ids.is_empty() && ids.iter().all(|id| id != work.name()) {
            continue;
        }
        let [production, world, tokio] = medians(work, rounds)?;
        for (side, ours) in [(Side::Production, production), (Side::World, world)] {
            let line = Line::new(work, side, ours, tokio);
            all_met &= line.ok != Some(false);
            line.print(json);
        }
    }
    Ok(all_met)
}

/// The medians of the sides. A round asks everyone once, so that a machine that slows down slows
/// everyone down.
fn medians(work: Work, rounds: usize) -> Result<[f64; 3], String> {
    let mut figures = Side::ALL.map(|_| Vec::new());
    for _ in 0..rounds {
        for (side, figures) in Side::ALL.into_iter().zip(&mut figures) {
            figures.push(child(work, side)?);
        }
    }
    Ok(figures.map(median))
}

fn child(work: Work, side: Side) -> Result<f64, String> {
    let here = std::env::current_exe()
        .map_err(|error| format!("the path of this binary is unknown: {error}"))?;
    let output = Command::new(here)
        .args(["measure-sync", work.name(), side.name()])
        .output()
        .map_err(|error| format!("a child cannot be started: {error}"))?;
    let figure = String::from_utf8_lossy(&output.stdout).trim().parse();
    figure.map_err(|_| String::from_utf8_lossy(&output.stderr).into_owned())
}

#[derive(Debug, Serialize)]
struct Line {
    id: &'static str,
    profile: &'static str,
    unit: &'static str,
    ours: f64,
    peer: f64,
    peer_name: &'static str,
    ratio: f64,
    bar: Option<String>,
    ok: Option<bool>,
}

impl Line {
    fn new(work: Work, side: Side, ours: f64, peer: f64) -> Self {
        // To two places: the children of one side differ by more.
        let ratio = (peer / ours * 100.0).round() / 100.0;
        Self {
            id: work.name(),
            profile: side.name(),
            unit: "ns",
            ours,
            peer,
            peer_name: Side::Tokio.name(),
            ratio,
            bar: side.bar(work).map(|least| format!("ratio ≥ {least}")),
            ok: side.bar(work).map(|least| ratio >= least),
        }
    }

    fn print(&self, json: bool) {
        if json {
            let text = serde_json::to_string(self).expect("plain fields always serialise");
            println!("{text}");
            return;
        }
        println!(
            "{:<14}{:<12}{:>9}{:>9}{:>8}  {:<14}{}",
            self.id,
            self.profile,
            number(Some(self.ours)),
            number(Some(self.peer)),
            number(Some(self.ratio)),
            self.bar.as_deref().unwrap_or("–"),
            match self.ok {
                Some(true) => "pass",
                Some(false) => "SHORT",
                None => "–",
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_above_one_means_ours_is_quicker() {
        let line = Line::new(Work::Mutex, Side::Production, 10.0, 20.0);
        assert_eq!((line.ratio, line.ok), (2.0, Some(true)));
        let line = Line::new(Work::Mutex, Side::Production, 20.0, 18.0);
        assert_eq!(line.ok, Some(false));
        let line = Line::new(Work::Mutex, Side::World, 20.0, 16.0);
        assert_eq!(line.ok, Some(true));
        let line = Line::new(Work::MpscBetween, Side::Production, 20.0, 1.0);
        assert_eq!(line.ok, None);
    }
}
