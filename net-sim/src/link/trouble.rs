//! What the rules that stand make of a link.

use super::{LinkConfig, LinkId, Links};
use crate::HostId;
use crate::fault::{Area, Effect, FaultId, FaultStats, Rule, Rules};

/// The rules that stand on one link: looked up when they come and go, never for a segment.
#[derive(Debug)]
pub(super) struct Trouble {
    /// In order of age.
    rules: Vec<FaultId>,
    passage: Passage,
    /// What the youngest rule that has an opinion makes of the link.
    config: Option<LinkConfig>,
}

/// What a link does with segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Passage {
    Open,
    Held,
    /// Wins over a hold: what is lost cannot wait.
    Cut,
}

/// A link that a rule opened or closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Turn {
    pub(crate) link: LinkId,
    pub(crate) was: Passage,
    pub(crate) to: Passage,
}

impl Trouble {
    /// What stands between two hosts, if anything does.
    pub(super) fn between(from: HostId, to: HostId, rules: &Rules) -> Option<Box<Self>> {
        Self::of(rules.covering(from, to), rules)
    }

    /// What the link does with a segment: every rule looks at it.
    pub(super) fn pass(&self, rules: &mut Rules) -> Passage {
        for &id in &self.rules {
            rules.note(id, true);
        }
        self.passage
    }

    pub(super) fn config(&self) -> Option<&LinkConfig> {
        self.config.as_ref()
    }

    /// The link has caught so much of what was under way when it closed: those did it that closed
    /// it.
    fn catch(&self, count: u64, rules: &mut Rules) {
        for &id in &self.rules {
            if matches!(rules.effect(id), Effect::Pass(passage) if *passage == self.passage) {
                rules.note_caught(id, count);
            }
        }
    }

    fn of(ids: Vec<FaultId>, rules: &Rules) -> Option<Box<Self>> {
        if ids.is_empty() {
            return None;
        }
        let mut trouble = Self {
            rules: ids,
            passage: Passage::Open,
            config: None,
        };
        for &id in &trouble.rules {
            match rules.effect(id) {
                Effect::Pass(passage) => trouble.passage = trouble.passage.max(*passage),
                Effect::Degrade(config) => trouble.config = Some(config.clone()),
                Effect::Gate(_) => {}
            }
        }
        Some(Box::new(trouble))
    }
}

impl Links {
    /// Lets a rule stand, and says which links it closed.
    pub(crate) fn stand(&mut self, rule: Rule, hosts: usize) -> (FaultId, Vec<Turn>) {
        let links = self.covered(&rule, hosts);
        if let Effect::Degrade(config) = rule.effect() {
            self.ask(config);
        }
        let id = self.rules.insert(rule);
        let turns = self.look_again(&links, |ids| ids.push(id));
        (id, turns)
    }

    /// Lifts a rule, and says which links that opened; `None` if it does not stand.
    pub(crate) fn lift(&mut self, id: FaultId, hosts: usize) -> Option<(FaultStats, Vec<Turn>)> {
        let rule = self.rules.remove(id)?;
        let links = self.covered(&rule, hosts);
        let turns = self.look_again(&links, |ids| ids.retain(|other| *other != id));
        Some((rule.stats(), turns))
    }

    /// A link that was closed has caught so much of what was under way on it.
    pub(crate) fn caught(&mut self, link: LinkId, count: u64) {
        if let Some(trouble) = &self.links[link.index()].trouble {
            trouble.catch(count, &mut self.rules);
        }
    }

    pub(crate) const fn rules(&self) -> &Rules {
        &self.rules
    }

    pub(crate) const fn rules_mut(&mut self) -> &mut Rules {
        &mut self.rules
    }

    fn look_again(&mut self, links: &[LinkId], change: impl Fn(&mut Vec<FaultId>)) -> Vec<Turn> {
        let mut turns = vec![];
        for &id in links {
            let link = &mut self.links[id.0 as usize];
            let (mut rules, was) = match link.trouble.take() {
                Some(trouble) => (trouble.rules, trouble.passage),
                None => (vec![], Passage::Open),
            };
            change(&mut rules);
            link.trouble = Trouble::of(rules, &self.rules);
            let to = link.passage();
            if to != was {
                turns.push(Turn { link: id, was, to });
            }
        }
        turns
    }

    /// The links there are already that a rule is about.
    fn covered(&self, rule: &Rule, hosts: usize) -> Vec<LinkId> {
        let mut found = vec![];
        let any = (HostId(0), HostId(u32::MAX));
        for area in rule.areas() {
            match area {
                Area::Between(from, to) => {
                    // A rule of one pair looks for one link, whatever else its hosts talk to.
                    let to = to.first().copied().zip(to.last().copied()).unwrap_or(any);
                    found.extend(from.iter().flat_map(|&from| self.between_any(from, to)));
                }
                Area::From(from) => {
                    found.extend(from.iter().flat_map(|&from| self.between_any(from, any)));
                }
                Area::To(to) => found.extend(to.iter().flat_map(|&to| {
                    let from = (0..hosts as u32).map(HostId);
                    from.filter_map(move |from| self.by_hosts.get_key_value(&(from, to)))
                })),
            }
        }
        let covers = |&(from, to): &(HostId, HostId)| {
            let mut areas = rule.areas().iter();
            areas.any(|area| area.covers(from, to))
        };
        found.retain(|(ends, _)| covers(ends));
        let mut found: Vec<_> = found.into_iter().map(|(_, &link)| link).collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    fn between_any(
        &self,
        from: HostId,
        (first, last): (HostId, HostId),
    ) -> impl Iterator<Item = (&(HostId, HostId), &LinkId)> {
        self.by_hosts.range((from, first)..=(from, last))
    }
}

impl super::Link {
    pub(super) fn passage(&self) -> Passage {
        let trouble = self.trouble.as_ref();
        trouble.map_or(Passage::Open, |trouble| trouble.passage)
    }
}
