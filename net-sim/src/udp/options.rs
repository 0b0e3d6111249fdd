//! Options of UDP sockets, and shutting them.

use crate::{How, Net, NetError, Result, SocketId};

impl Net {
    /// Whether a UDP socket may send to broadcast addresses.
    ///
    /// # Errors
    ///
    /// [`NetError::InvalidInput`] if it is no UDP socket, [`NetError::BadSocket`].
    pub fn broadcast(&mut self, id: SocketId) -> Result<bool> {
        Ok(self.udp_mut(id)?.1.broadcast)
    }

    /// Sets `SO_BROADCAST`.
    ///
    /// # Errors
    ///
    /// As [`broadcast`](Self::broadcast).
    pub fn set_broadcast(&mut self, id: SocketId, on: bool) -> Result<()> {
        self.udp_mut(id)?.1.broadcast = on;
        Ok(())
    }

    /// Whether what a UDP socket sends to an IPv4 group is heard on its own host as well.
    ///
    /// # Errors
    ///
    /// As [`broadcast`](Self::broadcast).
    pub fn multicast_loop_v4(&mut self, id: SocketId) -> Result<bool> {
        Ok(self.udp_mut(id)?.1.multicast_loop_v4)
    }

    /// Sets `IP_MULTICAST_LOOP`. The loopback interface loops in any case.
    ///
    /// # Errors
    ///
    /// As [`broadcast`](Self::broadcast).
    pub fn set_multicast_loop_v4(&mut self, id: SocketId, on: bool) -> Result<()> {
        self.udp_mut(id)?.1.multicast_loop_v4 = on;
        Ok(())
    }

    /// Whether what a UDP socket sends to an IPv6 group is heard on its own host as well.
    ///
    /// # Errors
    ///
    /// [`NetError::NotSupported`] if it speaks IPv4, and as [`broadcast`](Self::broadcast).
    pub fn multicast_loop_v6(&mut self, id: SocketId) -> Result<bool> {
        self.expect_v6(id).map_err(|error| match error {
            NetError::ProtocolNotAvailable => NetError::NotSupported,
            error => error,
        })?;
        Ok(self.udp_mut(id)?.1.multicast_loop_v6)
    }

    /// Sets `IPV6_MULTICAST_LOOP`.
    ///
    /// # Errors
    ///
    /// [`NetError::ProtocolNotAvailable`] if it speaks IPv4, and as
    /// [`broadcast`](Self::broadcast).
    pub fn set_multicast_loop_v6(&mut self, id: SocketId, on: bool) -> Result<()> {
        self.expect_v6(id)?;
        self.udp_mut(id)?.1.multicast_loop_v6 = on;
        Ok(())
    }

    /// How many networks what a UDP socket sends to a group may pass: with 0 it stays on the
    /// host, with more on the segment, for there are no multicast routers.
    ///
    /// # Errors
    ///
    /// As [`broadcast`](Self::broadcast).
    pub fn multicast_ttl(&mut self, id: SocketId) -> Result<u32> {
        Ok(self.udp_mut(id)?.1.multicast_ttl)
    }

    /// Sets `IP_MULTICAST_TTL`.
    ///
    /// # Errors
    ///
    /// [`NetError::InvalidInput`] over 255, and as [`broadcast`](Self::broadcast).
    pub fn set_multicast_ttl(&mut self, id: SocketId, ttl: u32) -> Result<()> {
        if ttl > 255 {
            return Err(NetError::InvalidInput);
        }
        self.udp_mut(id)?.1.multicast_ttl = ttl;
        Ok(())
    }

    /// Whether the socket may share its port with others that have this option as well.
    ///
    /// # Errors
    ///
    /// [`NetError::BadSocket`].
    pub fn reuse_port(&self, id: SocketId) -> Result<bool> {
        Ok(self.socket(id)?.options.reuse_port)
    }

    /// Sets `SO_REUSEPORT`; set it before the socket is bound. A connection to a port at which
    /// several listen, and a datagram to one that several unconnected sockets share, goes to one
    /// of them, the same for all from one address: which is the choice
    /// [`Site::REUSE_PORT`](crate::Site::REUSE_PORT).
    ///
    /// # Errors
    ///
    /// [`NetError::BadSocket`].
    pub fn set_reuse_port(&mut self, id: SocketId, on: bool) -> Result<()> {
        self.socket_mut(id)?.options.reuse_port = on;
        self.udp_options_changed(id)
    }

    /// A shutdown of a UDP socket ends nothing on the network.
    pub(crate) fn udp_shutdown(&mut self, id: SocketId, how: How) -> Result<()> {
        let (_, udp) = self.udp_mut(id)?;
        udp.receives &= !how.reads();
        udp.sends &= !how.writes();
        let connected = udp.peer.is_some();
        self.changed(id);
        // Linux shuts it in any case.
        connected.then_some(()).ok_or(NetError::NotConnected)
    }

    /// Lets the port know of options set after the socket was bound.
    pub(crate) fn udp_options_changed(&mut self, id: SocketId) -> Result<()> {
        let options = self.socket(id)?.options;
        let Ok((host, udp)) = self.udp_mut(id) else {
            return Ok(());
        };
        udp.route = None;
        if let Some(local) = udp.local.filter(|local| local.port() != 0) {
            let ports = &mut self.host_mut(host).udp;
            ports.change(local.port(), id, |binding| {
                binding.reuse_addr = options.reuse_addr;
                binding.reuse_port = options.reuse_port;
            });
        }
        Ok(())
    }
}
