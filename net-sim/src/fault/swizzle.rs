//! Swizzle-clogging, after FoundationDB's simulator: hosts are stopped one by one and let go
//! one by one in another order, which finds what a single stop does not.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use virtual_time::{Instant, TimerKey};

use super::{Area, Effect, FaultId, Rule};
use crate::event::Event;
use crate::link::Passage;
use crate::{Decide, HostId, Net, Site};

const NAME: &str = "swizzle";

/// Into how many moments the part of the span is divided that is one host's turn.
const MOMENTS: u64 = 16;

/// What a swizzle has yet to do.
#[derive(Debug, Default)]
pub(crate) struct Swizzle {
    steps: VecDeque<Step>,
    next: Option<TimerKey>,
    clogs: BTreeMap<HostId, FaultId>,
}

#[derive(Clone, Copy, Debug)]
struct Step {
    at: Instant,
    host: HostId,
    clog: bool,
}

impl Net {
    pub(super) fn begin_swizzle(
        &mut self,
        now: Instant,
        hosts: &[HostId],
        span: Duration,
        decide: &mut dyn Decide,
    ) -> FaultId {
        let swizzle = Swizzle {
            steps: plan(now, hosts, span, decide),
            ..Swizzle::default()
        };
        let whole = Rule::new(NAME, vec![], Effect::Pass(Passage::Open));
        let id = self.links.rules_mut().insert(whole);
        self.links.rules_mut().swizzles.insert(id.slot, swizzle);
        self.swizzle(now, id.slot, decide);
        id
    }

    /// Does what is due of a swizzle, and waits for the rest.
    pub(crate) fn swizzle(&mut self, now: Instant, slot: u32, decide: &mut dyn Decide) {
        let rules = self.links.rules_mut();
        let Some((whole, mut swizzle)) = rules.id_at(slot).zip(rules.swizzles.remove(&slot)) else {
            return;
        };
        swizzle.next = None;
        while let Some(&step) = swizzle.steps.front() {
            if step.at > now {
                let key = self.events.insert(step.at, Event::Swizzle(slot));
                swizzle.next = Some(key);
                break;
            }
            swizzle.steps.pop_front();
            if step.clog {
                let areas = Area::around([step.host]);
                let clog = Rule::new(NAME, areas, Effect::Pass(Passage::Held)).part_of(whole);
                let clog = self.stand(now, clog, decide);
                swizzle.clogs.insert(step.host, clog);
            } else if let Some(clog) = swizzle.clogs.remove(&step.host) {
                self.lift_rule(now, clog, decide);
            }
        }
        self.links.rules_mut().swizzles.insert(slot, swizzle);
    }

    /// Lets go of every host that a swizzle holds, if the fault is one.
    pub(super) fn end_swizzle(&mut self, now: Instant, id: FaultId, decide: &mut dyn Decide) {
        let Some(swizzle) = self.links.rules_mut().swizzles.remove(&id.slot) else {
            return;
        };
        if let Some(key) = swizzle.next {
            self.events.cancel(key);
        }
        for clog in swizzle.clogs.into_values() {
            self.lift_rule(now, clog, decide);
        }
    }
}

/// The first half of the span clogs and the second lets go; within a half each host has a turn
/// of its own, and a moment in it.
fn plan(now: Instant, hosts: &[HostId], span: Duration, decide: &mut dyn Decide) -> VecDeque<Step> {
    let mut picked = vec![];
    for &host in hosts {
        if !picked.contains(&host) && decide.choose(Site::SWIZZLE_HOST, 2) == 0 {
            picked.push(host);
        }
    }
    let turn = span / (2 * picked.len().max(1) as u32);
    let mut steps = VecDeque::new();
    let mut begin = now;
    for clog in [true, false] {
        let mut left = picked.clone();
        while !left.is_empty() {
            let n = left.len() as u64;
            let next = match n {
                1 => 0,
                _ => decide.choose(Site::SWIZZLE_ORDER, n).min(n - 1),
            };
            let moment = decide.choose(Site::SWIZZLE_TIME, MOMENTS).min(MOMENTS - 1);
            steps.push_back(Step {
                at: begin + turn * moment as u32 / MOMENTS as u32,
                host: left.remove(next as usize),
                clog,
            });
            begin += turn;
        }
    }
    steps
}
