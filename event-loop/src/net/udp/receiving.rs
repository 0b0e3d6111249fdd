//! Receiving datagrams.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll, ready};

use bytes::BufMut;
use tokio::io::ReadBuf;

use super::UdpSocket;
use super::world::LARGEST;
use crate::net::{Repr, in_our_words};

/// Both forms of a call that takes a datagram or copies it, with and without the sender.
impl UdpSocket {
    /// Receives a datagram, and says how much of it was copied: what `buf` has no room for is lost.
    /// Any number of tasks may wait; one that is cancelled has received nothing.
    ///
    /// # Errors
    /// Those of `recv(2)`; `ConnectionRefused` where a datagram that was sent found nobody.
    pub async fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        match &self.repr {
            Repr::Tokio(socket) => socket.recv(buf).await.map_err(in_our_words),
            Repr::World(socket) => socket.receive(buf, false).await.map(|(n, _)| n),
        }
    }

    /// [`recv`](Self::recv) that also says who sent it.
    ///
    /// # Errors
    /// Those of `recv`.
    pub async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        match &self.repr {
            Repr::Tokio(socket) => socket.recv_from(buf).await.map_err(in_our_words),
            Repr::World(socket) => socket.receive(buf, false).await,
        }
    }

    /// [`recv`](Self::recv) that leaves the datagram to be received.
    ///
    /// # Errors
    /// Those of `recv`.
    pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        match &self.repr {
            Repr::Tokio(socket) => socket.peek(buf).await.map_err(in_our_words),
            Repr::World(socket) => socket.receive(buf, true).await.map(|(n, _)| n),
        }
    }

    /// [`recv_from`](Self::recv_from) that leaves the datagram to be received.
    ///
    /// # Errors
    /// Those of `recv`.
    pub async fn peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        match &self.repr {
            Repr::Tokio(socket) => socket.peek_from(buf).await.map_err(in_our_words),
            Repr::World(socket) => socket.receive(buf, true).await,
        }
    }

    /// Waits for a datagram, and says who sent it.
    ///
    /// # Errors
    /// Those of [`recv`](Self::recv).
    pub async fn peek_sender(&self) -> io::Result<SocketAddr> {
        match &self.repr {
            Repr::Tokio(socket) => socket.peek_sender().await.map_err(in_our_words),
            Repr::World(socket) => socket.receive(&mut [], true).await.map(|(_, from)| from),
        }
    }

    /// [`recv`](Self::recv) into a buffer that grows or goes on by what was received.
    ///
    /// # Errors
    /// Those of `recv`.
    pub async fn recv_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        match &self.repr {
            Repr::Tokio(socket) => socket.recv_buf(buf).await.map_err(in_our_words),
            Repr::World(_) => self.recv_buf_from(buf).await.map(|(n, _)| n),
        }
    }

    /// [`recv_from`](Self::recv_from) into a buffer that grows or goes on by what was received.
    ///
    /// # Errors
    /// Those of `recv`.
    pub async fn recv_buf_from<B: BufMut>(&self, buf: &mut B) -> io::Result<(usize, SocketAddr)> {
        match &self.repr {
            Repr::Tokio(socket) => socket.recv_buf_from(buf).await.map_err(in_our_words),
            Repr::World(socket) => {
                let mut bytes = room_of(buf);
                let (n, from) = socket.receive(&mut bytes, false).await?;
                buf.put_slice(&bytes[..n]);
                Ok((n, from))
            }
        }
    }
}

/// The same for futures that are written by hand: of several that poll, only the last is woken.
impl UdpSocket {
    /// [`recv`](Self::recv) for hand-written futures.
    ///
    /// # Errors
    /// Those of `recv`.
    pub fn poll_recv(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &self.repr {
            Repr::Tokio(socket) => socket.poll_recv(cx, buf).map_err(in_our_words),
            Repr::World(_) => self.poll_recv_from(cx, buf).map_ok(drop),
        }
    }

