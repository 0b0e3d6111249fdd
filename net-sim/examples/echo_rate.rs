//! How many echo round trips a second the network itself does: `cargo run --release --example
//! echo_rate`. One request is under way per connection.

#![allow(clippy::disallowed_methods, reason = "it measures real time")]

use std::hint::black_box;
use std::time::{Duration, Instant as Wall};

use net_sim::drive::Pair;
use net_sim::{Decide, Latency, LinkConfig, Net, NetConfig, NetError, Site, SocketId};

const ROUND_TRIPS: u64 = 4_000_000;

/// A small generator, so that drawing is not what is measured.
struct Lcg(u64);

impl Decide for Lcg {
    fn choose(&mut self, site: Site, n: u64) -> u64 {
        if site != Site::LATENCY {
            return 0;
        }
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        ((u128::from(self.0) * u128::from(n)) >> 64) as u64
    }
}

fn main() {
    let ms = Duration::from_millis;
    let links = [
        ("no latency", Latency::ZERO),
        ("1 ms", Latency::constant(ms(1))),
        ("1 to 10 ms", Latency::uniform(ms(1)..=ms(10))),
    ];
    println!("{ROUND_TRIPS} echo round trips of 64 bytes");
    for (name, latency) in links {
        for connections in [1, 100, 10_000] {
            echo(name, latency.clone(), connections);
        }
    }
    bulk(64 << 10);
    worlds(1_000_000);
}

fn echo(name: &str, latency: Latency, connections: usize) {
    let mut pair = Pair::with(NetConfig::default(), LinkConfig::new(latency), Lcg(1));
    let listener = pair.listen(80, 4_096).unwrap();
    let mut clients = Vec::new();
    // Whether a socket is a client's, by slot.
    let mut is_client = vec![false; 2 * connections + 2];
    while clients.len() < connections {
        let batch = (connections - clients.len()).min(1_000);
        for _ in 0..batch {
            let client = pair.connect(80);
            is_client[client.slot()] = true;
            clients.push(client);
        }
        pair.drive();
        while pair.accept(listener).is_ok() {}
    }
    pair.changed();

    let mut events = 0_u64;
    let mut done = 0_u64;
    let mut buf = [0; 64];
    let wall = Wall::now();
    for &client in &clients {
        pair.write(client, &[7; 64]).unwrap();
    }
    while done < ROUND_TRIPS {
        while let Some((id, readiness)) = pair.net.pop_changed() {
            if !readiness.readable {
                continue;
            }
            let n = read(&mut pair, id, &mut buf);
            done += u64::from(is_client[id.slot()]);
            pair.write(id, &buf[..n]).unwrap();
            if done >= ROUND_TRIPS {
                break;
            }
        }
        events += u64::from(pair.step());
    }
    let took = wall.elapsed();
    println!(
        "{name:>10}, {connections:>6} connections: {:>5.2} M/s ({events} steps, {} virtual)",
        ROUND_TRIPS as f64 / took.as_secs_f64() / 1e6,
        pair.now,
    );
}

fn bulk(chunk: usize) {
    let total = 8 << 30_u64;
    let mut pair = Pair::new(LinkConfig::default());
    let (client, server) = pair.connected();
    let bytes = vec![1; chunk];
    let mut buf = vec![0; chunk];
    let wall = Wall::now();
    let mut moved = 0;
    while moved < total {
        moved += pair.write(client, &bytes).unwrap() as u64;
        while pair
            .net
            .read(pair.now, server, &mut buf, &mut pair.decide)
            .is_ok_and(|n| n > 0)
        {}
    }
    println!(
        "bulk in chunks of {chunk}: {:.1} GB/s",
        moved as f64 / wall.elapsed().as_secs_f64() / 1e9
    );
}

fn worlds(n: u32) {
    let wall = Wall::now();
    for _ in 0..n {
        black_box(Net::new(NetConfig::default()));
    }
    println!("a fresh network: {:?}", wall.elapsed() / n);
    let wall = Wall::now();
    for _ in 0..n {
        black_box(Pair::new(LinkConfig::default()).connected());
    }
    println!(
        "one with two hosts and a connection: {:?}",
        wall.elapsed() / n
    );
}

fn read(pair: &mut Pair<Lcg>, id: SocketId, buf: &mut [u8]) -> usize {
    match pair.net.read(pair.now, id, buf, &mut pair.decide) {
        Ok(n) => n,
        Err(NetError::WouldBlock) => 0,
        Err(error) => panic!("{id}: {error}"),
    }
}
