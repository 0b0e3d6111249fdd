//! R1: a worker's async cleanup is lost or kept by the order in which tasks are polled.
//!
//! A pool of workers gathers records; asked to finish, each flushes its batch to a store, its
//! `saving` lock held. The broken pool takes each worker's lock in turn, so that a cleanup under
//! way can end, and then cuts the worker: but a lock that is free may also mean a cleanup that has
//! not begun. Where workers are polled before their pool, as they are while nothing else runs, all
//! is well. The mended pool waits for the workers themselves.

use std::collections::BTreeSet;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use event_loop::net::{TcpListener, TcpStream};
use event_loop::{EventLoop, TaskHandle};
use futures::channel::mpsc;
use futures::future::{Either, select};
use futures::lock::Mutex;
use futures::stream::StreamExt;
use sim::{Config, Sim};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use crate::{Body, Scenario};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "cleanup-order",
    race: "R1",
    story: "a pool waits for the cleanups under way, and cuts those that have not begun",
    fails_within: 20,
    config: |_| Config::new(),
    broken: Body::World(|sim| Box::pin(broken(sim))),
    mended: Body::World(|sim| Box::pin(mended(sim))),
};

const WORKERS: usize = 4;
const RECORDS: u32 = 12;

/// The pool waits for the cleanups under way.
///
/// # Panics
/// If an accepted batch was never flushed.
pub async fn broken(sim: Sim) {
    a_shutdown_flushes_every_batch(sim, Pool::stop_when_nobody_saves).await;
}

/// The pool waits for its workers.
///
/// # Panics
/// If an accepted batch was never flushed.
pub async fn mended(sim: Sim) {
    a_shutdown_flushes_every_batch(sim, Pool::stop_when_all_have_ended).await;
}

async fn a_shutdown_flushes_every_batch<S, F>(sim: Sim, stop: S)
where
    S: FnOnce(Pool) -> F + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let saved = Saved::default();
    let store = sim.host("store").run(|_| serve_store(saved.clone()));
    let service = sim.host("svc").run(|ev| async move {
        let pool = Pool::start(&ev);
        for record in 0..RECORDS {
            pool.accept(record);
        }
        // Long enough for every worker to have its records in hand.
        event_loop::time::sleep(Duration::from_millis(5)).await;
        stop(pool).await;
    });
    service.await.unwrap();
    // Whatever the service has sent by its end may still arrive.
    event_loop::time::sleep(Duration::from_secs(1)).await;
    store.request_cancel();
    store.await.unwrap().unwrap();

    let saved = saved.lock().await;
    for record in 0..RECORDS {
        let worker = worker_of(record);
        assert!(
            saved.contains(&record),
            "worker {worker}'s batch was accepted and never flushed"
        );
    }
}

/// The service: workers that gather records, each in a batch of its own.
struct Pool {
    workers: Vec<Worker>,
}

struct Worker {
    task: TaskHandle<io::Result<()>>,
    records: mpsc::UnboundedSender<u32>,
    /// Held while the worker flushes its batch.
    saving: Arc<Mutex<()>>,
}

fn worker_of(record: u32) -> usize {
    record as usize % WORKERS
}

impl Pool {
    fn start(ev: &EventLoop) -> Self {
        let start_worker = |index| {
            let (records, queue) = mpsc::unbounded();
            let saving = Arc::<Mutex<()>>::default();
            let work = gather(queue, saving.clone());
            Worker {
                task: ev.spawn_named(&format!("worker {index}"), work),
                records,
                saving,
            }
        };
        Self {
            workers: (0..WORKERS).map(start_worker).collect(),
        }
    }

    fn accept(&self, record: u32) {
        self.workers[worker_of(record)]
            .records
            .unbounded_send(record)
            .expect("a worker takes records until it is asked to finish");
    }

    async fn stop_when_nobody_saves(mut self) {
        for worker in &self.workers {
            worker.task.request_cancel();
        }
        // Lets the workers see it.
        event_loop::yield_now().await;
        while let Some(worker) = self.workers.pop() {
            let _saved = worker.saving.lock().await;
            worker.task.abort();
        }
    }

    async fn stop_when_all_have_ended(mut self) {
        for worker in &self.workers {
            worker.task.request_cancel();
        }
        while let Some(worker) = self.workers.pop() {
            worker.task.await.unwrap().unwrap();
        }
    }
}

/// A worker: gathers records until it is asked to finish, then flushes them.
async fn gather(
    mut records: mpsc::UnboundedReceiver<u32>,
    saving: Arc<Mutex<()>>,
) -> io::Result<()> {
    let mut batch = Vec::new();
    while let Either::Left((Some(record), _)) =
        select(records.next(), pin!(event_loop::cancelled())).await
    {
        batch.push(record);
    }
    records.close();
    while let Some(record) = records.next().await {
        batch.push(record);
    }
    let _saving = saving.lock().await;
    flush(&batch).await
}

async fn flush(batch: &[u32]) -> io::Result<()> {
    let mut store = BufReader::new(TcpStream::connect("store:9000").await?);
    let mut text: String = batch.iter().map(|record| format!("{record} ")).collect();
    text.push('\n');
    store.write_all(text.as_bytes()).await?;
    let mut answer = String::new();
    store.read_line(&mut answer).await?;
    match answer.as_str() {
        "saved\n" => Ok(()),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// The records that have reached the store.
type Saved = Arc<Mutex<BTreeSet<u32>>>;

async fn serve_store(saved: Saved) -> io::Result<()> {
    let listener = TcpListener::bind("0.0.0.0:9000").await?;
    loop {
        let stream = match select(pin!(listener.accept()), pin!(event_loop::cancelled())).await {
            Either::Left((accepted, _)) => accepted?.0,
            Either::Right(_) => return Ok(()),
        };
        // A connection that breaks was cut with its worker: there is nothing to save.
        event_loop::spawn(save_batches(stream, saved.clone())).detach();
    }
}

async fn save_batches(stream: TcpStream, saved: Saved) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    while stream.read_line(&mut line).await? > 0 {
        if let Some(batch) = line.strip_suffix('\n') {
            let records = batch
                .split_whitespace()
                .filter_map(|record| record.parse().ok());
            saved.lock().await.extend::<Vec<u32>>(records.collect());
            stream.write_all(b"saved\n").await?;
        }
        line.clear();
    }
    Ok(())
}
