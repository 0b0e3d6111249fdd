//! The halves of TCP's streams.

mod borrowed;
pub(super) mod keepalive;
pub(super) mod listener;
mod options;
mod owned;
pub(super) mod socket;
pub(super) mod stream;

pub use borrowed::{ReadHalf, WriteHalf};
#[cfg(unix)]
pub(super) use owned::WorldWriter;
pub use owned::{OwnedReadHalf, OwnedWriteHalf, ReuniteError};
