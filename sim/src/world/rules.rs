//! What a test does to its network: the rules that stand, and what each did.

use net_sim::{Fault, FaultId, FaultStats};
use virtual_time::Instant;

use super::core::{Core, current_serial};
use crate::net::RuleAccount;
use crate::trace::Kind;

/// All rules of a run, in the order in which they were asked for.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    all: Vec<Rule>,
}

/// Something a test asked of the network.
#[derive(Debug)]
pub(crate) struct Rule {
    /// What reports call it, such as `partition a | b`.
    text: String,
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
}

/// A fault of the network, and between whom it stands.
#[derive(Debug)]
struct Part {
    id: FaultId,
    from: Vec<u32>,
    to: Vec<u32>,
}

impl Rules {
    /// What reports call a rule.
    pub(crate) fn text(&self, rule: usize) -> String {
        self.all[rule].text.clone()
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
        let id = self.fault_between(shape, &from, &to);
        self.add_rule(shape, text, Part { id, from, to })
    }

    /// Lets a rule stand at hosts.
    pub(crate) fn rule_at(
        &mut self,
        text: String,
        hosts: &[u32],
        fault: impl FnOnce(Vec<net_sim::HostId>) -> Fault,
    ) -> usize {
        let fault = fault(self.net_hosts(hosts));
        let id = self.add_fault(fault);
        let (from, to) = (hosts.to_vec(), Vec::new());
        self.add_rule(Shape::AtHosts, text, Part { id, from, to })
    }

    /// Lifts what stands of a rule, and says what it did.
    pub(crate) fn lift_rule(&mut self, rule: usize) -> FaultStats {
        let parts = std::mem::take(&mut self.rules.all[rule].standing);
        let stood = !parts.is_empty();
        for part in parts {
            self.lift_part(rule, part.id);
        }
        if stood {
            self.end_rule(rule);
        }
        self.rules.all[rule].done
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
                let (from, to) = (&part.from, &part.to);
                let rest = remainder(from, to, a, b);
                if rest.len() == 1 && rest[0] == (from.clone(), to.clone()) {
                    self.rules.all[rule].standing.push(part);
                    continue;
                }
                // What is to stay stands again before the whole is lifted: there is no moment at
                // which it does not.
                for (from, to) in rest {
                    let id = self.fault_between(shape, &from, &to);
                    self.rules.all[rule].standing.push(Part { id, from, to });
                }
                self.lift_part(rule, part.id);
            }
            let rule_now = &self.rules.all[rule];
            if rule_now.standing.is_empty() && rule_now.ended.is_none() {
                self.end_rule(rule);
            }
        }
    }

    /// What a rule did so far.
    pub(crate) fn rule_stats(&mut self, rule: usize) -> FaultStats {
        let rule = &self.rules.all[rule];
        let mut stats = rule.done;
        if let Some(net) = &self.net {
            for (id, _, so_far) in net.standing_faults() {
                if rule.standing.iter().any(|part| part.id == id) {
                    stats += so_far;
                }
            }
        }
        stats
    }

    /// What each rule of the run did.
    pub(crate) fn rule_accounts(&mut self) -> Vec<RuleAccount> {
        let rules = 0..self.rules.all.len();
        rules
            .map(|index| {
                let stats = self.rule_stats(index);
                let rule = &self.rules.all[index];
                RuleAccount {
                    rule: rule.text.clone(),
                    kind: rule.text.split(' ').take(1).collect(),
                    begun: rule.begun - Instant::BEGIN,
                    lifted: rule.ended.map(|ended| ended - Instant::BEGIN),
                    eligible: stats.eligible,
                    applied: stats.applied,
                }
            })
            .collect()
    }

    /// The hosts' places in the network.
    pub(crate) fn net_hosts(&mut self, hosts: &[u32]) -> Vec<net_sim::HostId> {
        hosts.iter().map(|&host| self.net_host(host)).collect()
    }

    fn add_rule(&mut self, shape: Shape, text: String, part: Part) -> usize {
        let index = self.rules.all.len();
        if let Some(names) = self.trace.names() {
            names.rules.push(text.clone());
        }
        self.trace
            .event(self.now, Kind::Fault, current_serial(), index as u64);
        self.rules.all.push(Rule {
            text,
            shape,
            begun: self.now,
            ended: None,
            standing: vec![part],
            done: FaultStats::default(),
        });
        index
    }

    fn end_rule(&mut self, rule: usize) {
        self.rules.all[rule].ended = Some(self.now);
        self.trace
            .event(self.now, Kind::Lift, current_serial(), rule as u64);
    }

    fn fault_between(&mut self, shape: Shape, from: &[u32], to: &[u32]) -> FaultId {
        let (from, to) = (self.net_hosts(from), self.net_hosts(to));
        self.add_fault(match shape {
            Shape::Partition => Fault::partition(from, to),
            Shape::OneWay => Fault::one_way(from, to),
            Shape::Hold | Shape::AtHosts => Fault::hold(from, to),
        })
    }

    fn add_fault(&mut self, fault: Fault) -> FaultId {
        let added = self.with_net(|net, now, decide| net.add_fault(now, fault, decide));
        added.expect("the hosts are of this network, and were checked")
    }

    fn lift_part(&mut self, rule: usize, id: FaultId) {
        let lifted = self.with_net(|net, now, decide| net.lift(now, id, decide));
        self.rules.all[rule].done += lifted.unwrap_or_default();
    }
}

/// What is left of a rule between `from` and `to` once it does not hold between `a` and `b` any
/// more, in either direction: groups that have none of these pairs, and all others.
fn remainder(from: &[u32], to: &[u32], a: &[u32], b: &[u32]) -> Vec<(Vec<u32>, Vec<u32>)> {
    let mut rest = vec![(from.to_vec(), to.to_vec())];
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
