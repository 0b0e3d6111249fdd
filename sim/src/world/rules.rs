//! What a test does to its network: the rules that stand, and what each did.

use std::collections::BTreeSet;

use net_sim::{DnsFailure, Fault, FaultId, FaultStats, LinkConfig};
use virtual_time::Instant;

use super::core::{Core, current_serial};
use super::watchers::Code;
use crate::net::{RuleAccount, Way};
use crate::trace::Kind;

/// All rules of a run, in the order in which they were asked for.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    all: Vec<Rule>,
    /// How much the test has said of its network: what it said last has the number before this.
    said: u64,
    /// What the network calls the faults that rules are made of.
    faults: BTreeSet<&'static str>,
}

/// Something a test asked of the network.
#[derive(Debug)]
pub(crate) struct Rule {
    /// What reports call it, such as `partition a | b`.
    text: String,
    /// Its number among all that the test said.
    number: u64,
    shape: Shape,
    begun: Instant,
    ended: Option<Instant>,
    /// What stands of it in the network.
    standing: Vec<Part>,
    /// What those parts did that were lifted.
    done: FaultStats,
}

/// How a rule that is between two groups treats what they send, or that it is not between groups.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Shape {
    Partition,
    OneWay,
    Hold,
    /// It stands at hosts, whomever they talk to.
    AtHosts,
    /// It makes look-ups of a name fail.
    Name,
    /// It makes links what they are; the network keeps the account of what befalls on them.
    Links,
    /// It looks and does nothing.
    Observer,
}

/// What stands of a rule.
#[derive(Debug)]
enum Part {
    /// A fault between two groups.
    Between(FaultId, Vec<u32>, Vec<u32>),
    /// Any other fault.
    Fault(FaultId),
    /// A name, in lower case, that fails.
    Name(String, DnsFailure),
    /// What links were like before.
    Links(Vec<(Way, LinkConfig)>),
    /// Code that looks at segments.
    Watcher,
}

/// How often the same is done to a host before it is only counted.
const ALIKE: usize = 16;

impl Rules {
    /// What reports call a rule.
    pub(crate) fn text(&self, rule: usize) -> String {
        self.all[rule].text.clone()
    }

    /// Somebody looks a name up.
    pub(crate) fn note_lookup(&mut self, name: &str) {
        if self.all.is_empty() {
            return;
        }
        let name = bare(name);
        let met = self.all.iter_mut().rfind(|rule| {
            let fails = |part: &Part| matches!(part, Part::Name(known, _) if *known == name);
            rule.standing.iter().any(fails)
        });
        if let Some(rule) = met {
            rule.done.eligible += 1;
            rule.done.applied += 1;
        }
    }

    /// A monitor has judged a segment.
    pub(super) fn note_judged(&mut self, rule: usize, applied: bool) {
        let done = &mut self.all[rule].done;
        done.eligible += 1;
        done.applied += u64::from(applied);
    }

    /// What a name does as the youngest rule that stands says.
    fn failure_of(&self, name: &str) -> Option<DnsFailure> {
        let parts = self.all.iter().rev().flat_map(|rule| &rule.standing);
        let mut failures = parts.filter_map(|part| match part {
            Part::Name(known, failure) if known == name => Some(*failure),
            _ => None,
        });
        failures.next()
    }
}

impl Core {
    /// Lets a rule stand between two groups of hosts, which have none in common.
    pub(crate) fn rule_between(
        &mut self,
        shape: Shape,
        text: String,
        from: Vec<u32>,
        to: Vec<u32>,
    ) -> usize {
        let part = self.part_between(shape, from, to);
        self.add_rule(shape, text, part)
    }

    /// Lets a rule stand at hosts.
    pub(crate) fn rule_at(&mut self, text: String, fault: Fault) -> usize {
        let id = self.add_fault(fault);
        self.add_rule(Shape::AtHosts, text, Part::Fault(id))
    }

