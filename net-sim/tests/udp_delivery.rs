//! Datagrams on links: when they arrive, in which order, and which never do.

use std::net::SocketAddr;
use std::time::Duration;

use net_sim::drive::Pair;
use net_sim::{
    Bandwidth, Corruption, Decide, Family, Fault, Latency, LinkConfig, NetConfig, NetError, Plain,
    Probability, Site, SocketId,
};

const MS: Duration = Duration::from_millis(1);

/// The answers at one site, in turn and from the front again; 0 elsewhere.
struct Answers(Site, Vec<u64>, usize);

impl Decide for Answers {
    fn choose(&mut self, site: Site, n: u64) -> u64 {
        if site != self.0 {
            return 0;
        }
        self.2 += 1;
        self.1[(self.2 - 1) % self.1.len()].min(n - 1)
    }
}

fn constant(latency: Duration) -> LinkConfig {
    LinkConfig::new(Latency::constant(latency))
}

/// A socket of the client's, and one of the server's with its address.
fn sockets<D: Decide>(pair: &mut Pair<D>) -> (SocketId, SocketId, SocketAddr) {
    let server = pair.net.udp_socket(pair.server, Family::V4);
    let any = SocketAddr::new(Pair::SERVER, 0);
    pair.net.bind(pair.now, server, any).unwrap();
    let to = pair.net.local_addr(server).unwrap();
    (pair.net.udp_socket(pair.client, Family::V4), server, to)
}

fn send<D: Decide>(pair: &mut Pair<D>, from: SocketId, to: SocketAddr, bytes: &[u8]) {
    let sent = pair
        .net
        .send_to(pair.now, from, bytes, to, &mut pair.decide);
    assert_eq!(sent, Ok(bytes.len()));
}

