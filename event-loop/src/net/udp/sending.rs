//! Sending datagrams.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use super::UdpSocket;
use crate::net::address::Target;
use crate::net::{Repr, ToSocketAddrs, in_our_words, open_loop};

impl UdpSocket {
    /// Sends a datagram to the address it is [connected](Self::connect) to, and says how large it
    /// was. Any number of tasks may send; one that is cancelled has sent nothing.
    ///
    /// # Errors
    /// Those of `send(2)`; `ConnectionRefused` where an earlier datagram found nobody.
    pub async fn send(&self, buf: &[u8]) -> io::Result<usize> {
        match &self.repr {
            Repr::Tokio(socket) => socket.send(buf).await.map_err(in_our_words),
            Repr::World(socket) => socket.send_datagram(buf, None).await,
        }
    }

    /// Sends a datagram to this address, the first of a name's.
    ///
    /// # Errors
    /// Those of `sendto(2)`, and of the look-up of a name.
    pub async fn send_to(&self, buf: &[u8], target: impl ToSocketAddrs) -> io::Result<usize> {
        let target = match target.to_target()? {
            Target::Addr(address) => address,
            Target::Addrs(addresses) => *addresses.first().ok_or_else(nowhere)?,
            name => {
                let found = name.resolve(&open_loop()?).await?;
                *found.first().ok_or_else(nowhere)?
            }
        };
        match &self.repr {
            Repr::Tokio(socket) => socket.send_to(buf, target).await.map_err(in_our_words),
            Repr::World(socket) => socket.send_datagram(buf, Some(target)).await,
        }
    }

    /// [`send`](Self::send) for hand-written futures. Of several that poll, only the last is woken.
    ///
    /// # Errors
    /// Those of `send`.
    pub fn poll_send(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &self.repr {
            Repr::Tokio(socket) => socket.poll_send(cx, buf).map_err(in_our_words),
            Repr::World(socket) => socket.poll_send_datagram(cx, buf, None),
        }
    }

    /// [`send_to`](Self::send_to) for hand-written futures. Of several that poll, only the last is
    /// woken.
    ///
    /// # Errors
    /// Those of `send_to`.
    pub fn poll_send_to(
        &self,
        cx: &mut Context<'_>,
        buf: &[u8],
        target: SocketAddr,
    ) -> Poll<io::Result<usize>> {
        match &self.repr {
            Repr::Tokio(socket) => socket.poll_send_to(cx, buf, target).map_err(in_our_words),
            Repr::World(socket) => socket.poll_send_datagram(cx, buf, Some(target)),
        }
    }

    /// Sends a datagram if there is room for it.
    ///
    /// # Errors
    /// `WouldBlock` if there is none, else those of [`send`](Self::send).
    pub fn try_send(&self, buf: &[u8]) -> io::Result<usize> {
        match &self.repr {
            Repr::Tokio(socket) => socket.try_send(buf),
            Repr::World(socket) => socket.try_send_datagram(buf, None),
        }
    }

    /// Sends a datagram to this address if there is room for it.
    ///
    /// # Errors
    /// `WouldBlock` if there is none, else those of [`send_to`](Self::send_to).
    pub fn try_send_to(&self, buf: &[u8], target: SocketAddr) -> io::Result<usize> {
        match &self.repr {
            Repr::Tokio(socket) => socket.try_send_to(buf, target),
            Repr::World(socket) => socket.try_send_datagram(buf, Some(target)),
        }
    }

    /// Waits until it is writable, for [`try_send`](Self::try_send). Any number of tasks may wait,
    /// and cancellation loses nothing.
    ///
    /// # Errors
    /// That the loop is closed.
    pub async fn writable(&self) -> io::Result<()> {
        match &self.repr {
            Repr::Tokio(socket) => socket.writable().await.map_err(in_our_words),
            Repr::World(socket) => socket.writable().await,
        }
    }

    /// [`writable`](Self::writable) for hand-written futures. It and other sends by hand know one
    /// waker, the last's.
    ///
    /// # Errors
    /// That the loop is closed.
    pub fn poll_send_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &self.repr {
            Repr::Tokio(socket) => socket.poll_send_ready(cx).map_err(in_our_words),
            Repr::World(socket) => socket.poll_write_ready(cx),
        }
    }
}

fn nowhere() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "no addresses to send data to")
}
