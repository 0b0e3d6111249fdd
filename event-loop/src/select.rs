//! `select!`: the first of several futures to be ready, in tokio's grammar.

use std::task::{Context, Poll};

use crate::{context, coop};

/// Waits for the first of several futures to be ready, runs its handler, and drops the others.
///
/// ```
/// use std::time::Duration;
/// use event_loop::time::sleep;
///
/// async fn ask() -> u32 {
///     # sleep(Duration::from_millis(1)).await;
///     // …
///     42
/// }
///
/// # let ev = event_loop::production::current_thread(Default::default()).unwrap();
/// # ev.run_borrowed(async {
/// let answer = event_loop::select! {
///     answer = ask() => Some(answer),
///     () = sleep(Duration::from_secs(1)) => None,
/// };
/// assert_eq!(answer, Some(42));
/// # }).unwrap();
/// ```
///
/// # Branches
/// `pattern = future, if condition => handler`, at most 64 of them, and at the end
/// `else => handler`, as in tokio's `select!`:
///
/// 1. The conditions are evaluated, then all the futures' expressions, also of branches whose
///    condition is false: these are disabled.
/// 2. The futures are polled. The output of one that is ready is matched against its pattern; if
///    it does not match, the branch is disabled and the others go on.
/// 3. All futures are dropped, in their order, and the handler of the branch runs, outside of
///    them: it may use what they borrowed, and `return`, `break` or `?` to where the `select!` is.
/// 4. If every branch is disabled, the handler of `else` runs.
///
/// # Which branch comes first
/// If several are ready at once, it is one of them at random. In production that is
/// [fastrand](https://docs.rs/fastrand)'s to decide. In a world it is the seed's: a choice named
/// `select`, recorded and replayed like all others; in the plain run it is the first branch.
///
/// With `biased;` before the branches they are polled in their order, and nothing is decided.
///
/// # Panics
/// If every branch is disabled and there is no `else`.
#[macro_export]
macro_rules! select {
    ($($tokens:tt)*) => {
        $crate::__private::select!($crate $($tokens)*)
    };
}

/// The branch to poll first, of `count`.
#[must_use]
pub fn first_branch(count: u32) -> u32 {
    let chosen = context::with_current(|ev| {
        let backend = ev?.backend()?;
        Some(backend.choose("select", u64::from(count)) as u32)
    });
    chosen.unwrap_or_else(|| fastrand::u32(..count))
}

/// Pending, and the task is woken, if its budget is used up: branches that keep to it would be
/// pending all the same, and the others would pass them by.
pub fn poll_budget_available(cx: &mut Context<'_>) -> Poll<()> {
    coop::poll_proceed(cx).map(drop)
}
