//! The cooperative budget: after so many ready operations a task lets the others go first.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};

use pin_project_lite::pin_project;
use tokio::task::coop as tokio_coop;

/// How many ready operations a poll may have left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget(Left);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    /// No world polls here: it is tokio that counts, if anybody does.
    Tokio,
    Unlimited,
    Operations(u8),
}

thread_local! {
    static LEFT: Cell<Left> = const { Cell::new(Left::Tokio) };
}

impl Budget {
    /// What tokio gives a task at each poll.
    pub const TOKIO: Self = Self(Left::Operations(128));
    /// A poll may have as many as it likes.
    pub const UNLIMITED: Self = Self(Left::Unlimited);
}

/// Polls a world's task, which `f` does, with this budget.
#[inline]
pub fn with_budget<R>(budget: Budget, f: impl FnOnce() -> R) -> R {
    struct Restore(Left);
    impl Drop for Restore {
        #[inline]
        fn drop(&mut self) {
            LEFT.set(self.0);
        }
    }
    let _restore = Restore(LEFT.replace(budget.0));
    f()
}

/// Drives a world, which `f` does, out of the reach of tokio's budget: a world may be driven by a
/// task of tokio's, and what of tokio's its own tasks use would end with that task's budget, and
/// wait for a wake that comes only after `f`.
pub fn outside_tokio_s_budget<R>(f: impl FnOnce() -> R) -> R {
    let mut f = Some(f);
    let call = poll_fn(|_| f.take().map_or(Poll::Pending, |f| Poll::Ready(f())));
    let mut call = pin!(tokio_coop::unconstrained(call));
    match call.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("it is polled once"),
    }
}

/// Takes one operation from the budget of the poll under way. If none is left, the task is woken
/// and its turn comes again.
///
/// What was taken is given back when the answer is dropped, unless
/// [`made_progress`](RestoreOnPending::made_progress) was called.
///
/// ```
/// use std::task::{Context, Poll, ready};
/// use event_loop::task::coop;
///
/// fn poll_next(queue: &mut Vec<u8>, cx: &mut Context<'_>) -> Poll<Option<u8>> {
///     let taken = ready!(coop::poll_proceed(cx));
///     let item = queue.pop();
///     taken.made_progress();
///     Poll::Ready(item)
/// }
/// # let mut cx = Context::from_waker(std::task::Waker::noop());
/// # assert_eq!(poll_next(&mut vec![7], &mut cx), Poll::Ready(Some(7)));
/// ```
#[inline(always)]
pub fn poll_proceed(cx: &mut Context<'_>) -> Poll<RestoreOnPending> {
    let taken = match LEFT.get() {
        Left::Tokio => Taken::OfTokio(ready!(tokio_coop::poll_proceed(cx))),
        Left::Unlimited => Taken::Nothing,
        Left::Operations(0) => {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        before @ Left::Operations(left) => {
            LEFT.set(Left::Operations(left - 1));
            Taken::One(Cell::new(Some(before)))
        }
    };
    Poll::Ready(RestoreOnPending(taken))
}

/// Whether the poll under way may go on to another operation.
#[inline]
#[must_use]
pub fn has_budget_remaining() -> bool {
    match LEFT.get() {
        Left::Tokio => tokio_coop::has_budget_remaining(),
        left => left != Left::Operations(0),
    }
}

/// Takes one operation from the budget, and lets other tasks go first if none is left.
///
/// For loops that would run on without ever waiting:
///
/// ```
/// async fn sum(numbers: impl Iterator<Item = u64>) -> u64 {
///     let mut sum = 0;
///     for number in numbers {
///         sum += number;
///         event_loop::task::consume_budget().await;
///     }
///     sum
/// }
/// # let ev = event_loop::production::current_thread(Default::default()).unwrap();
/// # assert_eq!(ev.run_borrowed(sum(0..1_000)).unwrap(), 499_500);
/// ```
pub async fn consume_budget() {
    poll_fn(|cx| poll_proceed(cx).map(|taken| taken.made_progress())).await;
}

/// Frees `inner` of the budget: it goes on for as long as it is ready.
pub fn unconstrained<F>(inner: F) -> Unconstrained<F> {
    Unconstrained {
        inner: tokio_coop::unconstrained(inner),
    }
}

/// Makes `fut` take one operation from the budget when it becomes ready, as sockets and timers do.
pub fn cooperative<F: Future>(fut: F) -> Coop<F> {
    Coop { fut }
}

/// What [`poll_proceed`] has taken: given back when dropped.
#[derive(Debug)]
#[must_use = "dropping it gives back what was taken"]
pub struct RestoreOnPending(Taken);

#[derive(Debug)]
enum Taken {
    Nothing,
    /// What was left before, until it is used.
    One(Cell<Option<Left>>),
    OfTokio(tokio_coop::RestoreOnPending),
}

impl RestoreOnPending {
    /// What was taken was used: it is not given back.
    #[inline]
    pub fn made_progress(&self) {
        match &self.0 {
            Taken::Nothing => {}
            Taken::One(before) => before.set(None),
            Taken::OfTokio(taken) => taken.made_progress(),
        }
    }
}

impl Drop for RestoreOnPending {
    #[inline]
    fn drop(&mut self) {
        if let Taken::One(before) = &self.0
            && let Some(before) = before.get()
        {
            LEFT.set(before);
        }
    }
}

pin_project! {
    /// The future of [`unconstrained`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Unconstrained<F> {
        // Tokio's, for its own budget; ours is lifted around it.
        #[pin]
        inner: tokio_coop::Unconstrained<F>,
    }
}

impl<F: Future> Future for Unconstrained<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let inner = self.project().inner;
        match LEFT.get() {
            Left::Tokio => inner.poll(cx),
            _ => with_budget(Budget::UNLIMITED, || inner.poll(cx)),
        }
    }
}

pin_project! {
    /// The future of [`cooperative`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct Coop<F: Future> {
        #[pin]
        fut: F,
    }
}

impl<F: Future> Future for Coop<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        poll_leaf(cx, |cx| self.project().fut.poll(cx))
    }
}

impl<F> std::fmt::Debug for Unconstrained<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Unconstrained")
    }
}

/// Polls an operation of a world's, which takes one from the budget if it is ready. Tokio's own
/// operations do so by themselves.
#[inline]
pub(crate) fn poll_leaf<T>(
    cx: &mut Context<'_>,
    poll: impl FnOnce(&mut Context<'_>) -> Poll<T>,
) -> Poll<T> {
    let taken = ready!(poll_proceed(cx));
    let polled = poll(cx);
    if polled.is_ready() {
        taken.made_progress();
    }
    polled
}
