//! The service under test: a register with an answer to every line, and a client with patience.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use event_loop::net::{TcpListener, TcpStream};
use event_loop::time::{sleep, timeout};
use sim::Sim;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

pub(crate) const PORT: u16 = 80;

/// A request is a number, and so is its answer: how often the service was asked.
pub(crate) async fn serve(asked: Arc<AtomicU64>) -> io::Result<()> {
    let listener = TcpListener::bind(("0.0.0.0", PORT)).await?;
    loop {
        let (mut stream, _) = listener.accept().await?;
        let asked = asked.clone();
        let answers = event_loop::spawn(async move {
            while let Ok(_number) = stream.read_u64().await {
                let count = asked.fetch_add(1, Ordering::SeqCst) + 1;
                if stream.write_u64(count).await.is_err() {
                    return;
                }
            }
        });
        answers.detach();
    }
}

/// Starts the service on a host of its own; returns how often it was asked.
pub(crate) async fn started(sim: &Sim, name: &str) -> Arc<AtomicU64> {
    let asked = Arc::new(AtomicU64::new(0));
    let serving = sim.host(name).spawn(serve(asked.clone()));
    sleep(Duration::from_millis(1)).await;
    assert!(!serving.is_finished(), "it listens");
    asked
}

/// One question on a fresh connection.
pub(crate) async fn ask(name: &str) -> io::Result<u64> {
    let mut stream = TcpStream::connect((name, PORT)).await?;
    question(&mut stream).await
}

/// One question on this connection.
pub(crate) async fn question(stream: &mut TcpStream) -> io::Result<u64> {
    stream.write_u64(0).await?;
    stream.read_u64().await
}

/// Asks until there is an answer, each time for so long; returns how often it was in vain.
pub(crate) async fn ask_until_answered(name: &str, patience: Duration) -> u32 {
    for tries in 0.. {
        match timeout(patience, ask(name)).await {
            Ok(Ok(_)) => return tries,
            Ok(Err(_)) | Err(_) => sleep(Duration::from_millis(100)).await,
        }
    }
    unreachable!("tries do not end")
}
