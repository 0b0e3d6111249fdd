//! The halves of a connection that own it, as [`TcpStream::into_split`] makes them.

use std::error::Error;
use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::BufMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::tcp as tokio_tcp;

use crate::io::{Interest, Ready};
use crate::net::world::WorldSocket;
use crate::net::{Repr, TcpStream, in_our_words};

/// The half that reads. The connection is closed once both halves are dropped.
pub struct OwnedReadHalf {
    repr: Repr<tokio_tcp::OwnedReadHalf, Arc<WorldSocket>>,
}

/// The half that writes. Dropping it shuts this direction down, unless it is
/// [forgotten](Self::forget).
pub struct OwnedWriteHalf {
    repr: Repr<tokio_tcp::OwnedWriteHalf, WorldWriter>,
}

/// A world's half that writes, of a stream of whichever kind.
pub(in crate::net) struct WorldWriter {
    socket: Arc<WorldSocket>,
    ends_when_dropped: bool,
}

pub(super) fn split(
    stream: Repr<tokio::net::TcpStream, WorldSocket>,
) -> (OwnedReadHalf, OwnedWriteHalf) {
    let (reader, writer) = match stream {
        Repr::Tokio(stream) => {
            let (reader, writer) = stream.into_split();
            (Repr::Tokio(reader), Repr::Tokio(writer))
        }
        Repr::World(socket) => {
            let socket = Arc::new(socket);
            let writer = WorldWriter::new(socket.clone());
            (Repr::World(socket), Repr::World(writer))
        }
    };
    (
        OwnedReadHalf { repr: reader },
        OwnedWriteHalf { repr: writer },
    )
}

addresses!(OwnedReadHalf);
readiness!(OwnedReadHalf);
reading!(OwnedReadHalf);

addresses!(OwnedWriteHalf);
readiness!(OwnedWriteHalf);
writing!(OwnedWriteHalf);

impl OwnedReadHalf {
    /// Puts the halves of one connection together again.
    ///
    /// # Errors
    /// Both halves, if they are not of one connection.
    pub fn reunite(self, writer: OwnedWriteHalf) -> Result<TcpStream, ReuniteError> {
        let (reader, writer) = match (self.repr, writer.repr) {
            (Repr::Tokio(reader), Repr::Tokio(writer)) => match reader.reunite(writer) {
                Ok(stream) => return Ok(TcpStream::on_tokio(stream)),
                Err(tokio_tcp::ReuniteError(reader, writer)) => {
                    (Repr::Tokio(reader), Repr::Tokio(writer))
                }
            },
            (Repr::World(reader), Repr::World(writer)) if writer.is_of(&reader) => {
                drop(reader);
                let socket = Arc::into_inner(writer.without_end());
                return Ok(TcpStream::in_world(socket.expect("there are two halves")));
            }
            halves => halves,
        };
        Err(ReuniteError(
            Self { repr: reader },
            OwnedWriteHalf { repr: writer },
        ))
    }

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

impl OwnedWriteHalf {
    /// Puts the halves of one connection together again.
    ///
    /// # Errors
    /// Both halves, if they are not of one connection.
    pub fn reunite(self, reader: OwnedReadHalf) -> Result<TcpStream, ReuniteError> {
        reader.reunite(self)
    }

    /// Drops it, and leaves its direction open until the other half is dropped too.
    pub fn forget(self) {
        match self.repr {
            Repr::Tokio(half) => half.forget(),
            Repr::World(writer) => drop(writer.without_end()),
        }
    }

    fn poll_shut_down(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.repr {
            Repr::Tokio(half) => Pin::new(half).poll_shutdown(cx),
            Repr::World(writer) => Poll::Ready(writer.end()),
        }
    }
}

impl WorldWriter {
    pub(in crate::net) const fn new(socket: Arc<WorldSocket>) -> Self {
        Self {
            socket,
            ends_when_dropped: true,
        }
    }

    pub(in crate::net) fn is_of(&self, reader: &Arc<WorldSocket>) -> bool {
        Arc::ptr_eq(reader, &self.socket)
    }

    /// Once is enough: dropping it has nothing left to do.
    pub(in crate::net) fn end(&mut self) -> io::Result<()> {
        let ended = self.shut_down();
        self.ends_when_dropped &= ended.is_err();
        ended
    }

    pub(in crate::net) fn without_end(mut self) -> Arc<WorldSocket> {
        self.ends_when_dropped = false;
        self.socket.clone()
    }
}

impl Deref for WorldWriter {
    type Target = WorldSocket;

    fn deref(&self) -> &WorldSocket {
        &self.socket
    }
}

impl Drop for WorldWriter {
    fn drop(&mut self) {
        if self.ends_when_dropped {
            // Only a connection that is gone refuses.
            let _ = self.socket.shut_down();
        }
    }
}

/// The halves were of two connections; here they are.
pub struct ReuniteError(pub OwnedReadHalf, pub OwnedWriteHalf);

impl fmt::Display for ReuniteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "tried to reunite halves that are not from the same socket: {:?}, {:?}",
            self.0, self.1
        )
    }
}

impl fmt::Debug for ReuniteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReuniteError({:?}, {:?})", self.0, self.1)
    }
}

impl Error for ReuniteError {}

impl fmt::Debug for OwnedReadHalf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (here, there) = (self.local_addr(), self.peer_addr());
        write!(f, "OwnedReadHalf({here:?} from {there:?})")
    }
}

impl fmt::Debug for OwnedWriteHalf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (here, there) = (self.local_addr(), self.peer_addr());
        write!(f, "OwnedWriteHalf({here:?} to {there:?})")
    }
}
