//! tokio's current-thread runtime, its clock paused: virtual time, first come first served.

use std::future::Future;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::{task, time};

use crate::work::{Clocked, Executor};

/// tokio with a paused clock.
#[derive(Clone, Copy, Debug)]
pub struct Tokio;

impl Executor for Tokio {
    type World = ();
    type Handle<T: Send + 'static> = task::JoinHandle<T>;

    fn run<T, F, Fut>(&self, _seed: u64, main: F) -> T
    where
        T: Send + 'static,
        F: FnOnce(Self::World) -> Fut + Send + 'static,
        Fut: Future<Output = T> + 'static,
    {
        let runtime = Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime without I/O takes nothing from the system");
        runtime.block_on(main(()))
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

impl Clocked for Tokio {
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
