//! What a message costs among 2 to 1,000 hosts, without faults and under a full mesh of them,
//! and what faults cost hosts that say nothing.
//!
//! `cargo run --release -p net-sim --example mesh_rate`

#![allow(
    clippy::disallowed_methods,
    reason = "measures how long things take in real time"
)]

use std::net::SocketAddr;
use std::time::{Duration, Instant as Real};

use net_sim::{Fault, HostId, Latency, LinkConfig, Net, Plain, SocketId};
use virtual_time::Instant;

const MESSAGES: u32 = 400_000;

fn main() {
    println!(
        "{:>6} {:>10} {:>12} {:>14}",
        "hosts", "rules", "ns a message", "ns a message"
    );
    println!(
        "{:>6} {:>10} {:>12} {:>14}",
        "", "", "no rules", "under a rule"
    );
    for hosts in [2, 10, 100, 1_000] {
        let (plain, _) = talk(hosts, false);
        let (ruled, rules) = talk(hosts, true);
        println!("{hosts:>6} {rules:>10} {plain:>12} {ruled:>14}");
    }
    let (mut net, hosts) = network(1_000);
    let began = Real::now();
    let rules = mesh(&mut net, &hosts);
    let took = began.elapsed();
    println!("{rules} rules among idle hosts: {took:?} to add");
    let began = Real::now();
    let mut now = Instant::BEGIN;
    let end = now + Duration::from_secs(3_600);
    let mut events = 0;
    while let Some(next) = net.next_event().filter(|next| *next <= end) {
        now = next;
        net.advance(now, &mut Plain);
        events += 1;
    }
    net.advance(end, &mut Plain);
    println!("an hour of theirs: {events} events, {:?}", began.elapsed());
}

fn network(hosts: u32) -> (Net, Vec<HostId>) {
    let mut net = Net::default();
    net.set_default_link(LinkConfig::new(Latency::constant(Duration::from_millis(1))));
    let hosts = (0..hosts).map(|n| {
        let address = (0x0a00_0001 + n).to_be_bytes();
        net.add_host(&[address.into()]).expect("addresses differ")
    });
    let hosts = hosts.collect();
    (net, hosts)
}

/// A degradation of every pair that changes nothing.
fn mesh(net: &mut Net, hosts: &[HostId]) -> usize {
    let mut rules = 0;
    for (index, &a) in hosts.iter().enumerate() {
        for &b in &hosts[..index] {
            let link = LinkConfig::new(Latency::constant(Duration::from_millis(1)));
            let fault = Fault::degrade([a], [b], link);
            net.add_fault(Instant::BEGIN, fault, &mut Plain)
                .expect("two hosts, which differ");
            rules += 1;
        }
    }
    rules
}

/// Every host talks to the next; nanoseconds of real time for each message.
fn talk(hosts: u32, ruled: bool) -> (u128, usize) {
    let (mut net, ids) = network(hosts);
    let rules = if ruled { mesh(&mut net, &ids) } else { 0 };
    let mut now = Instant::BEGIN;
    let mut pairs: Vec<(SocketId, SocketId)> = vec![];
    for (index, &from) in ids.iter().enumerate() {
        let to = ids[(index + 1) % ids.len()];
        let addr = SocketAddr::new(net.host_addresses(to)[0], 80);
        let listener = net.tcp_socket(to);
        net.bind(now, listener, addr).expect("the port is free");
        net.listen(now, listener, 1).expect("nobody else listens");
        let client = net.tcp_socket(from);
        let _ = net.connect(now, client, addr, &mut Plain);
        while let Some(next) = net.next_event() {
            now = next;
            net.advance(now, &mut Plain);
        }
        let (server, _) = net.accept(now, listener, &mut Plain).expect("connected");
        net.close(now, listener, &mut Plain).expect("it is open");
        pairs.push((client, server));
    }
    let rounds = MESSAGES / hosts;
    let mut buf = [0; 64];
    let began = Real::now();
    for _ in 0..rounds {
        for (client, _) in &pairs {
            let sent = net.write(now, *client, &buf, &mut Plain);
            assert_eq!(sent, Ok(buf.len()));
        }
        while let Some(next) = net.next_event() {
            now = next;
            net.advance(now, &mut Plain);
        }
        for (_, server) in &pairs {
            let read = net.read(now, *server, &mut buf, &mut Plain);
            assert_eq!(read, Ok(buf.len()));
        }
        while net.pop_changed().is_some() {}
        // The acknowledgements have arrived.
        now += Duration::from_millis(1);
    }
    (
        began.elapsed().as_nanos() / u128::from(rounds * hosts),
        rules,
    )
}
