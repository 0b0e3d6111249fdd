//! The network as a test breaks it.
//!
//! What breaks something gives a [`Guard`], and is whole again when that is dropped: [`partition`],
//! [`one_way`], [`hold`], [`clog`], [`swizzle`], [`refuse`], [`hang`], [`too_many_files`], a name
//! that [`fails`](Name::fails), an [`observe`]r and a [`monitor`](fn@monitor). What says how things are
//! holds from then on: [`link`], [`link_to`], [`default_link`] and [`dns`]. [`repair`], [`release`]
//! and [`reset`] happen once.
//!
//! Hosts are meant by name, by handle, by address, or in groups: see [`Hosts`]. Each function panics
//! with what is wrong; its `try_` twin returns it as a [`RuleError`]. All of it is for code that runs in
//! a world: the body of a test, and its tasks.
//!
//! ```
//! use std::time::Duration;
//! use event_loop::time::sleep;
//! use sim::net::{dns, link, partition};
//!
//! #[sim::test(seeds = 50)]
//! async fn a_cluster_in_bad_weather(sim: sim::Sim) {
//!     let nodes = ["n1", "n2", "n3"];
//!     for node in nodes {
//!         let _ = sim.host(node);
//!     }
//!     dns("cluster").to(nodes);
//!     link(nodes, nodes).latency(Duration::from_millis(1)..=Duration::from_millis(30)).loss(0.01);
//!     let cut = partition("n1", ["n2", "n3"]);
//!     sleep(Duration::from_secs(30)).await;
//!     drop(cut);
//! }
//! ```

mod account;
mod connections;
mod dns;
mod error;
mod guard;
mod hosts;
mod link;
mod separate;
mod watch;

pub use account::RuleAccount;
pub use connections::{
    hang, refuse, reset, too_many_files, try_hang, try_refuse, try_reset, try_too_many_files,
};
pub use dns::{Name, dns, try_dns};
pub use error::RuleError;
pub use guard::Guard;
pub use hosts::Hosts;
pub(crate) use hosts::addresses;
pub(crate) use link::Way;
pub use link::{Link, default_link, link, link_to, try_default_link, try_link, try_link_to};
pub use net_sim::{
    Bandwidth, ConfigError, Corruption, DnsError, DnsFailure, FaultStats, Latency, LinkConfig,
    Loss, Probability, Segment, SegmentKind, Sighted, Sighting, Treatment,
};
pub use separate::{
    clog, hold, one_way, partition, release, repair, swizzle, try_clog, try_hold, try_one_way,
    try_partition, try_release, try_repair, try_swizzle,
};
pub use watch::{monitor, observe, try_monitor, try_observe};

use crate::world::World;
use crate::world::core::Core;

/// Opens the core of a world whose run is not over.
fn open<R>(
    world: &World,
    f: impl FnOnce(&mut Core) -> Result<R, RuleError>,
) -> Result<R, RuleError> {
    let opened = world.enter(|core| match core.closed {
        true => Err(RuleError::Over),
        false => f(core),
    });
    opened.unwrap_or(Err(RuleError::Over))
}

/// What a call that cannot go on says: the error's text, at the caller.
#[track_caller]
fn expect<T>(outcome: Result<T, RuleError>) -> T {
    match outcome {
        Ok(value) => value,
        Err(error) => panic!("{error}"),
    }
}
