//! What becomes of a run whose code blocks the thread of a loop.

/// What becomes of a run whose code blocks the thread of a loop: with `std::thread::sleep`, with a
/// lock of `std` that another thread holds, with a channel that is empty.
///
/// Nobody else of that loop gets on meanwhile, which is why such a call is a mistake in almost
/// every async program. What takes no virtual time blocks nobody: a lock that is free, a message
/// that is there. [`block_for`](event_loop::block_for) blocks on purpose, and what a simulated thread or
/// a job of [`run_blocking`](event_loop::EventLoop::run_blocking) blocks is its own business.
///
/// ```
/// use std::time::Duration;
/// use sim::{Config, OnBlocking, VerdictKind};
///
/// let nap = |_| async { std::thread::sleep(Duration::from_secs(1)) };
/// let run = sim::run_once(&Config::new(), 0, nap);
/// # if !interpose::SUPPORTED { return }
/// assert_eq!(run.verdict.unwrap().kind, VerdictKind::Blocking);
///
/// let run = sim::run_once(&Config::new().on_blocking(OnBlocking::Report), 0, nap);
/// assert!(run.verdict.is_none());
/// assert_eq!(run.blockings()[0].took, Some(Duration::from_secs(1)));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub enum OnBlocking {
    /// Its virtual time passes, and the run fails when the poll returns.
    #[default]
    Fail,
    /// Its virtual time passes, other hosts go on meanwhile, and the run goes on; what blocked is
    /// told by [`Run::blockings`](crate::Run::blockings), with a failure, and at the end of a
    /// campaign.
    Report,
    /// Its virtual time passes, and other hosts go on meanwhile.
    Allow,
}
