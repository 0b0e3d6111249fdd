//! The service: orders over HTTP, kept in a database, with receipts made by the executor and an audit
//! trail that is flushed in the background.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use event_loop::net::{TcpListener, TcpStream};
use event_loop::shutdown::ShutdownPolicy;
use event_loop::sync::{mpsc, oneshot, watch};
use event_loop::task::JoinSet;
use event_loop::time::sleep;
use event_loop::{EventLoop, Signal, TaskHandle};
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper::{Method, StatusCode};
use hyper_util::rt::TokioIo;

use super::http::{Call, Reply, Router, Routes, reply};
use super::pool::{Pool, PoolConfig};

/// How long the audit trail may lag behind.
const FLUSHED_EVERY: Duration = Duration::from_millis(15);
/// How long a receipt takes to be made.
const RECEIPT: Duration = Duration::from_millis(2);

/// The whole program.
pub(crate) async fn main(ev: EventLoop) -> io::Result<()> {
    // Before anything is begun that would have to be ended.
    let mut term = ev.signal(Signal::Term).map_err(io::Error::other)?;
    let mut database = event_loop::net::lookup_host("database:5432").await?;
    let pool = Pool::new(PoolConfig {
        database: database.next().ok_or(io::ErrorKind::NotFound)?,
        max: 2,
        idle_timeout: Duration::from_secs(60),
        check_after: Duration::from_secs(30),
        connect_timeout: Duration::from_secs(2),
    });
    let (audit, trail) = mpsc::unbounded_channel();
    let (drain, draining) = watch::channel(false);
    let flusher = ev.spawn_named("flusher", flush(trail, pool.clone()));
    let listener = TcpListener::bind("0.0.0.0:80").await?;
    let orders = Orders { pool, audit };
    let (tell, drained) = oneshot::channel();
    let acceptor = accept(listener, orders.routes(), draining, tell);
    ev.spawn_named("acceptor", acceptor).detach();
    ev.on_shutdown("flush the audit trail", move || last_flush(flusher))
        .map_err(io::Error::other)?;
    ev.on_shutdown("finish what was accepted", move || async move {
        let _ = drain.send(true);
        drained.await.map_err(|_| "the acceptor has gone")
    })
    .map_err(io::Error::other)?;

    term.recv().await;
    let report = ev.shutdown(ShutdownPolicy::new()).await;
    let report = report.map_err(io::Error::other)?;
    match report.is_clean() {
        true => Ok(()),
        false => Err(io::Error::other(report.to_string())),
    }
}

/// What every handler shares.
#[derive(Clone)]
struct Orders {
    pool: Pool,
    audit: mpsc::UnboundedSender<String>,
}

impl Orders {
    fn routes(self) -> Routes<Self> {
        Router::new(self)
            .route(Method::PUT, "/orders/{id}", take_order)
            .into_service()
    }

    async fn keep(&self, id: &str) -> io::Result<()> {
        let mut database = self.pool.get().await?;
        match &*database.ask(&format!("ORDER {id}")).await? {
            "OK" => Ok(()),
            other => Err(io::Error::other(other.to_owned())),
        }
    }
}

async fn take_order(orders: Orders, call: Call) -> Reply {
    let id = call.params.get("id").to_owned();
    if let Err(error) = orders.keep(&id).await {
        return reply(StatusCode::BAD_GATEWAY, error.to_string());
    }
    let numbered = id.clone();
    let receipt = event_loop::run_blocking(move || {
        #[expect(clippy::disallowed_methods, reason = "a job may block")]
        std::thread::sleep(RECEIPT);
        format!("receipt of {numbered}")
    });
    let Ok(receipt) = receipt.await else {
        return reply(StatusCode::INTERNAL_SERVER_ERROR, "no receipt");
    };
    // The answer says that the order is on record everywhere, or will be.
    let _ = orders.audit.send(id);
    reply(StatusCode::CREATED, receipt)
}

/// Serves connections until the loop stops to accept, then lets those finish that there are.
async fn accept(
    listener: TcpListener,
    app: Routes<Orders>,
    draining: watch::Receiver<bool>,
    drained: oneshot::Sender<()>,
) {
    let mut connections = JoinSet::new();
    // Its error is that of a loop that shuts down.
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(serve(stream, app.clone(), draining.clone()));
        while connections.try_join_next().is_some() {}
    }
    while connections.join_next().await.is_some() {}
    drop(app);
    let _ = drained.send(());
}

async fn serve<S>(stream: TcpStream, app: S, mut draining: watch::Receiver<bool>)
where
    S: Service<hyper::Request<hyper::body::Incoming>, Response = Reply, Error = Infallible>,
{
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), app);
    let mut connection = std::pin::pin!(connection);
    // Who is gone has nothing to be told.
    event_loop::select! {
        _ = connection.as_mut() => return,
        _ = draining.wait_for(|draining| *draining) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// Writes the audit trail in batches, and the rest of it once nobody adds to it any more.
async fn flush(mut trail: mpsc::UnboundedReceiver<String>, pool: Pool) -> io::Result<()> {
    let mut batch = Vec::new();
    while trail.recv_many(&mut batch, 64).await > 0 {
        sleep(FLUSHED_EVERY).await;
        while let Ok(more) = trail.try_recv() {
            batch.push(more);
        }
        let mut database = pool.get().await?;
        database.ask(&format!("AUDIT {}", batch.join(" "))).await?;
        batch.clear();
    }
    Ok(())
}

async fn last_flush(flusher: TaskHandle<io::Result<()>>) -> Result<(), String> {
    match flusher.await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(error) => Err(error.to_string()),
    }
}
