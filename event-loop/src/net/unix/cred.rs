//! Who a peer is.

use tokio::net::unix::{gid_t, pid_t, uid_t};

/// The credentials of a process, as [`UnixStream::peer_cred`](super::UnixStream::peer_cred) gives
/// them. In a world each host is a process of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UCred {
    pid: Option<pid_t>,
    uid: uid_t,
    gid: gid_t,
}

impl UCred {
    /// For backends.
    #[doc(hidden)]
    #[must_use]
    pub const fn new(pid: Option<pid_t>, uid: uid_t, gid: gid_t) -> Self {
        Self { pid, uid, gid }
    }

    /// The user.
    #[must_use]
    pub const fn uid(&self) -> uid_t {
        self.uid
    }

    /// The user's group.
    #[must_use]
    pub const fn gid(&self) -> gid_t {
        self.gid
    }

    /// The process, where the operating system tells.
    #[must_use]
    pub const fn pid(&self) -> Option<pid_t> {
        self.pid
    }
}

impl From<tokio::net::unix::UCred> for UCred {
    fn from(cred: tokio::net::unix::UCred) -> Self {
        Self::new(cred.pid(), cred.uid(), cred.gid())
    }
}
