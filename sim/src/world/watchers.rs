//! Code of the test's that looks at what is sent, and says what becomes of it. It runs between two
//! steps, with the core closed, at the moment at which the segment leaves or arrives.

use std::fmt;

use net_sim::{HostId, Inspection, MonitorId, Segment, Sighting, Treatment};

use super::World;
use super::core::Core;
use super::presence::Entered;
use super::verdict::VerdictKind;

/// Who looks, and what they have yet to see.
#[derive(Debug, Default)]
pub(crate) struct Watchers {
    all: Vec<Watcher>,
    sightings: Vec<Sighting>,
    inspections: Vec<Inspection>,
}

/// Somebody who looks at what two groups of hosts send to each other.
#[derive(Debug)]
struct Watcher {
    rule: usize,
    groups: [Vec<HostId>; 2],
    /// In the network, of one that judges.
    monitors: Vec<MonitorId>,
    /// `None` while it runs.
    code: Option<Code>,
}

/// What a test has look.
pub(crate) enum Code {
    Observer(Box<dyn FnMut(&Sighting) + Send>),
    Monitor(Box<dyn FnMut(&Segment) -> Treatment + Send>),
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Observer(_) => "Observer",
            Self::Monitor(_) => "Monitor",
        })
    }
}

impl Watcher {
    fn sees(&self, segment: &Segment) -> bool {
        let [a, b] = &self.groups;
        let between = |from: &[HostId], to: &[HostId]| {
            from.contains(&segment.from_host) && to.contains(&segment.to_host)
        };
        between(a, b) || between(b, a)
    }
}

impl Watchers {
    /// Somebody saw a segment.
    pub(super) fn saw(&mut self, sighting: &Sighting) {
        if self
            .all
            .iter()
            .any(|watcher| watcher.sees(&sighting.segment))
        {
            self.sightings.push(sighting.clone());
        }
    }

    fn has_observers(&self) -> bool {
        self.all.iter().any(|watcher| watcher.monitors.is_empty())
    }
}

impl Core {
    /// Lets code look at what two groups send to each other, on behalf of a rule.
    pub(super) fn add_watcher(&mut self, rule: usize, code: Code, groups: [Vec<u32>; 2]) {
        let groups = groups.map(|group| self.net_hosts(&group));
        let mut monitors = Vec::new();
        if matches!(code, Code::Observer(_)) {
            self.net().set_observed(true);
        } else {
            let [a, b] = &groups;
            let there = a.iter().flat_map(|&a| b.iter().map(move |&b| (a, b)));
            let both = there.flat_map(|(a, b)| [(a, b), (b, a)]);
            let add = |(from, to)| self.net().add_monitor(Some(from), Some(to));
            monitors = both.map(add).collect();
        }
        self.watchers.get_or_insert_default().all.push(Watcher {
            rule,
            groups,
            monitors,
            code: Some(code),
        });
    }

    /// Takes the code of a rule away, to be dropped with the core closed.
    #[must_use]
    pub(super) fn remove_watcher(&mut self, rule: usize) -> Option<Code> {
        let watchers = self.watchers.as_mut()?;
        let index = watchers
            .all
            .iter()
            .position(|watcher| watcher.rule == rule)?;
        let watcher = watchers.all.remove(index);
        let observed = watchers.has_observers() || self.recording.is_some();
        if watchers.all.is_empty() {
            self.watchers = None;
        }
        for monitor in watcher.monitors {
            self.net().remove_monitor(monitor);
        }
        self.net().set_observed(observed);
        watcher.code
    }

    /// Whether there is something to be looked at.
    #[cold]
    pub(super) fn has_watched(&mut self) -> bool {
        let (Some(watchers), Some(net)) = (&mut self.watchers, &mut self.net) else {
            return false;
        };
        watchers
            .inspections
            .extend(std::iter::from_fn(|| net.take_inspection()));
        !watchers.sightings.is_empty() || !watchers.inspections.is_empty()
    }

    /// Lends the code that is to look at a segment, and the rule it is of.
    fn lend(&mut self, looks: impl Fn(&Watcher) -> bool) -> Vec<(usize, Code)> {
        let watchers = self
            .watchers
            .iter_mut()
            .flat_map(|watchers| &mut watchers.all);
        let who = watchers.filter(|watcher| looks(watcher));
        who.filter_map(|watcher| Some((watcher.rule, watcher.code.take()?)))
            .collect()
    }

    /// Takes the code back; what nobody wants any more is to be dropped with the core closed.
    #[must_use]
    fn return_code(&mut self, rule: usize, code: Code) -> Option<Code> {
        let mut watchers = self
            .watchers
            .iter_mut()
            .flat_map(|watchers| &mut watchers.all);
        match watchers.find(|watcher| watcher.rule == rule) {
            Some(watcher) => watcher.code.replace(code),
            None => Some(code),
        }
    }
}

impl World {
    /// Lets everybody look at what there is to be seen.
    #[cold]
    pub(super) fn watch(&self, entered: &mut Entered) {
        entered.host(self, 0);
        let (sightings, inspections) = self.core(|core| {
            let watchers = core.watchers.get_or_insert_default();
            let sightings = std::mem::take(&mut watchers.sightings);
            (sightings, std::mem::take(&mut watchers.inspections))
        });
        for sighting in sightings {
            let observes =
                |watcher: &Watcher| watcher.monitors.is_empty() && watcher.sees(&sighting.segment);
            for (rule, mut code) in self.core(|core| core.lend(observes)) {
                if let Code::Observer(look) = &mut code {
                    look(&sighting);
                }
                drop(self.core(|core| core.return_code(rule, code)));
            }
        }
        for inspection in inspections {
            self.judge_segment(inspection);
        }
    }

    fn judge_segment(&self, mut inspection: Inspection) {
        let monitors = inspection.monitors().to_vec();
        let judges = |watcher: &Watcher| watcher.monitors.iter().any(|id| monitors.contains(id));
        for (rule, mut code) in self.core(|core| core.lend(judges)) {
            let mut treatment = Treatment::Pass;
            if let Code::Monitor(judge) = &mut code {
                treatment = judge(inspection.segment());
            }
            let applied = treatment != Treatment::Pass;
            let unfit = inspection.apply(treatment).err();
            let left = self.core(|core| {
                core.rules.note_judged(rule, applied);
                core.return_code(rule, code)
            });
            drop(left);
            if let Some(unfit) = unfit {
                self.end(VerdictKind::Error, unfit.to_string());
            }
        }
        self.core(|core| core.with_net(|net, now, decide| net.judge(now, inspection, decide)));
    }
}
