//! A world's network: made when somebody first asks for it, and its hosts joined in the order of
//! their creation.

use std::fmt;
use std::net::SocketAddr;

use net_sim::{LinkConfig, Net, SocketId};
use virtual_time::Instant;

use super::core::Core;
use super::decider::Decider;
use crate::trace::Traffic;

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
        };
        let recorded = self.recording.is_some();
        let net = self
            .net
            .get_or_insert_with(|| new_net(&self.link, recorded));
        let outcome = f(net, self.now, &mut decider);
        let net_has_changed = net.has_changed();
        if let Some(at) = net.next_event() {
            self.expect(at);
        }
        if net_has_changed {
            self.sockets.mark_dirty();
        }
        if recorded || self.watchers.is_some() {
            self.capture();
        }
        outcome
    }

    /// The network, for calls that nothing follows from.
    pub(crate) fn net(&mut self) -> &mut Net {
        let recorded = self.recording.is_some();
        self.net
            .get_or_insert_with(|| new_net(&self.link, recorded))
    }

    /// Keeps what was sent since the last call, up to the end of the run, and shows it.
    #[cold]
    fn capture(&mut self) {
        let Some(net) = &mut self.net else {
            return;
        };
        while let Some(sighting) = net.pop_sighting() {
            if self.ended.is_some() {
                continue;
            }
            if let Some(watchers) = &mut self.watchers {
                watchers.saw(&sighting);
                self.sockets.mark_dirty();
            }
            if let Some(recording) = &mut self.recording {
                recording.capture.add(sighting);
            }
        }
    }

    /// What hosts sent to each other, of a recorded run.
    pub(super) fn take_traffic(&mut self) -> Option<Box<Traffic>> {
        let capture = std::mem::take(&mut self.recording.as_mut()?.capture);
        let hosts = self.hosts.iter();
        let names = hosts.filter_map(|host| Some((host.net?, host.name.to_string())));
        Some(Box::new(Traffic::new(capture, names.collect())))
    }

    /// Tells reports whose socket this is, and whom it is connected to or from.
    pub(crate) fn name_socket(
        &mut self,
        id: SocketId,
        host: u32,
        peer: Option<(&str, SocketAddr)>,
    ) {
        if self.trace.names().is_none() {
            return;
        }
        let own = self.net().local_addr(id).ok();
        let of = &self.hosts[host as usize].name;
        let mut text = match own {
            Some(addr) => format!("{of} {addr}"),
            None => of.to_string(),
        };
        if let Some((way, addr)) = peer {
            let ip = addr.ip().to_canonical();
            let owner = match ip.is_loopback() {
                true => self.hosts.get(host as usize),
                false => self
                    .hosts
                    .iter()
                    .find(|host| host.addresses.all().contains(&ip)),
            };
            let owner = owner.map_or_else(String::new, |owner| format!("{} ", owner.name));
            text += &format!(" {way} {owner}{addr}");
        }
        self.set_socket_name(id, text);
    }

    /// Tells reports whose socket this is, and what it is about.
    pub(crate) fn call_socket(&mut self, id: SocketId, host: u32, text: fmt::Arguments<'_>) {
        if self.trace.names().is_none() {
            return;
        }
        let text = format!("{} {text}", self.hosts[host as usize].name);
        self.set_socket_name(id, text);
    }

    fn set_socket_name(&mut self, id: SocketId, text: String) {
        if let Some(names) = self.trace.names() {
            names.sockets.insert(id.serial(), text);
        }
    }

    /// The host's place in the network.
    pub(crate) fn net_host(&mut self, host: u32) -> net_sim::HostId {
        let index = host as usize;
        if let Some(known) = self.hosts[index].net {
            return known;
        }
        self.join_hosts();
        self.hosts[index].net.expect("joined just now")
    }

    /// Lets every host there is be part of the network, in the order of their creation. Who is one
    /// of them sees the others, whether or not these have used it.
    #[cold]
    pub(super) fn join_hosts(&mut self) {
        let joined = self.hosts.partition_point(|host| host.net.is_some());
        for index in joined..self.hosts.len() {
            let addresses = self.hosts[index].addresses.all();
            let joined = self.net().add_host(&addresses);
            self.hosts[index].net = Some(joined.expect("each host has addresses of its own"));
        }
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
fn new_net(link: &LinkConfig, observed: bool) -> Box<Net> {
    let mut net = Box::<Net>::default();
    net.set_default_link(link.clone());
    net.set_observed(observed);
    net
}
