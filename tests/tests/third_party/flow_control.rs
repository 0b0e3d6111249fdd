//! h2 with windows that run out: small ones, big bodies, several streams, a reader that stalls.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use event_loop::net::{TcpListener, TcpStream};
use event_loop::spawn;
use event_loop::time::sleep;
use futures::StreamExt;
use futures::channel::mpsc;
use futures::future::{join_all, poll_fn};
use h2::client::SendRequest;
use h2::server::Builder;
use h2::{Ping, RecvStream, SendStream};
use hyper::http::{Request, Response};

use crate::scene::{Hosts, plays_by_foul_weather, plays_everywhere};

/// What a stream may have under way.
const WINDOW: u32 = 1000;
/// What all streams of a connection may have, unless somebody says otherwise.
const CONNECTION_WINDOW: usize = 65_535;
const BODY: usize = 100_000;

/// How long nothing happens before a stream counts as stalled.
const PAUSE: Duration = Duration::from_millis(200);

#[test]
fn windows_that_run_out_let_every_body_through() {
    plays_everywhere(many_bodies, &vec![true; 5]);
    plays_by_foul_weather(many_bodies, &vec![true; 5]);
}

#[test]
fn a_reader_that_stalls_stops_its_own_stream_alone() {
    let went = Went {
        before_the_stall: [WINDOW as usize, BODY],
        in_the_end: BODY,
    };
    plays_everywhere(a_small_stream_stalls, &went);
}

#[test]
fn a_reader_that_stalls_stops_the_connection_once_its_window_is_full() {
    let went = Went {
        before_the_stall: [CONNECTION_WINDOW, 0],
        in_the_end: BODY,
    };
    plays_everywhere(a_big_stream_stalls, &went);
}

