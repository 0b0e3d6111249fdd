//! The server: transforms bodies, and lets every connection finish what it has begun.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use event_loop::TaskHandle;
use event_loop::hyper::{LoopExecutor, LoopTimer};
use event_loop::net::{TcpListener, TcpStream};
use futures::future::{Either, join_all, select};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::rt::{Read, Write};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::server::graceful::GracefulConnection;

use crate::lingering::Lingering;
use crate::{Close, Protocol, Transform};

/// How long a connection may take to send a request's head.
pub(crate) const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// Accepts until it is asked to finish, then lets every connection finish what it has begun.
pub(crate) async fn serve(
    listener: TcpListener,
    protocol: Protocol,
    close: Close,
    begun: Arc<AtomicUsize>,
) {
    let mut connections = Vec::new();
    loop {
        let (stream, _peer) =
            match select(pin!(listener.accept()), pin!(event_loop::cancelled())).await {
                Either::Left((accepted, _)) => accepted.unwrap(),
                Either::Right(((), _)) => break,
            };
        connections.retain(|connection: &TaskHandle<_>| !connection.is_finished());
        let serving = serve_connection(stream, protocol, close, begun.clone());
        connections.push(event_loop::spawn(serving));
    }
    drop(listener);
    for connection in &connections {
        connection.request_cancel();
    }
    for connection in join_all(connections).await {
        connection.unwrap();
    }
}

async fn serve_connection(
    stream: TcpStream,
    protocol: Protocol,
    close: Close,
    begun: Arc<AtomicUsize>,
) {
    let ended = match close {
        Close::AtOnce => serve_requests(stream, protocol, begun).await,
        Close::Lingering => serve_requests(Lingering::new(stream), protocol, begun).await,
    };
    if let Err(error) = ended {
        assert!(
            error.is_timeout() || gone(&error),
            "the connection ended with {error:?}"
        );
    }
}

/// Whether the client had closed, and reset what the server had still to say.
fn gone(error: &hyper::Error) -> bool {
    let source = std::error::Error::source(error);
    let kind = source.and_then(|source| Some(source.downcast_ref::<io::Error>()?.kind()));
    matches!(
        kind,
        Some(
            io::ErrorKind::NotConnected
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::BrokenPipe
        )
    )
}

async fn serve_requests<I>(
    io: I,
    protocol: Protocol,
    begun: Arc<AtomicUsize>,
) -> Result<(), hyper::Error>
where
    I: Read + Write + Unpin + 'static,
{
    let service = service_fn(move |request| {
        begun.fetch_add(1, Ordering::Relaxed);
        answer(request)
    });
    match protocol {
        Protocol::Http1 => {
            let mut builder = http1::Builder::new();
            builder
                .timer(LoopTimer::new())
                .header_read_timeout(HEAD_TIMEOUT);
            drain_when_asked(builder.serve_connection(io, service)).await
        }
        Protocol::Http2 => {
            let mut builder = http2::Builder::new(LoopExecutor);
            builder
                .timer(LoopTimer::new())
                .keep_alive_interval(HEAD_TIMEOUT);
            drain_when_asked(builder.serve_connection(io, service)).await
        }
    }
}

async fn drain_when_asked<C: GracefulConnection>(connection: C) -> Result<(), C::Error> {
    let mut connection = pin!(connection);
    match select(connection.as_mut(), pin!(event_loop::cancelled())).await {
        Either::Left((ended, _)) => ended,
        Either::Right(((), _)) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    }
}

async fn answer(
    request: Request<Incoming>,
) -> Result<Response<BoxBody<Bytes, hyper::Error>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let known = Transform::ALL
        .into_iter()
        .find(|transform| transform.path() == head.uri.path());
    let body = match known {
        Some(Transform::Echo) => body.boxed(),
        Some(Transform::Shout) => body
            .map_frame(|frame| frame.map_data(|piece| Transform::Shout.of(&piece)))
            .boxed(),
        Some(Transform::Reverse) => whole(Transform::Reverse.of(&body.collect().await?.to_bytes())),
        None => {
            let mut response = Response::new(whole(Bytes::new()));
            *response.status_mut() = StatusCode::NOT_FOUND;
            return Ok(response);
        }
    };
    Ok(Response::new(body))
}

fn whole(bytes: Bytes) -> BoxBody<Bytes, hyper::Error> {
    Full::new(bytes).map_err(|never| match never {}).boxed()
}
