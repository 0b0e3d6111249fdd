//! The service and the test that a user would write on the first evening: one `serve`,
//! under a TERM at any moment.

use std::io;
use std::time::Duration;

use event_loop::net::{TcpListener, TcpStream};
use event_loop::shutdown::ShutdownPolicy;
use event_loop::time::{sleep, timeout};
use event_loop::{EventLoop, Signal, run_blocking, spawn};
use sim::{Config, ExitStatus, Sim, VerdictKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Answers whom it has accepted, and ends when it is told to.
async fn serve(ev: EventLoop) -> io::Result<()> {
    let shutdown = ev.shutdown_on_signal(ShutdownPolicy::new())?;
    let listener = TcpListener::bind("0.0.0.0:8080").await?;
    while let Ok((stream, _)) = listener.accept().await {
        spawn(async move { answer(stream).await.is_ok() }).detach();
    }
    let report = shutdown.await?;
    let clean = report.is_clean().then_some(());
    clean.ok_or_else(|| io::Error::other(report.to_string()))
}

async fn answer(mut stream: TcpStream) -> io::Result<()> {
    let mut request = [0; 4];
    stream.read_exact(&mut request).await?;
    let answer = run_blocking(move || {
        event_loop::block_for(Duration::from_millis(100));
        request.map(|byte| byte.to_ascii_uppercase())
    });
    let answer = answer.await.map_err(io::Error::other)?;
    stream.write_all(&answer).await
}

/// One that thinks it ends in order, and drops whom it has accepted.
async fn drops(ev: EventLoop) -> io::Result<()> {
    let mut terms = ev.signal(Signal::Term)?;
    let listener = TcpListener::bind("0.0.0.0:8080").await?;
    let accepts = async {
        while let Ok((stream, _)) = listener.accept().await {
            spawn(async move { answer(stream).await.is_ok() }).detach();
        }
    };
    event_loop::select! {
        () = accepts => {}
        _ = terms.recv() => {}
    }
    Ok(())
}

/// How many requests had no answer although they were sent to who listens.
async fn load() -> u32 {
    let mut unanswered = 0;
    for _ in 0..40 {
        if let Ok(mut stream) = TcpStream::connect("svc:8080").await {
            let asks = async {
                stream.write_all(b"ping").await?;
                stream.read_exact(&mut [0; 4]).await
            };
            let reset = |error: &io::Error| error.kind() == io::ErrorKind::ConnectionReset;
            match timeout(Duration::from_secs(60), asks).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) if reset(&error) => {}
                Ok(Err(_)) | Err(_) => unanswered += 1,
            }
        }
        sleep(Duration::from_millis(300)).await;
    }
    unanswered
}

async fn under_a_term<F>(sim: Sim, main: fn(EventLoop) -> F)
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let svc = sim.host("svc").start(main);
    let load = sim.host("client").run(|_| load());
    let term = sim.any_instant("term", Duration::from_secs(1)..Duration::from_secs(15));
    let told = svc.clone();
    sim.at(term, move || told.terminate(Duration::from_secs(30)));
    assert_eq!(load.await.unwrap(), 0, "an accepted request has no answer");
    assert_eq!(svc.wait().await, ExitStatus::SUCCESS);
}

#[test]
fn an_accepted_request_is_answered_or_reset() {
    sim::check(&Config::new().seeds(200), |sim| under_a_term(sim, serve));
}

#[test]
fn who_leaves_at_once_is_found_out_and_the_run_says_when_the_term_came() {
    let config = Config::new();
    let runs = (0..200).map(|seed| sim::run_once(&config, seed, |sim| under_a_term(sim, drops)));
    let failing = runs.into_iter().find(|run| run.verdict.is_some());
    let failing = failing.expect("some seed shows it");
    let verdict = failing.verdict.as_ref().unwrap();
    assert_eq!(verdict.kind, VerdictKind::Panic);
    let deeds: Vec<_> = failing.rules().iter().map(ToString::to_string).collect();
    let [term] = &*deeds else {
        panic!("{deeds:?}");
    };
    assert!(
        term.starts_with("SIGTERM svc  ") && term.ends_with(" s  applied to 1 of 1"),
        "{term}"
    );
}
