//! Tasks: a handle that is a future of the outcome, and two endings that are never mixed.
//!
//! [`TaskHandle::request_cancel`] asks: the task sees it in [`cancelled`], and its cleanup may
//! await. [`TaskHandle::abort`] drops the task's future at the await it stands at.
//!
//! The module has tokio's shape: what is called [`JoinHandle`] or [`JoinError`] there is found
//! here under that name too.

mod abort;
mod cancel;
mod error;
mod group;
mod group_error;
mod handle;
mod id;
mod join_set;
mod local;
mod members;
mod outcome;
mod probe;
mod spawn;

use std::task::Poll;

pub use crate::blocking::spawn_blocking;
pub use crate::coop::{Unconstrained, consume_budget, unconstrained};
pub use abort::AbortHandle;
pub use cancel::{CancelPlace, Cancellation, Cancelled, cancelled};
pub use error::TaskError;
pub use group::{MemberOutput, TaskGroup, task_group};
pub use group_error::{GroupEnded, MemberError, TaskGroupError};
pub use handle::TaskHandle;
pub use id::{TaskId, id, try_id};
pub use join_set::JoinSet;
pub(crate) use local::Home;
pub use local::{spawn_local, try_spawn_local};
pub(crate) use outcome::{Caught, Judge, Output};
pub use spawn::{
    spawn, spawn_fallible, spawn_named, try_spawn, try_spawn_fallible, try_spawn_named,
};

/// A task's handle, as tokio calls it.
pub type JoinHandle<T> = TaskHandle<T>;
/// Why a task has no result, as tokio calls it.
pub type JoinError = TaskError;
/// A task's identity, as tokio calls it.
pub type Id = TaskId;

/// The cooperative budget, as tokio has it: in one poll a task gets 128 ready operations of
/// sockets, timers and handles; then it is as if nothing were ready, and the others go first.
///
/// A world keeps the budget in the profiles that stand for tokio.
pub mod coop {
    pub use crate::coop::{
        Coop, RestoreOnPending, Unconstrained, consume_budget, cooperative, has_budget_remaining,
        poll_proceed, unconstrained,
    };
}

/// Goes behind the other tasks that can run, once. How many of them run meanwhile is the loop's to
/// say: a multi-thread loop promises none.
pub async fn yield_now() {
    let mut yielded = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
