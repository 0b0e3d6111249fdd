//! A world's TCP sockets.

use std::io;
use std::net::SocketAddr;
use std::task::{Poll, Waker};
use std::time::Duration;

use event_loop::backend::{SocketKey, Tcp};
use net_sim::NetError;

use super::key;
use crate::event_loop::SimLoop;
use crate::trace::Kind;
use crate::world::core::current_serial;
use crate::world::sockets::Interest;
use crate::world::waits::Wait;

impl Tcp for SimLoop {
    fn tcp_listen(&self, addr: SocketAddr, backlog: u32) -> io::Result<SocketKey> {
        self.world.call(|core| {
            let owner = core.net_host(self.host);
            let id = core.net().tcp_socket(owner);
            let listening = core.with_net(|net, now, _| {
                // As tokio's listeners do.
                net.set_reuse_addr(id, true)?;
                net.bind(now, id, addr)?;
                net.listen(now, id, backlog)
            });
            if let Err(error) = listening {
                let _ = core.with_net(|net, now, decide| net.close(now, id, decide));
                return Err(error.into());
            }
            let port = core.net().local_addr(id).map_or(0, |addr| addr.port());
            core.trace
                .event(core.now, Kind::Listen, current_serial(), u64::from(port));
            Ok(key(core.sockets.insert(id, self.host)))
        })
    }

    fn tcp_connect(&self, addr: SocketAddr) -> io::Result<SocketKey> {
        self.world.call(|core| {
            let owner = core.net_host(self.host);
            let id = core.net().tcp_socket(owner);
            core.trace
                .event(core.now, Kind::Connect, current_serial(), id.serial());
            match core.with_net(|net, now, decide| net.connect(now, id, addr, decide)) {
                Ok(()) | Err(NetError::InProgress) => Ok(key(core.sockets.insert(id, self.host))),
                Err(error) => {
                    let _ = core.with_net(|net, now, decide| net.close(now, id, decide));
                    Err(error.into())
                }
            }
        })
    }

    fn poll_connected(&self, socket: SocketKey, waker: &Waker) -> Poll<io::Result<()>> {
        self.world.poll_socket(
            socket,
            Interest::Write,
            waker,
            Wait::Connect,
            |core, id| match core.net().finish_connect(id) {
                Err(NetError::InProgress) => Err(NetError::WouldBlock),
                outcome => {
                    core.trace
                        .event(core.now, Kind::Connected, current_serial(), id.serial());
                    outcome
                }
            },
        )
    }

    fn poll_accept(
        &self,
        socket: SocketKey,
        waker: &Waker,
    ) -> Poll<io::Result<(SocketKey, SocketAddr)>> {
        self.world
            .poll_socket(socket, Interest::Read, waker, Wait::Accept, |core, id| {
                let (accepted, peer) =
                    core.with_net(|net, now, decide| net.accept(now, id, decide))?;
                core.trace
                    .event(core.now, Kind::Accept, current_serial(), accepted.serial());
                Ok((key(core.sockets.insert(accepted, self.host)), peer))
            })
    }

    fn set_nodelay(&self, socket: SocketKey, nodelay: bool) -> io::Result<()> {
        self.world
            .ask_socket(socket, |net, id| net.set_nodelay(id, nodelay))
    }

    fn nodelay(&self, socket: SocketKey) -> io::Result<bool> {
        self.world.ask_socket(socket, |net, id| net.nodelay(id))
    }

    fn set_linger(&self, socket: SocketKey, linger: Option<Duration>) -> io::Result<()> {
        self.world
            .ask_socket(socket, |net, id| net.set_linger(id, linger))
    }
}
