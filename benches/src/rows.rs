//! The table: what each row measures, against whom, and the bar it must meet.

use crate::contender::{Contender, Picks, Profile};
use crate::work::Work;

use Bar::{AtMost, Ratio, Shown};
use Contender::{Bach, Madsim, Ours, Production, Shuttle, Tokio, WholeTokio};
use Picks::{Fifo, Pct3, Random};
use Profile::{Exact, TokioMt};

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The row's letter.
    pub id: &'static str,
    /// Which of the row's figures, where it has several.
    pub part: Option<&'static str>,
    /// What the figures count.
    pub unit: &'static str,
    /// Whether more is better.
    pub direction: Direction,
    /// What is done.
    pub figure: Figure,
    /// Our side.
    pub ours: Contender,
    /// The best peer: the ratio and the bar are against it.
    pub peer: Contender,
    /// Peers shown beside it when asked for.
    pub others: &'static [Contender],
    /// What must hold.
    pub bar: Bar,
}

/// Which way a unit gets better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Rates.
    More,
    /// Times and sizes.
    Less,
}

/// How a figure comes from works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// A work's own figure.
    Of(Work),
    /// Peak resident bytes of each sleeping task: with them, less without them.
    PerSleepingTask,
}

/// What a row must meet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bar {
    /// At least that many times as good as the peer.
    Ratio(f64),
    /// At most that many of the row's unit.
    AtMost(f64),
    /// Nothing: the row is there to be seen.
    Shown,
}

impl Row {
    /// How many times better `ours` is than `peer`, whatever the unit's direction; `None` where
    /// both or the divisor are nothing.
    pub fn ratio(&self, ours: f64, peer: f64) -> Option<f64> {
        let ratio = match self.direction {
            Direction::More => ours / peer,
            Direction::Less => peer / ours,
        };
        ratio.is_finite().then_some(ratio)
    }

    /// The profile our side runs in.
    pub fn profile(&self) -> &'static str {
        match self.ours {
            Ours(profile, _) => profile.name(),
            Production => "–",
            _ => unreachable!("a row's first side is ours"),
        }
    }

    /// Whether the bar is met; `None` without a bar, or without what it compares.
    pub fn meets_bar(&self, ours: Option<f64>, peer: Option<f64>) -> Option<bool> {
        match self.bar {
            AtMost(most) => Some(ours? <= most),
            Ratio(least) => Some(self.ratio(ours?, peer?)? >= least),
            Shown => None,
        }
    }
}

