//! The network as a test breaks it.
//!
//! Hosts are meant by name, by handle, by address, or in groups: see [`Hosts`].

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
