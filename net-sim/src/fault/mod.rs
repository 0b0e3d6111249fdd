//! Faults that come and go: what the author of a test does to the network.

mod area;
mod gate;
mod rules;
mod stats;
mod swizzle;

use std::fmt;
use std::time::Duration;

use virtual_time::Instant;

pub(crate) use self::area::Area;
pub(crate) use self::gate::{Gate, Ruling};
pub(crate) use self::rules::{Effect, Rule, Rules};
pub use self::stats::FaultStats;
pub(crate) use self::stats::Tally;
pub(crate) use self::swizzle::Swizzle;
use crate::link::Passage;
use crate::{ConfigError, Decide, HostId, LinkConfig, Net};

/// Something that is wrong with the network from [`Net::add_fault`] to [`Net::lift`].
///
/// Several may stand at once and overlap: a direction is cut while any fault cuts it, waits
/// while any holds it, and is as the youngest says that degrades it. What a host sends to
/// itself goes through no link, and nothing happens to it.
///
/// ```
/// use net_sim::{Fault, Net, Plain};
/// use virtual_time::Instant;
///
/// let mut net = Net::default();
/// let hosts: Vec<_> = (1..=3)
///     .map(|n| net.add_host(&[[10, 0, 0, n].into()]))
///     .collect::<Result<_, _>>()?;
///
/// let now = Instant::BEGIN;
/// let split = Fault::partition([hosts[0]], [hosts[1], hosts[2]]);
/// let split = net.add_fault(now, split, &mut Plain)?;
/// // Nothing of the first host reaches the others, until:
/// let stats = net.lift(now, split, &mut Plain).unwrap();
/// assert_eq!(stats.eligible, 0); // Nobody tried.
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Fault {
    name: &'static str,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    /// Has an effect on these directions.
    Rule(Vec<Area>, Effect),
    Swizzle(Vec<HostId>, Duration),
}

impl Fault {
    /// What either group of hosts sends to the other is lost, in both directions. Streams
    /// stall, and go on after it; what is under way when it begins is lost too.
    #[must_use]
    pub fn partition(
        a: impl IntoIterator<Item = HostId>,
        b: impl IntoIterator<Item = HostId>,
    ) -> Self {
        let areas = Area::both_ways(a, b);
        Self::rule("partition", areas, Effect::Pass(Passage::Cut))
    }

    /// What the first hosts send to the others is lost, and the answers are not.
    #[must_use]
    pub fn one_way(
        from: impl IntoIterator<Item = HostId>,
        to: impl IntoIterator<Item = HostId>,
    ) -> Self {
        let areas = vec![Area::new(from, to)];
        Self::rule("one-way partition", areas, Effect::Pass(Passage::Cut))
    }

    /// What either group of hosts sends to the other waits, what is under way as well, and
    /// arrives when the fault is lifted: streams in their order.
    #[must_use]
    pub fn hold(a: impl IntoIterator<Item = HostId>, b: impl IntoIterator<Item = HostId>) -> Self {
        let areas = Area::both_ways(a, b);
        Self::rule("hold", areas, Effect::Pass(Passage::Held))
    }

    /// All that these hosts send to others or are sent by others waits until the fault is
    /// lifted. For a pair of hosts there is [`hold`](Self::hold).
    #[must_use]
    pub fn clog(hosts: impl IntoIterator<Item = HostId>) -> Self {
        let areas = Area::around(hosts);
        Self::rule("clog", areas, Effect::Pass(Passage::Held))
    }

    /// Clogs hosts one by one, those that the choices pick, and lets them go one by one in
    /// another order, all within `span`.
    ///
    /// Who takes part, when, and both orders are choices; a plain run clogs all of them in
    /// the order given, and lets them go in that order.
    #[must_use]
    pub fn swizzle(hosts: impl IntoIterator<Item = HostId>, span: Duration) -> Self {
        Self {
            name: "swizzle",
            kind: Kind::Swizzle(hosts.into_iter().collect(), span),
        }
    }

