//! What can be set before a loop starts, and what is in force afterwards.

use std::fmt;

/// What a factory needs to know; consumed by it, so that no setting can come too late.
///
/// ```
/// use event_loop::{production, LoopConfig};
///
/// let ev = production::multi_thread(LoopConfig::default().name("api").worker_threads(2)).unwrap();
/// assert_eq!(ev.describe().to_string(), "api: tokio, multi-thread, 2 workers");
/// # ev.close().unwrap();
/// ```
#[derive(Clone, Debug, Default)]
pub struct LoopConfig {
    pub(crate) name: Option<String>,
    pub(crate) worker_threads: Option<usize>,
}

impl LoopConfig {
    /// The loop's name, in errors and descriptions. Default: `loop`.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// How many threads of a multi-thread loop poll tasks. Default: the number of processors.
    ///
    /// # Panics
    /// If `threads` is zero.
    #[must_use]
    pub fn worker_threads(mut self, threads: usize) -> Self {
        assert!(
            threads > 0,
            "worker_threads = 0: a multi-thread loop needs at least 1"
        );
        self.worker_threads = Some(threads);
        self
    }
}

/// What is really in force in a loop.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Description {
    /// The loop's name.
    pub name: String,
    /// The implementation: `tokio` or `simulated`.
    pub backend: &'static str,
    /// Flavour or profile: `multi-thread`, `current-thread`, `tokio-mt`, `exact`, …
    pub profile: String,
    /// How many threads poll tasks.
    pub workers: usize,
}

impl Description {
    /// For backends outside this crate.
    #[doc(hidden)]
    pub fn new(
        name: impl Into<String>,
        backend: &'static str,
        profile: impl Into<String>,
        workers: usize,
    ) -> Self {
        Self {
            name: name.into(),
            backend,
            profile: profile.into(),
            workers,
        }
    }
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            backend,
            profile,
            workers,
        } = self;
        let plural = if *workers == 1 { "" } else { "s" };
        write!(f, "{name}: {backend}, {profile}, {workers} worker{plural}")
    }
}
