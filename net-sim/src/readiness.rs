//! What a socket can do right now.

/// What `poll` would say of a socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Readiness {
    /// A read, or an accept, would not block: there are bytes, an end of file, an error, or a
    /// connection to accept (`POLLIN`).
    pub readable: bool,
    /// A write would not block, and at least a third of the send buffer is free; or it would
    /// fail at once (`POLLOUT`).
    pub writable: bool,
    /// The peer's sending side, or this socket's receiving side, is shut (`POLLRDHUP`).
    pub read_closed: bool,
    /// Both directions are shut, or the socket was never connected (`POLLHUP`).
    pub hung_up: bool,
    /// An error waits to be read (`POLLERR`).
    pub error: bool,
}

impl Readiness {
    /// Whether nothing at all can be done.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        !(self.readable || self.writable || self.read_closed || self.hung_up || self.error)
    }
}
