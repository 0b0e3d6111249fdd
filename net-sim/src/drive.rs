//! A network of two hosts with its own clock, for tests: whoever tests code on top of
//! [`Net`] steps it from event to event.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use virtual_time::Instant;

use crate::{
    Decide, HostId, LinkConfig, Net, NetConfig, NetError, Plain, Readiness, Result, SocketId,
};

/// A client's and a server's host, and the moment it is.
///
/// ```
/// use std::time::Duration;
/// use net_sim::drive::Pair;
/// use net_sim::{Latency, LinkConfig};
///
/// let mut pair = Pair::new(LinkConfig::new(Latency::constant(Duration::from_millis(5))));
/// let (client, server) = pair.connected();
/// pair.write(client, b"hello")?;
/// pair.drive();
/// assert_eq!(pair.read(server, 100)?, b"hello");
/// # Ok::<(), net_sim::NetError>(())
/// ```
#[derive(Debug)]
pub struct Pair<D = Plain> {
    /// The network.
    pub net: Net,
    /// The moment it is.
    pub now: Instant,
    /// Takes the decisions.
    pub decide: D,
    /// The host at [`Pair::CLIENT`].
    pub client: HostId,
    /// The host at [`Pair::SERVER`].
    pub server: HostId,
}

impl Pair {
    /// The client's address.
    pub const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
    /// The server's address.
    pub const SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));

    /// Two hosts with such a link in either direction.
    #[must_use]
    pub fn new(link: LinkConfig) -> Self {
        Self::with(NetConfig::default(), link, Plain)
    }
}

impl<D: Decide> Pair<D> {
    /// Two hosts, with everything about them chosen.
    #[must_use]
    pub fn with(config: NetConfig, link: LinkConfig, decide: D) -> Self {
        let mut net = Net::new(config);
        net.set_default_link(link);
        let client = net.add_host(&[Pair::CLIENT]);
        let server = net.add_host(&[Pair::SERVER]);
        let (Ok(client), Ok(server)) = (client, server) else {
            unreachable!("the two addresses are fine and differ")
        };
        Self {
            net,
            now: Instant::BEGIN,
            decide,
            client,
            server,
        }
    }

    /// A socket of the server that listens at this port.
    ///
    /// # Errors
    ///
    /// As [`Net::bind`] and [`Net::listen`].
    pub fn listen(&mut self, port: u16, backlog: u32) -> Result<SocketId> {
        let id = self.net.tcp_socket(self.server);
        self.net
            .bind(self.now, id, SocketAddr::new(Pair::SERVER, port))?;
        self.net.listen(self.now, id, backlog)?;
        Ok(id)
    }

    /// A socket of the client that begins to connect to this port of the server.
    ///
    /// # Panics
    ///
    /// If it cannot even begin.
    pub fn connect(&mut self, port: u16) -> SocketId {
        let id = self.net.tcp_socket(self.client);
        let to = SocketAddr::new(Pair::SERVER, port);
        let begun = self.net.connect(self.now, id, to, &mut self.decide);
        assert_eq!(begun, Err(NetError::InProgress), "connecting to {to}");
        id
    }

    /// Accepts a connection.
    ///
    /// # Errors
    ///
    /// As [`Net::accept`].
    pub fn accept(&mut self, listener: SocketId) -> Result<SocketId> {
        let accepted = self.net.accept(self.now, listener, &mut self.decide);
        accepted.map(|(id, _)| id)
    }

    /// A connection through a listener that closes again: the client's socket and the server's.
    ///
    /// # Panics
    ///
    /// If no port is free.
    pub fn connected(&mut self) -> (SocketId, SocketId) {
        let made = self.try_connected();
        made.unwrap_or_else(|error| panic!("no connection: {error}"))
    }

    /// Writes as much as is taken.
    ///
    /// # Errors
    ///
    /// As [`Net::write`].
    pub fn write(&mut self, id: SocketId, bytes: &[u8]) -> Result<usize> {
        self.net.write(self.now, id, bytes, &mut self.decide)
    }

    /// Reads once, up to `most` bytes.
    ///
    /// # Errors
    ///
    /// As [`Net::read`].
    pub fn read(&mut self, id: SocketId, most: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; most];
        let n = self.net.read(self.now, id, &mut bytes, &mut self.decide)?;
        bytes.truncate(n);
        Ok(bytes)
    }

    /// Shuts one direction, or both.
    ///
    /// # Errors
    ///
    /// As [`Net::shutdown`].
    pub fn shutdown(&mut self, id: SocketId, how: crate::How) -> Result<()> {
        self.net.shutdown(self.now, id, how, &mut self.decide)
    }

    /// Closes a socket.
    ///
    /// # Errors
    ///
    /// As [`Net::close`].
    pub fn close(&mut self, id: SocketId) -> Result<()> {
        self.net.close(self.now, id, &mut self.decide)
    }

    /// Goes to the next moment at which something happens; false if nothing ever will.
    pub fn step(&mut self) -> bool {
        let Some(next) = self.net.next_event() else {
            return false;
        };
        self.now = self.now.max(next);
        self.net.advance(self.now, &mut self.decide);
        true
    }

    /// Steps until nothing is left to happen.
    pub fn drive(&mut self) {
        while self.step() {}
    }

    /// Steps until `end`, and stays there.
    pub fn drive_until(&mut self, end: Instant) {
        while self.net.next_event().is_some_and(|next| next <= end) {
            self.step();
        }
        self.now = self.now.max(end);
        self.net.advance(self.now, &mut self.decide);
    }

    /// The sockets that changed since the last call.
    pub fn changed(&mut self) -> Vec<(SocketId, Readiness)> {
        std::iter::from_fn(|| self.net.pop_changed()).collect()
    }

    /// What a socket can do.
    ///
    /// # Panics
    ///
    /// If it is closed.
    pub fn readiness(&mut self, id: SocketId) -> Readiness {
        let readiness = self.net.readiness(id);
        readiness.unwrap_or_else(|error| panic!("{id}: {error}"))
    }

    fn try_connected(&mut self) -> Result<(SocketId, SocketId)> {
        let listener = self.listen(0, 1)?;
        let client = self.connect(self.net.local_addr(listener)?.port());
        self.drive();
        self.net.finish_connect(client)?;
        let server = self.accept(listener)?;
        self.close(listener)?;
        self.changed();
        Ok((client, server))
    }
}
