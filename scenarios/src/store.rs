//! A store on a host of its own, for services that must not lose what they have accepted.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use event_loop::net::{TcpListener, TcpStream};
use sim::Sim;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

/// The records that the host `store` has saved.
#[derive(Clone, Default)]
pub(crate) struct Store {
    saved: Arc<Mutex<Vec<String>>>,
}

impl Store {
    /// Starts it.
    pub(crate) fn start(sim: &Sim) -> Self {
        let store = Self::default();
        let served = store.clone();
        sim.host("store").run(|_| served.serve()).detach();
        store
    }

    /// Saves what comes, from now on.
    pub(crate) async fn serve(self) {
        let listener = TcpListener::bind("0.0.0.0:9000").await.unwrap();
        while let Ok((stream, _)) = listener.accept().await {
            let store = self.clone();
            // A client that is cut resets its connection.
            event_loop::spawn(async move { store.talk(stream).await.is_ok() }).detach();
        }
    }

    async fn talk(&self, stream: TcpStream) -> io::Result<()> {
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        while stream.read_line(&mut line).await? > 0 {
            let Some(record) = line.strip_suffix('\n') else {
                break;
            };
            self.records().push(record.to_owned());
            stream.write_all(b"saved\n").await?;
            line.clear();
        }
        Ok(())
    }

    pub(crate) fn has(&self, record: &str) -> bool {
        self.records().iter().any(|saved| saved == record)
    }

    fn records(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.saved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Saves a record; returns once the store has it.
pub(crate) async fn save(record: &str) -> io::Result<()> {
    let mut store = BufReader::new(TcpStream::connect("store:9000").await?);
    store.write_all(format!("{record}\n").as_bytes()).await?;
    let mut answer = String::new();
    store.read_line(&mut answer).await?;
    match answer.as_str() {
        "saved\n" => Ok(()),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}
