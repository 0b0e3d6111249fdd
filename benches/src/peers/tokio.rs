//! tokio's current-thread runtime: first come first served, in virtual time where its clock is paused.

use std::cell::RefCell;
use std::future::Future;
use std::time::Duration;

use tokio::io::DuplexStream;
use tokio::runtime::Builder;
use tokio::sync::mpsc;
use tokio::{task, time};

use crate::work::{Clocked, Executor, Link, Network, Streams, Work};

/// tokio with a paused clock, or, for works that measure its tasks alone, with none: it is then a
/// fifth faster.
#[derive(Clone, Copy, Debug)]
pub struct Tokio {
    clock: bool,
}

impl Tokio {
    /// The runtime its users would build for that work.
    pub fn for_work(work: Work) -> Self {
        let tasks_alone = matches!(work, Work::SpawnAndJoin | Work::SelfWakes);
        Self {
            clock: !tasks_alone,
        }
    }
}

impl Executor for Tokio {
    type World = ();
    type Handle<T: Send + 'static> = task::JoinHandle<T>;

    fn run<T, F, Fut>(&self, _seed: u64, main: F) -> T
    where
        T: Send + 'static,
        F: FnOnce(Self::World) -> Fut + Send + 'static,
        Fut: Future<Output = T> + 'static,
    {
        let mut builder = Builder::new_current_thread();
        if self.clock {
            builder.enable_time().start_paused(true);
        }
        let runtime = builder.build();
        let runtime = runtime.expect("a runtime without I/O takes nothing from the system");
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

thread_local! {
    static LISTENER: RefCell<Option<mpsc::UnboundedSender<DuplexStream>>> =
        const { RefCell::new(None) };
}

/// The most bytes that a pipe holds: what our sockets accept.
const PIPE: usize = 256 * 1024;

/// No network at all, but pipes in memory: what the work around it costs.
impl Network for Tokio {
    fn run_pair<S, C>(&self, link: Link, server: S, client: C)
    where
        S: Future<Output = ()> + Send + 'static,
        C: Future<Output = ()> + Send + 'static,
    {
        assert_eq!(link, Link::Ideal, "pipes have no latency");
        self.run(0, |()| async {
            task::spawn(server);
            Self::join(task::spawn(client)).await;
        });
    }
}

impl Streams for Tokio {
    type Listener = mpsc::UnboundedReceiver<DuplexStream>;
    type Stream = DuplexStream;

    async fn listen() -> Self::Listener {
        let (connector, listener) = mpsc::unbounded_channel();
        LISTENER.set(Some(connector));
        listener
    }

    async fn accept(listener: &mut Self::Listener) -> DuplexStream {
        let next = listener.recv().await;
        next.expect("the thread keeps the other end")
    }

    async fn connect() -> DuplexStream {
        let (ours, theirs) = tokio::io::duplex(PIPE);
        LISTENER.with_borrow(|listener| {
            let listener = listener.as_ref().expect("the server runs first");
            listener.send(theirs).expect("the server is there");
        });
        ours
    }
}
