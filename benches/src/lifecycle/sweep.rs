//! A TERM at every event of a run: a service, its database and its clients, run again as often as
//! their run has events.

use std::time::Duration;

use event_loop::EventLoop;
use event_loop::net::{TcpListener, TcpStream};
use event_loop::time::sleep;
use sim::{Config, Host, Signal, Sim};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// How many events the run has, at least.
const EVENTS: u64 = 2_000;
const UNTIL_KILL: Duration = Duration::from_secs(30);

/// Sweeps the run.
pub(super) fn term_at_every_event() {
    let term = |svc: &Host| {
        // It may have ended.
        let _ = svc.try_terminate(UNTIL_KILL);
    };
    let sweep = sim::sweep(&Config::new(), 0, "svc", term, service);
    assert!(sweep.failing.is_empty(), "{:?}", sweep.failing[0]);
    let events = sweep.untouched.events;
    assert!((EVENTS..EVENTS + 200).contains(&events), "{events} events");
}

/// A client has its requests answered by a service that asks its database, until somebody tells the
/// service to end.
async fn service(sim: Sim) {
    sim.host("db")
        .run(|_| answer(5432, || async { 1 }))
        .detach();
    let svc = sim.host("svc").start(serve);
    let client = sim.host("client");
    for _ in 0..52 {
        let asked = client.run(|_| ask("svc:80"));
        let _ = asked.await;
    }
    let _ = svc.try_terminate(UNTIL_KILL);
    svc.wait().await;
}

async fn serve(ev: EventLoop) {
    let mut term = ev.signal(Signal::Term).expect("TERM can be listened to");
    let serving = ev.spawn(answer(80, || async { ask("db:5432").await.unwrap_or(0) }));
    term.recv().await;
    serving.abort();
    sleep(Duration::from_millis(5)).await;
}

async fn answer<F: Future<Output = u8>>(port: u16, number: impl Fn() -> F) -> std::io::Result<()> {
    let listener = TcpListener::bind(("0.0.0.0", port)).await?;
    loop {
        let (mut stream, _) = listener.accept().await?;
        stream.write_u8(number().await).await?;
    }
}

async fn ask(whom: &str) -> std::io::Result<u8> {
    TcpStream::connect(whom).await?.read_u8().await
}
