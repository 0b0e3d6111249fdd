//! The rows: their work, their bars, and how they are printed.

use std::process::{Command, ExitCode};

use serde::Serialize;

use super::{clock, job, restart, sweep};
use crate::measure::{median, sibling_binary};
use crate::report::number;
use crate::work::LiveBytes;
use crate::work::cpu::time_of;

/// What a child does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    ClockInWorld,
    ClockOutside,
    /// In a binary without our symbols.
    ClockOfLibc,
    Job,
    Restarts,
    Sweep,
    /// In the binary whose allocator counts.
    RestartsKept,
}

impl Work {
    const ALL: [Self; 7] = [
        Self::ClockInWorld,
        Self::ClockOutside,
        Self::ClockOfLibc,
        Self::Sweep,
        Self::Job,
        Self::Restarts,
        Self::RestartsKept,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::ClockInWorld => "clock-in-world",
            Self::ClockOutside => "clock-outside",
            Self::ClockOfLibc => "clock-of-libc",
            Self::Sweep => "sweep",
            Self::Job => "job",
            Self::Restarts => "restarts",
            Self::RestartsKept => "restarts-kept",
        }
    }

    /// The figure in its row's unit; `None` without what it needs.
    fn figure(self, live_bytes: Option<LiveBytes>) -> Option<f64> {
        let milliseconds = |work: fn()| Some(time_of(work).as_secs_f64() * 1e3);
        match self {
            Self::ClockInWorld => Some(clock::nanoseconds_a_read_in_a_world()),
            Self::ClockOutside | Self::ClockOfLibc => Some(clock::nanoseconds_a_read()),
            Self::Sweep => milliseconds(sweep::term_at_every_event),
            Self::Job => Some(job::microseconds_a_job()),
            Self::Restarts => milliseconds(restart::restarts),
            Self::RestartsKept => Some(restart::kept(live_bytes?)),
        }
    }

    /// The binary of the child that does it, and its arguments.
    fn child(self) -> Result<Command, String> {
        if self == Self::ClockOfLibc {
            let binary = sibling_binary("libc-clock", &["--no-default-features"])?;
            return Ok(Command::new(binary));
        }
        let mut command = Command::new(match self {
            Self::RestartsKept => sibling_binary("counting", &[])?,
            _ => std::env::current_exe()
                .map_err(|error| format!("the path of this binary is unknown: {error}"))?,
        });
        command.args(["measure-lifecycle", self.name()]);
        Ok(command)
    }

    fn measure(self) -> Result<f64, String> {
        let output = self.child()?.output();
        let output = output.map_err(|error| format!("a child cannot be started: {error}"))?;
        let figure = String::from_utf8_lossy(&output.stdout).trim().parse();
        figure.map_err(|_| String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// A line of the table.
struct Row {
    id: &'static str,
    part: Option<&'static str>,
    unit: &'static str,
    ours: Work,
    /// What it is set against.
    peer: Option<Work>,
    bar: Bar,
}

#[derive(Clone, Copy)]
enum Bar {
    /// At most that many of the unit.
    AtMost(f64),
    /// At most that many of the unit more than the peer.
    Over(f64),
}

impl Bar {
    fn is_met(self, ours: f64, peer: Option<f64>) -> Option<bool> {
        match self {
            Self::AtMost(most) => Some(ours <= most),
            Self::Over(most) => Some(ours - peer? <= most),
        }
    }

    fn text(self, unit: &str) -> String {
        match self {
            Self::AtMost(most) => format!("≤ {most} {unit}"),
            Self::Over(most) => format!("≤ {most} {unit} over"),
        }
    }
}

const ROWS: &[Row] = &[
    Row {
        id: "sweep",
        part: None,
        unit: "ms",
        ours: Work::Sweep,
        peer: None,
        bar: Bar::AtMost(2_000.0),
    },
    Row {
        id: "clock",
        part: Some("in a world"),
        unit: "ns",
        ours: Work::ClockInWorld,
        peer: Some(Work::ClockOfLibc),
        bar: Bar::AtMost(15.0),
    },
    Row {
        id: "clock",
        part: Some("outside"),
        unit: "ns",
        ours: Work::ClockOutside,
        peer: Some(Work::ClockOfLibc),
        bar: Bar::Over(5.0),
    },
    Row {
        id: "job",
        part: None,
        unit: "µs",
        ours: Work::Job,
        peer: None,
        bar: Bar::AtMost(10.0),
    },
    Row {
        id: "restart",
        part: Some("of 10,000"),
        unit: "ms",
        ours: Work::Restarts,
        peer: None,
        bar: Bar::AtMost(1_000.0),
    },
    Row {
        id: "restart",
        part: Some("kept"),
        unit: "B",
        ours: Work::RestartsKept,
        peer: None,
        bar: Bar::AtMost(0.0),
    },
];

/// What a child does: one work, its figure printed.
pub fn answer(work: &str, live_bytes: Option<LiveBytes>) -> ExitCode {
    let known = Work::ALL.into_iter().find(|known| known.name() == work);
    match known.and_then(|work| work.figure(live_bytes)) {
        Some(figure) => {
            println!("{figure}");
            ExitCode::SUCCESS
        }
        None => {
            eprintln!("no work that can be done here is called {work:?}");
            ExitCode::from(2)
        }
    }
}

/// Measures the rows asked for and prints each; whether every bar is met.
///
/// # Errors
///
/// When an id is unknown, or a child cannot be built or started, or fails.
pub fn run(ids: &[String], json: bool, rounds: usize) -> Result<bool, String> {
    if let Some(id) = ids.iter().find(|id| ROWS.iter().all(|row| row.id != **id)) {
        let mut known: Vec<_> = ROWS.iter().map(|row| row.id).collect();
        known.dedup();
        return Err(format!(
            "no row is called {id:?}; there are {}",
            known.join(", ")
        ));
    }
    if !json {
        println!(
            "{:<20}{:<6}{:>10}{:>10} {:<16}{:<16}verdict",
            "row", "unit", "ours", "peer", "", "bar"
        );
    }
    let mut all_met = true;
    for row in ROWS {
        if !ids.is_empty() && ids.iter().all(|id| id != row.id) {
            continue;
        }
        // A round asks both once, so that a machine that slows down slows both down.
        let (mut ours, mut peer) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            ours.push(row.ours.measure()?);
            peer.extend(row.peer.map(Work::measure).transpose()?);
        }
        let line = Line::new(row, median(ours), row.peer.map(|_| median(peer)));
        all_met &= line.ok != Some(false);
        line.print(json);
    }
    Ok(all_met)
}

#[derive(Debug, Serialize)]
struct Line {
    id: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    part: Option<&'static str>,
    unit: &'static str,
    ours: f64,
    peer: Option<f64>,
    peer_name: Option<&'static str>,
    bar: String,
    ok: Option<bool>,
}

impl Line {
    fn new(row: &Row, ours: f64, peer: Option<f64>) -> Self {
        Self {
            id: row.id,
            part: row.part,
            unit: row.unit,
            ours,
            peer,
            peer_name: row.peer.map(Work::name),
            bar: row.bar.text(row.unit),
            ok: row.bar.is_met(ours, peer),
        }
    }

    fn print(&self, json: bool) {
        if json {
            let text = serde_json::to_string(self).expect("plain fields always serialise");
            println!("{text}");
            return;
        }
        let name = match self.part {
            Some(part) => format!("{} {part}", self.id),
            None => self.id.to_owned(),
        };
        println!(
            "{name:<20}{:<6}{:>10}{:>10} {:<16}{:<16}{}",
            self.unit,
            number(Some(self.ours)),
            number(self.peer),
            self.peer_name.unwrap_or_default(),
            self.bar,
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
    fn a_bar_over_the_peer_needs_the_peer() {
        assert_eq!(Bar::Over(5.0).is_met(27.0, Some(22.5)), Some(true));
        assert_eq!(Bar::Over(5.0).is_met(28.0, Some(22.5)), Some(false));
        assert_eq!(Bar::Over(5.0).is_met(28.0, None), None);
        assert_eq!(Bar::AtMost(15.0).is_met(15.1, None), Some(false));
    }
}
