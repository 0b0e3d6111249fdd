//! Links: when what one host sends reaches another, if it does.

mod bandwidth;
mod config;
mod flaws;
mod latency;
mod probability;
mod quantiles;
mod send;
mod trouble;

use std::collections::BTreeMap;

use virtual_time::Instant;

pub use self::bandwidth::Bandwidth;
pub use self::config::LinkConfig;
pub use self::flaws::Corruption;
pub use self::latency::Latency;
pub use self::probability::Probability;
pub(crate) use self::send::Fate;
use self::trouble::Trouble;
pub(crate) use self::trouble::{Passage, Turn};
use crate::HostId;
use crate::fault::Rules;

/// One direction between two hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LinkId(u32);

impl LinkId {
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }

    /// From a host to itself: no latency, and no configuration.
    pub(crate) const LOOPBACK: Self = Self(u32::MAX);
}

/// All links; one costs nothing until two hosts talk or it is configured.
#[derive(Debug, Default)]
pub(crate) struct Links {
    default: LinkConfig,
    by_hosts: BTreeMap<(HostId, HostId), LinkId>,
    links: Vec<Link>,
    rules: Rules,
}

#[derive(Debug, Default)]
struct Link {
    /// `None` means the default, whatever it is by then.
    config: Option<LinkConfig>,
    /// When all that was sent so far has left.
    idle_at: Instant,
    /// `None` where no rule stands.
    trouble: Option<Box<Trouble>>,
}

impl Links {
    pub(crate) fn set_default(&mut self, config: LinkConfig) {
        self.ask(&config);
        self.default = config;
    }

    pub(crate) const fn default_config(&self) -> &LinkConfig {
        &self.default
    }

    pub(crate) fn config(&self, from: HostId, to: HostId) -> &LinkConfig {
        let link = self.by_hosts.get(&(from, to));
        let own = link.and_then(|link| self.links[link.0 as usize].config.as_ref());
        own.unwrap_or(&self.default)
    }

    pub(crate) fn set(&mut self, from: HostId, to: HostId, config: LinkConfig) {
        let link = self.between(from, to);
        if link != LinkId::LOOPBACK {
            self.ask(&config);
            self.links[link.0 as usize].config = Some(config);
        }
    }

    pub(crate) fn between(&mut self, from: HostId, to: HostId) -> LinkId {
        if from == to {
            return LinkId::LOOPBACK;
        }
        if let Some(&known) = self.by_hosts.get(&(from, to)) {
            return known;
        }
        let id = LinkId(self.links.len() as u32);
        self.by_hosts.insert((from, to), id);
        self.links.push(Link {
            trouble: Trouble::between(from, to, &self.rules),
            ..Link::default()
        });
        id
    }

    fn ask(&mut self, config: &LinkConfig) {
        if let Some(flaws) = &config.flaws {
            flaws.ask(self.rules.tally());
        }
    }
}
