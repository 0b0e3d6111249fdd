//! A world's sockets, as listeners and streams hold them.

use std::future::poll_fn;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::backend::{Backend, SocketKey};
use crate::coop;

/// A socket of a world; given back when dropped.
pub(super) struct WorldSocket {
    pub(super) backend: Arc<dyn Backend>,
    pub(super) key: SocketKey,
}

impl WorldSocket {
    pub(super) async fn connect(
        backend: &Arc<dyn Backend>,
        address: SocketAddr,
    ) -> io::Result<Self> {
        let key = backend.tcp_connect(address)?;
        // Owned from here on: a connect that is cancelled gives its socket back.
        let socket = Self {
            backend: backend.clone(),
            key,
        };
        let connected = |cx: &mut Context<'_>| {
            coop::poll_leaf(cx, |cx| socket.backend.poll_connected(key, cx.waker()))
        };
        poll_fn(connected).await?;
        Ok(socket)
    }

    pub(super) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        coop::poll_leaf(cx, |cx| self.backend.poll_read(self.key, into, cx.waker()))
    }

    pub(super) fn poll_write(&self, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        coop::poll_leaf(cx, |cx| self.backend.poll_write(self.key, from, cx.waker()))
    }

    /// As tokio does it: a connection that is over is as good as shut down.
    pub(super) fn shut_down(&self) -> io::Result<()> {
        match self.backend.shutdown(self.key, Shutdown::Write) {
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            ended => ended,
        }
    }

    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.backend.local_addr(self.key)
    }

    pub(super) fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.backend.peer_addr(self.key)
    }
}

impl Drop for WorldSocket {
    fn drop(&mut self) {
        self.backend.close_socket(self.key);
    }
}