/// Five requests at once, whose bodies are sent back as they come; whether they came back whole.
async fn many_bodies(hosts: Hosts) -> Vec<bool> {
    let listener = TcpListener::bind(hosts.server_at(0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = hosts.serve(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let builder = Builder::new().initial_window_size(WINDOW).clone();
        let mut connection = builder.handshake::<_, Bytes>(stream).await.unwrap();
        while let Some(request) = connection.accept().await {
            let (request, mut respond) = request.unwrap();
            let mut out = respond.send_response(Response::new(()), false).unwrap();
            spawn(async move {
                let mut body = request.into_body();
                while let Some(part) = body.data().await {
                    let part = part.unwrap();
                    body.flow_control().release_capacity(part.len()).unwrap();
                    send(&mut out, part).await;
                }
                out.send_data(Bytes::new(), true).unwrap();
            })
            .detach();
        }
    });
    let client = hosts.ask(async move {
        let asker = connect(address).await;
        let answers = (0..5_u8).map(|n| {
            let mut asker = asker.clone();
            async move {
                let (answer, mut out) = asker.send_request(post(), false).unwrap();
                let sending = spawn(async move {
                    send(&mut out, pattern(n)).await;
                    out.send_data(Bytes::new(), true).unwrap();
                });
                let came_back = to_the_end(answer.await.unwrap().into_body()).await;
                sending.await.unwrap();
                came_back == pattern(n)
            }
        });
        join_all(answers).await
    });
    let came_back = client.await.unwrap();
    server.await.unwrap();
    came_back
}

/// How many bytes of two bodies went.
#[derive(Debug, PartialEq)]
struct Went {
    /// Of the one that nobody reads, and then of the other, which is read if it comes.
    before_the_stall: [usize; 2],
    /// Of each, when both are read.
    in_the_end: usize,
}

async fn a_small_stream_stalls(hosts: Hosts) -> Went {
    one_of_two_stalls(hosts, Builder::new().initial_window_size(WINDOW).clone()).await
}

async fn a_big_stream_stalls(hosts: Hosts) -> Went {
    let window = 2 * BODY as u32;
    one_of_two_stalls(hosts, Builder::new().initial_window_size(window).clone()).await
}

async fn one_of_two_stalls(hosts: Hosts, server: Builder) -> Went {
    let listener = TcpListener::bind(hosts.server_at(0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (told, mut bodies) = mpsc::unbounded();
    let server = hosts.serve(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut connection = server.handshake::<_, Bytes>(stream).await.unwrap();
        while let Some(request) = connection.accept().await {
            let (request, mut respond) = request.unwrap();
            // The client waits for it, and knows the server's windows then.
            respond.send_response(Response::new(()), true).unwrap();
            told.unbounded_send(request.into_body()).unwrap();
        }
    });
    let mut asker = hosts.ask(connect(address)).await.unwrap();
    let mut upload = async || {
        let (answer, out) = asker.send_request(post(), false).unwrap();
        answer.await.unwrap();
        (out, bodies.next().await.unwrap())
    };
    let (mut stalled, unread) = upload().await;
    let (mut other, read) = upload().await;
    let reading = hosts.serve(to_the_end(read));
    let before_the_stall = [
        until_it_stalls(&mut stalled, BODY).await,
        until_it_stalls(&mut other, BODY).await,
    ];
    let reading_at_last = hosts.serve(to_the_end(unread));
    for (mut out, sent) in [stalled, other].into_iter().zip(before_the_stall) {
        send(&mut out, pattern(0).slice(sent..)).await;
        out.send_data(Bytes::new(), true).unwrap();
    }
    let [first, second] = [reading_at_last.await.unwrap(), reading.await.unwrap()];
    assert!(first == pattern(0) && second == pattern(0), "in order");
    drop(asker);
    server.await.unwrap();
    Went {
        before_the_stall,
        in_the_end: first.len(),
    }
}

/// A connection, driven by a task of its own until nobody asks any more.
async fn connect(address: SocketAddr) -> SendRequest<Bytes> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (asker, mut connection) = h2::client::handshake(stream).await.unwrap();
    let mut pings = connection.ping_pong().expect("nobody took them");
    spawn(async move { connection.await.unwrap() }).detach();
    // The server's settings come before its answer. Where a body is on its way before them, h2 0.4.20
    // may shrink that stream's window between two parts, and never widen it for the last of them.
    pings.ping(Ping::opaque()).await.unwrap();
    asker
}

/// Sends a body as the windows let it.
async fn send(out: &mut SendStream<Bytes>, mut bytes: Bytes) {
    while !bytes.is_empty() {
        let n = window(out, bytes.len()).await;
        out.send_data(bytes.split_to(n), false).unwrap();
    }
}

/// Sends of a body what the windows let go while nobody widens them, and says how much that is.
async fn until_it_stalls(out: &mut SendStream<Bytes>, most: usize) -> usize {
    let body = pattern(0);
    let mut sent = 0;
    while sent < most {
        let n = tokio::select! {
            biased;
            n = window(out, most - sent) => n,
            () = sleep(PAUSE) => break,
        };
        out.send_data(body.slice(sent..sent + n), false).unwrap();
        sent += n;
    }
    sent
}

/// Waits until something may go, `most` at most, and says how much.
async fn window(out: &mut SendStream<Bytes>, most: usize) -> usize {
    out.reserve_capacity(most);
    while out.capacity() == 0 {
        let widened = poll_fn(|cx| out.poll_capacity(cx)).await;
        widened.expect("the stream is open").unwrap();
    }
    out.capacity().min(most)
}

async fn to_the_end(mut body: RecvStream) -> Bytes {
    let mut received = vec![];
    while let Some(part) = body.data().await {
        let part = part.unwrap();
        body.flow_control().release_capacity(part.len()).unwrap();
        received.extend_from_slice(&part);
    }
    received.into()
}

fn post() -> Request<()> {
    let request = Request::post("http://server.test/");
    request.body(()).expect("a request")
}

fn pattern(first: u8) -> Bytes {
    let block: Vec<u8> = (first..=250).collect();
    let mut bytes = block.repeat(BODY / block.len() + 1);
    bytes.truncate(BODY);
    bytes.into()
}