/// Every row, in the order of the table; of its peers the first is the one to beat.
#[rustfmt::skip]
pub const ROWS: &[Row] = &[
    row(("a", None), TASKS, Work::SpawnAndJoin, Ours(Exact, Fifo), &[Bach, Tokio, Madsim], Ratio(1.1)),
    row(("a", None), TASKS, Work::SpawnAndJoin, Ours(TokioMt, Fifo), &[Bach, Tokio, Madsim], Ratio(1.1)),
    row(("b", FIFO), POLLS, Work::SelfWakes, Ours(Exact, Fifo), &[Tokio, Bach], Ratio(1.0)),
    row(("b", FIFO), POLLS, Work::SelfWakes, Ours(TokioMt, Fifo), &[Tokio, Bach], Ratio(1.0)),
    row(("b", Some("handle")), POLLS, Work::SelfWakes, Production, &[WholeTokio], Ratio(0.9)),
    row(("b", RANDOM), POLLS, Work::SelfWakes, Ours(Exact, Random), &[Madsim, Shuttle(Random)], Ratio(2.0)),
    row(("b", RANDOM), POLLS, Work::SelfWakes, Ours(TokioMt, Random), &[Madsim, Shuttle(Random)], Ratio(2.0)),
    row(("c", None), SLEEPS, Work::Sleeps, Ours(Exact, Fifo), &[Tokio, Madsim, Bach], Ratio(1.5)),
    row(("c", None), SLEEPS, Work::Sleeps, Ours(TokioMt, Fifo), &[Tokio, Madsim, Bach], Shown),
    row(("c2", Some("rate")), TIMEOUTS, Work::UnusedTimeouts, Ours(TokioMt, Fifo), &[Madsim, Tokio], Ratio(2.5)),
    row(("c2", Some("kept")), KEPT, Work::UnusedTimeoutsKept, Ours(TokioMt, Fifo), &[Madsim, Tokio], AtMost(0.0)),
    row(("f", None), MICROSECONDS, Work::FreshSimulation, Ours(TokioMt, Fifo), &[Madsim, Tokio, Bach], AtMost(0.5)),
    row(("g", None), RESIDENT, Work::Asleep, Ours(Exact, Fifo), &[Madsim, Bach, Tokio], AtMost(260.0)),
    row(("g", None), RESIDENT, Work::Asleep, Ours(TokioMt, Fifo), &[Madsim, Bach, Tokio], AtMost(260.0)),
    row(("g2", Some("task")), KEPT, Work::FinishedTasksKept, Ours(TokioMt, Fifo), &[Madsim, Tokio, Bach], AtMost(0.0)),
    row(("g2", Some("simulation")), KEPT, Work::DroppedSimulationsKept, Ours(TokioMt, Fifo), &[Madsim, Tokio, Bach], AtMost(0.0)),
    row(("h1", None), MILLISECONDS, Work::FiveHostsForAnHour, Ours(TokioMt, Fifo), &[Tokio, Bach, Madsim], Ratio(1.0)),
    row(("h2", None), MILLISECONDS, Work::HundredHostsForAMinute, Ours(TokioMt, Fifo), &[Tokio, Bach, Madsim], Ratio(1.0)),
    row(("i", RANDOM), MICROSECONDS, Work::SmallRuns, Ours(TokioMt, Random), &[Madsim, Shuttle(Random)], AtMost(1.0)),
    row(("i", Some("pct3")), MICROSECONDS, Work::SmallRuns, Ours(TokioMt, Pct3), &[Shuttle(Pct3)], Shown),
];

type Unit = (&'static str, Direction);

const FIFO: Option<&str> = Some("fifo");
const RANDOM: Option<&str> = Some("random");

const TASKS: Unit = ("M tasks/s", Direction::More);
const POLLS: Unit = ("M polls/s", Direction::More);
const SLEEPS: Unit = ("M sleeps/s", Direction::More);
const TIMEOUTS: Unit = ("M timeouts/s", Direction::More);
const KEPT: Unit = ("B kept each", Direction::Less);
const RESIDENT: Unit = ("B each", Direction::Less);
const MICROSECONDS: Unit = ("µs", Direction::Less);
const MILLISECONDS: Unit = ("ms", Direction::Less);

const fn row(
    (id, part): (&'static str, Option<&'static str>),
    (unit, direction): Unit,
    work: Work,
    ours: Contender,
    peers: &'static [Contender],
    bar: Bar,
) -> Row {
    let figure = match work {
        Work::Asleep => Figure::PerSleepingTask,
        work => Figure::Of(work),
    };
    let (peer, others) = match peers {
        [best, others @ ..] => (*best, others),
        [] => panic!("a row compares with somebody"),
    };
    Row {
        id,
        part,
        unit,
        direction,
        figure,
        ours,
        peer,
        others,
        bar,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_above_one_means_ours_is_better_in_either_direction() {
        let rate = ROWS[0];
        assert_eq!(rate.ratio(6.0, 3.0), Some(2.0));
        let time = ROWS.iter().find(|row| row.id == "h1").unwrap();
        assert_eq!(time.ratio(3.0, 6.0), Some(2.0));
        assert_eq!(time.ratio(0.0, 0.0), None);
    }

    #[test]
    fn keeping_nothing_meets_its_bar_whatever_the_peer_keeps() {
        let kept = ROWS.iter().find(|row| row.id == "g2").unwrap();
        assert_eq!(kept.meets_bar(Some(0.0), None), Some(true));
        assert_eq!(kept.meets_bar(Some(0.1), Some(168.0)), Some(false));
        assert_eq!(kept.meets_bar(None, Some(168.0)), None);
    }

    #[test]
    fn every_row_sets_ours_against_a_peer() {
        for row in ROWS {
            assert!(matches!(row.ours, Ours(..) | Production), "{row:?}");
            assert!(!matches!(row.peer, Ours(..) | Production), "{row:?}");
            assert!(!row.profile().is_empty());
        }
    }
}
