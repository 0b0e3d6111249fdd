//! The halves of a stream: those that own it, as [`UnixStream::into_split`] makes them, and those
//! that borrow it, as [`UnixStream::split`] does.

use std::error::Error;
use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::BufMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::unix as tokio_unix;

use super::{SocketAddr, UnixStream};
use crate::io::{Interest, Ready};
use crate::net::tcp::WorldWriter;
use crate::net::world::WorldSocket;
use crate::net::{Repr, in_our_words};

/// The half that reads. The connection is closed once both halves are dropped.
pub struct OwnedReadHalf {
    repr: Repr<tokio_unix::OwnedReadHalf, Arc<WorldSocket>>,
}

/// The half that writes. Dropping it shuts this direction down, unless it is
/// [forgotten](Self::forget).
pub struct OwnedWriteHalf {
    repr: Repr<tokio_unix::OwnedWriteHalf, WorldWriter>,
}

pub(super) fn into_split(
    stream: Repr<tokio::net::UnixStream, WorldSocket>,
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

unix_addresses!(OwnedReadHalf);
readiness!(OwnedReadHalf);
reading!(OwnedReadHalf);

unix_addresses!(OwnedWriteHalf);
readiness!(OwnedWriteHalf);
writing!(OwnedWriteHalf);

impl OwnedReadHalf {
    /// Puts the halves of one connection together again.
    ///
    /// # Errors
    /// Both halves, if they are not of one connection.
    pub fn reunite(self, writer: OwnedWriteHalf) -> Result<UnixStream, ReuniteError> {
        let (reader, writer) = match (self.repr, writer.repr) {
            (Repr::Tokio(reader), Repr::Tokio(writer)) => match reader.reunite(writer) {
                Ok(stream) => return Ok(UnixStream::on_tokio(stream)),
                Err(tokio_unix::ReuniteError(reader, writer)) => {
                    (Repr::Tokio(reader), Repr::Tokio(writer))
                }
            },
            (Repr::World(reader), Repr::World(writer)) if writer.is_of(&reader) => {
                drop(reader);
                let socket = Arc::into_inner(writer.without_end());
                return Ok(UnixStream::in_world(socket.expect("there are two halves")));
            }
            halves => halves,
        };
        Err(ReuniteError(
            Self { repr: reader },
            OwnedWriteHalf { repr: writer },
        ))
    }
}

impl OwnedWriteHalf {
    /// Puts the halves of one connection together again.
    ///
    /// # Errors
    /// Both halves, if they are not of one connection.
    pub fn reunite(self, reader: OwnedReadHalf) -> Result<UnixStream, ReuniteError> {
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

/// The half that reads, for as long as the stream is borrowed.
pub struct ReadHalf<'a> {
    repr: Repr<tokio_unix::ReadHalf<'a>, &'a WorldSocket>,
}

/// The half that writes, for as long as the stream is borrowed. Dropping it ends nothing.
pub struct WriteHalf<'a> {
    repr: Repr<tokio_unix::WriteHalf<'a>, &'a WorldSocket>,
}

pub(super) fn split(
    repr: &mut Repr<tokio::net::UnixStream, WorldSocket>,
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

unix_addresses!(ReadHalf<'_>);
readiness!(ReadHalf<'_>);
reading!(ReadHalf<'_>);

unix_addresses!(WriteHalf<'_>);
readiness!(WriteHalf<'_>);
writing!(WriteHalf<'_>);

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
