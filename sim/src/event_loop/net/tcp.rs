//! A world's TCP sockets.

use std::io;
use std::net::SocketAddr;
use std::task::{Poll, Waker};
use std::time::Duration;

use event_loop::backend::{Slot, SocketKey, Tcp, TcpOption, TcpOptions};
use net_sim::{Keepalive, NetError};

use super::{key, socket_id};
use crate::event_loop::SimLoop;
use crate::trace::Kind;
use crate::world::core::current_serial;
use crate::world::waits::Wait;

impl Tcp for SimLoop {
    fn tcp_socket(&self) -> io::Result<SocketKey> {
        self.call(|core| {
            let owner = core.net_host(self.host);
            let id = core.net().tcp_socket(owner);
            Ok(key(core.sockets.insert(id, self.host)))
        })
    }

    fn tcp_bind(&self, socket: SocketKey, addr: SocketAddr) -> io::Result<()> {
        self.call(|core| {
            let id = socket_id(core, socket)?;
            Ok(core.with_net(|net, now, _| net.bind(now, id, addr))?)
        })
    }

    fn tcp_listen(&self, socket: SocketKey, backlog: u32) -> io::Result<()> {
        self.call(|core| {
            let id = socket_id(core, socket)?;
            core.with_net(|net, now, _| net.listen(now, id, backlog))?;
            core.name_socket(id, self.host, None);
            let port = core.net().local_addr(id).map_or(0, |addr| addr.port());
            core.trace
                .event(core.now, Kind::Listen, current_serial(), u64::from(port));
            Ok(())
        })
    }

    fn tcp_connect(&self, socket: SocketKey, addr: SocketAddr) -> io::Result<()> {
        self.call(|core| {
            let id = socket_id(core, socket)?;
            core.trace
                .event(core.now, Kind::Connect, current_serial(), id.serial());
            let begun = core.with_net(|net, now, decide| net.connect(now, id, addr, decide));
            core.name_socket(id, self.host, Some(("to", addr)));
            match begun {
                Ok(()) | Err(NetError::InProgress) => Ok(()),
                Err(error) => Err(error.into()),
            }
        })
    }

    fn poll_connected(&self, socket: SocketKey, waker: &Waker) -> Poll<io::Result<()>> {
        self.poll_socket(
            socket,
            Slot::Write,
            waker,
            Wait::Connect,
            |core, id| match core.net().finish_connect(id) {
                Err(NetError::InProgress) => Err(NetError::WouldBlock),
                outcome => {
                    let kind = match outcome {
                        Ok(()) => Kind::Connected,
                        Err(_) => Kind::ConnectFailed,
                    };
                    core.trace
                        .event(core.now, kind, current_serial(), id.serial());
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
        self.poll_socket(socket, Slot::Read, waker, Wait::Accept, |core, id| {
            let (accepted, peer) = core.with_net(|net, now, decide| net.accept(now, id, decide))?;
            core.trace
                .event(core.now, Kind::Accept, current_serial(), accepted.serial());
            core.name_socket(accepted, self.host, Some(("from", peer)));
            Ok((key(core.sockets.insert(accepted, self.host)), peer))
        })
    }

    fn tcp_options(&self, socket: SocketKey) -> io::Result<TcpOptions> {
        self.ask_socket(socket, |net, id| {
            Ok(TcpOptions {
                nodelay: net.nodelay(id)?,
                linger: net.linger(id)?,
                keepalive: net.keepalive(id)?,
                user_timeout: net.user_timeout(id)?,
                reuse_addr: net.reuse_addr(id)?,
                reuse_port: net.reuse_port(id)?,
                send_buffer: doubled(net.send_buffer(id)?),
                receive_buffer: doubled(net.receive_buffer(id)?),
                ttl: net.ttl(id)?,
                only_v6: net.only_v6(id)?,
            })
        })
    }

    fn set_tcp_option(&self, socket: SocketKey, option: TcpOption) -> io::Result<()> {
        self.ask_socket(socket, |net, id| match option {
            TcpOption::Nodelay(on) => net.set_nodelay(id, on),
            TcpOption::Linger(linger) => {
                // The kernel counts whole seconds.
                let whole = linger.map(|linger| Duration::from_secs(linger.as_secs()));
                net.set_linger(id, whole)
            }
            TcpOption::Keepalive(on) => net.set_keepalive(id, on),
            TcpOption::KeepaliveTimes(times) => {
                net.set_keepalive(id, true)?;
                let now = net.keepalive_times(id)?;
                let times = Keepalive {
                    idle: times.time().unwrap_or(now.idle),
                    interval: times.interval().unwrap_or(now.interval),
                    count: times.retries().unwrap_or(now.count),
                };
                net.set_keepalive_times(id, times)
            }
            TcpOption::UserTimeout(timeout) => net.set_user_timeout(id, timeout),
            TcpOption::ReuseAddr(on) => net.set_reuse_addr(id, on),
            TcpOption::ReusePort(on) => net.set_reuse_port(id, on),
            TcpOption::SendBuffer(bytes) => {
                net.set_send_buffer(id, at_least(bytes, SMALLEST_SEND_BUFFER))
            }
            TcpOption::ReceiveBuffer(bytes) => {
                net.set_receive_buffer(id, at_least(bytes, SMALLEST_RECEIVE_BUFFER))
            }
            TcpOption::Ttl(ttl) => net.set_ttl(id, ttl),
            TcpOption::OnlyV6(on) => net.set_only_v6(id, on),
        })
    }
}

/// Half of Linux's `SOCK_MIN_SNDBUF`, 4,608: the rest is for its bookkeeping.
const SMALLEST_SEND_BUFFER: u32 = 2_304;
/// Half of Linux's `SOCK_MIN_RCVBUF`, 2,304.
const SMALLEST_RECEIVE_BUFFER: u32 = 1_152;

/// What `getsockopt` says of a buffer: Linux counts its bookkeeping.
fn doubled(bytes: usize) -> u32 {
    u32::try_from(bytes.saturating_mul(2)).unwrap_or(u32::MAX)
}

fn at_least(bytes: u32, least: u32) -> usize {
    bytes.max(least) as usize
}
