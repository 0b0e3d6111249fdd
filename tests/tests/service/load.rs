//! What is around the service: its database, and clients that remember what they were told.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use event_loop::net::{TcpListener, TcpStream};
use event_loop::time::sleep;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::HOST;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use sim::Sim;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

/// What the database has.
#[derive(Clone, Default)]
pub(crate) struct Database(Arc<Mutex<Tables>>);

#[derive(Default)]
struct Tables {
    orders: BTreeSet<String>,
    audited: BTreeSet<String>,
}

impl Database {
    pub(crate) fn start(sim: &Sim) -> Self {
        let database = Self::default();
        let served = database.clone();
        sim.host("database").run(|_| served.serve()).detach();
        database
    }

    pub(crate) fn has_order(&self, id: &str) -> bool {
        self.tables().orders.contains(id)
    }

    pub(crate) fn has_audited(&self, id: &str) -> bool {
        self.tables().audited.contains(id)
    }

    async fn serve(self) -> io::Result<()> {
        let listener = TcpListener::bind("0.0.0.0:5432").await?;
        loop {
            let (stream, _) = listener.accept().await?;
            let database = self.clone();
            event_loop::spawn(async move { database.answer(stream).await.is_ok() }).detach();
        }
    }

    async fn answer(&self, stream: TcpStream) -> io::Result<()> {
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        while stream.read_line(&mut line).await? > 0 {
            sleep(Duration::from_millis(2)).await;
            let mut words = line.split_whitespace().map(str::to_owned);
            match words.next().as_deref() {
                Some("ORDER") => self.tables().orders.extend(words),
                Some("AUDIT") => self.tables().audited.extend(words),
                _ => return Err(io::ErrorKind::InvalidData.into()),
            }
            stream.write_all(b"OK\n").await?;
            line.clear();
        }
        Ok(())
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a client was told of an order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Told {
    /// It was taken.
    Created,
    /// The connection was refused, closed or reset before there was an answer.
    Nothing,
    /// There was an answer, which was no.
    Refused(StatusCode),
}

/// Sends so many orders, one after the other on a connection, and a new one when that ends.
pub(crate) async fn send_orders(client: u32, orders: u32) -> Vec<(String, Told)> {
    let mut connection = None;
    let mut told = Vec::new();
    for order in 0..orders {
        let id = format!("{client}-{order}");
        let answer = match send(&mut connection, &id).await {
            Ok(StatusCode::CREATED) => Told::Created,
            Ok(other) => Told::Refused(other),
            Err(_) => {
                connection = None;
                Told::Nothing
            }
        };
        told.push((id, answer));
        sleep(Duration::from_millis(3)).await;
    }
    told
}

type Sender = SendRequest<Empty<Bytes>>;
type BoxError = Box<dyn std::error::Error + Send + Sync>;

async fn send(connection: &mut Option<Sender>, id: &str) -> Result<StatusCode, BoxError> {
    if connection.as_ref().is_none_or(SendRequest::is_closed) {
        let stream = TcpStream::connect("svc:80").await?;
        let (sender, driver) = handshake(TokioIo::new(stream)).await?;
        event_loop::spawn(async move { driver.await.is_ok() }).detach();
        *connection = Some(sender);
    }
    let sender = connection.as_mut().ok_or("no connection")?;
    sender.ready().await?;
    let request = Request::builder()
        .method(Method::PUT)
        .uri(format!("/orders/{id}"))
        .header(HOST, "svc")
        .body(Empty::new())?;
    let reply = sender.send_request(request).await?;
    let status = reply.status();
    // An answer that is cut is none.
    reply.into_body().collect().await?;
    Ok(status)
}
