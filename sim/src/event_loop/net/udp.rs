//! A world's UDP sockets.

use std::io;
use std::net::SocketAddr;
use std::task::Waker;

use event_loop::backend::{
    Group, Receiving, Slot, SocketKey, Udp, UdpBinding, UdpOption, UdpOptions,
};
use net_sim::{Family, Net, NetError, SocketId};

use super::{key, socket_id};
use crate::event_loop::SimLoop;
use crate::trace::Kind;
use crate::world::core::{Core, current_serial};
use crate::world::waits::Wait;

impl Udp for SimLoop {
    fn udp_bind(&self, addr: SocketAddr, options: UdpBinding) -> io::Result<SocketKey> {
        self.call(|core| {
            let owner = core.net_host(self.host);
            let family = if addr.is_ipv6() {
                Family::V6
            } else {
                Family::V4
            };
            let id = core.net().udp_socket(owner, family);
            let bound = core.with_net(|net, now, _| {
                prepare(net, id, options)?;
                net.bind(now, id, addr)
            });
            if let Err(error) = bound {
                let _ = core.with_net(|net, now, decide| net.close(now, id, decide));
                return Err(error.into());
            }
            core.name_socket(id, self.host, None);
            let port = core.net().local_addr(id).map_or(0, |addr| addr.port());
            core.trace
                .event(core.now, Kind::Bind, current_serial(), u64::from(port));
            Ok(key(core.sockets.insert(id, self.host)))
        })
    }

    fn udp_connect(&self, socket: SocketKey, addr: SocketAddr) -> io::Result<()> {
        self.call(|core| {
            let id = socket_id(core, socket)?;
            core.trace
                .event(core.now, Kind::Connect, current_serial(), id.serial());
            core.with_net(|net, now, decide| net.connect(now, id, addr, decide))?;
            core.name_socket(id, self.host, Some(("to", addr)));
            Ok(())
        })
    }

    fn udp_send(
        &self,
        socket: SocketKey,
        from: &[u8],
        to: Option<SocketAddr>,
        wait: Option<(Slot, &Waker)>,
    ) -> io::Result<usize> {
        self.call_or_wait(socket, wait, Wait::Write, |core, id| {
            let sent = core.with_net(|net, now, decide| match to {
                Some(to) => net.send_to(now, id, from, to, decide),
                None => net.send(now, id, from, decide),
            })?;
            core.trace
                .event(core.now, Kind::Write, current_serial(), sent as u64);
            core.progress();
            Ok(sent)
        })
    }

    fn udp_receive(
        &self,
        socket: SocketKey,
        into: &mut [u8],
        how: Receiving,
        wait: Option<(Slot, &Waker)>,
    ) -> io::Result<(usize, SocketAddr)> {
        self.call_or_wait(socket, wait, Wait::Datagram, |core, id| {
            let now = core.now;
            let net = core.net();
            if !how.readable {
                let ready = net.readiness(id)?;
                if !(ready.readable || how.errors && ready.error) {
                    return Err(NetError::WouldBlock);
                }
            }
            if how.peek {
                let peeked = net.peek_from(id, into)?;
                return Ok((peeked.copied, peeked.from));
            }
            let received = net.recv_from(now, id, into)?;
            core.trace
                .event(now, Kind::Read, current_serial(), received.copied as u64);
            core.progress();
            Ok((received.copied, received.from))
        })
    }

    fn udp_options(&self, socket: SocketKey) -> io::Result<UdpOptions> {
        self.ask_socket(socket, |net, id| {
            Ok(UdpOptions {
                broadcast: net.broadcast(id)?,
                ttl: net.ttl(id)?,
                multicast_ttl: net.multicast_ttl(id)?,
                multicast_loop_v4: net.multicast_loop_v4(id)?,
                receive_buffer: net.receive_buffer(id)?,
                send_buffer: net.send_buffer(id)?,
            })
        })
    }

    fn udp_multicast_loop_v6(&self, socket: SocketKey) -> io::Result<bool> {
        self.ask_socket(socket, |net, id| net.multicast_loop_v6(id))
    }

