//! R11: a run inside a run. A handler calls a function that is not async, which runs the loop to
//! have what only async code can fetch.
//!
//! The loop refuses, and the function falls back on its default: every client gets the wrong
//! limit, and nobody is told. Mended, the handler is async all the way.

use std::io;

use event_loop::EventLoop;
use event_loop::net::{TcpListener, TcpStream};
use sim::{Config, Sim};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{Body, Scenario};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "nested-run",
    race: "R11",
    story: "a handler calls a function that runs the loop again: it is refused, and so defaulted",
    fails_within: 1,
    config: |_| Config::new(),
    broken: Body::World(|sim| Box::pin(broken(sim))),
    mended: Body::World(|sim| Box::pin(mended(sim))),
};

const CONFIGURED: u8 = 40;
const DEFAULT: u8 = 10;

/// The handler asks a function that runs the loop.
///
/// # Panics
/// If a client is told another limit than the configured one.
pub async fn broken(sim: Sim) {
    clients_get_the_configured_limit(sim, |ev| async move { limit(&ev) }).await;
}

/// The handler awaits.
///
/// # Panics
/// If a client is told another limit than the configured one.
pub async fn mended(sim: Sim) {
    let ask = |_| async { fetch_limit().await.unwrap_or(DEFAULT) };
    clients_get_the_configured_limit(sim, ask).await;
}

/// The limit, for callers that cannot await.
fn limit(ev: &EventLoop) -> u8 {
    match ev.run_until_complete(fetch_limit()) {
        Ok(Ok(limit)) => limit,
        _ => DEFAULT,
    }
}

async fn fetch_limit() -> io::Result<u8> {
    TcpStream::connect("settings:7000").await?.read_u8().await
}

async fn clients_get_the_configured_limit<F>(sim: Sim, limit: fn(EventLoop) -> F)
where
    F: Future<Output = u8> + Send + 'static,
{
    sim.host("settings")
        .run(|_| answer(7000, || async { CONFIGURED }))
        .detach();
    let service = sim.host("svc");
    service
        .run(move |ev| answer(80, move || limit(ev.clone())))
        .detach();
    let client = sim.host("client").run(|_| async {
        // The service may still be starting.
        event_loop::time::sleep(std::time::Duration::from_secs(1)).await;
        TcpStream::connect("svc:80").await?.read_u8().await
    });
    assert_eq!(
        client.await.unwrap().unwrap(),
        CONFIGURED,
        "the limit a client is told"
    );
}

/// Tells each client a number.
async fn answer<F: Future<Output = u8>>(port: u16, number: impl Fn() -> F) -> io::Result<()> {
    let listener = TcpListener::bind(("0.0.0.0", port)).await?;
    loop {
        let (mut stream, _) = listener.accept().await?;
        stream.write_u8(number().await).await?;
    }
}
