//! An event loop whose interface stays the same in production and in simulation.
//!
//! [`EventLoop`] is a handle to a loop chosen at run time by a factory. In production the factory
//! is [`production::multi_thread`] or [`production::current_thread`], both on tokio; under test
//! it is the simulator's. The interface is asyncio's, in idiomatic Rust: callbacks, tasks with a
//! cooperative cancellation beside the abort, time, TCP, an exception handler, and a [`Runner`].
//!
//! ```
//! use std::time::Duration;
//! use event_loop::{production, LoopConfig, Runner};
//!
//! let mut runner = Runner::new(|| production::current_thread(LoopConfig::default()));
//! let answer = runner.run(async {
//!     let task = event_loop::spawn(async {
//!         event_loop::time::sleep(Duration::from_millis(1)).await;
//!         42
//!     });
//!     task.await.unwrap()
//! });
//! assert_eq!(answer.unwrap(), 42);
//! ```

pub mod backend;
mod blocking;
mod callback;
mod config;
mod context;
mod coop;
mod error;
mod exception;
mod factory;
mod handle;
#[cfg(feature = "hyper")]
pub mod hyper;
mod inspect;
pub mod io;
mod lifecycle;
pub mod net;
pub mod production;
pub mod properties;
mod runner;
mod select;
pub mod shutdown;
pub mod signal;
mod slow;
pub mod sync;
pub mod task;
pub mod time;
mod waiters;

pub use blocking::{
    BlockingError, BlockingHandle, BlockingQueue, BlockingStats, ExecutorReport, JobId, JobInfo,
    QueueFull, run_blocking, try_run_blocking,
};
pub use callback::CallHandle;
pub use config::{Description, LoopConfig};
pub use context::{current, running};
pub use error::{Closed, LoopError, NoCurrentLoop};
pub use exception::{CallbackInfo, ErrorContext};
pub use handle::EventLoop;
pub use inspect::{Dump, TaskInfo};
pub use runner::Runner;
pub use shutdown::{ShutdownPolicy, ShutdownReport, ShuttingDown};
pub use signal::{Signal, SignalError, SignalStream};
pub use slow::{SlowCallback, block_for};
pub use task::{
    AbortHandle, GroupEnded, TaskError, TaskGroup, TaskGroupError, TaskHandle, TaskId, cancelled,
    spawn, spawn_fallible, spawn_local, spawn_named, task_group, try_spawn, try_spawn_fallible,
    try_spawn_local, try_spawn_named, yield_now,
};
pub use tokio::{join, pin, try_join};

/// What the expansions of this crate's macros name.
#[doc(hidden)]
pub mod __private {
    pub use crate::properties::{Linked, Site, broken, buggify, in_world, met};
    pub use crate::select::{first_branch, poll_budget_available};
    pub use event_loop_macros::select;
    pub use inventory;
}
