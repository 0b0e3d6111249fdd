//! What a service wants done before its tasks are asked to finish.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::{Arc, Weak};

use super::ShutdownError;
use crate::EventLoop;
use crate::handle::Shared;

impl EventLoop {
    /// Has `hook` run when the loop is shut down, after it has stopped to accept connections and
    /// before its tasks are asked to finish.
    ///
    /// The hook that was registered last runs first, as with destructors: what came later may lean
    /// on what came before. They run one after the other, each as a task of its own and within its
    /// share of [`ShutdownPolicy::hooks`](super::ShutdownPolicy::hooks); one that fails, panics or
    /// takes too long is in the report and keeps no other from running. A hook that another one
    /// registers is the next to run.
    ///
    /// A hook may return nothing or a `Result`.
    ///
    /// ```
    /// # use event_loop::{production, LoopConfig};
    /// # use event_loop::shutdown::ShutdownPolicy;
    /// # let ev = production::current_thread(LoopConfig::default()).unwrap();
    /// ev.on_shutdown("drain pool", || async { println!("drained") }).unwrap();
    /// let here = ev.unowned();
    /// let report = ev.run_until_complete(async move {
    ///     here.shutdown(ShutdownPolicy::new()).await
    /// });
    /// assert!(report.unwrap().unwrap().is_clean());
    /// ```
    ///
    /// # Errors
    /// [`ShutdownError::TooLate`] once the hooks have run, and [`ShutdownError::Closed`].
    #[track_caller]
    pub fn on_shutdown<H, F>(
        &self,
        name: impl Into<String>,
        hook: H,
    ) -> Result<ShutdownHook, ShutdownError>
    where
        H: FnOnce() -> F + Send + 'static,
        F: Future<Output: HookResult> + Send + 'static,
    {
        if self.is_closed() {
            return Err(ShutdownError::Closed);
        }
        let run = move || -> BoxFuture {
            let hook = hook();
            Box::pin(async move { hook.await.failure() })
        };
        let number = self.shared.shutdown.add_hook(Hook {
            name: name.into(),
            registered_at: Location::caller(),
            number: 0,
            run: Box::new(run),
        })?;
        Ok(ShutdownHook {
            owner: Arc::downgrade(&self.shared),
            number,
        })
    }
}

/// A registered hook, to be removed if need be. Dropping the handle leaves the hook where it is.
pub struct ShutdownHook {
    owner: Weak<Shared>,
    number: u64,
}

impl ShutdownHook {
    /// Keeps the hook from being run, and drops it. False if its turn has come already.
    pub fn remove(&self) -> bool {
        let Some(shared) = self.owner.upgrade() else {
            return false;
        };
        // The caller's code may be in its destructor: it is dropped with nothing locked.
        let removed = shared.shutdown.remove_hook(self.number);
        removed.is_some()
    }
}

impl fmt::Debug for ShutdownHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ShutdownHook(#{})", self.number)
    }
}

/// What a hook may return: nothing, or a `Result` whose error is in the report.
pub trait HookResult: Send + 'static {
    /// The text of what went wrong, if anything did.
    fn failure(self) -> Option<String>;
}

impl HookResult for () {
    fn failure(self) -> Option<String> {
        None
    }
}

impl<E: fmt::Display + Send + 'static> HookResult for Result<(), E> {
    fn failure(self) -> Option<String> {
        self.err().map(|error| error.to_string())
    }
}

type BoxFuture = Pin<Box<dyn Future<Output = Option<String>> + Send>>;

/// A hook whose turn has not come.
pub(crate) struct Hook {
    pub(super) name: String,
    pub(super) registered_at: &'static Location<'static>,
    pub(super) number: u64,
    pub(super) run: Box<dyn FnOnce() -> BoxFuture + Send>,
}
