//! The network's rows: connections, datagrams, and what many hosts cost.

use super::Bar::{AtLeast, AtMost, Ratio, Shown};
use super::{Direction, Figure, Row, Unit, row};
use crate::contender::Contender::{Bach, Madsim, Ours, Tokio, Turmoil, TurmoilNet};
use crate::contender::Picks::{Fifo, Random};
use crate::contender::Profile::TokioMt;
use crate::work::{Link, Work};

/// Every row, in the order of the table; of its peers the first is the one to beat.
#[rustfmt::skip]
pub const NET: &[Row] = &[
    row(("d1", IDEAL), TRIPS, Work::Echo(Link::Ideal), Ours(TokioMt, Fifo), &[TurmoilNet, Turmoil, Tokio], Ratio(3.0)),
    row(("d1", TEN), TRIPS, Work::Echo(Link::OneToTen), Ours(TokioMt, Fifo), &[Madsim, Turmoil], Ratio(2.0)),
    row(("d1", Some("seeded")), TRIPS, Work::Echo(Link::OneToTen), Ours(TokioMt, Random), &[Madsim], Shown),
    row(("d1", Some("default")), TRIPS, Work::Echo(Link::Default), Ours(TokioMt, Fifo), &[Turmoil, Madsim], Shown),
    row(("d2", IDEAL), BYTES, Work::OneWay(Link::Ideal), Ours(TokioMt, Fifo), &[Turmoil, TurmoilNet, Madsim, Tokio], Ratio(1.0)),
    row(("d2", ONE), BYTES, Work::OneWay(Link::Millisecond), Ours(TokioMt, Fifo), &[Turmoil, Madsim], Shown),
    row(("e", IDEAL), DATAGRAMS, Work::Windows(Link::Ideal), Ours(TokioMt, Fifo), &[TurmoilNet, Turmoil, Madsim], Ratio(1.5)),
    row(("e", ONE), DATAGRAMS, Work::Windows(Link::Millisecond), Ours(TokioMt, Fifo), &[Bach, Madsim, Turmoil], Ratio(3.0)),
    row(("e2", None), DATAGRAMS, Work::Bursts, Ours(TokioMt, Fifo), &[Ours(TokioMt, Fifo), Bach, Madsim, Turmoil], Ratio(1.0)).against(Work::Windows(Link::Millisecond)),
    row(("j", Some("1,000")), CONNECTIONS, Work::Connections(1_000), Ours(TokioMt, Fifo), &[Madsim, TurmoilNet], AtLeast(1_000.0)),
    row(("j", Some("10,000")), CONNECTIONS, Work::Connections(10_000), Ours(TokioMt, Fifo), &[Madsim, TurmoilNet], AtLeast(1_000.0)),
    row(("j", Some("flat")), CONNECTIONS, Work::Connections(20_000), Ours(TokioMt, Fifo), &[Ours(TokioMt, Fifo)], Ratio(0.8)).against(Work::Connections(10_000)),
    row(("hosts", Some("idle")), MICROSECONDS, Work::IdleMesh(1_000), Ours(TokioMt, Fifo), &[Ours(TokioMt, Fifo)], AtMost(50.0)).against(Work::IdleMesh(2)),
    row(("hosts", Some("flat")), TRIPS, Work::EchoInPairs(1_000), Ours(TokioMt, Fifo), &[Ours(TokioMt, Fifo)], Ratio(0.8)).against(Work::EchoInPairs(2)),
];

const IDEAL: Option<&str> = Some("0");
const ONE: Option<&str> = Some("1 ms");
const TEN: Option<&str> = Some("1–10 ms");

const TRIPS: Unit = ("M trips/s", Direction::More);
const BYTES: Unit = ("MB/s", Direction::More);
const DATAGRAMS: Unit = ("M datagrams/s", Direction::More);
const CONNECTIONS: Unit = ("k conns/s", Direction::More);
const MICROSECONDS: Unit = ("µs", Direction::Less);

impl Row {
    /// The same row, its peer at another work.
    const fn against(mut self, work: Work) -> Self {
        self.against = Figure::Of(work);
        self
    }
}
