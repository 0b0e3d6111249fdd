//! The tables: what each row measures, against whom, and the bar it must meet.

mod event_loop;
mod net;

pub use event_loop::LOOP;
pub use net::NET;

use crate::contender::Contender;
use crate::work::Work;

use Bar::{AtLeast, AtMost, Ratio, Shown};
use Contender::{Ours, Production};

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
    /// The best peer, or ourselves at another work: the ratio and the bar are against it.
    pub peer: Contender,
    /// What the peer does, if it is not the same.
    pub against: Figure,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
    /// At least that many of the row's unit.
    AtLeast(f64),
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
            AtLeast(least) => Some(ours? >= least),
            AtMost(most) => Some(ours? <= most),
            Ratio(least) => Some(self.ratio(ours?, peer?)? >= least),
            Shown => None,
        }
    }
}

type Unit = (&'static str, Direction);

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
        against: figure,
        others,
        bar,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_above_one_means_ours_is_better_in_either_direction() {
        let rate = LOOP[0];
        assert_eq!(rate.ratio(6.0, 3.0), Some(2.0));
        let time = LOOP.iter().find(|row| row.id == "h1").unwrap();
        assert_eq!(time.ratio(3.0, 6.0), Some(2.0));
        assert_eq!(time.ratio(0.0, 0.0), None);
    }

    #[test]
    fn keeping_nothing_meets_its_bar_whatever_the_peer_keeps() {
        let kept = LOOP.iter().find(|row| row.id == "g2").unwrap();
        assert_eq!(kept.meets_bar(Some(0.0), None), Some(true));
        assert_eq!(kept.meets_bar(Some(0.1), Some(168.0)), Some(false));
        assert_eq!(kept.meets_bar(None, Some(168.0)), None);
    }

    #[test]
    fn every_row_sets_ours_against_a_peer_or_another_work() {
        for row in LOOP.iter().chain(NET) {
            assert!(matches!(row.ours, Ours(..) | Production), "{row:?}");
            let is_peer = !matches!(row.peer, Ours(..) | Production);
            assert!(is_peer || row.against != row.figure, "{row:?}");
            assert!(!row.profile().is_empty());
        }
    }
}
