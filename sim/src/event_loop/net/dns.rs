//! Looking names up.

use std::io;
use std::net::IpAddr;
use std::task::{Poll, Waker};

use event_loop::backend::{Dns, Lookup, Slot, SocketKey};

use super::key;
use crate::event_loop::SimLoop;
use crate::trace::Kind;
use crate::world::core::current_serial;
use crate::world::waits::Wait;

impl Dns for SimLoop {
    fn lookup(&self, name: &str) -> io::Result<Lookup> {
        self.call(|core| {
            core.name_hosts();
            let host = core.net_host(self.host);
            core.rules.note_lookup(name);
            match core.with_net(|net, now, decide| net.lookup(now, host, name, decide))? {
                net_sim::Lookup::Found(addresses) => Ok(Lookup::Found(addresses)),
                net_sim::Lookup::Asked(id) => {
                    core.trace
                        .event(core.now, Kind::Lookup, current_serial(), id.serial());
                    core.call_socket(id, self.host, format_args!("asks for {name}"));
                    let index = core.sockets.insert(id, self.host);
                    Ok(Lookup::Asked(key(index)))
                }
            }
        })
    }

    fn poll_lookup(
        &self,
        socket: SocketKey,
        name: &str,
        waker: &Waker,
    ) -> Poll<io::Result<Vec<IpAddr>>> {
        let wait = |_| Wait::Lookup(name.into());
        let answer = self.poll_socket(socket, Slot::Read, waker, wait, |core, id| {
            core.net().finish_lookup(id)
        });
        answer.map(|answer| answer.and_then(|found| Ok(found?)))
    }
}
