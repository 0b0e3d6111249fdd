//! Hosts that lose their power, and start again.

use virtual_time::Instant;

use crate::fault::{Effect, Rule};
use crate::link::Passage;
use crate::socket::State;
use crate::tcp::{ConnId, Side};
use crate::{Decide, HostId, Net, SocketId};

impl Net {
    /// Takes a host off the network as a power failure does: its sockets are gone, and nobody
    /// is told. What others send to it is lost, and they learn of it when they have waited long
    /// enough for an answer. Nothing happens to a host that is off.
    ///
    /// Of a process that dies and leaves its host running, see
    /// [`kill_host`](Self::kill_host).
    ///
    /// # Panics
    ///
    /// If the host is of another network.
    pub fn power_off(&mut self, now: Instant, host: HostId, decide: &mut impl Decide) {
        self.observe(now);
        self.check_host(host);
        if self.off.contains_key(&host) {
            return;
        }
        let silence = Rule::around("power off", host, Effect::Pass(Passage::Cut));
        let rule = self.stand(now, silence, decide);
        self.off.insert(host, rule);
        let conns: Vec<_> = self.conns.iter().map(|(slot, _)| slot as u32).collect();
        for id in conns.into_iter().map(ConnId) {
            for side in [Side::Opener, Side::Acceptor] {
                self.vanish_if_on(now, id, side, host);
            }
        }
        for id in self.sockets_of(host) {
            self.forget_socket(id);
        }
        self.host_mut(host).forget();
    }

    /// Lets a host that was powered off come up again, with the addresses it had and without
    /// sockets. It answers what comes for connections it does not know any more with a RST.
    /// Nothing happens to a host that is on.
    ///
    /// # Panics
    ///
    /// If the host is of another network.
    pub fn restart(&mut self, now: Instant, host: HostId, decide: &mut impl Decide) {
        self.check_host(host);
        if let Some(rule) = self.off.remove(&host) {
            self.lift(now, rule, decide);
        }
    }

    /// Whether a host was powered off and not started again.
    #[must_use]
    pub fn is_off(&self, host: HostId) -> bool {
        self.off.contains_key(&host)
    }

    /// All sockets of a host, oldest first.
    pub(crate) fn sockets_of(&self, host: HostId) -> Vec<SocketId> {
        let own = self.sockets.iter().filter(|(_, s)| s.host == host);
        let mut ids: Vec<_> = own
            .map(|(slot, socket)| SocketId {
                serial: socket.serial,
                slot: slot as u32,
            })
            .collect();
        ids.sort_unstable();
        ids
    }

    /// Gives a socket back without a word to anybody.
    fn forget_socket(&mut self, id: SocketId) {
        let Ok(socket) = self.socket(id) else {
            return;
        };
        let host = socket.host;
        match &socket.state {
            State::Lookup(query) => {
                if let Some(arrival) = query.scheduled() {
                    self.events.cancel(arrival);
                }
            }
            // Whoever could hear of it has no power either.
            State::Unix(_) => drop(self.end_unix(id, false)),
            // It sends nothing when it closes.
            State::Udp(_) => drop(self.udp_close(host, id)),
            // Connections are gone already, and the ports go all together.
            State::Idle | State::Failed(_) | State::Listening(_) | State::Stream(..) => {}
        }
        self.remove_socket(id);
    }
}
