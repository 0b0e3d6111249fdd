//! The benches' work on madsim, in a crate of its own because of its `--cfg`.

#[path = "../../src/work/mod.rs"]
pub mod work;

mod network;

use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;

use madsim::runtime::{Handle, Runtime};
use madsim::{Config, task, time};

use work::{Clocked, Executor, LiveBytes, Work};

/// Does the work that the first argument names, and prints its figure.
pub fn main(live_bytes: Option<LiveBytes>) -> ExitCode {
    let work = std::env::args().nth(1).as_deref().and_then(Work::named);
    let figure = work.and_then(|work| {
        if work.is_networked() {
            work::measure_streams(&Madsim, work).or_else(|| work::measure_datagrams(&Madsim, work))
        } else {
            work::measure(&Madsim, work, live_bytes)
        }
    });
    match figure {
        Some(figure) => {
            println!("{figure}");
            ExitCode::SUCCESS
        }
        None => {
            eprintln!("usage: madsim-peer WORK (madsim-counting for what is kept)");
            ExitCode::from(2)
        }
    }
}

struct Madsim;

impl Executor for Madsim {
    type World = Handle;
    type Handle<T: Send + 'static> = task::JoinHandle<T>;

    fn run<T, F, Fut>(&self, seed: u64, main: F) -> T
    where
        T: Send + 'static,
        F: FnOnce(Self::World) -> Fut + Send + 'static,
        Fut: Future<Output = T> + 'static,
    {
        let runtime = Runtime::with_seed_and_config(seed, Config::default());
        runtime.block_on(main(runtime.handle().clone()))
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

impl Clocked for Madsim {
    fn sleep(duration: Duration) -> impl Future<Output = ()> + Send {
        time::sleep(duration)
    }

    async fn timeout<F: Future + Send>(limit: Duration, future: F) -> bool {
        time::timeout(limit, future).await.is_ok()
    }

    fn host<F>(world: &Self::World, name: String, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        world.create_node().name(name).build().spawn(future);
    }
}
