//! Accepting, and a shutdown that lets what is under way finish, for a while.

use std::sync::Arc;
use std::time::Duration;

use event_loop::hyper::LoopTimer as TokioTimer;
use event_loop::net::{TcpListener, TcpStream};
use event_loop::sync::{Semaphore, watch};
use event_loop::task::{JoinError, JoinSet};
use event_loop::time::{sleep, timeout};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;

use super::http::{ConcurrencyLimit, Routes, Timeout};
use super::items::Items;
use super::pool::{Pool, PoolConfig};

/// After an error that is the machine's, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) pool: PoolConfig,
    pub(crate) cached_for: Duration,
    /// How many requests are served at once.
    pub(crate) concurrency: usize,
    pub(crate) request_timeout: Duration,
    /// How long a connection may take to send a request's head, and to be idle.
    pub(crate) head_timeout: Duration,
    /// How long requests under way may take to finish once the service shuts down.
    pub(crate) grace: Duration,
}

/// What became of the connections.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) served: usize,
    /// Ended by an error of the client's or the network's.
    pub(crate) failed: usize,
    /// Still open at the end of the grace.
    pub(crate) cut: usize,
}

type App = Timeout<ConcurrencyLimit<Routes<Items>>>;

/// Serves until `shutdown` says so, or its sender is gone.
pub(crate) async fn serve(
    listener: TcpListener,
    config: Config,
    mut shutdown: watch::Receiver<bool>,
) -> Report {
    let pool = Pool::new(config.pool.clone());
    let app = app(&config, pool.clone());
    let mut background = JoinSet::new();
    background.spawn(pool.clone().close_idle());
    let mut connections = JoinSet::new();
    let mut report = Report::default();
    loop {
        event_loop::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _peer)) => {
                    let connection = serve_connection(
                        stream,
                        app.clone(),
                        config.head_timeout,
                        shutdown.clone(),
                    );
                    connections.spawn(connection);
                }
                Err(_) => sleep(ACCEPT_PAUSE).await,
            },
            Some(ended) = connections.join_next() => report.count(ended),
            _ = shutdown.changed() => break,
        }
    }
    drop(listener);
    let all_ended = async {
        while let Some(ended) = connections.join_next().await {
            report.count(ended);
        }
    };
    if timeout(config.grace, all_ended).await.is_err() {
        connections.abort_all();
        while let Some(ended) = connections.join_next().await {
            report.count(ended);
        }
    }
    pool.close();
    background.shutdown().await;
    report
}

fn app(config: &Config, pool: Pool) -> App {
    Timeout {
        limit: config.request_timeout,
        service: ConcurrencyLimit {
            permits: Arc::new(Semaphore::new(config.concurrency)),
            service: Items::new(pool, config.cached_for).routes(),
        },
    }
}

async fn serve_connection(
    stream: TcpStream,
    app: App,
    head_timeout: Duration,
    mut shutdown: watch::Receiver<bool>,
) -> hyper::Result<()> {
    // Latency only: a connection that is gone already says so when it is read.
    let _ = stream.set_nodelay(true);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_timeout)
        .serve_connection(TokioIo::new(stream), app);
    let mut connection = std::pin::pin!(connection);
    event_loop::select! {
        ended = connection.as_mut() => return ended,
        _ = shutdown.changed() => connection.as_mut().graceful_shutdown(),
    }
    connection.await
}

impl Report {
    fn count(&mut self, ended: Result<hyper::Result<()>, JoinError>) {
        match ended {
            Ok(Ok(())) => self.served += 1,
            Ok(Err(_)) => self.failed += 1,
            Err(error) if error.is_cancelled() => self.cut += 1,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}