    /// Cuts the connections between hosts, and says how many these were.
    pub(crate) fn reset(&mut self, between: &str, pairs: &[(u32, u32)]) -> usize {
        let number = self.say(Kind::Reset, between);
        let reset = |core: &mut Self, &(one, other): &(u32, u32)| {
            let (one, other) = (core.net_host(one), core.net_host(other));
            core.with_net(|net, now, _| net.reset_between(now, one, other))
        };
        let cut = pairs.iter().map(|pair| reset(self, pair)).sum();
        let mut done = FaultStats::default();
        done.eligible = cut as u64;
        done.applied = cut as u64;
        self.rules.faults.insert("reset");
        self.rules.all.push(Rule {
            text: format!("reset {between}"),
            number,
            shape: Shape::AtHosts,
            begun: self.now,
            ended: Some(self.now),
            standing: Vec::new(),
            done,
        });
        cut
    }

    /// Accounts for what a test did to a host: `kill`, for one.
    pub(crate) fn account_for(&mut self, host: u32, what: &str) -> usize {
        let text = format!("{what} {}", self.hosts[host as usize].name);
        // Who does it time and again has one account for the rest of them.
        let alike = |(_, rule): &(usize, &Rule)| rule.text == text;
        let mut known = self.rules.all.iter().enumerate().filter(alike);
        if let Some((index, _)) = known.nth(ALIKE) {
            let rule = &mut self.rules.all[index];
            rule.done.eligible += 1;
            rule.done.applied += 1;
            rule.ended = Some(self.now);
            return index;
        }
        let mut done = FaultStats::default();
        done.eligible = 1;
        done.applied = 1;
        // Not asked of the network, or accounted for here.
        self.rules.faults.insert("power off");
        self.rules.all.push(Rule {
            text,
            number: self.rules.said,
            shape: Shape::AtHosts,
            begun: self.now,
            ended: Some(self.now),
            standing: Vec::new(),
            done,
        });
        self.rules.all.len() - 1
    }

    /// What was done to a host goes on.
    pub(crate) fn account_lasts(&mut self, account: usize) {
        self.rules.all[account].ended = None;
    }

    /// What was done to a host is over.
    pub(crate) fn end_account(&mut self, account: usize) {
        self.rules.all[account].ended = Some(self.now);
    }

    /// Lets look-ups of a name fail.
    pub(crate) fn rule_of_name(&mut self, name: &str, failure: DnsFailure) -> usize {
        let text = format!("dns {name} fails: {}", failure.text());
        let rule = self.add_rule(Shape::Name, text, Part::Name(bare(name), failure));
        self.set_failure(&bare(name));
        rule
    }

    /// Lets links be what they are until the rule is lifted; `before` is what they are then.
    pub(crate) fn rule_of_links(&mut self, text: String, before: Vec<(Way, LinkConfig)>) -> usize {
        self.add_rule(Shape::Links, text, Part::Links(before))
    }

    /// Lets code of the test's look at what two groups send to each other.
    pub(crate) fn rule_of_watcher(
        &mut self,
        text: String,
        code: Code,
        groups: [Vec<u32>; 2],
    ) -> usize {
        let shape = match code {
            Code::Observer(_) => Shape::Observer,
            Code::Monitor(_) => Shape::AtHosts,
        };
        let rule = self.add_rule(shape, text, Part::Watcher);
        self.add_watcher(rule, code, groups);
        rule
    }

    /// Lifts what stands of a rule, and says what it did. What code it had is to be dropped with the
    /// core closed.
    pub(crate) fn lift_rule(&mut self, rule: usize) -> (FaultStats, Option<Code>) {
        let mut code = None;
        let parts = std::mem::take(&mut self.rules.all[rule].standing);
        let stood = !parts.is_empty();
        for part in parts {
            match part {
                Part::Between(id, ..) | Part::Fault(id) => self.lift_fault(rule, id),
                Part::Name(name, _) => self.set_failure(&name),
                Part::Links(before) => {
                    for (way, config) in before {
                        self.set_link(way, config);
                    }
                }
                Part::Watcher => code = self.remove_watcher(rule),
            }
        }
        if stood {
            self.end_rule(rule);
        }
        (self.rules.all[rule].done, code)
    }

