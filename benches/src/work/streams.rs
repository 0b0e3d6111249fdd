//! Rows d1, d2 and j: bytes through one connection, and many connections.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::cpu;
use super::network::{Link, Streams};

/// Contenders whose default is a tick of a millisecond for each hop would take a minute else.
const FEW_TRIPS: u32 = 10_000;
const TRIPS: u32 = 100_000;
const MESSAGE: usize = 64;

/// CPU time after which a mean is one.
const LONG_ENOUGH: Duration = Duration::from_millis(100);

const WRITES: usize = 4_096;
const BLOCK: usize = 64 * 1024;

/// Row d1: 64 bytes there and back through one connection, in million trips a second.
pub(super) fn echo<N: Streams>(network: &N, link: Link) -> f64 {
    let trips = match link {
        Link::Default => FEW_TRIPS,
        _ => TRIPS,
    };
    let server = async move {
        let mut listener = N::listen().await;
        let mut stream = N::accept(&mut listener).await;
        let mut message = [0; MESSAGE];
        for _ in 0..trips {
            let read = stream.read_exact(&mut message).await;
            read.expect("the client sends as many as it said");
            send(&mut stream, &message).await;
        }
        // Some networks lose what is under way when the sender goes.
        let end = stream.read(&mut message).await;
        assert_eq!(end.expect("the client goes in peace"), 0);
    };
    let client = async move {
        let mut stream = N::connect().await;
        let mut message = [0; MESSAGE];
        for trip in 0..trips {
            message.fill(trip as u8);
            send(&mut stream, &message).await;
            let read = stream.read_exact(&mut message).await;
            read.expect("the server answers every one");
            assert_eq!(message[MESSAGE - 1], trip as u8);
        }
    };
    let time = cpu::time_of(|| network.run_pair(link, server, client));
    f64::from(trips) / 1e6 / time.as_secs_f64()
}

/// Row d2: 4,096 writes of 64 KiB one way, in megabytes a second.
pub(super) fn one_way<N: Streams>(network: &N, link: Link) -> f64 {
    let server = async move {
        let mut listener = N::listen().await;
        let mut stream = N::accept(&mut listener).await;
        let mut block = vec![0; BLOCK];
        let mut left = WRITES * BLOCK;
        while left > 0 {
            let read = stream.read(&mut block).await;
            let read = read.expect("the client sends as much as it said");
            assert_ne!(read, 0, "the stream ends before its {left} last bytes");
            left -= read;
        }
        send(&mut stream, &[0]).await;
        let end = stream.read(&mut block).await;
        assert_eq!(end.expect("the client goes in peace"), 0);
    };
    let client = async move {
        let mut stream = N::connect().await;
        let block = vec![1; BLOCK];
        for _ in 0..WRITES {
            send(&mut stream, &block).await;
        }
        let done = stream.read_exact(&mut [0]).await;
        done.expect("the server says when it has everything");
    };
    let time = cpu::time_of(|| network.run_pair(link, server, client));
    (WRITES * BLOCK) as f64 / 1e6 / time.as_secs_f64()
}

/// Row j: connections made one after another from one host, and kept open to the end, in thousand
/// a second.
pub(super) fn connections<N: Streams>(network: &N, link: Link, connections: u32) -> f64 {
    // A thousand take a millisecond: as many runs as can be measured, the first not counted.
    connect_and_keep(network, link, connections);
    let (mut runs, mut time) = (0, Duration::ZERO);
    while time < LONG_ENOUGH {
        time += cpu::time_of(|| connect_and_keep(network, link, connections));
        runs += 1;
    }
    f64::from(connections * runs) / 1e3 / time.as_secs_f64()
}

fn connect_and_keep<N: Streams>(network: &N, link: Link, connections: u32) {
    let server = async move {
        let mut listener = N::listen().await;
        let mut streams = Vec::new();
        for _ in 0..connections {
            streams.push(N::accept(&mut listener).await);
        }
        // The last one is answered once all are there.
        let last = streams.last_mut().expect("somebody connects");
        send(last, &[0]).await;
        let end = last.read(&mut [0]).await;
        assert_eq!(end.expect("the client goes in peace"), 0);
    };
    let client = async move {
        let mut streams = Vec::new();
        for _ in 0..connections {
            streams.push(N::connect().await);
        }
        let last = streams.last_mut().expect("somebody connects");
        let done = last.read_exact(&mut [0]).await;
        done.expect("the server says when it has every one");
    };
    network.run_pair(link, server, client);
}

async fn send<S: AsyncWriteExt + Unpin>(stream: &mut S, bytes: &[u8]) {
    let written = stream.write_all(bytes).await;
    written.expect("the other side is there");
    // madsim sends nothing before.
    let flushed = stream.flush().await;
    flushed.expect("the other side is there");
}
