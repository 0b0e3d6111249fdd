//! The database: a line asks, a line answers; slow, and sometimes gone in the middle of it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use super::rt;
use crate::stage::Stage;
use rt::net::{TcpListener, TcpStream};
use rt::sync::watch;
use rt::task::JoinSet;
use rt::time::sleep;

/// What a database is like.
#[derive(Clone, Copy)]
pub(super) struct Mood {
    /// How many milliseconds an answer takes, at least and at most.
    pub(super) slow: (u64, u64),
    /// One question in so many gets no answer but the end of the connection; 0 for none.
    pub(super) breaks: u64,
}

pub(super) const CALM: Mood = Mood {
    slow: (0, 5),
    breaks: 0,
};

#[derive(Clone)]
pub(super) struct Database {
    pub(super) address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    stop: watch::Sender<bool>,
}

/// What the database has seen.
#[derive(Clone, Default)]
pub(super) struct Seen {
    items: BTreeMap<String, String>,
    /// Connections open now.
    pub(super) open: usize,
    /// Connections there have been.
    pub(super) connections: usize,
    /// Questions being thought about now, and the most there have ever been.
    pub(super) busy: usize,
    pub(super) busiest: usize,
}

impl Database {
    pub(super) async fn start(stage: &impl Stage, mood: Mood) -> Self {
        let host = "database";
        let listening = TcpListener::bind(SocketAddr::new(stage.ip(host), 0));
        let listener = stage.spawn(host, listening).await.unwrap();
        let (stop, stopping) = watch::channel(false);
        let database = Self {
            address: listener.local_addr().unwrap(),
            seen: Arc::default(),
            stop,
        };
        let serving = database
            .clone()
            .serve(listener, stopping, stage.clone(), mood);
        // It ends when it is told to.
        drop(stage.spawn(host, serving));
        database
    }

    pub(super) fn seen(&self) -> Seen {
        self.lock().clone()
    }

    /// Ends it, with all its connections.
    pub(super) fn stop(self) {
        self.stop.send_replace(true);
    }

    async fn serve(
        self,
        listener: TcpListener,
        mut stopping: watch::Receiver<bool>,
        stage: impl Stage,
        mood: Mood,
    ) {
        let mut connections = JoinSet::new();
        loop {
            rt::select! {
                accepted = listener.accept() => {
                    let (stream, _peer) = accepted.unwrap();
                    connections.spawn(self.clone().connection(stream, stage.clone(), mood));
                }
                _ = stopping.changed() => break,
            }
        }
        connections.shutdown().await;
    }

    async fn connection(self, stream: TcpStream, stage: impl Stage, mood: Mood) {
        let mut stream = BufReader::new(stream);
        let mut question = String::new();
        {
            let mut seen = self.lock();
            seen.open += 1;
            seen.connections += 1;
        }
        while matches!(stream.read_line(&mut question).await, Ok(1..)) {
            if mood.breaks > 0 && stage.choose("break", mood.breaks) == mood.breaks - 1 {
                break;
            }
            let (least, most) = mood.slow;
            let more = stage.choose("think", (most - least) * 1_000 + 1);
            self.think(Duration::from_millis(least) + Duration::from_micros(more))
                .await;
            let answer = self.answer(question.trim_end());
            question.clear();
            if stream.write_all(answer.as_bytes()).await.is_err() {
                break;
            }
        }
        self.lock().open -= 1;
    }

    async fn think(&self, span: Duration) {
        {
            let mut seen = self.lock();
            seen.busy += 1;
            seen.busiest = seen.busiest.max(seen.busy);
        }
        sleep(span).await;
        self.lock().busy -= 1;
    }

    fn answer(&self, question: &str) -> String {
        let items = &mut self.lock().items;
        match *question.splitn(3, ' ').collect::<Vec<_>>() {
            ["PING"] => "PONG\n".to_owned(),
            ["GET", id] => match items.get(id) {
                Some(value) => format!("VALUE {value}\n"),
                None => "NONE\n".to_owned(),
            },
            ["SET", id, value] => {
                items.insert(id.to_owned(), value.to_owned());
                "OK\n".to_owned()
            }
            _ => "ERROR\n".to_owned(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect("nobody panics here")
    }
}
