//! What the network waits for.

use crate::SocketId;
use crate::link::LinkId;
use crate::tcp::{ConnId, Side};

/// Something that happens at a known moment.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    /// The first segment under way from this side reaches the other.
    Arrival(ConnId, Side),
    /// The first acknowledgement under way reaches this side, which waits for it.
    Acknowledgement(ConnId, Side),
    /// The retransmission timer of this side.
    Retransmission(ConnId, Side),
    /// The keep-alive timer of this side.
    Silence(ConnId, Side),
    /// The handshake is tried again, or given up.
    Handshake(ConnId),
    /// The first datagrams under way on this link reach its end.
    Datagrams(LinkId),
    /// A look-up is answered.
    Answer(SocketId),
    /// The swizzle whose rule has this slot takes its next step.
    Swizzle(u32),
}
