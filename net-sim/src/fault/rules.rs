//! The faults that stand, and what each did.

use std::collections::BTreeMap;

use slab::Slab;

use super::{Area, FaultId, FaultStats, Gate, Swizzle, Tally};
use crate::link::Passage;
use crate::{HostId, LinkConfig};

/// What a rule does to segments.
#[derive(Clone, Debug)]
pub(crate) enum Effect {
    Pass(Passage),
    Degrade(LinkConfig),
    /// No link's business: it is asked where somebody connects or accepts.
    Gate(Gate),
}

/// A fault that stands.
#[derive(Debug)]
pub(crate) struct Rule {
    serial: u64,
    name: &'static str,
    areas: Vec<Area>,
    effect: Effect,
    stats: FaultStats,
    /// The fault that it is a part of, and in whose account it works.
    part_of: Option<FaultId>,
}

/// All that stand, and those of each host: who begins to talk to another asks these once.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    standing: Slab<Rule>,
    made: u64,
    by_source: BTreeMap<HostId, Vec<FaultId>>,
    /// Those that name the receiver alone.
    by_target: BTreeMap<HostId, Vec<FaultId>>,
    /// Those about connecting, oldest first.
    pub(super) gates: Vec<FaultId>,
    /// What those did that were lifted, and what links did by themselves.
    tally: Tally,
    /// By the slot of their rule.
    pub(super) swizzles: BTreeMap<u32, Swizzle>,
}

impl Rule {
    pub(super) fn new(name: &'static str, areas: Vec<Area>, effect: Effect) -> Self {
        Self {
            serial: 0,
            name,
            areas,
            effect,
            stats: FaultStats::ASKED,
            part_of: None,
        }
    }

    /// About all that a host sends or is sent.
    pub(crate) fn around(name: &'static str, host: HostId, effect: Effect) -> Self {
        Self::new(name, Area::around([host]), effect)
    }

    pub(super) fn part_of(mut self, whole: FaultId) -> Self {
        self.stats = FaultStats::default();
        self.part_of = Some(whole);
        self
    }

    pub(crate) fn areas(&self) -> &[Area] {
        &self.areas
    }

    pub(crate) const fn effect(&self) -> &Effect {
        &self.effect
    }

    pub(crate) const fn stats(&self) -> FaultStats {
        self.stats
    }
}

impl Rules {
    pub(crate) fn insert(&mut self, mut rule: Rule) -> FaultId {
        let serial = self.made;
        self.made += 1;
        rule.serial = serial;
        let slot = self.standing.vacant_key() as u32;
        let id = FaultId { serial, slot };
        self.for_each_list(&rule, |ids| ids.push(id));
        if let Effect::Gate(_) = rule.effect {
            self.gates.push(id);
        }
        self.standing.insert(rule);
        id
    }

    pub(crate) fn remove(&mut self, id: FaultId) -> Option<Rule> {
        self.get(id)?;
        let rule = self.standing.remove(id.slot as usize);
        self.for_each_list(&rule, |ids| ids.retain(|other| *other != id));
        self.gates.retain(|other| *other != id);
        self.tally.add(rule.name, rule.stats);
        Some(rule)
    }

    /// A rule looked at something that passes.
    pub(crate) fn note(&mut self, id: FaultId, applied: bool) {
        self.account(id).note(applied);
    }

    /// A rule did something to so much of what was under way when it came.
    pub(crate) fn note_caught(&mut self, id: FaultId, count: u64) {
        let account = self.account(id);
        account.eligible += count;
        account.applied += count;
    }

    fn account(&mut self, id: FaultId) -> &mut FaultStats {
        let whole = self.standing[id.slot as usize].part_of.unwrap_or(id);
        &mut self.standing[whole.slot as usize].stats
    }

    pub(crate) const fn tally(&mut self) -> &mut Tally {
        &mut self.tally
    }

    pub(crate) fn effect(&self, id: FaultId) -> &Effect {
        &self.standing[id.slot as usize].effect
    }

    /// The rules about what one host sends to another, oldest first.
    pub(crate) fn covering(&self, from: HostId, to: HostId) -> Vec<FaultId> {
        let lists = [self.by_source.get(&from), self.by_target.get(&to)];
        let covers = |id: &&FaultId| {
            let areas = &self.standing[id.slot as usize].areas;
            areas.iter().any(|area| area.covers(from, to))
        };
        let all = lists.into_iter().flatten().flatten();
        let mut found: Vec<_> = all.filter(covers).copied().collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    pub(super) fn get(&self, id: FaultId) -> Option<&Rule> {
        let rule = self.standing.get(id.slot as usize);
        rule.filter(|rule| rule.serial == id.serial)
    }

    pub(super) fn id_at(&self, slot: u32) -> Option<FaultId> {
        let rule = self.standing.get(slot as usize)?;
        let serial = rule.serial;
        Some(FaultId { serial, slot })
    }

    pub(crate) fn stats(&self) -> Vec<(&'static str, FaultStats)> {
        let mut tally = self.tally.clone();
        for (_, rule) in &self.standing {
            tally.add(rule.name, rule.stats);
        }
        tally.into_vec()
    }

    pub(super) fn standing(&self) -> Vec<(FaultId, &'static str, FaultStats)> {
        let wholes = self.standing.iter().filter(|(_, r)| r.part_of.is_none());
        let mut all: Vec<_> = wholes
            .map(|(slot, rule)| {
                let (serial, slot) = (rule.serial, slot as u32);
                (FaultId { serial, slot }, rule.name, rule.stats)
            })
            .collect();
        all.sort_unstable_by_key(|(id, ..)| *id);
        all
    }

    fn for_each_list(&mut self, rule: &Rule, change: impl Fn(&mut Vec<FaultId>)) {
        for area in &rule.areas {
            let (index, hosts) = match area {
                Area::Between(hosts, _) | Area::From(hosts) => (&mut self.by_source, hosts),
                Area::To(hosts) => (&mut self.by_target, hosts),
            };
            for host in hosts {
                change(index.entry(*host).or_default());
            }
        }
    }
}
