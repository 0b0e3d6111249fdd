//! Services as processes of a world, which get signals at any moment.

use std::io;
use std::time::Duration;

use event_loop::net::{TcpListener, TcpStream};
use event_loop::shutdown::{ShutdownPolicy, ShutdownReport, Stage};
use event_loop::signal::raise;
use event_loop::time::{sleep, timeout};
use event_loop::{EventLoop, Signal, cancelled, spawn};
use sim::{Config, ExitStatus, Sim};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const MS: Duration = Duration::from_millis(1);

/// The service of the design: accepts until it is told to end, and answers whom it has accepted.
async fn serve(ev: EventLoop) -> io::Result<()> {
    let shutdown = ev.shutdown_on_signal(ShutdownPolicy::new());
    let shutdown = shutdown.map_err(io::Error::other)?;
    let listener = TcpListener::bind("0.0.0.0:80").await?;
    while let Ok((mut stream, _)) = listener.accept().await {
        spawn(async move {
            let mut request = [0; 7];
            if stream.read_exact(&mut request).await.is_ok() {
                sleep(5 * MS).await;
                let _ = stream.write_all(b"answer!").await;
            }
        })
        .detach();
    }
    let report = shutdown.await.map_err(io::Error::other)?;
    match report.is_clean() {
        true => Ok(()),
        false => Err(io::Error::other(report.to_string())),
    }
}

async fn ask() -> io::Result<()> {
    let mut stream = TcpStream::connect("svc:80").await?;
    stream.write_all(b"request").await?;
    stream.read_exact(&mut [0; 7]).await.map(drop)
}

#[test]
fn a_request_is_answered_or_reset_whenever_the_term_comes() {
    sim::check(&Config::new().seeds(300), |sim: Sim| async move {
        let svc = sim.host("svc").start(serve);
        sleep(10 * MS).await;
        let load = sim.host("client").spawn(async {
            for _ in 0..10 {
                let asked = timeout(Duration::from_secs(60), ask()).await;
                let _ = asked.expect("nobody is kept in silence");
                sleep(2 * MS).await;
            }
        });
        sleep(sim.any_duration("term", Duration::ZERO..=80 * MS)).await;
        svc.terminate(Duration::from_secs(30));
        assert_eq!(svc.wait().await, ExitStatus::SUCCESS);
        load.await.unwrap();
    });
}

/// A service that signals itself, and what its shutdown came to.
async fn told_twice(ev: EventLoop, first: Signal, second: Signal) -> ShutdownReport {
    let shutdown = ev.shutdown_on_signal(ShutdownPolicy::new()).unwrap();
    spawn(async {
        cancelled().await;
        std::future::pending::<()>().await;
    })
    .detach();
    ev.call_later(5 * MS, move || raise(first).unwrap())
        .unwrap();
    ev.call_later(Duration::from_secs(2), move || raise(second).unwrap())
        .unwrap();
    shutdown.await.unwrap()
}

#[test]
fn a_second_signal_of_whichever_kind_escalates_once() {
    sim::check(&Config::new().seeds(50), |sim: Sim| async move {
        let svc = sim.host("svc").start(|ev| async move {
            let report = told_twice(ev, Signal::Term, Signal::Int).await;
            assert_eq!(report.cause, "SIGTERM");
            assert_eq!(report.escalated.unwrap().0, Stage::Grace, "{report}");
            assert_eq!(report.cut().count(), 1, "{report}");
        });
        assert_eq!(svc.wait().await, ExitStatus::SUCCESS);
    });
}
