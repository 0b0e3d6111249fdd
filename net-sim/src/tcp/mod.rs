//! TCP: connections, each with two ends and a pipe from either to the other.
//!
//! The way of a byte: `write` (stream) puts it into the ring of its [`Pipe`], the window lets it
//! go (segment), its link says when it arrives, an event or the same call delivers it, the
//! reader's socket joins the queue of changed ones, and `read` takes it out of the same ring.
//! The acknowledgement goes back at that moment; the writer takes it when it next looks, and
//! only if it waits for one is it an event.

mod close;
mod connect;
mod keepalive;
mod listener;
mod options;
mod outage;
mod pipe;
mod queue;
mod reset;
mod retransmit;
mod segment;
mod silence;
mod socket;
mod stream;
mod vanish;
mod watched;

use std::net::SocketAddr;

pub use close::How;
pub use keepalive::Keepalive;
pub(crate) use keepalive::KeepaliveTimes;
pub(crate) use listener::Listener;
pub(crate) use pipe::Cargo;
use pipe::Pipe;
pub(crate) use silence::Silences;
pub(crate) use socket::spoken;

use crate::host::Pairing;
use crate::link::LinkId;
use crate::{HostId, NetError, SocketId};
use virtual_time::{Instant, TimerKey};

/// A connection. Its events are cancelled with it, so that no id outlives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ConnId(pub(crate) u32);

impl ConnId {
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// One of the two ends of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    /// The end that called `connect`.
    Opener,
    /// The end that a listener made.
    Acceptor,
}

impl Side {
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Opener => Self::Acceptor,
            Self::Acceptor => Self::Opener,
        }
    }
}

/// A connection, from the first SYN until both ends are closed.
#[derive(Debug)]
pub(crate) struct Conn {
    stage: Stage,
    ends: [End; 2],
    /// The next try of the handshake, or the moment it is given up.
    retry: Option<TimerKey>,
    /// How often the handshake's current step was tried again.
    retries: u32,
    /// When the handshake's current step was first tried.
    tried_at: Instant,
}

/// How far the three-way handshake is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The opener waits for an answer.
    Opening,
    /// The opener is connected; the acceptor does not know yet, or had no room.
    HalfOpen,
    /// Both are connected.
    Open,
}

/// What one end knows, and its pipe to the other.
#[derive(Debug)]
struct End {
    /// `None` if no host has the address.
    host: Option<HostId>,
    addr: SocketAddr,
    owner: Owner,
    link: LinkId,
    /// From this end to the other.
    out: Pipe,
    /// Waits to be taken by the next call that would report it.
    error: Option<NetError>,
    /// The connection was cut: by a RST that came, or by this end.
    reset: bool,
    /// The connection was cut, and the peer does not know: it learns when it sends something.
    untold: bool,
    /// The owner will not read on.
    read_shut: bool,
    /// This end shut its sending side before the other's FIN arrived: it gets the TIME_WAIT.
    closed_first: bool,
    /// `connect` or `finish_connect` has said that the connection is there.
    told_connected: bool,
    /// Whether this end's host has noted the pairing.
    paired: bool,
}

impl End {
    fn new(host: Option<HostId>, addr: SocketAddr, owner: Owner, link: LinkId, out: Pipe) -> Self {
        Self {
            host,
            addr,
            owner,
            link,
            out,
            error: None,
            reset: false,
            untold: false,
            read_shut: false,
            closed_first: false,
            told_connected: false,
            paired: false,
        }
    }
}

/// Who speaks for an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    /// The listener that will hand it to `accept`, or already keeps it.
    Listener(SocketId),
    Socket(SocketId),
    /// Nobody any more; the kernel sends what is left.
    Closed,
}

impl Conn {
    /// Bytes written and not yet read, in both directions.
    pub(crate) fn buffered(&self) -> usize {
        self.ends.iter().map(|end| end.out.buffered()).sum()
    }

    /// All events that speak of this connection.
    pub(crate) fn scheduled(&self) -> impl Iterator<Item = TimerKey> {
        let pipes = self.ends.iter().flat_map(|end| end.out.scheduled());
        pipes.chain(self.retry)
    }

    fn end(&self, side: Side) -> &End {
        &self.ends[side as usize]
    }

    fn end_mut(&mut self, side: Side) -> &mut End {
        &mut self.ends[side as usize]
    }

    /// The pipe that this side reads from.
    fn inbound(&self, side: Side) -> &Pipe {
        &self.end(side.other()).out
    }

    fn inbound_mut(&mut self, side: Side) -> &mut Pipe {
        &mut self.end_mut(side.other()).out
    }

    fn end_of_stream(&self, side: Side) -> bool {
        self.inbound(side).end_has_arrived()
    }

    fn pairing(&self, side: Side) -> Pairing {
        Pairing::new(self.end(side).addr, self.end(side.other()).addr)
    }

    /// When `side` heard from its peer last.
    fn heard(&self, side: Side, now: Instant) -> Instant {
        let arrival = self.inbound(side).last_arrival();
        arrival.max(self.end(side).out.last_ack()).min(now)
    }

    /// Whether Linux's state of this side is `CLOSE`: no peer to speak of.
    fn is_over(&self, side: Side) -> bool {
        let ended = |side| self.end(side).out.end_has_arrived();
        self.end(side).reset || (ended(side) && ended(side.other()))
    }
}
