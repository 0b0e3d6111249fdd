//! What the links between hosts are like.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use net_sim::{Latency, LinkConfig};

use super::hosts::meant;
use super::{Hosts, RuleError, expect, open};
use crate::world::{World, here};

/// The links between every host of `a` and every host of `b`, in both directions, to be configured.
///
/// ```
/// use std::time::Duration;
/// use sim::Config;
/// use sim::net::link;
///
/// sim::check(&Config::new().seeds(5), |sim| async move {
///     let _ = (sim.host("svc"), sim.host("db-1"), sim.host("db-2"));
///     let (near, far) = (Duration::from_millis(1), Duration::from_millis(80));
///     link("svc", ["db-1", "db-2"]).latency(near..=far);
/// });
/// ```
///
/// # Panics
/// With the text of what [`try_link`] returns.
#[must_use = "a link does nothing until something is said of it"]
#[track_caller]
pub fn link(a: impl Hosts, b: impl Hosts) -> Link {
    expect(try_link(a, b))
}

/// [`link`], with what is wrong as an error.
///
/// # Errors
/// A host that does not exist, or that is on both sides; called outside of a world.
pub fn try_link(a: impl Hosts, b: impl Hosts) -> Result<Link, RuleError> {
    Link::between(&here::world()?, &a, &b)
}

/// Links between hosts. What is said of them holds for what is sent from then on.
#[derive(Clone)]
pub struct Link {
    world: Arc<World>,
    /// From whom to whom.
    ways: Vec<(u32, u32)>,
}

impl Link {
    pub(crate) fn between(
        world: &Arc<World>,
        a: &impl Hosts,
        b: &impl Hosts,
    ) -> Result<Self, RuleError> {
        open(world, |core| {
            let (a, b) = (meant(core, world, a)?, meant(core, world, b)?);
            let there = pairs(&a, &b);
            let back = pairs(&b, &a);
            let mut ways: Vec<_> = there.chain(back).collect();
            ways.sort_unstable();
            ways.dedup();
            if ways.is_empty() {
                let host = core.hosts[a[0] as usize].name.to_string();
                return Err(RuleError::SameHost { host });
            }
            Ok(Self {
                world: world.clone(),
                ways,
            })
        })
    }

    /// How long a segment is under way: each draws from the range.
    ///
    /// # Panics
    /// If the range is empty, or on a thread outside the world.
    #[track_caller]
    pub fn latency(self, range: RangeInclusive<Duration>) -> Self {
        let config = LinkConfig::new(Latency::uniform(range));
        self.world.ask(|core| {
            for &(from, to) in &self.ways {
                let [from, to] = [from, to].map(|end| core.net_host(end));
                let set = core.net().set_link(from, to, config.clone());
                set.expect("two hosts, which differ");
            }
        });
        self
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("ways", &self.ways)
            .finish_non_exhaustive()
    }
}

/// Everybody of one group with everybody else of the other.
fn pairs<'a>(from: &'a [u32], to: &'a [u32]) -> impl Iterator<Item = (u32, u32)> + 'a {
    let each = from
        .iter()
        .flat_map(|&from| to.iter().map(move |&to| (from, to)));
    each.filter(|(from, to)| from != to)
}
