//! The same work on other people's runtimes. madsim stands in a crate of its own, `madsim-peer`.

mod bach;
mod shuttle;
mod tokio;
#[cfg(feature = "turmoil")]
mod turmoil;
#[cfg(feature = "turmoil")]
mod turmoil_net;

pub use bach::Bach;
pub use shuttle::Shuttle;
pub use tokio::Tokio;
#[cfg(feature = "turmoil")]
pub use turmoil::Turmoil;
#[cfg(feature = "turmoil")]
pub use turmoil_net::TurmoilNet;

/// What the server's host is called.
const SERVER: &str = "server";
/// Where the server is on its host.
const PORT: u16 = 80;
/// Why no call on a socket fails here.
const WELL: &str = "the network is well";
