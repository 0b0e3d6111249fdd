//! Sockets of the current loop, in tokio's shapes.

mod address;
mod listener;
mod resolve;
mod stream;
pub mod tcp;
mod world;

use address::Target;
pub use address::ToSocketAddrs;
pub use listener::TcpListener;
pub use resolve::{lookup_host, resolve};
pub use stream::TcpStream;

use std::io;

use crate::context::expect_current;
use crate::{Closed, EventLoop};

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
