//! The halves of a connection, as [`TcpStream::into_split`] makes them.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::tcp as tokio_tcp;

use super::world::WorldSocket;
use super::{TcpStream, in_our_words};

/// The half that reads. The connection is closed once both halves are dropped.
pub struct OwnedReadHalf {
    repr: ReadRepr,
}

/// The half that writes. Dropping it shuts this direction down, unless it is
/// [forgotten](Self::forget).
pub struct OwnedWriteHalf {
    repr: WriteRepr,
}

enum ReadRepr {
    Tokio(tokio_tcp::OwnedReadHalf),
    World(Arc<WorldSocket>),
}

enum WriteRepr {
    Tokio(tokio_tcp::OwnedWriteHalf),
    World(WorldWriter),
}

struct WorldWriter {
    socket: Arc<WorldSocket>,
    ends_when_dropped: bool,
}

impl WorldWriter {
    fn without_end(mut self) -> Arc<WorldSocket> {
        self.ends_when_dropped = false;
        self.socket.clone()
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

pub(super) fn split_on_tokio(stream: tokio::net::TcpStream) -> (OwnedReadHalf, OwnedWriteHalf) {
    let (reader, writer) = stream.into_split();
    (
        OwnedReadHalf::on_tokio(reader),
        OwnedWriteHalf::on_tokio(writer),
    )
}

pub(super) fn split_in_world(socket: WorldSocket) -> (OwnedReadHalf, OwnedWriteHalf) {
    let socket = Arc::new(socket);
    let reader = OwnedReadHalf {
        repr: ReadRepr::World(socket.clone()),
    };
    (reader, OwnedWriteHalf::in_world(socket))
}

impl OwnedReadHalf {
    fn on_tokio(half: tokio_tcp::OwnedReadHalf) -> Self {
        let repr = ReadRepr::Tokio(half);
        Self { repr }
    }

    /// Puts the halves of one connection together again.
    ///
    /// # Errors
    /// Both halves, if they are not of one connection.
    pub fn reunite(self, writer: OwnedWriteHalf) -> Result<TcpStream, ReuniteError> {
        match (self.repr, writer.repr) {
            (ReadRepr::Tokio(reader), WriteRepr::Tokio(writer)) => match reader.reunite(writer) {
                Ok(stream) => Ok(TcpStream::on_tokio(stream)),
                Err(tokio_tcp::ReuniteError(reader, writer)) => Err(ReuniteError(
                    Self::on_tokio(reader),
                    OwnedWriteHalf::on_tokio(writer),
                )),
            },
            (ReadRepr::World(reader), WriteRepr::World(writer))
                if Arc::ptr_eq(&reader, &writer.socket) =>
            {
                drop(reader);
                let socket = Arc::into_inner(writer.without_end());
                Ok(TcpStream::in_world(socket.expect("there are two halves")))
            }
            (reader, writer) => {
                let writer = OwnedWriteHalf { repr: writer };
                Err(ReuniteError(Self { repr: reader }, writer))
            }
        }
    }

    /// This end's address.
    ///
    /// # Errors
    /// Those of `getsockname(2)`.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.repr {
            ReadRepr::Tokio(half) => half.local_addr(),
            ReadRepr::World(socket) => socket.local_addr(),
        }
    }

    /// The other end's address.
    ///
    /// # Errors
    /// Those of `getpeername(2)`.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        match &self.repr {
            ReadRepr::Tokio(half) => half.peer_addr(),
            ReadRepr::World(socket) => socket.peer_addr(),
        }
    }
}

impl OwnedWriteHalf {
    fn on_tokio(half: tokio_tcp::OwnedWriteHalf) -> Self {
        let repr = WriteRepr::Tokio(half);
        Self { repr }
    }

    fn in_world(socket: Arc<WorldSocket>) -> Self {
        let writer = WorldWriter {
            socket,
            ends_when_dropped: true,
        };
        Self {
            repr: WriteRepr::World(writer),
        }
    }

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
            WriteRepr::Tokio(half) => half.forget(),
            WriteRepr::World(writer) => drop(writer.without_end()),
        }
    }

    /// This end's address.
    ///
    /// # Errors
    /// Those of `getsockname(2)`.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.repr {
            WriteRepr::Tokio(half) => half.local_addr(),
            WriteRepr::World(writer) => writer.socket.local_addr(),
        }
    }

    /// The other end's address.
    ///
    /// # Errors
    /// Those of `getpeername(2)`.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        match &self.repr {
            WriteRepr::Tokio(half) => half.peer_addr(),
            WriteRepr::World(writer) => writer.socket.peer_addr(),
        }
    }
}

impl AsyncRead for OwnedReadHalf {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.repr {
            ReadRepr::Tokio(half) => Pin::new(half).poll_read(cx, into).map_err(in_our_words),
            ReadRepr::World(socket) => socket
                .poll_read(cx, into.initialize_unfilled())
                .map_ok(|read| into.advance(read)),
        }
    }
}

impl AsyncWrite for OwnedWriteHalf {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.repr {
            WriteRepr::Tokio(half) => Pin::new(half).poll_write(cx, from).map_err(in_our_words),
            WriteRepr::World(writer) => writer.socket.poll_write(cx, from),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.repr {
            WriteRepr::Tokio(half) => Pin::new(half).poll_shutdown(cx),
            WriteRepr::World(writer) => {
                let ended = writer.socket.shut_down();
                // Once is enough: dropping it has nothing left to do.
                writer.ends_when_dropped &= ended.is_err();
                Poll::Ready(ended)
            }
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
        write!(
            f,
            "OwnedReadHalf({:?} from {:?})",
            self.local_addr(),
            self.peer_addr()
        )
    }
}

impl fmt::Debug for OwnedWriteHalf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "OwnedWriteHalf({:?} to {:?})",
            self.local_addr(),
            self.peer_addr()
        )
    }
}
