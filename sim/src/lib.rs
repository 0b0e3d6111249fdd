//! Deterministic simulation of async services: a virtual clock, seeded schedules, simulated
//! sockets, and exact replay of the seed that failed.
//!
//! ```
//! use std::time::Duration;
//!
//! #[sim::test(seeds = 200)]
//! async fn a_day_passes_at_once(sim: sim::Sim) {
//!     event_loop::time::sleep(Duration::from_secs(86_400)).await;
//!     assert_eq!(sim.now().as_nanos(), 86_400_000_000_000);
//! }
//! ```

mod config;
mod event_loop;
mod from_world;
mod host;
pub mod net;
mod on_blocking;
mod plan;
mod profile;
mod run;
mod sim;
pub mod trace;
mod world;

pub use self::event_loop::factory;
pub use self::sim::Sim;
pub use ::event_loop::Signal;
pub use config::Config;
pub use from_world::FromWorld;
pub use host::{Capability, Ended, Exit, ExitStatus, Host, HostConfig, HostError, Termination};
pub use on_blocking::OnBlocking;
pub use plan::{Raise, UnknownLabel, When};
pub use profile::{Profile, UnknownProfile};
pub use run::campaign::check;
pub use run::once::{BadEntry, PropertyHits, Run, record_once, replay_once, run_once};
pub use run::outcome::Outcome;
pub use run::owned::{record_loop, run_loop};
pub use run::sweep::{Sweep, Swept, record_swept, sweep};
pub use sim_macros::test;
pub use virtual_time::WallStep;
pub use world::blocking::{Blocking, BlockingCall, KeptWaiting};
pub use world::verdict::{Verdict, VerdictKind};

/// What the attribute's expansion calls.
#[doc(hidden)]
pub mod __private {
    pub use crate::run::campaign::run_test;
    pub use crate::run::case::TestCase;
}
