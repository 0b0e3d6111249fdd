//! hyper as published, HTTP/1 and HTTP/2, over the loop's streams: the same client and server in a
//! world and on the loops of production.

mod client;
mod lingering;
mod server;
#[cfg(unix)]
mod unix;

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use event_loop::net::{TcpListener, TcpStream};
use event_loop::{EventLoop, LoopConfig, LoopError, production};
use sim::{Config, Run, Sim};
use tokio::io::AsyncReadExt;

use client::{plan, request_all, request_until_refused};
use server::{HEAD_TIMEOUT, serve};

const REQUESTS: usize = 200;
/// Beside the plain run.
const SEEDS: u64 = 20;

#[test]
fn http1_answers_every_request_in_every_schedule() {
    every_schedule_answers(Protocol::Http1);
}

#[test]
fn http2_answers_every_request_in_every_schedule() {
    every_schedule_answers(Protocol::Http2);
}

#[test]
fn http1_answers_every_request_on_production_current_thread() {
    production_answers(production::current_thread, Protocol::Http1);
}

#[test]
fn http2_answers_every_request_on_production_current_thread() {
    production_answers(production::current_thread, Protocol::Http2);
}

#[test]
fn http1_answers_every_request_on_production_multi_thread() {
    production_answers(production::multi_thread, Protocol::Http1);
}

#[test]
fn http2_answers_every_request_on_production_multi_thread() {
    production_answers(production::multi_thread, Protocol::Http2);
}

#[test]
fn http1_finishes_what_it_has_begun_whenever_it_is_told_to_stop() {
    every_stop_drains(Protocol::Http1);
}

#[test]
fn http2_finishes_what_it_has_begun_whenever_it_is_told_to_stop() {
    every_stop_drains(Protocol::Http2);
}

/// What hyper does by itself, and what [`lingering::Lingering`] is for.
#[test]
fn http2_that_closes_at_once_loses_a_begun_answer_in_some_schedule() {
    let lost = (0..=200).find(|&seed| {
        let Drained { begun, answered } = stop_under_load(seed, Protocol::Http2, Close::AtOnce);
        answered < begun
    });
    assert!(lost.is_some(), "no seed of 201 shows the loss");
}

#[test]
fn hypers_timer_cuts_a_silent_client_at_the_virtual_instant() {
    let run = in_world(0, |sim| async move {
        let [svc, peer] = ["svc", "peer"].map(|name| sim.host(name));
        let listener = listen(&svc.event_loop(), SocketAddr::new(svc.ip(), 0)).await;
        let address = listener.local_addr().unwrap();
        let server = svc.spawn(serve(
            listener,
            Protocol::Http1,
            Close::AtOnce,
            Arc::default(),
        ));
        let open_for = peer.spawn(async move {
            let mut stream = TcpStream::connect(address).await?;
            let connected = event_loop::time::Instant::now();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await?;
            assert_eq!(answer, b"", "nothing was asked, so nothing is answered");
            io::Result::Ok(connected.elapsed())
        });
        let open_for = open_for.await.unwrap().unwrap();
        server.request_cancel();
        server.await.unwrap();
        open_for
    });
    let open_for = run.value.expect("the run ends");
    // The server's clock starts half a round trip after the client's, and its FIN takes as long.
    assert!(
        open_for >= HEAD_TIMEOUT && open_for <= HEAD_TIMEOUT + Duration::from_millis(25),
        "closed after {open_for:?}"
    );
}

/// The plain run and the first seeds succeed, each twice with the same trace, and the seeds differ.
fn every_schedule_answers(protocol: Protocol) {
    let mut hashes = Vec::new();
    for seed in 0..=SEEDS {
        let run = || {
            in_world(seed, move |sim| async move {
                let svc = sim.host("svc");
                let clients = ["client 1", "client 2"].map(|name| sim.host(name).event_loop());
                let address = SocketAddr::new(svc.ip(), 0);
                let draw = |label, n| sim.choose(label, n);
                serve_two_clients(svc.event_loop(), clients, address, protocol, draw).await;
            })
        };
        let (first, second) = (run(), run());
        for run in [&first, &second] {
            assert_eq!(run.verdict, None, "seed {seed}");
            assert_eq!(run.value, Some(()), "seed {seed}");
        }
        assert_eq!(
            (first.hash, first.polls, first.elapsed),
            (second.hash, second.polls, second.elapsed),
            "seed {seed} twice"
        );
        hashes.push(first.hash);
    }
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(
        hashes.len() as u64,
        SEEDS + 1,
        "every seed is a run of its own"
    );
}

fn production_answers(factory: fn(LoopConfig) -> Result<EventLoop, LoopError>, protocol: Protocol) {
    let ev = factory(LoopConfig::default()).unwrap();
    let everyone = ev.clone();
    ev.run_until_complete(async move {
        let clients = [everyone.clone(), everyone.clone()];
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut state = 7_u64;
        let draw = move |_, n| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) % n
        };
        serve_two_clients(everyone, clients, address, protocol, draw).await;
    })
    .unwrap();
    ev.close().unwrap();
}

