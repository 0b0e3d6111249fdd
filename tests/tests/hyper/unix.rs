//! hyper over a Unix stream, on the loops of production and in worlds.

use std::convert::Infallible;

use bytes::Bytes;
use event_loop::hyper::LoopTimer;
use event_loop::net::UnixStream;
use event_loop::{LoopConfig, production};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use sim::{Config, Sim};

use crate::server::HEAD_TIMEOUT;

async fn exchange() {
    let (client, server) = UnixStream::pair().unwrap();
    let serving = event_loop::spawn(async move {
        let echo = async |request: Request<Incoming>| {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            Ok::<_, Infallible>(Response::new(Full::new(body)))
        };
        let mut builder = hyper::server::conn::http1::Builder::new();
        builder
            .timer(LoopTimer::new())
            .header_read_timeout(HEAD_TIMEOUT);
        builder.serve_connection(server, service_fn(echo)).await
    });
    let (mut sender, connection) = hyper::client::conn::http1::handshake(client).await.unwrap();
    event_loop::spawn(connection).detach();
    let body = Bytes::from(vec![7; 300_000]);
    let request = Request::post("/echo")
        .body(Full::new(body.clone()))
        .unwrap();
    let response = sender.send_request(request).await.unwrap();
    let answer = response.into_body().collect().await.unwrap().to_bytes();
    assert!(answer == body, "{} bytes came back", answer.len());
    drop(sender);
    serving.await.unwrap().unwrap();
}

#[test]
fn a_body_comes_back_whole_in_production() {
    for factory in [production::current_thread, production::multi_thread] {
        let ev = factory(LoopConfig::default().worker_threads(1)).unwrap();
        ev.run_until_complete(exchange()).unwrap();
        ev.close().unwrap();
    }
}

#[test]
fn a_body_comes_back_whole_in_worlds() {
    sim::check(&Config::new().seeds(20), |_: Sim| exchange());
}
