//! Names of hosts and sockets.

use std::fmt;

/// A host of one network, numbered in order of creation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(pub(crate) u32);

impl HostId {
    /// The position of this host in the order of creation, from 0.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for HostId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "host {}", self.0)
    }
}

impl fmt::Debug for HostId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HostId({})", self.0)
    }
}

/// A socket of one network: ordered by creation, and never reused, so that the id of a closed
/// socket is an error ([`NetError::BadSocket`](crate::NetError::BadSocket)) and never another
/// socket.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketId {
    /// Counts sockets since the network began; comes first, so that order is age.
    pub(crate) serial: u64,
    pub(crate) slot: u32,
}

impl SocketId {
    /// The number of sockets created before this one.
    #[must_use]
    pub const fn serial(self) -> u64 {
        self.serial
    }

    /// A small number that no two open sockets share; it is used again after a close.
    ///
    /// A front end may index its own table of sockets with it.
    #[must_use]
    pub const fn slot(self) -> usize {
        self.slot as usize
    }
}

impl fmt::Display for SocketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "socket {}", self.serial)
    }
}

impl fmt::Debug for SocketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SocketId({})", self.serial)
    }
}