    /// Lifts what stands between two groups of one of these shapes, and leaves what the same rules
    /// do between others.
    pub(crate) fn lift_between(&mut self, shapes: &[Shape], a: &[u32], b: &[u32]) {
        for rule in 0..self.rules.all.len() {
            let shape = self.rules.all[rule].shape;
            if !shapes.contains(&shape) {
                continue;
            }
            for part in std::mem::take(&mut self.rules.all[rule].standing) {
                let rest = match &part {
                    Part::Between(_, from, to) => {
                        Some(remainder(from, to, a, b)).filter(|rest| *rest != whole(from, to))
                    }
                    _ => None,
                };
                let (Some(rest), &Part::Between(id, ..)) = (rest, &part) else {
                    self.rules.all[rule].standing.push(part);
                    continue;
                };
                // What is to stay stands again before the whole is lifted: there is no moment at
                // which it does not.
                for (from, to) in rest {
                    let part = self.part_between(shape, from, to);
                    self.rules.all[rule].standing.push(part);
                }
                self.lift_fault(rule, id);
            }
            let rule_now = &self.rules.all[rule];
            if rule_now.standing.is_empty() && rule_now.ended.is_none() {
                self.end_rule(rule);
            }
        }
    }

    /// What a rule did so far.
    pub(crate) fn rule_stats(&self, rule: usize) -> FaultStats {
        let rule = &self.rules.all[rule];
        let mut stats = rule.done;
        if let Some(net) = &self.net
            && !rule.standing.is_empty()
        {
            let is_of = |id| {
                let mut parts = rule.standing.iter();
                parts.any(
                    |part| matches!(part, Part::Between(of, ..) | Part::Fault(of) if *of == id),
                )
            };
            let standing = net.standing_faults().into_iter();
            standing
                .filter(|(id, ..)| is_of(*id))
                .for_each(|(.., so_far)| stats += so_far);
        }
        stats
    }

    /// What each rule of the run did, and then what befell on links by their own nature.
    pub(crate) fn rule_accounts(&self) -> Vec<RuleAccount> {
        let since = |at: Instant| at - Instant::BEGIN;
        let rules = (0..).zip(&self.rules.all);
        let uncounted = [Shape::Links, Shape::Observer];
        let counted = rules.filter(|(_, rule)| !uncounted.contains(&rule.shape));
        let of_rules = counted.map(|(index, rule)| {
            let stats = self.rule_stats(index);
            let (begun, lifted) = (since(rule.begun), rule.ended.map(since));
            RuleAccount::new(rule.text.clone(), begun, lifted, stats)
        });
        let faults = self.net.iter().flat_map(|net| net.fault_stats());
        let of_links = faults.filter(|(name, _)| !self.rules.faults.contains(name));
        let of_links = of_links.map(|(name, stats)| {
            RuleAccount::new(name.to_owned(), since(Instant::BEGIN), None, stats)
        });
        of_rules.chain(of_links).collect()
    }

    /// The hosts' places in the network.
    pub(crate) fn net_hosts(&mut self, hosts: &[u32]) -> Vec<net_sim::HostId> {
        hosts.iter().map(|&host| self.net_host(host)).collect()
    }

    /// What a link is like.
    pub(crate) fn link_of(&mut self, way: Way) -> LinkConfig {
        match way {
            Way::Default => self.net().default_link().clone(),
            Way::Between(from, to) => {
                let (from, to) = (self.net_host(from), self.net_host(to));
                self.net().link(from, to).clone()
            }
        }
    }

    /// Lets a link be like this.
    pub(crate) fn set_link(&mut self, way: Way, config: LinkConfig) {
        match way {
            Way::Default => self.net().set_default_link(config),
            Way::Between(from, to) => {
                let (from, to) = (self.net_host(from), self.net_host(to));
                let set = self.net().set_link(from, to, config);
                set.expect("two hosts of this network, which differ");
            }
        }
    }

    /// The trace tells that links are different from now on.
    pub(crate) fn note_link(&mut self, text: &str) {
        self.say(Kind::Link, text.strip_prefix("link ").unwrap_or(text));
    }

    /// The trace tells that a name is different from now on.
    pub(crate) fn note_name(&mut self, text: &str) {
        self.say(Kind::Name, text);
    }

