//! R13: a burst into an executor whose queue has no bound.
//!
//! Each request makes a thumbnail in the executor. A burst is taken in whole: the line grows, and
//! the last client waits for all that came before, long after it has given up. Bounded, who finds the
//! line full is told so at once, and may come again.

use std::io;
use std::time::Duration;

use event_loop::net::{TcpListener, TcpStream};
use event_loop::time::{Instant, sleep};
use event_loop::{BlockingQueue, EventLoop};
use sim::{Config, Sim};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{Body, Form, Scenario};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "burst",
    race: "R13",
    story: "a burst of jobs is taken in whole, and the last client waits for all of them",
    fails_within: 20,
    config: |form| {
        let config = Config::new().blocking_threads(2);
        config.blocking_queue(match form {
            Form::Broken => BlockingQueue::Unbounded,
            Form::Mended => BlockingQueue::Refuse(8),
        })
    },
    broken: Body::World(|sim| Box::pin(every_client_is_answered_in_time(sim))),
    mended: Body::World(|sim| Box::pin(every_client_is_answered_in_time(sim))),
};

const THUMBNAIL: Duration = Duration::from_millis(20);
/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_millis(200);

/// Clients come at once, and each is answered before it gives up. The loop's configuration decides.
///
/// # Panics
/// If a client has to wait for longer.
pub async fn every_client_is_answered_in_time(sim: Sim) {
    let clients = 4 + sim.choose("clients", 40);
    sim.host("svc").run(serve).detach();
    sleep(Duration::from_millis(100)).await;
    let clients: Vec<_> = (0..clients)
        .map(|_| sim.host("clients").spawn(ask()))
        .collect();
    for client in clients {
        let waited = client.await.unwrap().unwrap();
        assert!(waited <= PATIENCE, "a client has waited for {waited:?}");
    }
}

/// How long the service takes to answer, whatever it says.
async fn ask() -> io::Result<Duration> {
    let mut stream = TcpStream::connect("svc:80").await?;
    let asked = Instant::now();
    stream.read_u8().await?;
    Ok(asked.elapsed())
}

async fn serve(ev: EventLoop) -> io::Result<()> {
    let listener = TcpListener::bind("0.0.0.0:80").await?;
    loop {
        let (stream, _) = listener.accept().await?;
        let answer = answer(ev.clone(), stream);
        // Who is gone needs no answer.
        ev.spawn(async move { answer.await.is_ok() }).detach();
    }
}

async fn answer(ev: EventLoop, mut stream: TcpStream) -> io::Result<()> {
    #[expect(clippy::disallowed_methods, reason = "a job may block")]
    let job = ev.try_run_blocking(|| std::thread::sleep(THUMBNAIL));
    let made = match job {
        Ok(job) => job.await.is_ok(),
        // It is busy, and the client may come again.
        Err(_) => false,
    };
    stream.write_u8(made.into()).await
}
