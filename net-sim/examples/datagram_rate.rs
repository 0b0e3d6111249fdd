//! How many datagrams a second the network itself does: `cargo run --release --example
//! datagram_rate`. 64 bytes each, in windows and in bursts, all received.

#![allow(clippy::disallowed_methods, reason = "it measures real time")]

use std::net::SocketAddr;
use std::time::{Duration, Instant as Wall};

use net_sim::drive::Pair;
use net_sim::{Family, Latency, LinkConfig, Plain};

const DATAGRAMS: usize = 3_200_000;

fn main() {
    let ms = Duration::from_millis;
    let links = [
        ("no latency", Latency::ZERO),
        ("1 ms", Latency::constant(ms(1))),
    ];
    println!("{DATAGRAMS} datagrams of 64 bytes");
    for (name, latency) in links {
        for window in [32, 32_000] {
            exchange(name, &latency, window);
        }
    }
}

fn exchange(name: &str, latency: &Latency, window: usize) {
    let mut pair = Pair::new(LinkConfig::new(latency.clone()));
    let server = pair.net.udp_socket(pair.server, Family::V4);
    let any = SocketAddr::new(Pair::SERVER, 0);
    pair.net.bind(pair.now, server, any).unwrap();
    pair.net.set_receive_buffer(server, 1 << 30).unwrap();
    let to = pair.net.local_addr(server).unwrap();
    let client = pair.net.udp_socket(pair.client, Family::V4);

    let (mut datagram, begun) = ([7; 64], Wall::now());
    for _ in 0..DATAGRAMS / window {
        for _ in 0..window {
            pair.net
                .send_to(pair.now, client, &datagram, to, &mut Plain)
                .unwrap();
        }
        pair.drive();
        while pair.net.pop_changed().is_some() {}
        for _ in 0..window {
            pair.net.recv_from(pair.now, server, &mut datagram).unwrap();
        }
    }
    let each = begun.elapsed().as_nanos() / DATAGRAMS as u128;
    println!("{name:>10}, {window:>6} at a time: {each:>4} ns a datagram");
}
