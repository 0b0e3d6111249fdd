//! The network as a test breaks it.
//!
//! Hosts are meant by name, by handle, by address, or in groups: see [`Hosts`].

mod account;
mod error;
mod guard;
mod hosts;
mod link;
mod separate;

pub use account::RuleAccount;
pub use error::RuleError;
pub use guard::Guard;
pub use hosts::Hosts;
pub(crate) use hosts::addresses;
pub use link::{Link, link, try_link};
pub use net_sim::FaultStats;
pub use separate::{
    clog, hold, one_way, partition, release, repair, swizzle, try_clog, try_hold, try_one_way,
    try_partition, try_release, try_repair, try_swizzle,
};

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
