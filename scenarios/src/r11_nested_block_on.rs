//! R11, where no loop can refuse: another library's `block_on` inside of a poll.
//!
//! A handler calls a function that is not async, which blocks its thread until a task of the same
//! service answers. The thread is the loop's, and the task never runs. Mended, a job of the executor
//! calls the function, on a thread that may wait.

use std::io;

use event_loop::net::{TcpListener, TcpStream};
use event_loop::sync::{mpsc, oneshot};
use event_loop::{EventLoop, run_blocking};
use sim::{Config, Sim};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{Body, Scenario};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "nested-block-on",
    race: "R11",
    story: "a function blocks the loop's thread on what only another task of the loop can bring",
    fails_within: 1,
    config: |_| Config::new(),
    broken: Body::World(|sim| Box::pin(broken(sim))),
    mended: Body::World(|sim| Box::pin(mended(sim))),
};

const CONFIGURED: u8 = 40;
const DEFAULT: u8 = 10;

/// The function blocks the thread of the loop.
///
/// # Panics
/// If a client is told another limit than the configured one.
pub async fn broken(sim: Sim) {
    let ask = |limits: Limits| async move { limits.wait() };
    clients_get_the_configured_limit(sim, ask).await;
}

/// The function blocks a thread of the executor.
///
/// # Panics
/// If a client is told another limit than the configured one.
pub async fn mended(sim: Sim) {
    let ask = |limits: Limits| async move {
        let job = run_blocking(move || limits.wait());
        job.await.expect("it does not panic")
    };
    clients_get_the_configured_limit(sim, ask).await;
}

/// Knows the limit, by way of a task that asks for it.
#[derive(Clone)]
struct Limits(mpsc::UnboundedSender<oneshot::Sender<u8>>);

impl Limits {
    fn start(ev: &EventLoop) -> Self {
        let (ask, mut asked) = mpsc::unbounded_channel::<oneshot::Sender<u8>>();
        let answering = ev.spawn_named("limits", async move {
            while let Some(tell) = asked.recv().await {
                // Who asks may be gone.
                let _ = tell.send(fetch_limit().await.unwrap_or(DEFAULT));
            }
        });
        answering.detach();
        Self(ask)
    }

    /// The limit, for callers that cannot await.
    fn wait(&self) -> u8 {
        let (tell, told) = oneshot::channel();
        let asked = self.0.send(tell);
        let told = asked
            .ok()
            .and_then(|()| futures::executor::block_on(told).ok());
        told.unwrap_or(DEFAULT)
    }
}

async fn fetch_limit() -> io::Result<u8> {
    TcpStream::connect("settings:7000").await?.read_u8().await
}

async fn clients_get_the_configured_limit<F>(sim: Sim, limit: fn(Limits) -> F)
where
    F: Future<Output = u8> + Send + 'static,
{
    let settings = sim.host("settings");
    settings
        .run(|_| answer(7000, || async { CONFIGURED }))
        .detach();
    let service = sim.host("svc");
    service
        .run(move |ev| {
            let limits = Limits::start(&ev);
            answer(80, move || limit(limits.clone()))
        })
        .detach();
    let client = sim.host("client").run(|_| async {
        // The service may still be starting.
        event_loop::time::sleep(std::time::Duration::from_secs(1)).await;
        TcpStream::connect("svc:80").await?.read_u8().await
    });
    let told = client.await.unwrap().unwrap();
    assert_eq!(told, CONFIGURED, "the limit a client is told");
}

/// Tells each client a number.
async fn answer<F: Future<Output = u8>>(port: u16, number: impl Fn() -> F) -> io::Result<()> {
    let listener = TcpListener::bind(("0.0.0.0", port)).await?;
    loop {
        let (mut stream, _) = listener.accept().await?;
        stream.write_u8(number().await).await?;
    }
}
