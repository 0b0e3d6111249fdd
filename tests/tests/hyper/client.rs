//! The client: thinks, asks, and checks every answer.

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use event_loop::hyper::{LoopExecutor, LoopTimer};
use event_loop::net::TcpStream;
use futures::future::{FutureExt, join_all};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::header::HOST;
use hyper::{Request, Response, StatusCode};

use crate::server::HEAD_TIMEOUT;
use crate::{Protocol, Transform};

/// Concurrent users of a client: over HTTP/1 a connection each, over HTTP/2 one for all.
const LANES: usize = 4;
/// Body sizes in turn: the largest exceeds every window on its way.
const SIZES: [usize; 8] = [0, 1, 17, 1_000, 16_384, 65_535, 65_536, 300_000];

/// One request: what is thought about before it, and what is asked.
pub(crate) struct Exchange {
    think: Duration,
    transform: Transform,
    body: Bytes,
}

/// Sizes and transforms take turns, so that every pair of them occurs; think times are drawn.
pub(crate) fn plan(
    requests: usize,
    draw: &mut impl FnMut(&'static str, u64) -> u64,
) -> Vec<Exchange> {
    // A prime period: no two pieces of a window's size are alike.
    let period: Vec<u8> = (0..251).collect();
    let pattern = Bytes::from(period.repeat(2 + SIZES[SIZES.len() - 1] / period.len()));
    (0..requests)
        .map(|i| Exchange {
            think: Duration::from_micros(draw("think", 5_000)),
            transform: Transform::ALL[i % Transform::ALL.len()],
            body: pattern.slice(i % 251..i % 251 + SIZES[i % SIZES.len()]),
        })
        .collect()
}

/// Makes every request of the plan, and checks every answer.
pub(crate) async fn request_all(address: SocketAddr, protocol: Protocol, plan: Vec<Exchange>) {
    let asked = plan.len();
    let mut answered = 0;
    for lane in request(address, protocol, plan).await {
        assert!(lane.error.is_none(), "a lane ended with {:?}", lane.error);
        answered += lane.answered;
    }
    assert_eq!(answered, asked);
}

/// Makes requests until the server takes no more; returns how many were answered.
pub(crate) async fn request_until_refused(
    address: SocketAddr,
    protocol: Protocol,
    plan: Vec<Exchange>,
) -> usize {
    let lanes = request(address, protocol, plan).await;
    lanes.into_iter().map(|lane| lane.answered).sum()
}

type BoxError = Box<dyn Error + Send + Sync>;

/// What became of a lane.
#[derive(Default)]
struct Lane {
    answered: usize,
    /// What ended it early.
    error: Option<BoxError>,
}

/// Deals the plan to the lanes and runs them.
async fn request(address: SocketAddr, protocol: Protocol, plan: Vec<Exchange>) -> Vec<Lane> {
    let mut dealt: [Vec<Exchange>; LANES] = Default::default();
    for (i, exchange) in plan.into_iter().enumerate() {
        dealt[i % LANES].push(exchange);
    }
    let senders = match open_senders(address, protocol).await {
        Ok(senders) => senders,
        Err(error) => {
            let error = Some(error);
            return vec![Lane { answered: 0, error }];
        }
    };
    let lanes = senders.into_iter().zip(dealt);
    let lanes = lanes.map(|(sender, exchanges)| event_loop::spawn(run_lane(sender, exchanges)));
    let ended = join_all(lanes).await;
    ended.into_iter().map(Result::unwrap).collect()
}

async fn run_lane(mut sender: Sender, exchanges: Vec<Exchange>) -> Lane {
    let mut lane = Lane::default();
    for exchange in exchanges {
        event_loop::time::sleep(exchange.think).await;
        if let Err(error) = request_one(&mut sender, exchange).await {
            lane.error = Some(error.into());
            break;
        }
        lane.answered += 1;
    }
    lane
}

async fn request_one(sender: &mut Sender, exchange: Exchange) -> Result<(), hyper::Error> {
    let request = Request::post(format!("http://svc{}", exchange.transform.path()))
        .header(HOST, "svc")
        .body(Full::new(exchange.body.clone()))
        .expect("it is a valid request");
    let response = sender.send(request).await?;
    assert_eq!(response.status(), StatusCode::OK);
    let answer = response.into_body().collect().await?.to_bytes();
    assert!(
        answer == exchange.transform.of(&exchange.body),
        "{:?} of {} bytes came back wrong, {} bytes",
        exchange.transform,
        exchange.body.len(),
        answer.len()
    );
    Ok(())
}

enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Sender {
    async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, hyper::Error> {
        match self {
            Self::Http1(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
            Self::Http2(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
        }
    }
}

async fn open_senders(address: SocketAddr, protocol: Protocol) -> Result<Vec<Sender>, BoxError> {
    let mut senders = Vec::with_capacity(LANES);
    match protocol {
        Protocol::Http1 => {
            for _ in 0..LANES {
                let stream = TcpStream::connect(address).await?;
                let (sender, connection) = http1::handshake(stream).await?;
                // How a connection ends, its requests tell.
                event_loop::spawn(connection.map(drop)).detach();
                senders.push(Sender::Http1(sender));
            }
        }
        Protocol::Http2 => {
            let stream = TcpStream::connect(address).await?;
            let mut builder = http2::Builder::new(LoopExecutor);
            builder
                .timer(LoopTimer::new())
                .keep_alive_interval(HEAD_TIMEOUT);
            let (sender, connection) = builder.handshake(stream).await?;
            event_loop::spawn(connection.map(drop)).detach();
            senders.resize_with(LANES, || Sender::Http2(sender.clone()));
        }
    }
    Ok(senders)
}