    /// [`recv_from`](Self::recv_from) for hand-written futures.
    ///
    /// # Errors
    /// Those of `recv`.
    pub fn poll_recv_from(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<SocketAddr>> {
        match &self.repr {
            Repr::Tokio(socket) => socket.poll_recv_from(cx, buf).map_err(in_our_words),
            Repr::World(socket) => {
                let (n, from) = ready!(socket.poll_receive(cx, buf.initialize_unfilled(), false))?;
                buf.advance(n);
                Poll::Ready(Ok(from))
            }
        }
    }

    /// [`peek`](Self::peek) for hand-written futures.
    ///
    /// # Errors
    /// Those of `recv`.
    pub fn poll_peek(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &self.repr {
            Repr::Tokio(socket) => socket.poll_peek(cx, buf).map_err(in_our_words),
            Repr::World(_) => self.poll_peek_from(cx, buf).map_ok(drop),
        }
    }

    /// [`peek_from`](Self::peek_from) for hand-written futures.
    ///
    /// # Errors
    /// Those of `recv`.
    pub fn poll_peek_from(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<SocketAddr>> {
        match &self.repr {
            Repr::Tokio(socket) => socket.poll_peek_from(cx, buf).map_err(in_our_words),
            Repr::World(socket) => {
                let (n, from) = ready!(socket.poll_receive(cx, buf.initialize_unfilled(), true))?;
                buf.advance(n);
                Poll::Ready(Ok(from))
            }
        }
    }

    /// [`peek_sender`](Self::peek_sender) for hand-written futures.
    ///
    /// # Errors
    /// Those of `recv`.
    pub fn poll_peek_sender(&self, cx: &mut Context<'_>) -> Poll<io::Result<SocketAddr>> {
        match &self.repr {
            Repr::Tokio(socket) => socket.poll_peek_sender(cx).map_err(in_our_words),
            Repr::World(socket) => socket
                .poll_receive(cx, &mut [], true)
                .map_ok(|(_, from)| from),
        }
    }

    /// [`readable`](Self::readable) for hand-written futures. It and other receives by hand know
    /// one waker, the last's.
    ///
    /// # Errors
    /// That the loop is closed.
    pub fn poll_recv_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &self.repr {
            Repr::Tokio(socket) => socket.poll_recv_ready(cx).map_err(in_our_words),
            Repr::World(socket) => socket.poll_read_ready(cx),
        }
    }
}

/// The same without waiting.
impl UdpSocket {
    /// Waits until it is readable, for [`try_recv`](Self::try_recv). Any number of tasks may wait,
    /// and cancellation loses nothing.
    ///
    /// # Errors
    /// That the loop is closed.
    pub async fn readable(&self) -> io::Result<()> {
        match &self.repr {
            Repr::Tokio(socket) => socket.readable().await.map_err(in_our_words),
            Repr::World(socket) => socket.readable().await,
        }
    }

    /// Receives a datagram that has come.
    ///
    /// # Errors
    /// `WouldBlock` if none has, else those of [`recv`](Self::recv).
    pub fn try_recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        match &self.repr {
            Repr::Tokio(socket) => socket.try_recv(buf),
            Repr::World(socket) => socket.try_receive(buf, false).map(|(n, _)| n),
        }
    }

    /// [`try_recv`](Self::try_recv) that also says who sent it.
    ///
    /// # Errors
    /// Those of `try_recv`.
    pub fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        match &self.repr {
            Repr::Tokio(socket) => socket.try_recv_from(buf),
            Repr::World(socket) => socket.try_receive(buf, false),
        }
    }

    /// [`try_recv`](Self::try_recv) that leaves the datagram to be received.
    ///
    /// # Errors
    /// Those of `try_recv`.
    pub fn try_peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        match &self.repr {
            Repr::Tokio(socket) => socket.try_peek(buf),
            Repr::World(socket) => socket.try_receive(buf, true).map(|(n, _)| n),
        }
    }

    /// [`try_recv_from`](Self::try_recv_from) that leaves the datagram to be received.
    ///
    /// # Errors
    /// Those of `try_recv`.
    pub fn try_peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        match &self.repr {
            Repr::Tokio(socket) => socket.try_peek_from(buf),
            Repr::World(socket) => socket.try_receive(buf, true),
        }
    }

    /// Who sent the datagram that would be received next.
    ///
    /// # Errors
    /// Those of [`try_recv`](Self::try_recv).
    pub fn try_peek_sender(&self) -> io::Result<SocketAddr> {
        match &self.repr {
            Repr::Tokio(socket) => socket.try_peek_sender(),
            Repr::World(socket) => socket.try_receive(&mut [], true).map(|(_, from)| from),
        }
    }

    /// [`try_recv`](Self::try_recv) into a buffer that grows or goes on by what was received.
    ///
    /// # Errors
    /// Those of `try_recv`.
    pub fn try_recv_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        match &self.repr {
            Repr::Tokio(socket) => socket.try_recv_buf(buf),
            Repr::World(_) => self.try_recv_buf_from(buf).map(|(n, _)| n),
        }
    }

    /// [`try_recv_from`](Self::try_recv_from) into a buffer that grows or goes on by what was
    /// received.
    ///
    /// # Errors
    /// Those of `try_recv`.
    pub fn try_recv_buf_from<B: BufMut>(&self, buf: &mut B) -> io::Result<(usize, SocketAddr)> {
        match &self.repr {
            Repr::Tokio(socket) => socket.try_recv_buf_from(buf),
            Repr::World(socket) => {
                let mut bytes = room_of(buf);
                let (n, from) = socket.try_receive(&mut bytes, false)?;
                buf.put_slice(&bytes[..n]);
                Ok((n, from))
            }
        }
    }
}

/// As many zeroes as one datagram has room for in `buf`.
fn room_of(buf: &mut impl BufMut) -> Vec<u8> {
    vec![0; buf.chunk_mut().len().min(LARGEST)]
}
