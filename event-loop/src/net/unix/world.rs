//! A world's Unix sockets.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::{SocketAddr, UCred};
use crate::backend::{Backend, Slot, UnixKind};
use crate::coop;
use crate::io::Interest;
use crate::net::readiness::Remembered;
use crate::net::world::{WorldSocket, pending, would_block};

type Received = io::Result<(usize, SocketAddr)>;

impl WorldSocket {
    pub(super) fn unix(
        backend: &Arc<dyn Backend>,
        kind: UnixKind,
        remembered: Remembered,
    ) -> io::Result<Self> {
        let key = backend.unix_socket(kind)?;
        Ok(Self::new(backend.clone(), key, remembered))
    }

    pub(super) fn unix_pair(backend: &Arc<dyn Backend>, kind: UnixKind) -> io::Result<[Self; 2]> {
        let pair = backend.unix_pair(kind)?;
        Ok(pair.map(|key| Self::new(backend.clone(), key, Remembered::bound())))
    }

    pub(super) fn unix_local_addr(&self) -> io::Result<SocketAddr> {
        self.backend.unix_local_addr(self.key)
    }

    pub(super) fn unix_peer_addr(&self) -> io::Result<SocketAddr> {
        self.backend.unix_peer_addr(self.key)
    }

    pub(super) fn unix_peer_cred(&self) -> io::Result<UCred> {
        self.backend.unix_peer_cred(self.key)
    }

    pub(super) fn unix_try_send(&self, from: &[u8], to: Option<&SocketAddr>) -> io::Result<usize> {
        let interest = Interest::WRITABLE;
        if self.remembered.among(interest).is_empty()
            && self.backend.readiness(self.key, interest, None)?.is_empty()
        {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.unix_sent(self.backend.unix_send(self.key, from, to, None))
    }

    pub(super) fn unix_poll_send(
        &self,
        cx: &mut Context<'_>,
        from: &[u8],
        to: Option<&SocketAddr>,
    ) -> Poll<io::Result<usize>> {
        coop::poll_leaf(cx, |cx| {
            let wait = Some((Slot::Write, cx.waker()));
            pending(self.unix_sent(self.backend.unix_send(self.key, from, to, wait)))
        })
    }

    /// The same for any number of tasks.
    pub(super) async fn unix_send(
        &self,
        from: &[u8],
        to: Option<&SocketAddr>,
    ) -> io::Result<usize> {
        let mut place = None;
        poll_fn(|cx| {
            coop::poll_leaf(cx, |cx| {
                let wait = Some((Slot::Watch, self.watch_waker()));
                let sent = self.backend.unix_send(self.key, from, to, wait);
                self.pend_in(&mut place, pending(self.unix_sent(sent)), cx)
            })
        })
        .await
    }

    pub(super) fn unix_try_receive(&self, into: &mut [u8]) -> Received {
        self.unix_received(self.backend.unix_receive(self.key, into, None))
    }

    pub(super) fn unix_poll_receive(
        &self,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<Received> {
        coop::poll_leaf(cx, |cx| {
            let wait = Some((Slot::Read, cx.waker()));
            pending(self.unix_received(self.backend.unix_receive(self.key, into, wait)))
        })
    }

    /// The same for any number of tasks.
    pub(super) async fn unix_receive(&self, into: &mut [u8]) -> Received {
        let mut place = None;
        poll_fn(|cx| {
            coop::poll_leaf(cx, |cx| {
                let wait = Some((Slot::Watch, self.watch_waker()));
                let received = self.backend.unix_receive(self.key, into, wait);
                self.pend_in(&mut place, pending(self.unix_received(received)), cx)
            })
        })
        .await
    }

    fn unix_sent(&self, sent: io::Result<usize>) -> io::Result<usize> {
        self.remembered.set_writable(!would_block(&sent));
        sent
    }

    fn unix_received(&self, received: Received) -> Received {
        self.remembered.set_readable(!would_block(&received));
        received
    }
}
