//! The loop's rows: tasks, timers, whole simulations and their memory.

use super::Bar::{AtMost, Ratio, Shown};
use super::{Direction, Row, Unit, row};
use crate::contender::Contender::{Bach, Madsim, Ours, Production, Shuttle, Tokio, WholeTokio};
use crate::contender::Picks::{Fifo, Pct3, Random};
use crate::contender::Profile::{Exact, TokioMt};
use crate::work::Work;

/// Every row, in the order of the table; of its peers the first is the one to beat.
#[rustfmt::skip]
pub const LOOP: &[Row] = &[
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
