//! Extractors: what a test's arguments may be.

use event_loop::EventLoop;

use crate::Sim;

/// Something that a `#[sim::test]` function can take as an argument, made from its world.
///
/// ```
/// use sim::{FromWorld, Host, Sim};
///
/// struct Cluster { nodes: Vec<Host> }
///
/// impl FromWorld for Cluster {
///     fn from_world(sim: &Sim) -> Self {
///         Self { nodes: ["a", "b", "c"].map(|name| sim.host(name)).into() }
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the argument of a `#[sim::test]` function",
    label = "not an extractor",
    note = "allowed are `Sim`, `EventLoop`, and types that implement `sim::FromWorld`"
)]
pub trait FromWorld {
    /// Makes the argument; runs inside the world, before the test's body.
    fn from_world(sim: &Sim) -> Self;
}

impl FromWorld for Sim {
    fn from_world(sim: &Sim) -> Self {
        sim.clone()
    }
}

impl FromWorld for EventLoop {
    fn from_world(sim: &Sim) -> Self {
        sim.event_loop()
    }
}
