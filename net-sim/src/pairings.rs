//! Which addresses of a host talk with which others.

use std::hash::{Hash, Hasher};
use std::net::{IpAddr, SocketAddr};

use rustc_hash::FxHashMap;
use virtual_time::Instant;

use crate::host::Share;

/// A connection as one of its hosts knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pairing {
    port: u16,
    local: IpAddr,
    remote: SocketAddr,
}

/// How a connection holds its port.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    pub(crate) share: Share,
    /// When TIME_WAIT ends, for a connection that is gone but for its name.
    pub(crate) until: Option<Instant>,
}

/// The connections of one host.
///
/// They are hashed, since a host may have as many as there are ports, and no decision sees their
/// order: what is asked of several is whether there is one at all.
#[derive(Debug, Default)]
pub(crate) struct Pairings {
    held: FxHashMap<Pairing, Held>,
    /// How many there are at each port: mostly none where a socket binds, and it need not look.
    at_port: FxHashMap<u16, u32>,
}

impl Pairings {
    pub(crate) fn insert(&mut self, pairing: Pairing, held: Held) {
        if self.held.insert(pairing, held).is_none() {
            *self.at_port.entry(pairing.port).or_insert(0) += 1;
        }
    }

    pub(crate) fn remove(&mut self, pairing: &Pairing) {
        if self.held.remove(pairing).is_some()
            && let Some(count) = self.at_port.get_mut(&pairing.port)
        {
            *count -= 1;
            if *count == 0 {
                self.at_port.remove(&pairing.port);
            }
        }
    }

    pub(crate) fn get(&self, pairing: &Pairing) -> Option<&Held> {
        self.held.get(pairing)
    }

    pub(crate) fn get_mut(&mut self, pairing: &Pairing) -> Option<&mut Held> {
        self.held.get_mut(pairing)
    }

    /// Whether a connection at this port is such a one, by its own address and how it holds it.
    pub(crate) fn any_at(&self, port: u16, is: impl Fn(IpAddr, &Held) -> bool) -> bool {
        self.at_port.contains_key(&port)
            && self
                .held
                .iter()
                .any(|(pairing, held)| pairing.port == port && is(pairing.local, held))
    }
}

impl Pairing {
    pub(crate) const fn new(local: SocketAddr, remote: SocketAddr) -> Self {
        Self {
            port: local.port(),
            local: local.ip(),
            remote,
        }
    }
}

/// All but the own address in one word: few connections differ in nothing else.
impl Hash for Pairing {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let ip = match self.remote.ip() {
            IpAddr::V4(ip) => u64::from(ip.to_bits()),
            IpAddr::V6(ip) => (ip.to_bits() as u64) ^ (ip.to_bits() >> 64) as u64,
        };
        let ports = u64::from(self.port) << 16 | u64::from(self.remote.port());
        // The hasher multiplies: what differs most belongs into the low bits.
        state.write_u64(ports ^ ip.rotate_left(32));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairing(local: &str, remote: &str) -> Pairing {
        Pairing::new(local.parse().unwrap(), remote.parse().unwrap())
    }

    #[test]
    fn a_port_is_free_again_when_the_last_of_its_connections_is_gone() {
        let held = Held {
            share: Share::default(),
            until: None,
        };
        let (one, two) = (
            pairing("10.0.0.1:80", "10.0.0.2:4000"),
            pairing("10.0.0.1:80", "10.0.0.2:4001"),
        );
        let mut pairings = Pairings::default();
        for pairing in [one, two, two] {
            pairings.insert(pairing, held);
        }
        let own: IpAddr = "10.0.0.1".parse().unwrap();
        let is_own = |ip, _: &Held| ip == own;
        assert!(pairings.any_at(80, is_own));
        assert!(!pairings.any_at(81, is_own));
        for pairing in [one, one] {
            pairings.remove(&pairing);
        }
        assert!(pairings.any_at(80, is_own));
        pairings.remove(&two);
        assert!(!pairings.any_at(80, |_, _| true));
    }
}
