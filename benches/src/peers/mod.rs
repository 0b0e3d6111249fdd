//! The same work on other people's runtimes. madsim stands in a crate of its own, `madsim-peer`.

mod bach;
mod shuttle;
mod tokio;

pub use bach::Bach;
pub use shuttle::Shuttle;
pub use tokio::Tokio;
