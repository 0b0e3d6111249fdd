//! Datagrams under way on one link.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::io::IoSlice;
use std::net::SocketAddr;

use virtual_time::{Instant, TimerKey};

use super::store::Row;
use crate::HostId;

/// What is written on a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Label {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// For one socket.
    One,
    /// For everybody on the host who hears that address.
    Many,
    /// No datagram but the news that one with these addresses found nobody (ICMP).
    Unreachable,
}

/// What is under way from one host to another.
///
/// Where none overtakes another, as on every link of constant latency, they stand in a row and
/// cost the same however many they are. Only those that overtake go through a heap.
#[derive(Debug)]
pub(crate) struct Flight {
    /// Where the link ends.
    pub(super) host: HostId,
    row: Row<Passenger>,
    /// Each arrives before the last of the row.
    strays: BinaryHeap<Stray>,
    strays_made: u64,
    /// Nothing arrives until the link is open again.
    pub(super) held: bool,
    /// The event of the first arrival.
    pub(super) event: Option<(Instant, TimerKey)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Passenger {
    at: Instant,
    label: Label,
}

#[derive(Debug)]
struct Stray {
    at: Instant,
    serial: u64,
    label: Label,
    payload: Box<[u8]>,
}

impl Flight {
    pub(super) fn to(host: HostId) -> Self {
        Self {
            host,
            row: Row::default(),
            strays: BinaryHeap::new(),
            strays_made: 0,
            held: false,
            event: None,
        }
    }

    /// Puts one behind all others.
    pub(super) fn push_last(&mut self, now: Instant, label: Label, parts: &[IoSlice<'_>]) {
        let at = self.row.last().map_or(now, |last| last.at.max(now));
        self.push(at, label, parts);
    }

    /// Forgets all of them, and returns the event that is not needed any more.
    /// How many are under way.
    pub(super) fn len(&self) -> u64 {
        (self.row.len() + self.strays.len()) as u64
    }

    pub(super) fn lose_all(&mut self) -> Option<TimerKey> {
        self.row = Row::default();
        self.strays.clear();
        self.event.take().map(|(_, key)| key)
    }

    pub(super) fn push(&mut self, at: Instant, label: Label, parts: &[IoSlice<'_>]) {
        if self.row.last().is_none_or(|last| last.at <= at) {
            self.row.push(Passenger { at, label }, parts);
            return;
        }
        self.strays_made += 1;
        self.strays.push(Stray {
            at,
            serial: self.strays_made,
            label,
            payload: parts.iter().flat_map(|part| part.iter().copied()).collect(),
        });
    }

    /// When the next one arrives.
    pub(super) fn next(&self) -> Option<Instant> {
        let row = self.row.first().map(|first| first.at);
        let stray = self.strays.peek().map(|stray| stray.at);
        row.into_iter().chain(stray).min()
    }

    /// Takes the next one that has arrived by `now`, lets `f` have it, and says that there was
    /// one.
    pub(super) fn pop(&mut self, now: Instant, f: impl FnOnce(Label, &[IoSlice<'_>])) -> bool {
        // Of two that arrive at once, the one in the row left first: else it would have been
        // overtaken by nothing.
        let row = self.row.first();
        if let Some(stray) = self.strays.peek()
            && row.is_none_or(|first| stray.at < first.at)
        {
            if stray.at > now {
                return false;
            }
            if let Some(stray) = self.strays.pop() {
                f(stray.label, &[IoSlice::new(&stray.payload)]);
            }
            return true;
        }
        let Some(&Passenger { at, label }) = self.row.first() else {
            return false;
        };
        if at > now {
            return false;
        }
        let (front, back) = self.row.payload();
        f(label, &[IoSlice::new(front), IoSlice::new(back)]);
        self.row.pop();
        true
    }

    /// Bytes of all payloads together.
    pub(super) fn bytes(&self) -> usize {
        let strays: usize = self.strays.iter().map(|stray| stray.payload.len()).sum();
        self.row.bytes() + strays
    }
}

/// The one that arrives first is the greatest.
impl Ord for Stray {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.serial).cmp(&(self.at, self.serial))
    }
}

impl PartialOrd for Stray {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Stray {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Stray {}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn arrivals_come_in_the_order_of_time_and_then_of_departure(
            times in prop::collection::vec((0..20_u64, 0..4_usize), 0..60)
        ) {
            let at = |t: u64| Instant::BEGIN + Duration::from_nanos(t);
            let label = |n: usize| Label {
                from: SocketAddr::from(([10, 0, 0, 1], n as u16)),
                to: SocketAddr::from(([10, 0, 0, 2], 1)),
                kind: Kind::One,
            };
            let mut flight = Flight::to(HostId(0));
            let mut expected: Vec<(Instant, usize)> = vec![];
            let mut now = Instant::BEGIN;
            for (n, &(time, pops)) in times.iter().enumerate() {
                let arrives = now.max(at(time));
                flight.push(arrives, label(n), &[IoSlice::new(&n.to_be_bytes())]);
                expected.push((arrives, n));
                for _ in 0..pops {
                    let first = expected.iter().copied().min();
                    prop_assert_eq!(flight.next(), first.map(|(at, _)| at));
                    let Some((first_at, first_n)) = first else { break };
                    now = now.max(first_at);
                    let mut got = None;
                    let popped = flight.pop(now, |label, parts| {
                        let bytes: Vec<u8> = parts.iter().flat_map(|p| p.to_vec()).collect();
                        got = Some((usize::from(label.from.port()), bytes));
                    });
                    prop_assert!(popped);
                    let payload = first_n.to_be_bytes().to_vec();
                    prop_assert_eq!(got, Some((first_n, payload)));
                    expected.retain(|&entry| entry != (first_at, first_n));
                }
            }
        }
    }
}
