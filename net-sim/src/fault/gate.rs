//! Faults of connecting: refused, left hanging, or made and not to be had.

use super::area::{Group, group};
use super::{Effect, Fault, FaultId, Rules};
use crate::HostId;

/// What becomes of connections to some hosts.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    hosts: Group,
    /// `None` is all of them.
    port: Option<u16>,
    pub(super) ruling: Ruling,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ruling {
    Refuse,
    Hang,
    /// `accept` fails.
    NoDescriptors,
}

impl Fault {
    /// Whoever connects to one of these hosts, at this port or any, is refused as if nobody
    /// listened there. Connections there are already go on.
    #[must_use]
    pub fn refuse(hosts: impl IntoIterator<Item = HostId>, port: Option<u16>) -> Self {
        Self::gate("refuse", hosts, port, Ruling::Refuse)
    }

    /// Whoever connects to one of these hosts, at this port or any, gets no answer: the SYN
    /// vanishes, and is sent again after 1 s, 2 s, 4 s and so on. The first that is sent after
    /// the fault was lifted is answered.
    #[must_use]
    pub fn hang(hosts: impl IntoIterator<Item = HostId>, port: Option<u16>) -> Self {
        Self::gate("hang", hosts, port, Ruling::Hang)
    }

    /// These hosts' processes have no descriptor left for another connection:
    /// [`accept`](crate::Net::accept) fails with
    /// [`TooManyOpenFiles`](crate::NetError::TooManyOpenFiles) as long as one waits. The
    /// connection goes on waiting, and the listener stays readable.
    #[must_use]
    pub fn no_descriptors(hosts: impl IntoIterator<Item = HostId>) -> Self {
        Self::gate("no descriptors", hosts, None, Ruling::NoDescriptors)
    }

    fn gate(
        name: &'static str,
        hosts: impl IntoIterator<Item = HostId>,
        port: Option<u16>,
        ruling: Ruling,
    ) -> Self {
        let gate = Gate {
            hosts: group(hosts),
            port,
            ruling,
        };
        // It is no link that does it.
        Self::rule(name, vec![], Effect::Gate(gate))
    }
}

impl Gate {
    pub(super) fn hosts(&self) -> &[HostId] {
        &self.hosts
    }

    fn is_at(&self, host: HostId, port: u16) -> bool {
        self.port.is_none_or(|gated| gated == port) && self.hosts.binary_search(&host).is_ok()
    }
}

impl Rules {
    pub(crate) const fn have_gates(&self) -> bool {
        !self.gates.is_empty()
    }

    /// What the oldest rule says that has something to say of connections to this port, and is
    /// one of these.
    pub(crate) fn gate(&mut self, host: HostId, port: u16, among: &[Ruling]) -> Option<Ruling> {
        if self.gates.is_empty() {
            return None;
        }
        let found = |id: &FaultId| match self.effect(*id) {
            Effect::Gate(gate) if gate.is_at(host, port) && among.contains(&gate.ruling) => {
                Some((*id, gate.ruling))
            }
            _ => None,
        };
        let (id, ruling) = self.gates.iter().find_map(found)?;
        self.note(id, true);
        Some(ruling)
    }
}
