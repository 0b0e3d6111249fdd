//! The network as a test breaks it.
//!
//! Hosts are meant by name, by handle, by address, or in groups: see [`Hosts`].

mod error;
mod hosts;
mod link;

pub use error::RuleError;
pub use hosts::Hosts;
pub(crate) use hosts::addresses;
pub use link::{Link, link, try_link};

use std::sync::Arc;

use crate::world::core::Core;
use crate::world::{World, here};

/// The world of the code that is running.
fn this_world() -> Result<Arc<World>, RuleError> {
    here::world().ok_or_else(|| {
        let thread = std::thread::current();
        RuleError::NoWorld {
            thread: thread.name().unwrap_or("<unnamed>").to_owned(),
        }
    })
}

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
