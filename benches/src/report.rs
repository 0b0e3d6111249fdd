//! What is printed: a line of the table, or a JSON object, for each row as it is measured.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::contender::Contender;
use crate::measure::{Bench, Figures};
use crate::rows::{Bar, Figure, Row};

/// What to measure and how to print it.
#[derive(Clone, Debug)]
pub struct Request {
    /// The ids of the rows; all of them when empty.
    pub ids: Vec<String>,
    /// JSON lines instead of a table.
    pub json: bool,
    /// Whether the peers that are not the best are measured too.
    pub others: bool,
    /// How many children each figure is the median of.
    pub rounds: usize,
}

/// Measures the rows of `table` that are asked for and prints each; whether every bar that could be judged is met.
///
/// # Errors
///
/// When an id is unknown, or this binary cannot find itself.
pub fn run(table: &'static [Row], request: &Request) -> Result<bool, String> {
    if let Some(id) = request
        .ids
        .iter()
        .find(|id| table.iter().all(|row| row.id != **id))
    {
        let mut known: Vec<_> = table.iter().map(|row| row.id).collect();
        known.dedup();
        return Err(format!(
            "no row is called {id:?}; there are {}",
            known.join(", ")
        ));
    }
    let bench = Bench::new()?;
    if !request.json {
        print_heading();
    }
    let mut all_met = true;
    for rows in table.chunk_by(|one, next| (one.id, one.part) == (next.id, next.part)) {
        if !request.ids.is_empty() && request.ids.iter().all(|id| id != rows[0].id) {
            continue;
        }
        let wanted = wanted(rows, request.others);
        let measured = bench.medians(&wanted, request.rounds);
        for row in rows {
            let line = Line::of(row, &measured);
            all_met &= line.ok != Some(false);
            line.print(row, request.json);
        }
    }
    Ok(all_met)
}

fn wanted(rows: &[Row], others: bool) -> Vec<(Figure, Contender)> {
    let mut list: Vec<_> = rows.iter().map(|row| (row.figure, row.ours)).collect();
    list.push((rows[0].against, rows[0].peer));
    if others {
        list.extend(rows[0].others.iter().map(|other| (rows[0].figure, *other)));
    }
    list
}

#[derive(Debug, Serialize)]
struct Line {
    id: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    part: Option<&'static str>,
    profile: &'static str,
    unit: &'static str,
    ours: Option<f64>,
    peer: Option<f64>,
    peer_name: String,
    ratio: Option<f64>,
    bar: Option<String>,
    ok: Option<bool>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    others: BTreeMap<String, Option<f64>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing: Vec<String>,
}

impl Line {
    fn of(row: &Row, measured: &Figures) -> Self {
        let of = |contender| (row.figure, contender);
        let figure = |wanted| measured.get(&wanted)?.clone().ok();
        let (ours, against) = (of(row.ours), (row.against, row.peer));
        let (ours, peer) = (figure(ours), figure(against));
        let shown = [of(row.ours), against]
            .into_iter()
            .chain(row.others.iter().map(|other| of(*other)));
        let missing = shown.filter_map(|wanted| {
            let why = measured.get(&wanted)?.as_ref().err()?;
            Some(format!("{}: {why}", wanted.1))
        });
        Self {
            id: row.id,
            part: row.part,
            profile: row.profile(),
            unit: row.unit,
            ours,
            peer,
            peer_name: match row.against {
                Figure::Of(work) if row.against != row.figure => format!("own {}", work.name()),
                _ => row.peer.to_string(),
            },
            ratio: ours
                .zip(peer)
                .and_then(|(ours, peer)| row.ratio(ours, peer)),
            bar: bar_text(row),
            ok: row.meets_bar(ours, peer),
            others: row
                .others
                .iter()
                .filter(|other| measured.contains_key(&of(**other)))
                .map(|other| (other.to_string(), figure(of(*other))))
                .collect(),
            missing: missing.collect(),
        }
    }

    fn print(&self, row: &Row, json: bool) {
        if json {
            let text = serde_json::to_string(self).expect("plain fields always serialise");
            println!("{text}");
            return;
        }
        let name = match row.part {
            Some(part) => format!("{} {part}", row.id),
            None => row.id.to_owned(),
        };
        let verdict = match self.ok {
            Some(true) => "pass",
            Some(false) => "SHORT",
            None => "–",
        };
        println!(
            "{name:<14}{:<10}{:<14}{:>10}{:>10} {:<15}{:>7}  {:<19}{verdict}",
            self.profile,
            self.unit,
            number(self.ours),
            number(self.peer),
            self.peer_name,
            number(self.ratio),
            self.bar.as_deref().unwrap_or("–"),
        );
        for (other, figure) in &self.others {
            println!("{:<48}{:>10} {other}", "", number(*figure));
        }
        for why in &self.missing {
            println!("{:<14}not measured: {why}", "");
        }
    }
}

fn print_heading() {
    println!(
        "{:<14}{:<10}{:<14}{:>10}{:>10} {:<15}{:>7}  {:<19}verdict",
        "row", "profile", "unit", "ours", "peer", "", "ratio", "bar"
    );
}

fn bar_text(row: &Row) -> Option<String> {
    match row.bar {
        Bar::Ratio(least) => Some(format!("ratio ≥ {least}")),
        Bar::AtLeast(least) => Some(format!("≥ {least} {}", row.unit)),
        Bar::AtMost(most) => Some(format!("≤ {most} {}", row.unit)),
        Bar::Shown => None,
    }
}

pub(crate) fn number(value: Option<f64>) -> String {
    match value {
        None => "–".to_owned(),
        Some(0.0) => "0".to_owned(),
        Some(value) if value.abs() >= 100.0 => format!("{value:.0}"),
        Some(value) if value.abs() >= 10.0 => format!("{value:.1}"),
        Some(value) if value.abs() >= 0.01 => format!("{value:.2}"),
        Some(value) => format!("{value:.6}"),
    }
}
