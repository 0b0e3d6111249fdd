//! Unix sockets besides the sockets themselves: their addresses, the halves of streams, who a peer
//! is.
//!
//! Descriptors cannot be passed over them, in a world or outside.

/// The addresses of both ends, of a type whose `repr` is a `Repr`.
macro_rules! unix_addresses {
    ($type:ty) => {
        impl $type {
            /// What this end is bound to.
            ///
            /// # Errors
            /// Those of `getsockname(2)`.
            pub fn local_addr(&self) -> io::Result<SocketAddr> {
                match &self.repr {
                    Repr::Tokio(socket) => socket.local_addr(),
                    Repr::World(socket) => socket.unix_local_addr(),
                }
            }

            /// What the other end is bound to.
            ///
            /// # Errors
            /// Those of `getpeername(2)`.
            pub fn peer_addr(&self) -> io::Result<SocketAddr> {
                match &self.repr {
                    Repr::Tokio(socket) => socket.peer_addr(),
                    Repr::World(socket) => socket.unix_peer_addr(),
                }
            }
        }
    };
}

mod cred;
mod datagram;
mod halves;
mod listener;
mod names;
mod stream;
mod world;

pub use cred::UCred;
pub use datagram::UnixDatagram;
pub use halves::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, WriteHalf};
pub use listener::UnixListener;
pub use names::unlink;
pub use stream::UnixStream;
pub use tokio::net::unix::SocketAddr;
