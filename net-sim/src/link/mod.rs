//! Links: when what one host sends reaches another, if it does.

mod bandwidth;
mod config;
mod latency;
mod trouble;

use std::collections::BTreeMap;

use virtual_time::Instant;

pub use self::bandwidth::Bandwidth;
pub use self::config::LinkConfig;
pub use self::latency::Latency;
use self::trouble::Trouble;
pub(crate) use self::trouble::{Passage, Turn};
use crate::fault::Rules;
use crate::{Decide, HostId};

/// What IPv4 and TCP put before the bytes of a segment. A large write is one segment here, and
/// pays for one header.
const HEADER: usize = 40;

/// One direction between two hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LinkId(u32);

impl LinkId {
    /// From a host to itself: no latency, and no configuration.
    pub(crate) const LOOPBACK: Self = Self(u32::MAX);
}

/// What becomes of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Arrives(Instant),
    Lost,
    /// It waits until every rule that holds it is lifted.
    Held,
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
        self.default = config;
    }

    pub(crate) fn set(&mut self, from: HostId, to: HostId, config: LinkConfig) {
        let link = self.between(from, to);
        if link != LinkId::LOOPBACK {
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

    /// When a segment of a stream arrives that carries so many bytes and is sent now.
    pub(crate) fn send(
        &mut self,
        link: LinkId,
        now: Instant,
        bytes: usize,
        decide: &mut dyn Decide,
    ) -> Fate {
        if link == LinkId::LOOPBACK {
            return Fate::Arrives(now);
        }
        let link = &mut self.links[link.0 as usize];
        let mut config = link.config.as_ref().unwrap_or(&self.default);
        if let Some(trouble) = &link.trouble {
            match trouble.pass(&mut self.rules) {
                Passage::Open => {}
                Passage::Held => return Fate::Held,
                Passage::Cut => return Fate::Lost,
            }
            config = trouble.config().unwrap_or(config);
        }
        let left = match config.bandwidth {
            None => now,
            Some(bandwidth) => {
                link.idle_at = link.idle_at.max(now) + bandwidth.time_for(HEADER + bytes);
                link.idle_at
            }
        };
        Fate::Arrives(left + config.latency.draw(decide))
    }

    /// When an acknowledgement that is sent now arrives; `None` if it does not.
    ///
    /// These draw no choice and take no bandwidth: there is one for every segment, and what
    /// they can change, the moment at which a full buffer takes bytes again, already follows
    /// from the segments' draws.
    pub(crate) fn acknowledge(&mut self, link: LinkId, now: Instant) -> Option<Instant> {
        if link == LinkId::LOOPBACK {
            return Some(now);
        }
        let link = &self.links[link.0 as usize];
        let mut config = link.config.as_ref().unwrap_or(&self.default);
        if let Some(trouble) = &link.trouble {
            if trouble.pass(&mut self.rules) != Passage::Open {
                return None;
            }
            config = trouble.config().unwrap_or(config);
        }
        Some(now + config.latency.typical())
    }
}