    /// Between these groups of hosts, in both directions, the link is like this one.
    #[must_use]
    pub fn degrade(
        a: impl IntoIterator<Item = HostId>,
        b: impl IntoIterator<Item = HostId>,
        config: LinkConfig,
    ) -> Self {
        Self::rule("degrade", Area::both_ways(a, b), Effect::Degrade(config))
    }

    /// What accounts call it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    const fn rule(name: &'static str, areas: Vec<Area>, effect: Effect) -> Self {
        Self {
            name,
            kind: Kind::Rule(areas, effect),
        }
    }

    fn check(&self, net: &Net) -> Result<(), ConfigError> {
        let fault = self.name;
        let known = |hosts: &[HostId]| {
            if hosts.is_empty() {
                return Err(ConfigError::NoHosts { fault });
            }
            let unknown = hosts.iter().find(|host| host.index() >= net.hosts.len());
            unknown.map_or(Ok(()), |&host| Err(ConfigError::UnknownHost { host }))
        };
        match &self.kind {
            Kind::Rule(_, Effect::Gate(gate)) => known(gate.hosts()),
            Kind::Rule(areas, _) => areas.iter().try_for_each(|area| {
                area.groups().try_for_each(known)?;
                let itself = area.host_on_both_sides();
                itself.map_or(Ok(()), |host| Err(ConfigError::WithItself { fault, host }))
            }),
            Kind::Swizzle(hosts, _) => known(hosts),
        }
    }
}

/// A fault that was added to a network; never used again for another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FaultId {
    /// Counts faults since the network began; comes first, so that order is age.
    serial: u64,
    slot: u32,
}

impl fmt::Debug for FaultId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FaultId({})", self.serial)
    }
}

impl Net {
    /// Lets a fault stand from now on.
    ///
    /// It costs what it changes: the links that the hosts have used already, and the
    /// connections through these. Later it costs what passes through it, and an idle host
    /// nothing.
    ///
    /// # Errors
    ///
    /// [`ConfigError::UnknownHost`], [`ConfigError::WithItself`], [`ConfigError::NoHosts`].
    pub fn add_fault(
        &mut self,
        now: Instant,
        fault: Fault,
        decide: &mut impl Decide,
    ) -> Result<FaultId, ConfigError> {
        self.observe(now);
        fault.check(self)?;
        Ok(match fault.kind {
            Kind::Rule(areas, effect) => {
                self.stand(now, Rule::new(fault.name, areas, effect), decide)
            }
            Kind::Swizzle(hosts, span) => self.begin_swizzle(now, &hosts, span, decide),
        })
    }

    /// Lifts a fault, and says what it did. `None` if it does not stand any more.
    pub fn lift(
        &mut self,
        now: Instant,
        id: FaultId,
        decide: &mut impl Decide,
    ) -> Option<FaultStats> {
        self.observe(now);
        self.lift_rule(now, id, decide)
    }

    /// What the faults did so far, by name: those that stand, those that were lifted, and what
    /// links do by themselves (`loss`, `duplication`, `reordering`, `corruption`, `full queue`).
    #[must_use]
    pub fn fault_stats(&self) -> Vec<(&'static str, FaultStats)> {
        self.links.rules().stats()
    }

    /// The faults that stand, oldest first, and what each did so far.
    pub fn standing_faults(&self) -> Vec<(FaultId, &'static str, FaultStats)> {
        self.links.rules().standing()
    }

    pub(crate) fn stand(&mut self, now: Instant, rule: Rule, decide: &mut dyn Decide) -> FaultId {
        let (id, turns) = self.links.stand(rule, self.hosts.len());
        self.links_turned(now, &turns, decide);
        id
    }

    fn lift_rule(
        &mut self,
        now: Instant,
        id: FaultId,
        decide: &mut dyn Decide,
    ) -> Option<FaultStats> {
        self.links.rules().get(id)?;
        self.end_swizzle(now, id, decide);
        let (stats, turns) = self.links.lift(id, self.hosts.len())?;
        self.links_turned(now, &turns, decide);
        Some(stats)
    }
}
