//! Sockets as their owners hold them: state, options, and the errors of a wrong state.

use std::net::SocketAddr;
use std::time::Duration;

use crate::dns::Query;
use crate::tcp::{ConnId, KeepaliveTimes, Listener, Side};
use crate::udp::Udp;
use crate::unix::Unix;
use crate::{HostId, Net, NetError, SocketId};

/// One open socket.
#[derive(Debug)]
pub(crate) struct Socket {
    /// Which of the sockets that used this slot it is.
    pub(crate) serial: u64,
    pub(crate) host: HostId,
    /// Whether it is in the queue of changed sockets.
    pub(crate) changed: bool,
    /// Whether its owner speaks of addresses as IPv6, IPv4 ones mapped.
    pub(crate) speaks_v6: bool,
    /// The address that `bind` gave it.
    pub(crate) bound: Option<SocketAddr>,
    pub(crate) options: Options,
    pub(crate) state: State,
}

#[derive(Debug)]
pub(crate) enum State {
    /// Neither connected nor listening.
    Idle,
    /// A connect failed. The error is there until it is taken, by whichever call comes first.
    Failed(Option<NetError>),
    Listening(Listener),
    Stream(ConnId, Side),
    Unix(Box<Unix>),
    /// No socket to its owner, but the look-up of a name.
    Lookup(Box<Query>),
    Udp(Box<Udp>),
}

/// Options of one socket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    pub(crate) reuse_addr: bool,
    pub(crate) reuse_port: bool,
    pub(crate) only_v6: bool,
    pub(crate) nodelay: bool,
    pub(crate) linger: Option<Duration>,
    /// Whether a silent peer is asked for a sign of life, as `keepalive_times` says.
    pub(crate) keepalive: bool,
    pub(crate) keepalive_times: KeepaliveTimes,
    /// Milliseconds; 0 is none, as in Linux.
    pub(crate) user_timeout: u32,
    pub(crate) ttl: u8,
    pub(crate) send_buffer: usize,
    pub(crate) receive_buffer: usize,
}

impl Net {
    /// A socket of this host with the options that sockets begin with.
    pub(crate) fn new_socket(&mut self, host: HostId, state: State) -> SocketId {
        let options = Options {
            reuse_addr: false,
            reuse_port: false,
            only_v6: false,
            nodelay: false,
            linger: None,
            keepalive: false,
            keepalive_times: KeepaliveTimes::default(),
            user_timeout: 0,
            ttl: 64,
            send_buffer: self.config.send_buffer,
            receive_buffer: self.config.receive_buffer,
        };
        self.insert_socket(Socket {
            serial: 0,
            host,
            changed: false,
            speaks_v6: false,
            bound: None,
            options,
            state,
        })
    }
}
