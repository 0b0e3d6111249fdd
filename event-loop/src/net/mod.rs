//! Sockets of the current loop, in tokio's shapes.

mod address;
mod listening;
#[macro_use]
mod methods;
mod readiness;
mod resolve;
pub mod tcp;
mod udp;
#[cfg(unix)]
#[macro_use]
pub mod unix;
mod watchers;
mod world;

use address::Target;
pub use address::ToSocketAddrs;
pub use resolve::{lookup_host, resolve};
pub use tcp::keepalive::TcpKeepalive;
pub use tcp::listener::TcpListener;
pub use tcp::socket::TcpSocket;
pub use tcp::stream::TcpStream;
pub use udp::{UdpBuilder, UdpSocket};
#[cfg(unix)]
pub use unix::{UnixDatagram, UnixListener, UnixStream};

use std::io;

use crate::context::expect_current;
use crate::{Closed, EventLoop};

/// A socket, or what is left of one: tokio's own, or a world's.
enum Repr<T, W> {
    Tokio(T),
    World(W),
}

/// An error of tokio's; that its runtime is gone is said in our words.
fn in_our_words(error: io::Error) -> io::Error {
    // All tokio has to tell it by.
    const GONE: &str = "A Tokio 1.x context was found, but it is being shutdown.";
    if error.kind() == io::ErrorKind::Other && error.to_string() == GONE {
        return io::Error::other(Closed);
    }
    error
}

/// The current loop. Tokio itself would still make sockets while it drops the tasks.
fn open_loop() -> io::Result<EventLoop> {
    let ev = expect_current();
    if ev.closed_flag() {
        return Err(io::Error::other(Closed));
    }
    Ok(ev)
}

/// Why a socket of the operating system's is of no use where a world's is wanted, or the other way
/// round.
fn not_in_a_world(wanted: &str) -> io::Error {
    let text = format!(
        "{wanted} is not possible in a world, whose sockets the operating system does not know: \
         bind or connect one of the loop's"
    );
    io::Error::new(io::ErrorKind::Unsupported, text)
}

#[cfg(test)]
mod tests {
    use std::panic::{RefUnwindSafe, UnwindSafe};

    use tokio::net as theirs;

    use super::*;

    /// What a type promises without a method.
    trait Promises: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe {}

    impl<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe> Promises for T {}

    #[test]
    fn sockets_and_their_loop_promise_what_tokio_s_promise() {
        fn both<Theirs: Promises, Ours: Promises>() {}

        both::<theirs::TcpStream, TcpStream>();
        both::<theirs::TcpListener, TcpListener>();
        both::<theirs::TcpSocket, TcpSocket>();
        both::<theirs::UdpSocket, UdpSocket>();
        both::<theirs::tcp::OwnedReadHalf, tcp::OwnedReadHalf>();
        both::<theirs::tcp::OwnedWriteHalf, tcp::OwnedWriteHalf>();
        both::<theirs::tcp::ReadHalf<'_>, tcp::ReadHalf<'_>>();
        both::<theirs::tcp::WriteHalf<'_>, tcp::WriteHalf<'_>>();
        both::<tokio::runtime::Handle, EventLoop>();
    }

    #[cfg(unix)]
    #[test]
    fn unix_sockets_promise_what_tokio_s_promise() {
        fn both<Theirs: Promises, Ours: Promises>() {}

        both::<theirs::UnixStream, UnixStream>();
        both::<theirs::UnixListener, UnixListener>();
        both::<theirs::UnixDatagram, UnixDatagram>();
        both::<theirs::unix::OwnedReadHalf, unix::OwnedReadHalf>();
        both::<theirs::unix::OwnedWriteHalf, unix::OwnedWriteHalf>();
        both::<theirs::unix::ReadHalf<'_>, unix::ReadHalf<'_>>();
        both::<theirs::unix::WriteHalf<'_>, unix::WriteHalf<'_>>();
        both::<theirs::unix::UCred, unix::UCred>();
    }
}
