//! A world's Unix sockets.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::SocketAddr as StdAddr;
use std::path::Path;
use std::task::{Poll, Waker};

use event_loop::backend::{Slot, SocketKey, Unix, UnixKind};
use event_loop::net::unix::{SocketAddr, UCred};
use net_sim::UnixAddr;

use super::{key, socket_id, wrote};
use crate::event_loop::SimLoop;
use crate::trace::Kind;
use crate::world::core::current_serial;
use crate::world::waits::Wait;

impl Unix for SimLoop {
    fn unix_socket(&self, kind: UnixKind) -> io::Result<SocketKey> {
        self.call(|core| {
            let owner = core.net_host(self.host);
            let id = core.net().unix_socket(owner, of_net(kind))?;
            Ok(key(core.sockets.insert(id, self.host)))
        })
    }

    fn unix_pair(&self, kind: UnixKind) -> io::Result<[SocketKey; 2]> {
        self.call(|core| {
            let owner = core.net_host(self.host);
            let (one, other) = core.net().unix_pair(owner, of_net(kind))?;
            Ok([one, other].map(|id| {
                core.call_socket(id, self.host, format_args!("one of a pair"));
                key(core.sockets.insert(id, self.host))
            }))
        })
    }

    fn unix_bind(&self, socket: SocketKey, addr: &SocketAddr) -> io::Result<()> {
        let addr = ours(addr)?;
        self.call(|core| {
            let id = socket_id(core, socket)?;
            core.net().unix_bind(id, &addr)?;
            core.call_socket(id, self.host, format_args!("{addr}"));
            Ok(())
        })
    }

    fn unix_listen(&self, socket: SocketKey, backlog: u32) -> io::Result<()> {
        self.call(|core| {
            let id = socket_id(core, socket)?;
            core.with_net(|net, now, _| net.listen(now, id, backlog))?;
            core.trace
                .event(core.now, Kind::Listen, current_serial(), 0);
            Ok(())
        })
    }

    fn unix_connect(&self, socket: SocketKey, addr: &SocketAddr) -> io::Result<()> {
        let addr = ours(addr)?;
        self.call(|core| {
            let id = socket_id(core, socket)?;
            core.trace
                .event(core.now, Kind::Connect, current_serial(), id.serial());
            core.call_socket(id, self.host, format_args!("to {addr}"));
            Ok(core.with_net(|net, _, _| net.unix_connect(id, &addr))?)
        })
    }

    fn unix_poll_accept(
        &self,
        socket: SocketKey,
        waker: &Waker,
    ) -> Poll<io::Result<(SocketKey, SocketAddr)>> {
        let accepted = self.poll_socket(socket, Slot::Read, waker, Wait::Accept, |core, id| {
            let (accepted, peer) = core.with_net(|net, _, _| net.unix_accept(id))?;
            core.trace
                .event(core.now, Kind::Accept, current_serial(), accepted.serial());
            if let Ok(at) = core.net().unix_local_addr(accepted) {
                core.call_socket(accepted, self.host, format_args!("{at} from {peer}"));
            }
            Ok((key(core.sockets.insert(accepted, self.host)), peer))
        });
        accepted.map_ok(|(key, peer)| (key, theirs(&peer)))
    }

    fn unix_send(
        &self,
        socket: SocketKey,
        from: &[u8],
        to: Option<&SocketAddr>,
        wait: Option<(Slot, &Waker)>,
    ) -> io::Result<usize> {
        let to = to.map(ours).transpose()?;
        self.call_or_wait(socket, wait, Wait::Write, |core, id| {
            let sent = core.with_net(|net, _, _| match &to {
                Some(to) => net.unix_send_to(id, from, to),
                None => net.unix_send(id, from),
            })?;
            core.progress();
            Ok(wrote(core, sent))
        })
    }

    fn unix_receive(
        &self,
        socket: SocketKey,
        into: &mut [u8],
        wait: Option<(Slot, &Waker)>,
    ) -> io::Result<(usize, SocketAddr)> {
        let (n, from) = self.call_or_wait(socket, wait, Wait::Read, |core, id| {
            let received = core.with_net(|net, _, _| net.unix_receive(id, into))?;
            core.trace
                .event(core.now, Kind::Read, current_serial(), received.0 as u64);
            core.progress();
            Ok(received)
        })?;
        Ok((n, theirs(&from)))
    }

    fn unix_local_addr(&self, socket: SocketKey) -> io::Result<SocketAddr> {
        let addr = self.ask_socket(socket, |net, id| net.unix_local_addr(id))?;
        Ok(theirs(&addr))
    }

    fn unix_peer_addr(&self, socket: SocketKey) -> io::Result<SocketAddr> {
        let addr = self.ask_socket(socket, |net, id| net.unix_peer_addr(id))?;
        Ok(theirs(&addr))
    }

    fn unix_peer_cred(&self, socket: SocketKey) -> io::Result<UCred> {
        let cred = self.ask_socket(socket, |net, id| net.unix_peer_credentials(id))?;
        Ok(match cred {
            Some(cred) => UCred::new(i32::try_from(cred.pid).ok(), cred.uid, cred.gid),
            // What Linux says of a socket without a peer.
            None => UCred::new(Some(0), u32::MAX, u32::MAX),
        })
    }

    fn unix_unlink(&self, path: &Path) -> io::Result<()> {
        let path = UnixAddr::path(path.as_os_str().as_bytes())?;
        self.call(|core| {
            let host = core.net_host(self.host);
            Ok(core.net().unlink(host, &path)?)
        })
    }
}

const fn of_net(kind: UnixKind) -> net_sim::UnixKind {
    match kind {
        UnixKind::Stream => net_sim::UnixKind::Stream,
        UnixKind::Datagram => net_sim::UnixKind::Datagram,
    }
}

fn ours(addr: &SocketAddr) -> io::Result<UnixAddr> {
    if let Some(path) = addr.as_pathname() {
        return Ok(UnixAddr::path(path.as_os_str().as_bytes())?);
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Some(name) = addr.as_abstract_name() {
        return Ok(UnixAddr::abstract_name(name)?);
    }
    Ok(UnixAddr::UNNAMED)
}

/// Where the machine's addresses have no abstract names, one is told as none.
fn theirs(addr: &UnixAddr) -> SocketAddr {
    let path = OsStr::from_bytes(addr.as_path().unwrap_or_default());
    let mut told = StdAddr::from_pathname(path);
    #[cfg(target_os = "linux")]
    if let Some(name) = addr.as_abstract_name() {
        use std::os::linux::net::SocketAddrExt;
        told = StdAddr::from_abstract_name(name);
    }
    let told = told.expect("an address that was made is no longer than one can be");
    told.into()
}
