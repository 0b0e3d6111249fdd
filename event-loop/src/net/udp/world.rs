//! A world's UDP sockets.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use crate::backend::{Receiving, Slot};
use crate::coop;
use crate::io::Interest;
use crate::net::world::{WorldSocket, pending, would_block};

/// The largest datagram, and so all that a buffer of unknown size needs.
pub(super) const LARGEST: usize = 65_535;

/// What a datagram came to: how much of it fitted, and who sent it.
pub(super) type Received = io::Result<(usize, SocketAddr)>;

impl WorldSocket {
    /// Takes a datagram, or copies it.
    pub(super) fn try_receive(&self, into: &mut [u8], peek: bool) -> Received {
        let how = self.receiving(peek, false);
        self.received(self.backend.udp_receive(self.key, into, how, None))
    }

    /// The same for the one who polls by hand.
    pub(super) fn poll_receive(
        &self,
        cx: &mut Context<'_>,
        into: &mut [u8],
        peek: bool,
    ) -> Poll<Received> {
        coop::poll_leaf(cx, |cx| {
            let wait = Some((Slot::Read, cx.waker()));
            let how = self.receiving(peek, false);
            pending(self.received(self.backend.udp_receive(self.key, into, how, wait)))
        })
    }

    /// The same for any number of tasks.
    pub(super) async fn receive(&self, into: &mut [u8], peek: bool) -> Received {
        let mut place = None;
        poll_fn(|cx| {
            coop::poll_leaf(cx, |cx| {
                let wait = Some((Slot::Watch, self.watch_waker()));
                let how = self.receiving(peek, true);
                let received = self.backend.udp_receive(self.key, into, how, wait);
                self.pend_in(&mut place, pending(self.received(received)), cx)
            })
        })
        .await
    }

    pub(super) fn try_send_datagram(
        &self,
        from: &[u8],
        to: Option<SocketAddr>,
    ) -> io::Result<usize> {
        self.sent(self.backend.udp_send(self.key, from, to, None))
    }

    pub(super) fn poll_send_datagram(
        &self,
        cx: &mut Context<'_>,
        from: &[u8],
        to: Option<SocketAddr>,
    ) -> Poll<io::Result<usize>> {
        coop::poll_leaf(cx, |cx| {
            let wait = Some((Slot::Write, cx.waker()));
            pending(self.sent(self.backend.udp_send(self.key, from, to, wait)))
        })
    }

    pub(super) async fn send_datagram(
        &self,
        from: &[u8],
        to: Option<SocketAddr>,
    ) -> io::Result<usize> {
        let mut place = None;
        poll_fn(|cx| {
            coop::poll_leaf(cx, |cx| {
                let wait = Some((Slot::Watch, self.watch_waker()));
                let sent = self.backend.udp_send(self.key, from, to, wait);
                self.pend_in(&mut place, pending(self.sent(sent)), cx)
            })
        })
        .await
    }

    /// Tokio tries to receive only while it remembers that there is something. An error that waits
    /// makes no socket readable: its futures, and they alone, look for errors as well.
    fn receiving(&self, peek: bool, errors: bool) -> Receiving {
        Receiving {
            peek,
            readable: !self.remembered.among(Interest::READABLE).is_empty(),
            errors,
        }
    }

    fn received(&self, received: Received) -> Received {
        if received.is_ok() || would_block(&received) {
            self.remembered.set_readable(received.is_ok());
        }
        received
    }

    fn sent(&self, sent: io::Result<usize>) -> io::Result<usize> {
        self.remembered.set_writable(!would_block(&sent));
        sent
    }
}