/// Whatever the server has begun when it is told to stop, the client gets whole.
fn every_stop_drains(protocol: Protocol) {
    let mut in_the_middle = 0;
    for seed in 0..=SEEDS {
        let Drained { begun, answered } = stop_under_load(seed, protocol, Close::Lingering);
        assert_eq!(begun, answered, "seed {seed}: requests begun and answered");
        in_the_middle += u64::from((1..REQUESTS / 2).contains(&answered));
    }
    assert!(in_the_middle > 0, "no stop fell between two requests");
}

struct Drained {
    /// Requests the server has begun to answer.
    begun: usize,
    /// Answers the client has read whole.
    answered: usize,
}

/// Stops the server at an instant of the seed's choosing, with requests under way.
fn stop_under_load(seed: u64, protocol: Protocol, close: Close) -> Drained {
    let run = in_world(seed, move |sim| async move {
        let svc = sim.host("svc");
        let listener = listen(&svc.event_loop(), SocketAddr::new(svc.ip(), 0)).await;
        let address = listener.local_addr().unwrap();
        let begun = Arc::<AtomicUsize>::default();
        let server = svc.spawn(serve(listener, protocol, close, begun.clone()));
        let plan = plan(REQUESTS / 2, &mut |label, n| sim.choose(label, n));
        let client = sim.host("client");
        let load = client.spawn(request_until_refused(address, protocol, plan));

        let range = Duration::from_millis(20)..=Duration::from_millis(200);
        event_loop::time::sleep(sim.any_duration("stop", range)).await;
        server.request_cancel();
        server.await.unwrap();
        let answered = load.await.unwrap();
        let begun = begun.load(Ordering::Relaxed);
        Drained { begun, answered }
    });
    assert_eq!(run.verdict, None, "seed {seed}");
    run.value.expect("without a verdict the run has finished")
}

/// Runs `main` in a world of its own, on a thread of its own: hyper keeps the rendered `Date` per
/// thread, and the next run would begin with the last one's.
fn in_world<M, F>(seed: u64, main: M) -> Run<F::Output>
where
    M: FnOnce(Sim) -> F + Send + 'static,
    F: Future,
    F::Output: Send + 'static,
{
    let milliseconds = Duration::from_millis;
    let config = Config::new().latency(milliseconds(1)..=milliseconds(10));
    let run = std::thread::spawn(move || sim::run_once(&config, seed, main));
    run.join().expect("a run does not panic")
}

/// The whole of the exchange, for whichever loops: 200 checked requests, then a graceful end.
async fn serve_two_clients(
    server: EventLoop,
    clients: [EventLoop; 2],
    address: SocketAddr,
    protocol: Protocol,
    mut draw: impl FnMut(&'static str, u64) -> u64,
) {
    let listener = listen(&server, address).await;
    let address = listener.local_addr().unwrap();
    let begun = Arc::<AtomicUsize>::default();
    let serving = server.spawn(serve(listener, protocol, Close::Lingering, begun.clone()));

    let clients = clients.map(|client| {
        let plan = plan(REQUESTS / 2, &mut draw);
        client.spawn(request_all(address, protocol, plan))
    });
    for client in clients {
        client.await.unwrap();
    }
    assert_eq!(begun.load(Ordering::Relaxed), REQUESTS);

    serving.request_cancel();
    serving.await.unwrap();
    let refused = server.spawn(TcpStream::connect(address)).await.unwrap();
    let error = refused.expect_err("nobody listens any more");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
}

async fn listen(on: &EventLoop, address: SocketAddr) -> TcpListener {
    on.spawn(TcpListener::bind(address)).await.unwrap().unwrap()
}

#[derive(Clone, Copy, Debug)]
enum Protocol {
    Http1,
    Http2,
}

/// How the server ends a connection it has finished with.
#[derive(Clone, Copy, Debug)]
enum Close {
    /// As hyper does by itself.
    AtOnce,
    /// Reading on until the client ends too.
    Lingering,
}

/// What the server does to a body.
#[derive(Clone, Copy, Debug)]
enum Transform {
    /// Sends it back as it comes.
    Echo,
    /// Sends each piece back in capitals, as it comes.
    Shout,
    /// Sends it back from end to start, once it has all of it.
    Reverse,
}

impl Transform {
    const ALL: [Self; 3] = [Self::Echo, Self::Shout, Self::Reverse];

    fn path(self) -> &'static str {
        match self {
            Self::Echo => "/echo",
            Self::Shout => "/shout",
            Self::Reverse => "/reverse",
        }
    }

    fn of(self, bytes: &[u8]) -> Bytes {
        match self {
            Self::Echo => Bytes::copy_from_slice(bytes),
            Self::Shout => bytes.to_ascii_uppercase().into(),
            Self::Reverse => {
                let mut bytes = bytes.to_vec();
                bytes.reverse();
                bytes.into()
            }
        }
    }
}
