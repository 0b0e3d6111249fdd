//! bach 0.2: virtual time in nanoseconds, first come first served.

use std::future::Future;
use std::time::Duration;

use bach::environment::default::Runtime;
use bach::{task, time};

use crate::work::{Clocked, Executor};

/// bach's default environment.
#[derive(Clone, Copy, Debug)]
pub struct Bach;

impl Executor for Bach {
    type World = ();
    type Handle<T: Send + 'static> = task::JoinHandle<T>;

    fn run<T, F, Fut>(&self, _seed: u64, main: F) -> T
    where
        T: Send + 'static,
        F: FnOnce(Self::World) -> Fut + Send + 'static,
        Fut: Future<Output = T> + 'static,
    {
        Runtime::new().block_on(main(()))
    }

    fn spawn<F>(future: F) -> Self::Handle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        task::spawn(future)
    }

    async fn join<T: Send + 'static>(handle: Self::Handle<T>) -> T {
        handle
            .await
            .expect("the task neither panics nor is aborted")
    }
}

impl Clocked for Bach {
    fn sleep(duration: Duration) -> impl Future<Output = ()> + Send {
        time::sleep(duration)
    }

    async fn timeout<F: Future + Send>(limit: Duration, future: F) -> bool {
        time::timeout(limit, future).await.is_ok()
    }

    fn host<F>(_world: &Self::World, _name: String, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        task::spawn(future);
    }
}
