//! Accepting clients, and a shutdown that brings them what is queued.

use std::sync::Arc;
use std::time::Duration;

use event_loop::net::TcpListener;
use event_loop::sync::watch;
use event_loop::task::{JoinError, JoinSet};
use event_loop::time::{sleep, timeout};

use super::session::{Ended, serve_client};
use super::topics::Topics;

/// After an error that is the machine's, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// How many events wait for a client to take them.
    pub(crate) queue: usize,
    /// How many messages of a topic are kept for those whose queue is full.
    pub(crate) kept: usize,
    pub(crate) slow_clients: SlowClients,
    /// How often a client is pinged; one that is silent for twice as long is dropped.
    pub(crate) keep_alive: Duration,
    /// How long a write may take.
    pub(crate) write_timeout: Duration,
    /// How long a shutdown may take to bring clients what is queued.
    pub(crate) grace: Duration,
}

/// What happens to a client that does not keep up with a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SlowClients {
    /// It misses the oldest messages, and is told how many.
    DropOldest,
    /// Its connection ends.
    Disconnect,
}

/// What became of the clients.
#[derive(Clone, Default, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) ended: Vec<Ended>,
    /// Still there at the end of the grace.
    pub(crate) cut: usize,
}

/// Serves until `shutdown` says so, or its sender is gone.
pub(crate) async fn serve(
    listener: TcpListener,
    config: Config,
    mut shutdown: watch::Receiver<bool>,
) -> Report {
    let config = Arc::new(config);
    let topics = Arc::new(Topics::new(config.kept));
    let mut clients = JoinSet::new();
    let mut report = Report::default();
    loop {
        event_loop::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _peer)) => {
                    let (config, topics) = (config.clone(), topics.clone());
                    clients.spawn(serve_client(stream, config, topics, shutdown.clone()));
                }
                Err(_) => sleep(ACCEPT_PAUSE).await,
            },
            Some(ended) = clients.join_next() => report.note(ended),
            _ = shutdown.changed() => break,
        }
    }
    drop(listener);
    topics.close();
    let all_dismissed = async {
        while let Some(ended) = clients.join_next().await {
            report.note(ended);
        }
    };
    if timeout(config.grace, all_dismissed).await.is_err() {
        clients.abort_all();
        while let Some(ended) = clients.join_next().await {
            report.note(ended);
        }
    }
    report
}

impl Report {
    fn note(&mut self, ended: Result<Ended, JoinError>) {
        match ended {
            Ok(ended) => self.ended.push(ended),
            Err(error) if error.is_cancelled() => self.cut += 1,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}
