//! The halves of a connection that borrow it, as [`TcpStream::split`] makes them.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::BufMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::tcp as tokio_tcp;

use crate::io::{Interest, Ready};
use crate::net::world::WorldSocket;
use crate::net::{Repr, in_our_words};

#[cfg(doc)]
use crate::net::TcpStream;

/// The half that reads, for as long as the stream is borrowed.
pub struct ReadHalf<'a> {
    repr: Repr<tokio_tcp::ReadHalf<'a>, &'a WorldSocket>,
}

/// The half that writes, for as long as the stream is borrowed. Dropping it ends nothing.
pub struct WriteHalf<'a> {
    repr: Repr<tokio_tcp::WriteHalf<'a>, &'a WorldSocket>,
}

pub(super) fn split(
    repr: &mut Repr<tokio::net::TcpStream, WorldSocket>,
) -> (ReadHalf<'_>, WriteHalf<'_>) {
    let (reader, writer) = match repr {
        Repr::Tokio(stream) => {
            let (reader, writer) = stream.split();
            (Repr::Tokio(reader), Repr::Tokio(writer))
        }
        Repr::World(socket) => (Repr::World(&*socket), Repr::World(&*socket)),
    };
    (ReadHalf { repr: reader }, WriteHalf { repr: writer })
}

addresses!(ReadHalf<'_>);
readiness!(ReadHalf<'_>);
reading!(ReadHalf<'_>);

addresses!(WriteHalf<'_>);
readiness!(WriteHalf<'_>);
writing!(WriteHalf<'_>);

impl ReadHalf<'_> {
    /// Copies what has come, and leaves it to be read; cancellation loses nothing.
    ///
    /// # Errors
    /// Those of `recv(2)`.
    pub async fn peek(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match &mut self.repr {
            Repr::Tokio(half) => half.peek(into).await.map_err(in_our_words),
            Repr::World(socket) => socket.peek(into).await,
        }
    }

    /// [`peek`](Self::peek) for hand-written futures. It and reads know one waker, the last's.
    ///
    /// # Errors
    /// Those of `recv(2)`.
    pub fn poll_peek(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<usize>> {
        match &mut self.repr {
            Repr::Tokio(half) => half.poll_peek(cx, into).map_err(in_our_words),
            Repr::World(socket) => socket.poll_peek(cx, into),
        }
    }
}

impl WriteHalf<'_> {
    fn poll_shut_down(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.repr {
            Repr::Tokio(half) => Pin::new(half).poll_shutdown(cx),
            Repr::World(socket) => Poll::Ready(socket.shut_down()),
        }
    }
}

impl fmt::Debug for ReadHalf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (here, there) = (self.local_addr(), self.peer_addr());
        write!(f, "ReadHalf({here:?} from {there:?})")
    }
}

impl fmt::Debug for WriteHalf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (here, there) = (self.local_addr(), self.peer_addr());
        write!(f, "WriteHalf({here:?} to {there:?})")
    }
}
