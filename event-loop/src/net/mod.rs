//! Sockets of the current loop, in tokio's shapes.

mod address;
mod tcp;

pub use address::ToSocketAddrs;
pub use tcp::{TcpListener, TcpStream};
