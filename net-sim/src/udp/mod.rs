//! UDP: sockets that hand over datagrams, and may lose them.
//!
//! The way of a datagram: `send` finds out where it goes and keeps the answer for the next one
//! (route), its link says when it arrives. Where that takes no time it is in the receiver's row
//! (store) when the call returns; otherwise it stands in the row of its link (flight), which has
//! one event for the next arrival, however many are under way.

mod address;
mod deliver;
mod flight;
mod multicast;
mod options;
mod ports;
mod receive;
mod route;
mod send;
mod store;
mod watched;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

pub(crate) use flight::Flight;
pub(crate) use ports::Ports;
pub use receive::Received;
pub(crate) use watched::Parcel;

use self::multicast::{Membership, Within};
use self::route::Route;
use self::store::Row;
use crate::socket::State;
use crate::{HostId, Net, NetError, SocketId};

/// The language a socket speaks of addresses in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// `AF_INET`.
    V4,
    /// `AF_INET6`; reaches IPv4 as well, by mapped addresses, unless `IPV6_V6ONLY` is set.
    V6,
}

/// What a UDP socket is, beside what all sockets are.
#[derive(Debug)]
pub(crate) struct Udp {
    inbox: Row<Letter>,
    /// What the datagrams in the inbox cost of the receive buffer.
    charged: usize,
    /// Datagrams for which there was no room.
    overflowed: u64,
    /// Its address, once it has a port; `Socket::bound` is what it was bound to.
    local: Option<SocketAddr>,
    peer: Option<SocketAddr>,
    /// Waits to be taken by the next call that would report it.
    error: Option<NetError>,
    /// Where the last datagram went.
    route: Option<Route>,
    sends: bool,
    receives: bool,
    broadcast: bool,
    multicast_loop_v4: bool,
    multicast_loop_v6: bool,
    multicast_ttl: u32,
    memberships: Vec<Membership>,
}

/// A datagram that waits for its reader, but for its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Letter {
    from: SocketAddr,
}

/// What the network keeps for UDP.
#[derive(Debug, Default)]
pub(crate) struct Datagrams {
    /// How many sockets of which host have joined a group.
    members: BTreeMap<(Within, IpAddr, HostId), u32>,
    /// By link; a link that carried none has no entry or an empty one.
    flights: Vec<Option<Box<Flight>>>,
    /// On which segment a host is that is not on the first.
    segments: BTreeMap<HostId, u32>,
}

impl Net {
    /// A new UDP socket of this host.
    ///
    /// ```
    /// use net_sim::{Family, Net, Plain};
    /// use virtual_time::Instant;
    ///
    /// let (mut net, now) = (Net::default(), Instant::BEGIN);
    /// let host = net.add_host(&["10.0.0.1".parse().unwrap()])?;
    /// let clock = net.udp_socket(host, Family::V4);
    /// net.bind(now, clock, "10.0.0.1:123".parse().unwrap())?;
    ///
    /// let asker = net.udp_socket(host, Family::V4);
    /// net.send_to(now, asker, b"what time is it?", "10.0.0.1:123".parse().unwrap(), &mut Plain)?;
    /// let mut buf = [0; 8];
    /// let received = net.recv_from(now, clock, &mut buf)?;
    /// assert_eq!((received.copied, received.len), (8, 16));
    /// assert!(received.is_truncated());
    /// assert_eq!(received.from.port(), net.local_addr(asker)?.port());
    /// # Ok::<(), net_sim::NetError>(())
    /// ```
    ///
    /// # Panics
    ///
    /// If the host is of another network.
    pub fn udp_socket(&mut self, host: HostId, family: Family) -> SocketId {
        self.check_host(host);
        let udp = Udp {
            inbox: Row::default(),
            charged: 0,
            overflowed: 0,
            local: None,
            peer: None,
            error: None,
            route: None,
            sends: true,
            receives: true,
            broadcast: false,
            multicast_loop_v4: true,
            multicast_loop_v6: true,
            multicast_ttl: 1,
            memberships: Vec::new(),
        };
        let id = self.new_socket(host, State::Udp(Box::new(udp)));
        let buffer = self.config.datagram_buffer;
        let socket = &mut self.sockets[id.slot()];
        socket.speaks_v6 = family == Family::V6;
        socket.options.send_buffer = buffer;
        socket.options.receive_buffer = buffer;
        id
    }
}