    fn say(&mut self, kind: Kind, text: &str) -> u64 {
        let number = self.rules.said;
        self.rules.said += 1;
        if let Some(names) = self.trace.names() {
            names.rules.push(text.to_owned());
        }
        self.trace.event(self.now, kind, current_serial(), number);
        number
    }

    fn add_rule(&mut self, shape: Shape, text: String, part: Part) -> usize {
        let number = self.say(Kind::Fault, &text);
        self.rules.all.push(Rule {
            text,
            number,
            shape,
            begun: self.now,
            ended: None,
            standing: vec![part],
            done: FaultStats::default(),
        });
        self.rules.all.len() - 1
    }

    fn end_rule(&mut self, rule: usize) {
        let rule = &mut self.rules.all[rule];
        rule.ended = Some(self.now);
        self.trace
            .event(self.now, Kind::Lift, current_serial(), rule.number);
    }

    fn part_between(&mut self, shape: Shape, from: Vec<u32>, to: Vec<u32>) -> Part {
        let (a, b) = (self.net_hosts(&from), self.net_hosts(&to));
        let id = self.add_fault(match shape {
            Shape::OneWay => Fault::one_way(a, b),
            Shape::Hold => Fault::hold(a, b),
            _ => Fault::partition(a, b),
        });
        Part::Between(id, from, to)
    }

    fn add_fault(&mut self, fault: Fault) -> FaultId {
        self.rules.faults.insert(fault.name());
        let added = self.with_net(|net, now, decide| net.add_fault(now, fault, decide));
        added.expect("the hosts are of this network, and were checked")
    }

    fn lift_fault(&mut self, rule: usize, id: FaultId) {
        let lifted = self.with_net(|net, now, decide| net.lift(now, id, decide));
        self.rules.all[rule].done += lifted.unwrap_or_default();
    }

    fn set_failure(&mut self, name: &str) {
        let failure = self.rules.failure_of(name);
        let set = self.net().dns_mut().fail(name, failure);
        set.expect("the name was checked");
    }
}

/// A name as resolvers compare them.
fn bare(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

fn whole(from: &[u32], to: &[u32]) -> Vec<(Vec<u32>, Vec<u32>)> {
    vec![(from.to_vec(), to.to_vec())]
}

/// What is left of a rule between `from` and `to` once it does not hold between `a` and `b` any
/// more, in either direction: groups that have none of these pairs, and all others.
fn remainder(from: &[u32], to: &[u32], a: &[u32], b: &[u32]) -> Vec<(Vec<u32>, Vec<u32>)> {
    let mut rest = whole(from, to);
    for (a, b) in [(a, b), (b, a)] {
        rest = rest
            .into_iter()
            .flat_map(|(from, to)| {
                let (named, others) = split(&from, a);
                let (hit, kept) = split(&to, b);
                match named.is_empty() || hit.is_empty() {
                    true => vec![(from, to)],
                    false => vec![(others, to), (named, kept)],
                }
            })
            .filter(|(from, to)| !from.is_empty() && !to.is_empty())
            .collect();
    }
    rest
}

/// Those of a group that are among `named`, and the others.
fn split(group: &[u32], named: &[u32]) -> (Vec<u32>, Vec<u32>) {
    group.iter().partition(|host| named.contains(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_a_rule_is_all_pairs_but_those_named() {
        let groups = [vec![0, 1, 2], vec![3, 4], vec![1, 3], vec![0], vec![4, 2]];
        let (from, to) = (&groups[0], &groups[1]);
        for a in &groups {
            for b in &groups {
                let rest = remainder(from, to, a, b);
                for x in from {
                    for y in to {
                        let named = |a: &[u32], b: &[u32]| a.contains(x) && b.contains(y);
                        let holds = rest.iter().filter(|(from, to)| named(from, to)).count();
                        let lifted = named(a, b) || named(b, a);
                        assert_eq!(holds, usize::from(!lifted), "{x} {y} of {a:?} {b:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_rule_that_has_none_of_the_pairs_is_left_whole() {
        assert_eq!(
            remainder(&[0, 1], &[2], &[0, 2], &[3]),
            [(vec![0, 1], vec![2])]
        );
        assert_eq!(remainder(&[0], &[2], &[2], &[0]), []);
    }
}