    fn set_udp_option(&self, socket: SocketKey, option: UdpOption) -> io::Result<()> {
        self.ask_socket(socket, |net, id| match option {
            UdpOption::Broadcast(on) => net.set_broadcast(id, on),
            UdpOption::Ttl(ttl) => net.set_ttl(id, ttl),
            UdpOption::MulticastTtl(ttl) => net.set_multicast_ttl(id, ttl),
            UdpOption::MulticastLoopV4(on) => net.set_multicast_loop_v4(id, on),
            UdpOption::MulticastLoopV6(on) => net.set_multicast_loop_v6(id, on),
            UdpOption::ReceiveBuffer(bytes) => {
                net.set_receive_buffer(id, doubled(bytes, LEAST_RECEIVE_BUFFER))
            }
            UdpOption::SendBuffer(bytes) => {
                net.set_send_buffer(id, doubled(bytes, LEAST_SEND_BUFFER))
            }
        })
    }

    fn udp_member(&self, socket: SocketKey, group: Group, joins: bool) -> io::Result<()> {
        self.ask_socket(socket, |net, id| match group {
            Group::V4(group, at) if joins => net.join_multicast_v4(id, group, at),
            Group::V4(group, at) => net.leave_multicast_v4(id, group, at),
            Group::V6(group, at) if joins => net.join_multicast_v6(id, group, at),
            Group::V6(group, at) => net.leave_multicast_v6(id, group, at),
        })
    }
}

/// Linux's `SOCK_MIN_RCVBUF` and `SOCK_MIN_SNDBUF`.
const LEAST_RECEIVE_BUFFER: usize = 2_304;
const LEAST_SEND_BUFFER: usize = 4_608;

impl SimLoop {
    /// A call that may say `WouldBlock`, and then waits if there is a waker.
    pub(super) fn call_or_wait<R>(
        &self,
        socket: SocketKey,
        wait: Option<(Slot, &Waker)>,
        what: impl FnOnce(u64) -> Wait,
        f: impl FnOnce(&mut Core, SocketId) -> net_sim::Result<R>,
    ) -> io::Result<R> {
        let outcome = self.call(|core| {
            let id = socket_id(core, socket)?;
            match (f(core, id), wait) {
                (Err(NetError::WouldBlock), Some((slot, waker))) => {
                    let known = core.sockets.knows(socket.0 as usize, slot, waker);
                    Ok(Err((id, known)))
                }
                // Tokio says it without the operating system's number.
                (Err(NetError::WouldBlock), None) => Err(io::ErrorKind::WouldBlock.into()),
                (outcome, _) => Ok(Ok(outcome?)),
            }
        })?;
        match (outcome, wait) {
            (Err((id, known)), Some((slot, waker))) => {
                if !known {
                    self.wait(socket, id, slot, waker);
                }
                self.note(|| what(id.serial()));
                Err(io::ErrorKind::WouldBlock.into())
            }
            (Err(_), None) => Err(io::ErrorKind::WouldBlock.into()),
            (Ok(value), _) => Ok(value),
        }
    }
}

/// Sets what is set before a socket is bound.
fn prepare(net: &mut Net, id: SocketId, options: UdpBinding) -> net_sim::Result<()> {
    net.set_reuse_addr(id, options.reuse_address)?;
    net.set_reuse_port(id, options.reuse_port)?;
    if let Some(only) = options.only_v6 {
        net.set_only_v6(id, only)?;
    }
    if let Some(bytes) = options.receive_buffer {
        net.set_receive_buffer(id, doubled(bytes, LEAST_RECEIVE_BUFFER))?;
    }
    if let Some(bytes) = options.send_buffer {
        net.set_send_buffer(id, doubled(bytes, LEAST_SEND_BUFFER))?;
    }
    Ok(())
}

/// Linux doubles what it is asked for.
fn doubled(bytes: usize, least: usize) -> usize {
    bytes.saturating_mul(2).max(least)
}
