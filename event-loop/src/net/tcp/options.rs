//! The options that a TCP socket has before and after it is connected.

use std::io;
use std::time::Duration;

use socket2::SockRef;

use crate::backend::{TcpOption, TcpOptions};
use crate::net::world::WorldSocket;
use crate::net::{Repr, TcpKeepalive};

/// The options of one socket.
pub(super) type Options<'a> = Repr<SockRef<'a>, &'a WorldSocket>;

impl Options<'_> {
    pub(super) fn nodelay(&self) -> io::Result<bool> {
        self.get(|socket| socket.tcp_nodelay(), |all| all.nodelay)
    }

    pub(super) fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        let set = |socket: &SockRef<'_>| socket.set_tcp_nodelay(nodelay);
        self.set(set, TcpOption::Nodelay(nodelay))
    }

    pub(super) fn linger(&self) -> io::Result<Option<Duration>> {
        self.get(|socket| socket.linger(), |all| all.linger)
    }

    pub(super) fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        let set = |socket: &SockRef<'_>| socket.set_linger(linger);
        self.set(set, TcpOption::Linger(linger))
    }

    pub(super) fn keepalive(&self) -> io::Result<bool> {
        self.get(|socket| socket.keepalive(), |all| all.keepalive)
    }

    pub(super) fn set_keepalive(&self, keepalive: bool) -> io::Result<()> {
        let set = |socket: &SockRef<'_>| socket.set_keepalive(keepalive);
        self.set(set, TcpOption::Keepalive(keepalive))
    }

    pub(super) fn set_tcp_keepalive(&self, times: &TcpKeepalive) -> io::Result<()> {
        let set = |socket: &SockRef<'_>| socket.set_tcp_keepalive(&times.for_socket2());
        self.set(set, TcpOption::KeepaliveTimes(*times))
    }

    pub(super) fn tcp_user_timeout(&self) -> io::Result<Option<Duration>> {
        self.get(user_timeout, |all| all.user_timeout)
    }

    pub(super) fn set_tcp_user_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        let set = |socket: &SockRef<'_>| set_user_timeout(socket, timeout);
        self.set(set, TcpOption::UserTimeout(timeout))
    }

    pub(super) fn ttl(&self) -> io::Result<u32> {
        self.get(|socket| socket.ttl_v4(), |all| all.ttl)
    }

    pub(super) fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        let set = |socket: &SockRef<'_>| socket.set_ttl_v4(ttl);
        self.set(set, TcpOption::Ttl(ttl))
    }

    /// The value of an option, of either kind of socket.
    pub(super) fn get<T>(
        &self,
        system: impl FnOnce(&SockRef<'_>) -> io::Result<T>,
        world: impl FnOnce(&TcpOptions) -> T,
    ) -> io::Result<T> {
        match self {
            Self::Tokio(socket) => system(socket),
            Self::World(socket) => Ok(world(&socket.backend.tcp_options(socket.key)?)),
        }
    }

    /// Sets an option, of either kind of socket.
    pub(super) fn set(
        &self,
        system: impl FnOnce(&SockRef<'_>) -> io::Result<()>,
        world: TcpOption,
    ) -> io::Result<()> {
        match self {
            Self::Tokio(socket) => system(socket),
            Self::World(socket) => socket.backend.set_tcp_option(socket.key, world),
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn user_timeout(socket: &SockRef<'_>) -> io::Result<Option<Duration>> {
    let timeout = socket.tcp_user_timeout()?;
    // The kernel's own idea of it reads as zero.
    Ok(timeout.filter(|timeout| !timeout.is_zero()))
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn set_user_timeout(socket: &SockRef<'_>, timeout: Option<Duration>) -> io::Result<()> {
    socket.set_tcp_user_timeout(timeout)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn user_timeout(_: &SockRef<'_>) -> io::Result<Option<Duration>> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn set_user_timeout(_: &SockRef<'_>, _: Option<Duration>) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
