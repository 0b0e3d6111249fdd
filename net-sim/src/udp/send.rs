//! Sending.

use std::io::IoSlice;
use std::net::SocketAddr;

use virtual_time::Instant;

use super::Udp;
use super::flight::{Kind, Label};
use super::route::{Route, Way};
use crate::{Decide, Net, NetError, Result, SocketId};

/// What no datagram can be larger than, whatever else is wrong with it.
const LENGTH_FIELD: usize = u16::MAX as usize;
/// What an IPv4 packet holds beside its header and UDP's.
const MOST_V4: usize = LENGTH_FIELD - 20 - 8;
/// What an IPv6 packet holds beside UDP's header.
const MOST_V6: usize = LENGTH_FIELD - 8;

impl Net {
    /// Sends a datagram to `to`, and says how large it was. A socket without a port gets one.
    ///
    /// That it was sent says nothing of its arrival.
    ///
    /// # Errors
    ///
    /// [`NetError::MessageTooLong`] over 65,507 bytes to an IPv4 address, 65,527 to IPv6;
    /// [`NetError::PermissionDenied`] for a broadcast address without
    /// [`set_broadcast`](Self::set_broadcast); [`NetError::NetworkUnreachable`];
    /// [`NetError::FamilyNotSupported`] and [`NetError::InvalidInput`] for addresses that do
    /// not fit; [`NetError::ConnectionRefused`] once where an earlier datagram of a connected
    /// socket found nobody, and this one was not sent; [`NetError::BrokenPipe`] after a
    /// shutdown; [`NetError::BadSocket`].
    pub fn send_to(
        &mut self,
        now: Instant,
        id: SocketId,
        buf: &[u8],
        to: SocketAddr,
        decide: &mut impl Decide,
    ) -> Result<usize> {
        self.send_parts(now, id, &[IoSlice::new(buf)], Some(to), decide)
    }

    /// Sends a datagram to the peer of a connected socket.
    ///
    /// # Errors
    ///
    /// [`NetError::DestinationRequired`] if it has none, and as [`send_to`](Self::send_to).
    pub fn send(
        &mut self,
        now: Instant,
        id: SocketId,
        buf: &[u8],
        decide: &mut impl Decide,
    ) -> Result<usize> {
        self.send_parts(now, id, &[IoSlice::new(buf)], None, decide)
    }

    /// Sends one datagram made of several buffers, to `to` or to the peer.
    ///
    /// # Errors
    ///
    /// As [`send_to`](Self::send_to) and [`send`](Self::send).
    pub fn send_vectored(
        &mut self,
        now: Instant,
        id: SocketId,
        bufs: &[IoSlice<'_>],
        to: Option<SocketAddr>,
        decide: &mut impl Decide,
    ) -> Result<usize> {
        self.send_parts(now, id, bufs, to, decide)
    }

    fn send_parts(
        &mut self,
        now: Instant,
        id: SocketId,
        parts: &[IoSlice<'_>],
        to: Option<SocketAddr>,
        decide: &mut dyn Decide,
    ) -> Result<usize> {
        self.observe(now);
        let len = parts.iter().map(|part| part.len()).sum();
        let route = self.known_route(id, to, len)?;
        let (_, udp) = self.udp_mut(id)?;
        udp.check_sending(&route, len)?;
        let mut label = Label {
            from: route.from,
            to: route.to,
            kind: Kind::One,
        };
        match route.way {
            Way::One(host, link) => self.dispatch(now, link, host, label, parts, decide),
            Way::Nowhere => {}
            Way::Own | Way::Segment => {
                label.kind = Kind::Many;
                self.spread(now, id, route.way, label, parts, decide)?;
            }
        }
        Ok(len)
    }

    /// The way to `to`, or to the peer: the one taken the last time, if it is the same.
    fn known_route(&mut self, id: SocketId, to: Option<SocketAddr>, len: usize) -> Result<Route> {
        let (_, udp) = self.udp_mut(id)?;
        if let Some(route) = udp.route
            && to.or(udp.peer) == Some(route.to)
        {
            return Ok(route);
        }
        self.udp_autobind(id)?;
        // IPv4 looks at the length before it looks at anything else.
        let too_long = |is_v4| is_v4 && len > LENGTH_FIELD;
        let speaks_v6 = self.socket(id)?.speaks_v6;
        if too_long(!speaks_v6) {
            return Err(NetError::MessageTooLong);
        }
        let named = to.is_some();
        let to = match to {
            Some(to) => self.udp_destination(id, to)?,
            None => {
                let (_, udp) = self.udp_mut(id)?;
                udp.peer.ok_or(NetError::DestinationRequired)?
            }
        };
        if too_long(to.is_ipv4()) {
            return Err(NetError::MessageTooLong);
        }
        // A peer may have port 0, unless IPv6 hands it over to IPv4.
        if to.port() == 0 && (named || (speaks_v6 && to.is_ipv4())) {
            return Err(NetError::InvalidInput);
        }
        let route = self.route(id, to)?;
        if matches!(route.way, Way::One(..)) && to.port() != 0 {
            self.udp_mut(id)?.1.route = Some(route);
        }
        Ok(route)
    }
}

impl Udp {
    /// Whether this datagram may leave now. The order is Linux's: what takes the error that
    /// waits comes last.
    fn check_sending(&mut self, route: &Route, len: usize) -> Result<()> {
        if route.needs_broadcast() && !self.broadcast {
            return Err(NetError::PermissionDenied);
        }
        let most = match route.to {
            SocketAddr::V4(_) => MOST_V4,
            SocketAddr::V6(_) => MOST_V6,
        };
        if len > most {
            return Err(NetError::MessageTooLong);
        }
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        if !self.sends {
            return Err(NetError::BrokenPipe);
        }
        Ok(())
    }
}
