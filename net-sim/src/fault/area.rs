//! Which directions a fault is about.

use crate::HostId;

/// Hosts, in order and each once.
pub(crate) type Group = Box<[HostId]>;

/// Directions between hosts, those of hosts that are yet to come included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Area {
    /// From any of the first to any of the second.
    Between(Group, Group),
    /// From any of these to whomever.
    From(Group),
    /// To any of these from whomever.
    To(Group),
}

impl Area {
    pub(super) fn new(
        from: impl IntoIterator<Item = HostId>,
        to: impl IntoIterator<Item = HostId>,
    ) -> Self {
        Self::Between(group(from), group(to))
    }

    pub(super) fn both_ways(
        a: impl IntoIterator<Item = HostId>,
        b: impl IntoIterator<Item = HostId>,
    ) -> Vec<Self> {
        let (a, b) = (group(a), group(b));
        vec![Self::Between(a.clone(), b.clone()), Self::Between(b, a)]
    }

    /// All that hosts send or are sent.
    pub(super) fn around(hosts: impl IntoIterator<Item = HostId>) -> Vec<Self> {
        let hosts = group(hosts);
        vec![Self::From(hosts.clone()), Self::To(hosts)]
    }

    pub(super) fn groups(&self) -> impl Iterator<Item = &[HostId]> {
        let (one, other) = match self {
            Self::Between(from, to) => (from, Some(to)),
            Self::From(hosts) | Self::To(hosts) => (hosts, None),
        };
        [Some(one), other]
            .into_iter()
            .flatten()
            .map(|group| &**group)
    }

    pub(super) fn host_on_both_sides(&self) -> Option<HostId> {
        let Self::Between(from, to) = self else {
            return None;
        };
        let on_both = |host: &&HostId| to.binary_search(host).is_ok();
        from.iter().find(on_both).copied()
    }

    /// Whether what one host sends to another is meant.
    pub(crate) fn covers(&self, from: HostId, to: HostId) -> bool {
        let among = |group: &Group, host| group.binary_search(&host).is_ok();
        match self {
            Self::Between(sources, targets) => among(sources, from) && among(targets, to),
            Self::From(hosts) => among(hosts, from),
            Self::To(hosts) => among(hosts, to),
        }
    }
}

pub(super) fn group(hosts: impl IntoIterator<Item = HostId>) -> Group {
    let mut hosts: Vec<_> = hosts.into_iter().collect();
    hosts.sort_unstable();
    hosts.dedup();
    hosts.into()
}
