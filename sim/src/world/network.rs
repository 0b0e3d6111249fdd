//! A world's network: made when somebody first asks for it, and its hosts joined in the order of
//! their creation.

use net_sim::{LinkConfig, Net};
use virtual_time::Instant;

use super::core::{Core, current_serial};
use super::decider::Decider;

impl Core {
    /// Lets a call on the network happen, and sees to what follows from it.
    pub(crate) fn with_net<R>(
        &mut self,
        f: impl FnOnce(&mut Net, Instant, &mut Decider<'_>) -> R,
    ) -> R {
        let mut decider = Decider {
            choices: &mut self.choices,
            trace: &mut self.trace,
            now: self.now,
            task: current_serial(),
        };
        let net = self.net.get_or_insert_with(|| new_net(&self.link));
        let outcome = f(net, self.now, &mut decider);
        if let Some(at) = net.next_event() {
            self.expect(at);
        }
        self.sockets.mark_dirty();
        outcome
    }

    /// The network, for calls that nothing follows from.
    pub(crate) fn net(&mut self) -> &mut Net {
        self.net.get_or_insert_with(|| new_net(&self.link))
    }

    /// The host's place in the network, joined now if nobody asked before.
    pub(crate) fn net_host(&mut self, host: u32) -> net_sim::HostId {
        let index = host as usize;
        if let Some(known) = self.hosts[index].net {
            return known;
        }
        // Hosts that were made before join first, so that addresses follow the order of creation
        // and not of first use.
        for earlier in 0..=host {
            if self.hosts[earlier as usize].net.is_none() {
                let addresses = self.hosts[earlier as usize].addresses.all();
                let joined = self.net().add_host(&addresses);
                let joined = joined.expect("each host has an address of its own");
                self.hosts[earlier as usize].net = Some(joined);
            }
        }
        self.hosts[index].net.expect("joined above")
    }

    /// Lets every host be found by its name; a name that no resolver would ask for names nobody.
    pub(crate) fn name_hosts(&mut self) {
        for index in self.hosts_named..self.hosts.len() {
            let host = &self.hosts[index];
            let (name, addresses) = (host.name.clone(), host.addresses.of_name());
            let _ = self.net().dns_mut().set_default(&name, addresses);
        }
        self.hosts_named = self.hosts.len();
    }
}

#[cold]
fn new_net(link: &LinkConfig) -> Box<Net> {
    let mut net = Box::<Net>::default();
    net.set_default_link(link.clone());
    net
}
