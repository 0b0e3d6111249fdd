//! A small cluster: a server, clients that think, hash maps, random numbers and clocks.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "what the machine decides elsewhere is what the seed has to decide here"
)]

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use event_loop::net::{TcpListener, TcpStream};
use event_loop::time::sleep;
use rand::RngExt;
use sim::{Config, Sim};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The workload's world: links of 1 to 10 ms.
pub fn config() -> Config {
    Config::new().latency(Duration::from_millis(1)..=Duration::from_millis(10))
}

/// Three clients ask a server ten times each, with think time. Everything that a process decides
/// by itself goes into what is sent and waited: the order of a `HashMap`, random numbers, the wall
/// clock. Returns a number made of all of it.
pub async fn cluster(sim: Sim) -> u64 {
    let server = sim.host("server").run(|_| serve(3));
    let clients: Vec<_> = (0..3_u64)
        .map(|client| {
            sim.host(&format!("client-{client}"))
                .run(move |_| ask(client))
        })
        .collect();
    let mut sum = 0;
    for client in clients {
        sum = mix(sum, client.await.expect("a client finishes"));
    }
    server.await.expect("the server finishes");
    sum
}

async fn serve(clients: usize) {
    let listener = TcpListener::bind("0.0.0.0:7")
        .await
        .expect("the port is free");
    let mut connections = Vec::new();
    for _ in 0..clients {
        let (mut stream, _) = listener.accept().await.expect("accept works");
        connections.push(event_loop::spawn(async move {
            let mut request = [0; 8];
            while stream.read_exact(&mut request).await.is_ok() {
                let answer = mix(u64::from_le_bytes(request), 1);
                stream
                    .write_all(&answer.to_le_bytes())
                    .await
                    .expect("the client listens");
            }
        }));
    }
    for connection in connections {
        connection.await.expect("a connection ends by itself");
    }
}

async fn ask(client: u64) -> u64 {
    // The server may not have come as far as its `bind`.
    let mut stream = loop {
        match TcpStream::connect("server:7").await {
            Ok(stream) => break stream,
            Err(_) => sleep(Duration::from_millis(5)).await,
        }
    };
    let ages: HashMap<u64, u64> = (0..100).map(|key| (key, key * client)).collect();
    let mut sum = ages
        .iter()
        .fold(client, |sum, (key, age)| mix(mix(sum, *key), *age));
    for _ in 0..10 {
        let think = Duration::from_micros(rand::rng().random_range(0..20_000));
        sleep(think).await;
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .expect("after 1970");
        stream
            .write_all(&mix(sum, now.as_nanos() as u64).to_le_bytes())
            .await
            .expect("sent");
        let mut answer = [0; 8];
        stream.read_exact(&mut answer).await.expect("answered");
        sum = mix(sum, u64::from_le_bytes(answer));
    }
    sum
}

fn mix(sum: u64, word: u64) -> u64 {
    (sum ^ word)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .rotate_left(29)
}
