//! Factories of loops like one that exists, for threads with loops of their own.

use crate::handle::Inner;
use crate::{Description, EventLoop, LoopConfig, LoopError, production};

impl EventLoop {
    /// A factory of loops beside this one, for a thread to run: in production of the same flavour
    /// and configuration; in a world on the same host, with its clock and its network, and run first
    /// woken, first polled. What it makes is a loop like any other, which its owner runs and closes.
    ///
    /// The factory may be kept, cloned and sent: a library that wants a loop of its own takes one
    /// as it takes [`production::current_thread`](crate::production::current_thread), and is then
    /// in the world that its caller is in.
    ///
    /// ```
    /// use event_loop::{production, EventLoop, LoopConfig, LoopError, Runner};
    ///
    /// /// Code that cannot await, called from a task.
    /// fn fetch_now(ev: &EventLoop) -> Result<u32, LoopError> {
    ///     let factory = ev.factory();
    ///     let fetch = move || Runner::new(factory).run(async { 42 });
    ///     std::thread::spawn(fetch).join().expect("it does not panic")
    /// }
    ///
    /// let ev = production::current_thread(LoopConfig::default()).unwrap();
    /// let here = ev.unowned();
    /// assert_eq!(ev.run_until_complete(async move { fetch_now(&here) }).unwrap(), Ok(42));
    /// ```
    ///
    /// # Errors
    /// Those of the factory that made this loop; in a world [`LoopError::Closed`] once the host's
    /// process or the run is over.
    pub fn factory(
        &self,
    ) -> impl Fn() -> Result<EventLoop, LoopError> + Clone + Send + Sync + 'static + use<> {
        let beside = self.unowned();
        move || match &beside.shared.inner {
            Inner::Tokio(tokio) => beside.sibling_in_production(tokio.describe()),
            Inner::Other(backend) => backend.sibling(),
        }
    }

    fn sibling_in_production(&self, like: Description) -> Result<EventLoop, LoopError> {
        let config = LoopConfig {
            name: Some(like.name),
            worker_threads: Some(like.workers),
            settings: self.life().settings().clone(),
        };
        match &*like.profile {
            "current-thread" => production::current_thread(config),
            _ => production::multi_thread(config),
        }
    }
}