fn received<D>(pair: &mut Pair<D>, at: SocketId) -> Vec<Vec<u8>> {
    let mut all = vec![];
    let mut buf = vec![0; 70_000];
    loop {
        match pair.net.recv_from(pair.now, at, &mut buf) {
            Ok(received) => all.push(buf[..received.copied].to_vec()),
            Err(NetError::WouldBlock) => return all,
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn a_link_without_latency_has_delivered_when_the_call_returns() {
    let mut pair = Pair::new(LinkConfig::default());
    let (client, server, to) = sockets(&mut pair);
    send(&mut pair, client, to, b"now");
    assert_eq!(pair.net.next_event(), None);
    assert_eq!(pair.changed().len(), 1);
    assert_eq!(received(&mut pair, server), [b"now"]);
}

#[test]
fn what_is_under_way_on_one_link_is_one_event_an_instant() {
    let mut pair = Pair::new(constant(5 * MS));
    let (client, server, to) = sockets(&mut pair);
    for n in 0..100 {
        send(&mut pair, client, to, &[n]);
    }
    assert_eq!(received(&mut pair, server).len(), 0);
    assert!(pair.step());
    assert_eq!(pair.now, virtual_time::Instant::BEGIN + 5 * MS);
    assert_eq!(received(&mut pair, server).len(), 100);
    assert!(!pair.step());
    // One change for all of them.
    assert_eq!(pair.changed().len(), 1);
}

#[test]
fn datagrams_of_different_latency_overtake_each_other() {
    let link = LinkConfig::new(Latency::table([9 * MS, 3 * MS, 6 * MS]));
    let decide = Answers(Site::LATENCY, vec![0, 1, 2, 1], 0);
    let mut pair = Pair::with(NetConfig::default(), link, decide);
    let (client, server, to) = sockets(&mut pair);
    for n in 0..4 {
        send(&mut pair, client, to, &[n]);
    }
    let mut order = vec![];
    while pair.step() {
        order.extend(received(&mut pair, server));
    }
    assert_eq!(order, [[1], [3], [2], [0]]);
}

#[test]
fn a_refusal_takes_a_round_trip_and_is_told_to_the_connected_alone() {
    let mut pair = Pair::new(constant(5 * MS));
    let to = SocketAddr::new(Pair::SERVER, 4_000);
    let connected = pair.net.udp_socket(pair.client, Family::V4);
    pair.net
        .connect(pair.now, connected, to, &mut Plain)
        .unwrap();
    let other = pair.net.udp_socket(pair.client, Family::V4);
    send(&mut pair, connected, to, b"anybody?");
    send(&mut pair, other, to, b"anybody?");
    assert!(pair.step());
    assert!(!pair.readiness(connected).error);
    assert!(pair.step());
    assert_eq!(pair.now, virtual_time::Instant::BEGIN + 10 * MS);
    assert!(pair.readiness(connected).error);
    assert!(!pair.readiness(connected).readable, "as epoll says it");
    assert!(!pair.readiness(other).error);
    let refused = pair.net.send(pair.now, connected, b"x", &mut Plain);
    assert_eq!(refused, Err(NetError::ConnectionRefused));
    assert_eq!(pair.net.socket_error(connected), Ok(None));
}

#[test]
fn a_full_buffer_drops_what_comes_and_counts_it() {
    let mut pair = Pair::new(LinkConfig::default());
    let (client, server, to) = sockets(&mut pair);
    // What Linux 6.18 keeps of each size, with its default of 212,992 bytes.
    let measured = [
        (0, 256),
        (64, 256),
        (129, 166),
        (600, 166),
        (1_472, 92),
        (3_000, 48),
        (5_000, 25),
        (10_000, 12),
        (20_000, 10),
        (65_507, 3),
    ];
    let mut lost = 0;
    for (size, kept) in measured {
        for _ in 0..300 {
            send(&mut pair, client, to, &vec![1; size]);
        }
        assert_eq!(received(&mut pair, server).len(), kept, "of {size} bytes");
        lost += 300 - kept as u64;
        assert_eq!(pair.net.datagrams_overflowed(server), Ok(lost));
    }
    // However small the buffer is, one has room.
    pair.net.set_receive_buffer(server, 1).unwrap();
    send(&mut pair, client, to, &[1; 20_000]);
    send(&mut pair, client, to, b"lost");
    assert_eq!(received(&mut pair, server), [[1; 20_000]]);
}

#[test]
fn what_is_cut_is_lost_and_what_is_held_comes_later_in_order() {
    let mut pair = Pair::new(constant(5 * MS));
    let (client, server, to) = sockets(&mut pair);
    let (a, b) = (pair.client, pair.server);
    send(&mut pair, client, to, b"under way");
    let cut = Fault::partition([a], [b]);
    let cut = pair.net.add_fault(pair.now, cut, &mut Plain).unwrap();
    send(&mut pair, client, to, b"cut");
    pair.drive();
    pair.net.lift(pair.now, cut, &mut Plain).unwrap();
    pair.drive();
    assert_eq!(received(&mut pair, server).len(), 0);

    send(&mut pair, client, to, b"first");
    let hold = Fault::hold([a], [b]);
    let hold = pair.net.add_fault(pair.now, hold, &mut Plain).unwrap();
    send(&mut pair, client, to, b"second");
    pair.drive_until(pair.now + 1_000 * MS);
    send(&mut pair, client, to, b"third");
    assert_eq!(received(&mut pair, server).len(), 0);
    assert_eq!(pair.net.bytes_in_flight(), 16);
    let stats = pair.net.lift(pair.now, hold, &mut Plain).unwrap();
    assert_eq!(stats.eligible, 3);
    pair.drive();
    let all = received(&mut pair, server);
    assert_eq!(all, [&b"first"[..], b"second", b"third"]);
    assert_eq!(pair.net.bytes_in_flight(), 0);
}

#[test]
fn a_datagram_in_pieces_is_lost_with_any_of_them() {
    let p = Probability::ratio(1, 2).unwrap();
    let link = constant(MS).with_loss(p).with_mtu(1_500).unwrap();
    // Of three pieces the last is lost; then all three arrive.
    let decide = Answers(Site::LOSS, vec![0, 0, 1, 0, 0, 0], 0);
    let mut pair = Pair::with(NetConfig::default(), link, decide);
    let (client, server, to) = sockets(&mut pair);
    send(&mut pair, client, to, &[1; 4_000]);
    send(&mut pair, client, to, &[2; 4_000]);
    pair.drive();
    assert_eq!(received(&mut pair, server), [[2; 4_000]]);
    assert_eq!(pair.decide.2, 6);
}

#[test]
fn a_duplicate_is_the_same_datagram_once_more() {
    let p = Probability::ratio(1, 2).unwrap();
    let decide = Answers(Site::DUPLICATION, vec![1, 0], 0);
    let link = constant(MS).with_duplication(p);
    let mut pair = Pair::with(NetConfig::default(), link, decide);
    let (client, server, to) = sockets(&mut pair);
    send(&mut pair, client, to, b"twice");
    send(&mut pair, client, to, b"once");
    pair.drive();
    let all = received(&mut pair, server);
    assert_eq!(all, [&b"twice"[..], b"twice", b"once"]);
}

#[test]
fn a_broken_bit_is_one_bit_of_the_bytes_wherever_they_are() {
    let link = constant(MS).with_corruption(Probability::ALWAYS, Corruption::Delivered);
    let decide = Answers(Site::CORRUPT_BIT, vec![17], 0);
    let mut pair = Pair::with(NetConfig::default(), link, decide);
    let (client, server, to) = sockets(&mut pair);
    let (a, b) = (std::io::IoSlice::new(b"ab"), std::io::IoSlice::new(b"cd"));
    let sent = pair
        .net
        .send_vectored(pair.now, client, &[a, b], Some(to), &mut pair.decide);
    assert_eq!(sent, Ok(4));
    pair.drive();
    assert_eq!(received(&mut pair, server), [b"abad"]);
}

#[test]
fn a_narrow_link_delays_by_headers_and_bytes() {
    let link = constant(MS).with_bandwidth(Bandwidth::from_bytes(1_000_000));
    let mut pair = Pair::new(link);
    let (client, server, to) = sockets(&mut pair);
    for n in 0..3 {
        send(&mut pair, client, to, &[n; 960]);
    }
    let mut arrivals = vec![];
    while pair.step() {
        arrivals.push((
            pair.now.as_nanos() / 1_000,
            received(&mut pair, server).len(),
        ));
    }
    assert_eq!(arrivals, [(2_000, 1), (3_000, 1), (4_000, 1)]);
}

#[test]
fn what_is_under_way_outlives_its_sender() {
    let mut pair = Pair::new(constant(MS));
    let (client, server, to) = sockets(&mut pair);
    send(&mut pair, client, to, b"farewell");
    pair.close(client).unwrap();
    pair.drive();
    assert_eq!(received(&mut pair, server), [b"farewell"]);
}

#[test]
fn who_comes_to_a_port_later_gets_what_arrives_later() {
    let mut pair = Pair::new(constant(5 * MS));
    let (client, server, to) = sockets(&mut pair);
    send(&mut pair, client, to, b"to whom?");
    pair.close(server).unwrap();
    let later = pair.net.udp_socket(pair.server, Family::V4);
    pair.net.bind(pair.now, later, to).unwrap();
    pair.drive();
    assert_eq!(received(&mut pair, later), [b"to whom?"]);
}
